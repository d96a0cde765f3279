"""Intervals against published figures and against what simulated data do; groups drawn together and held apart."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.insights import intervals
from serving.insights.compare import adjusted, pooled
from serving.insights.intervals import Sample, from_sums, mean_of, net, newcombe, rate_ratio, sample, welch, wilson

counts = st.integers(0, 500).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of)))


@pytest.mark.parametrize(
    ("count", "of", "low", "high"),
    # Newcombe 1998, Statistics in Medicine 17, 857-872, table I, method 3
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_as_published(count: int, of: int, low: float, high: float) -> None:
    found = wilson(count, of).interval
    assert found is not None
    assert (round(found.low, 4), round(found.high, 4)) == (low, high)


@pytest.mark.parametrize(
    ("first", "second", "low", "high"),
    # Newcombe 1998, Statistics in Medicine 17, 873-890, table II, method 10
    [
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((6, 7), (2, 7), 0.0582, 0.8062),
        ((10, 10), (0, 20), 0.6791, 1.0),
    ],
)
def test_newcombe_as_published(first: tuple[int, int], second: tuple[int, int], low: float, high: float) -> None:
    found = newcombe(wilson(*first), wilson(*second))
    assert found is not None and found.interval is not None
    assert (round(found.interval.low, 4), round(found.interval.high, 4)) == (low, high)


@given(counts, counts)
def test_shares_and_their_differences_stay_in_bounds(first: tuple[int, int], second: tuple[int, int]) -> None:
    a, b = wilson(*first), wilson(*second)
    for found in (a, b):
        if found.interval is None:
            assert found.of == 0 and found.share is None
        else:
            assert found.share is not None
            assert 0 <= found.interval.low <= found.share + 1e-12 and found.share - 1e-12 <= found.interval.high <= 1
    between = newcombe(a, b)
    if between is not None and between.interval is not None:
        assert -1 - 1e-12 <= between.interval.low <= between.value + 1e-12
        assert between.value - 1e-12 <= between.interval.high <= 1 + 1e-12
        assert between.p is None or 0 <= between.p <= 1


@pytest.mark.parametrize(
    ("freedom", "t"), [(1, 12.7062), (2, 4.3027), (3, 3.1824), (5, 2.5706), (10, 2.2281), (30, 2.0423), (1000, 1.9623)]
)
def test_students_t_as_tabled(freedom: int, t: float) -> None:
    assert intervals.t_quantile(freedom) == pytest.approx(t, rel=0.002)
    # and the way back
    assert intervals.t_two_sided(t, freedom) == pytest.approx(0.05, abs=0.003)


def test_welch_by_hand() -> None:
    # means 4 and 7, variances 1 and 4, ten values each: error sqrt(0.5), Welch's freedom 0.25 / (0.01/9 + 0.16/9)
    found = welch(Sample(10, 4.0, 1.0), Sample(10, 7.0, 4.0))
    assert found is not None and found.interval is not None
    half = intervals.t_quantile(0.25 / (0.17 / 9)) * math.sqrt(0.5)
    assert (found.value, found.interval.low) == (-3.0, pytest.approx(-3 - half))
    assert found.p == pytest.approx(0.0008, abs=0.0005)


def test_no_spread_gives_no_interval() -> None:
    seven = sample(np.full(1000, 7.1))
    assert (mean_of(seven).value, mean_of(seven).interval) == (pytest.approx(7.1), None)
    assert mean_of(from_sums(1000, 7100.000000001, 50410.0)).interval is None
    assert welch(seven, seven) == intervals.Difference(0.0, None, None)
    assert mean_of(sample(np.array([3.0]))) == intervals.Estimate(1, 3.0, None)
    assert mean_of(sample(np.zeros(0))) == intervals.Estimate(0, None, None)


def test_the_net_score_by_hand() -> None:
    # 6 promoters and 2 detractors of 10; Rocks: (6.75 - 2.75) / 13 and its spread
    found = net(6, 2, 10)
    centre = 4 / 13
    half = intervals.Z * math.sqrt((9.5 / 13 - centre**2) / 13)
    assert found.value == 40
    assert found.interval is not None
    assert found.interval.low == pytest.approx(100 * (centre - half))
    # three promoters and nobody else are no certainty
    assert net(3, 0, 3).value == 100
    few = net(3, 0, 3).interval
    assert few is not None and few.low < 60
    assert net(0, 0, 0) == intervals.Estimate(0, None, None)


def test_how_often_intervals_hold_the_truth() -> None:
    rng = np.random.default_rng(7)
    truth = np.array([0.2, 0.3, 0.5])  # detractors, passives, promoters
    held = mean_held = 0
    for _ in range(400):
        found = rng.choice([-1, 0, 1], size=40, p=truth)
        inside = net(int((found == 1).sum()), int((found == -1).sum()), 40).interval
        held += inside is not None and inside.low <= 30 <= inside.high
        mean = mean_of(sample(found.astype(float))).interval
        mean_held += mean is not None and mean.low <= 0.3 <= mean.high
    assert 0.92 <= held / 400 <= 0.98
    assert 0.92 <= mean_held / 400 <= 0.98


def test_a_ratio_of_counts() -> None:
    found = rate_ratio(60, 40)
    assert found.value == 1.5 and found.interval is not None
    assert 0.99 < found.interval.low < 1.02 < 2.2 < found.interval.high < 2.25
    assert rate_ratio(5, 0).value is None
    assert rate_ratio(0, 0).value is None
    assert rate_ratio(0, 5).value == 0


def test_benjamini_and_hochberg_by_hand() -> None:
    found = adjusted([0.01, None, 0.04, 0.03, 0.5])
    assert found == [pytest.approx(0.04), None, pytest.approx(0.16 / 3), pytest.approx(0.16 / 3), pytest.approx(0.5)]


@given(st.lists(st.none() | st.floats(0, 1), max_size=20))
def test_q_is_never_below_p_and_keeps_its_order(p: list[float | None]) -> None:
    q = adjusted(p)
    pairs = sorted((a, b) for a, b in zip(p, q, strict=True) if a is not None and b is not None)
    assert [a is None for a in p] == [b is None for b in q]
    assert all(a <= b + 1e-15 and b <= 1 for a, b in pairs)
    assert [b for _, b in pairs] == sorted(b for _, b in pairs)


def test_small_groups_are_drawn_further_than_large_ones() -> None:
    groups = [Sample(5, 9.0, 4.0), Sample(500, 8.0, 4.0), Sample(500, 6.0, 4.0), Sample(0, 0, 0)]
    small, large, *_ = found = pooled(groups)
    assert found[3] is None
    assert small is not None and large is not None and small.value is not None and large.value is not None
    assert 7.5 < small.value < 9.0 - 0.1
    assert 7.95 < large.value < 8.0
    assert small.interval is not None and large.interval is not None
    assert small.interval.high - small.interval.low > large.interval.high - large.interval.low


def test_groups_that_do_not_differ_are_drawn_to_one_mean() -> None:
    found = pooled([Sample(50, 7.0, 4.0), Sample(50, 7.1, 4.0), Sample(50, 6.9, 4.0)])
    assert {round(item.value or 0, 9) for item in found if item} == {7.0}
    assert pooled([Sample(50, 7.0, 4.0)]) == [None]
    assert pooled([Sample(5, 7.0, 0.0), Sample(5, 8.0, 0.0)]) == [None, None]


def test_drawn_means_lie_nearer_the_truth_than_plain_ones() -> None:
    rng = np.random.default_rng(3)
    truth = rng.normal(7, 0.5, size=60)
    sizes = rng.integers(5, 60, 60)
    groups = [sample(rng.normal(mean, 2.5, size=int(n))) for mean, n in zip(truth, sizes, strict=True)]
    found = [item for item in pooled(groups) if item]
    drawn, plain = np.array([item.value for item in found]), np.array([group.mean for group in groups])
    assert ((drawn - truth) ** 2).mean() < 0.8 * ((plain - truth) ** 2).mean()
    pairs = [(item.interval, mean) for item, mean in zip(found, truth, strict=True) if item.interval]
    held = [between.low <= mean <= between.high for between, mean in pairs]
    assert np.mean(held) > 0.85
