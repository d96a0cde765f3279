"""What is told as rising, falling or returning, and what is left alone."""

import numpy as np
import pytest

from nlp.emerging import Finding, Sensitivity, Series, adjusted, findings, forecast

DAYS = 60
WEEKDAYS = np.arange(DAYS) % 7


def steady(mean: float, seed: int = 0, days: int = DAYS) -> np.ndarray:
    return np.random.default_rng(seed).poisson(mean, days)


def background(count: int = 30, days: int = DAYS) -> list[Series]:
    return [Series("theme", f"t{number}", steady(3, number, days)) for number in range(count)]


def told(own: np.ndarray, totals: np.ndarray | None = None, **sensitivity: float) -> list[Finding]:
    """What is said of one series among thirty that nothing happens to."""
    totals = np.full(DAYS, 100) if totals is None else totals
    found = findings([*background(), Series("cluster", "own", own)], totals, WEEKDAYS, Sensitivity(**sensitivity))
    return [each for each in found if each.id == "own"]


def with_last(counts: np.ndarray, *last: int) -> np.ndarray:
    return np.concatenate([counts[: -len(last)], last])


def test_a_new_issue_of_fifteen_answers_in_two_days_is_told_with_its_numbers() -> None:
    (found,) = told(with_last(np.zeros(DAYS, int), 8, 7))
    assert (found.direction, found.observed, found.days) == ("rising", 15, 2)
    assert found.expected < 1 and found.p < found.q < 0.001 and found.high <= 1


def test_more_answers_in_all_are_no_issue() -> None:
    totals = with_last(np.full(DAYS, 100), 300)
    assert told(with_last(steady(5), 15), totals) == []
    assert [found.direction for found in told(with_last(steady(5), 45))] == ["rising"]


def test_a_weekday_that_is_always_busy_is_no_issue() -> None:
    busy = np.where(WEEKDAYS[-1] == WEEKDAYS, 24, 2)
    assert told(busy) == []
    assert [found.observed for found in told(np.where(np.arange(DAYS) == DAYS - 1, 24, 2))] == [24]


def test_a_slow_growth_is_no_alarm_and_a_jump_on_top_of_it_is() -> None:
    growing = np.linspace(4, 20, DAYS).round().astype(int)
    assert told(growing) == []
    assert told(with_last(growing, 60))[0].expected == pytest.approx(19, abs=4)


def test_doubling_from_one_to_two_is_no_issue() -> None:
    assert told(with_last(np.ones(DAYS, int), 2, 2)) == []


def test_what_has_gone_is_told_as_falling_and_what_comes_back_as_returning() -> None:
    gone = np.concatenate([steady(8, days=DAYS - 14), np.zeros(14, int)])
    assert [found.direction for found in told(gone)] == ["falling"]
    back = np.concatenate([steady(5, days=20), np.zeros(DAYS - 22, int), [6, 7]])
    assert [found.direction for found in told(back)] == ["returning"]


def test_three_days_of_history_are_enough_for_a_surge_and_two_are_not() -> None:
    series = [Series("theme", "flights", np.array([40, 50, 45, 400]))]
    found = findings(series, np.array([900, 1000, 950, 1500]), np.arange(4))
    assert [(each.id, each.days) for each in found] == [("flights", 1)]
    assert (
        findings([Series("theme", "flights", np.array([40, 50, 400]))], np.array([900, 1000, 1500]), np.arange(3)) == []
    )


@pytest.mark.parametrize(("there", "days"), [(3, []), (4, [1]), (30, [1])])
def test_what_was_not_there_from_the_start_is_held_against_its_own_days(there: int, days: list[int]) -> None:
    counts = with_last(np.full(DAYS, 8), 60)
    counts[: DAYS - there - 1] = 0
    own = Series("theme", "new", counts, since=DAYS - there)
    found = findings([*background(), own], np.full(DAYS, 100), WEEKDAYS)
    assert [each.days for each in found] == days
    assert all(6 < each.expected < 10 for each in found)


def test_what_may_not_fall_rises_all_the_same() -> None:
    def directions(*last: int, may_fall: bool) -> list[str]:
        own = Series("theme", "own", with_last(np.full(DAYS, 8), *last), may_fall=may_fall)
        return [each.direction for each in findings([*background(), own], np.full(DAYS, 100), WEEKDAYS)]

    gone = [0] * 14
    assert (directions(*gone, may_fall=True), directions(*gone, may_fall=False)) == (["falling"], [])
    assert directions(80, may_fall=False) == directions(80, may_fall=True) == ["rising"]


def test_a_noisy_series_needs_more_than_a_calm_one() -> None:
    noisy = np.where(np.arange(DAYS) % 5 == 0, 24, 1)
    assert told(with_last(noisy, 26)) == []
    assert told(with_last(np.full(DAYS, 5), 26)) != []


def test_few_false_alarms_in_a_year_without_issues() -> None:
    rng = np.random.default_rng(3)
    days, weekdays = 420, np.arange(420) % 7
    totals = rng.poisson(100 * np.array([1.1, 1.1, 1, 1, 1.1, 0.6, 0.5])[weekdays])
    series = [rng.poisson(share * totals) for share in rng.dirichlet(np.ones(40) / 2)]
    alarms = 0
    for day in range(56, days):
        past = slice(day - 56, day)
        found = findings(
            [Series("theme", str(i), each[past]) for i, each in enumerate(series)], totals[past], weekdays[past]
        )
        alarms += sum(each.direction != "falling" for each in found)
    assert alarms <= 12, "days on which anything was told, in 52 weeks, repeats included"


def test_the_expected_count_is_that_of_a_regression_with_statsmodels() -> None:
    api = pytest.importorskip("statsmodels.api")
    totals = np.random.default_rng(1).integers(2000, 5000, DAYS).astype(float)
    counts = np.random.default_rng(2).poisson(0.1 * totals * np.exp(0.02 * np.arange(DAYS) / 7))
    week = (np.arange(DAYS) - (DAYS - 2)) / 7
    design = np.column_stack([np.minimum(week, 0), np.eye(7)[WEEKDAYS]])
    model = api.GLM(counts[:-1], design[:-1], family=api.families.Poisson(), offset=np.log(totals[:-1])).fit()
    wanted = model.predict(design[-1:], offset=np.log(totals[-1:]))
    expected, variance = forecast(counts[None, :-1].astype(float), totals, WEEKDAYS, 1)
    assert expected[0] == pytest.approx(wanted[0], rel=0.01)
    assert variance[0] >= expected[0]


def test_the_correction_is_that_of_benjamini_and_hochberg() -> None:
    multitest = pytest.importorskip("statsmodels.stats.multitest")
    p = np.random.default_rng(0).uniform(size=50) ** 3
    assert adjusted(p) == pytest.approx(multitest.multipletests(p, method="fdr_bh")[1])


def test_nothing_to_test_finds_nothing_and_uneven_series_are_refused() -> None:
    assert findings([], np.ones(5), np.arange(5)) == []
    with pytest.raises(ValueError, match="one entry for each day"):
        findings([Series("theme", "a", np.ones(4))], np.ones(5), np.arange(5))
