"""Scores by group: counts made by hand on both databases, known differences found again, few people kept apart."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from insight_rows import Rows, day

from serving.insights.held import PEOPLE, hold_back
from serving.insights.scores import COMPARED_FROM, Group, Scores, scores
from serving.insights.window import Window, period
from serving.store.database import Database

QUARTER = Window(period(day(0), day(90), day(90)))


def ask(database: Database, by: str | None, window: Window = QUARTER, limit: int = 100, every: str = "month") -> Scores:
    with database.read() as connection:
        return scores(connection, "acme", window, by, every, limit)


def named(found: Scores) -> dict[str | None, Group]:
    return {group.name: group for group in found.groups}


def test_counts_by_hand(database: Database) -> None:
    rows = Rows()
    rows.answer(10, day(0), unit="north", respondent="a", themes=[("delivery", "positive"), ("price", "negative")])
    rows.answer(8, day(1), unit="north", respondent="a", themes=[("delivery", "negative")])
    rows.answer(0, day(35), unit="south", respondent="b", themes=[("delivery", "mixed")])
    rows.answer(6, day(36), respondent="c")
    rows.answer(None, day(36), unit="south", respondent="d")  # no score
    rows.answer(5, day(36), unit="south", metric="csat", group="promoter")  # another scale
    rows.answer(9, day(-1), unit="south")  # before
    rows.answer(9, day(90), unit="south")  # after
    other = Rows("other")
    other.answer(1, day(1), unit="north")
    rows.write(database)
    other.write(database)
    found = ask(database, "unit")
    assert (found.n, found.metric, found.left_aside, found.left_out, found.held_back) == (4, "nps", 1, 0, None)
    assert (found.overall.mean.value, found.overall.net.value, found.overall.respondents) == (6.0, -25.0, 3)
    groups = named(found)
    assert [group.name for group in found.groups] == ["north", None, "south"]
    assert (groups["north"].n, groups["north"].mean.value, groups["north"].net.value) == (2, 9.0, 50.0)
    assert (groups["north"].respondents, groups["south"].mean.value, groups[None].net.value) == (1, 0.0, -100.0)
    trend = [(point.start.isoformat(), point.mean.n, point.mean.value) for point in found.overall.trend]
    assert trend == [("2026-11-01", 2, 9.0), ("2026-12-01", 2, 3.0)]
    by_theme = named(ask(database, "theme"))
    assert {name: (group.n, group.mean.value) for name, group in by_theme.items()} == {
        "delivery": (3, 6.0),
        "price": (1, 10.0),
    }
    assert ask(database, None).groups == ()
    one = ask(database, "unit", limit=1)
    assert ([group.name for group in one.groups], one.left_out) == (["north"], 2)


def test_the_metric_with_most_scores_or_the_one_asked_for(database: Database) -> None:
    rows = Rows()
    for score in (1, 2, 3):
        rows.answer(score, day(1), metric="csat")
    rows.answer(5, day(1), metric="csat", scale_min=1.0, scale_max=5.0)  # the scale that CSAT has anyway
    rows.answer(9, day(1), metric="csat", scale_min=0.0, scale_max=10.0)
    rows.answer(9, day(1))
    rows.answer(3, day(1), metric=None, scale_min=1.0, scale_max=3.0)
    rows.answer(1e300, day(1))  # no scale has it
    rows.write(database)
    found = ask(database, None)
    assert (found.metric, found.n, found.left_aside, found.overall.mean.value) == ("csat", 4, 3, 11 / 4)
    found = ask(database, None, Window(QUARTER.period, metric="nps"))
    assert (found.metric, found.n, found.left_aside) == ("nps", 1, 0)
    empty = ask(database, "unit", Window(QUARTER.period, metric="ces"))
    assert (empty.metric, empty.n, empty.groups) == ("ces", 0, ())


def test_units_that_differ_are_told_from_those_that_do_not(database: Database) -> None:
    rng, rows = np.random.default_rng(11), Rows()
    for unit in range(20):
        # one in twenty is worse by two points
        centre = 5.0 if unit == 7 else 7.0
        for score in np.clip(np.rint(rng.normal(centre, 1.5, size=60)), 0, 10):
            rows.answer(float(score), day(float(rng.uniform(0, 89))), unit=f"u{unit:02}")
    for score in (0, 0, 1):
        rows.answer(score, day(3), unit="tiny")
    rows.write(database)
    groups = named(ask(database, "unit"))
    worst = groups["u07"].against_rest
    assert worst is not None and worst.interval is not None and worst.interval.low < -2 < worst.interval.high
    assert groups["u07"].q is not None and groups["u07"].q < 0.001
    assert sum(group.q is not None and group.q < 0.05 for group in groups.values()) <= 2
    # too few to be compared, and drawn up from where they stand
    tiny = groups["tiny"]
    assert (tiny.n < COMPARED_FROM, tiny.against_rest, tiny.q) == (True, None, None)
    assert tiny.pooled is not None and tiny.pooled.value is not None and tiny.mean.value is not None
    assert tiny.mean.value + 0.5 < tiny.pooled.value < 7


def test_a_group_against_the_rest_is_welchs(database: Database) -> None:
    rng, rows = np.random.default_rng(2), Rows()
    ours, others = rng.integers(0, 11, 30).astype(float), rng.integers(3, 11, 50).astype(float)
    for touchpoint, values in (("shop", ours), ("web", others)):
        for score in values:
            rows.answer(float(score), day(2), touchpoint=touchpoint)
    rows.write(database)
    found = named(ask(database, "touchpoint"))["shop"].against_rest
    assert found is not None and found.interval is not None
    stats = pytest.importorskip("scipy.stats")
    expected = stats.ttest_ind(ours, others, equal_var=False)
    assert found.value == pytest.approx(ours.mean() - others.mean())
    between = expected.confidence_interval()
    bounds = (found.interval.low, found.interval.high)
    assert bounds == pytest.approx((between.low, between.high), rel=1e-3)
    assert found.p == pytest.approx(expected.pvalue, abs=1e-3)


def test_a_rise_is_found_with_its_interval(database: Database) -> None:
    rng, rows = np.random.default_rng(5), Rows()
    for when in rng.uniform(0, 90, size=600):
        rows.answer(float(np.clip(6 + when / 30 + rng.normal(0, 1), 0, 12)), day(float(when)), metric="ces")
    rows.write(database)
    rise = ask(database, None, every="week").overall.per_30_days
    assert rise.interval is not None
    assert rise.interval.low < 1 < rise.interval.high < 1.3


def test_all_scores_the_same(database: Database) -> None:
    rows = Rows()
    for number in range(40):
        rows.answer(7, day(number), unit=f"u{number % 2}", themes=[("price", "neutral")])
    rows.write(database)
    found = ask(database, "unit")
    assert (found.overall.mean.value, found.overall.mean.interval, found.overall.per_30_days.value) == (7.0, None, None)
    for group in found.groups:
        assert group.against_rest is not None
        assert (group.against_rest.value, group.against_rest.interval, group.q, group.pooled) == (0.0, None, None, None)


def test_employees_of_whom_few_people_speak_are_held_back(database: Database) -> None:
    rows = Rows()
    for employee, people in (("anna", 12), ("jan", 6), ("ola", 8), ("piotr", 3)):
        for person in range(people):
            rows.answer(8, day(1), employee=employee, respondent=f"{employee}-{person}")
    for _ in range(9):  # one person who answers often is one person
        rows.answer(2, day(1), employee="piotr", respondent="piotr-0")
    rows.answer(8, day(1))
    rows.write(database)
    found = ask(database, "employee")
    # piotr alone would be the total less the others: jan, the next smallest, goes with him
    assert [group.name for group in found.groups] == ["anna", "ola", None]
    assert found.held_back is not None
    assert (found.held_back.groups, found.held_back.n, found.n) == (2, 6 + 3 + 9, 39)
    assert "fewer than 5" in found.held_back.because
    # the same groups by unit are told
    assert ask(database, "unit").held_back is None


@given(st.dictionaries(st.integers(1, 30), st.integers(1, 12), max_size=12), st.booleans())
def test_what_is_held_back_cannot_be_worked_out(people: dict[int, int], unnamed: bool) -> None:
    everybody = people | ({0: 1} if unnamed else {})
    held = hold_back(people, everybody, 0 if unnamed else None)
    kept = set(people) - set(held.keys if held else ())
    assert all(people[key] >= PEOPLE for key in kept)
    if held:
        hidden = set(held.keys) & set(people)
        nothing_left = set(held.keys) == set(everybody)
        assert nothing_left or (len(hidden) >= 2 and sum(people[key] for key in hidden) >= PEOPLE)
        assert held.answer.n == sum(everybody[key] for key in held.keys)
    else:
        assert kept == set(people)
