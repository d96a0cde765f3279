"""Whether an improvement worked: ratios and intervals checked against numbers worked out by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.issues.effect import Rate, effect


def test_the_ratio_and_its_interval_are_those_worked_out_by_hand() -> None:
    # 30 of 1,000 before, 10 of 1,000 after: ln(1/3) = -1.098612, variance 1/10 - 1/1000 + 1/30 - 1/1000 = 0.131333,
    # standard error 0.362400, times 1.959964 = 0.710291: exp(-1.808903) = 0.163834, exp(-0.388321) = 0.678194
    found = effect(Rate(30, 1000), Rate(10, 1000))
    assert found.ratio == pytest.approx(1 / 3)
    assert found.interval is not None
    assert (found.interval.low, found.interval.high) == (
        pytest.approx(0.163834, abs=1e-5),
        pytest.approx(0.678194, abs=1e-5),
    )
    assert found.verdict == "rarer"
    assert found.sentence == "It is told less often since: 30.0 of 1,000 answers before, 10.0 after."


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        ((10, 1000), (30, 1000), "more frequent"),
        ((10, 1000), (9, 1000), "no clear change"),
        ((20, 1000), (0, 1000), "rarer"),
        ((2, 1000), (1, 1000), "too early"),
        ((20, 1000), (0, 0), "too early"),
        ((0, 0), (20, 100), "too early"),
        ((50, 50), (50, 50), "no clear change"),
    ],
)
def test_the_verdict_is_what_the_interval_allows(before: tuple, after: tuple, verdict: str) -> None:
    assert effect(Rate(*before), Rate(*after)).verdict == verdict


counts = st.integers(0, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(counts, counts)
def test_what_rises_one_way_falls_the_other(before: tuple[int, int], after: tuple[int, int]) -> None:
    there, back = effect(Rate(*before), Rate(*after)), effect(Rate(*after), Rate(*before))
    if there.ratio is None:
        assert back.ratio is None
        return
    assert there.interval is not None and back.interval is not None
    assert there.ratio * back.ratio == pytest.approx(1)
    assert there.interval.low * back.interval.high == pytest.approx(1)
    assert there.interval.low <= there.ratio <= there.interval.high
