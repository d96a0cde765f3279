"""Contacted against not contacted: the matched difference finds a known effect that the raw one hides."""

import numpy as np
import pytest
from insight_rows import Rows, day

from serving.insights.matched import Observed, compared, within
from serving.insights.retention import OutcomeCompared, Retention, retention
from serving.insights.window import Window, period
from serving.store.database import Database

NOW = day(300)
MONTH = Window(period(day(0), day(30), NOW))
LIFT = 1.0
"""What a contact adds to the later score in the simulated data."""


def ask(database: Database, landmark: int = 14, horizon: int = 180) -> Retention:
    with database.read() as connection:
        return retention(connection, "acme", MONTH, landmark, horizon, NOW)


def outcome(found: Retention, name: str) -> OutcomeCompared:
    return next(item for item in found.outcomes if item.outcome == name)


def test_a_story_counted_by_hand(database: Database) -> None:
    rows = Rows()

    def low(person: str, score: float = 2, at: float = 1, reached: float | None = None, **more: object) -> str:
        uid = rows.answer(score, day(at), respondent=person, priority=1, **more)
        if reached is not None:
            rows.case(uid, day(at), first_contact_at=day(reached), state="in_progress", attempts=1)
        return uid

    low("ala", reached=2)
    rows.answer(9, day(10), respondent="ala")  # before the landmark: not counted
    rows.answer(8, day(40), respondent="ala")
    rows.answer(10, day(50), respondent="ala")  # not the first
    low("bob", reached=3)
    low("ewa", reached=40)  # reached, but later
    rows.answer(4, day(60), respondent="ewa")
    low("jan")
    rows.answer(5, day(60), respondent="jan", metric="csat")  # another scale
    rows.answer(0, day(250), respondent="jan")  # beyond the horizon
    low("ola", contact_consent=False)
    low("new", at=29)
    rows.answer(2, day(1))  # nobody in particular
    rows.answer(9, day(1), respondent="happy")
    rows.outcome("ala", "retained", day(30), 0)
    rows.outcome("ala", "retained", day(100), 1)  # the last counts
    rows.outcome("jan", "retained", day(100), 0)
    for when, paid in ((20, 10.0), (30, 5.0), (5, 100.0), (290, 100.0)):
        rows.outcome("ala", "spent", day(when), paid)  # those after the landmark and before the horizon add up
    rows.outcome("stranger", "spent", day(30), 1.0)
    other = Rows("other")
    other.outcome("ala", "other", day(30), 1.0)
    other.answer(1, day(45), respondent="jan")
    rows.write(database)
    other.write(database)
    found = ask(database)
    assert (found.n, found.refuse_contact, found.too_recent) == (6, 1, 0)
    assert (found.contacted, found.not_contacted, found.contacted_later) == (2, 3, 1)
    assert [item.outcome for item in found.outcomes] == ["answered_again", "later_score", "retained", "spent"]
    again = outcome(found, "answered_again")
    assert (again.contacted.value, again.not_contacted.value, again.n) == (0.5, pytest.approx(1 / 3), 5)
    score = outcome(found, "later_score")
    assert (score.contacted.value, score.not_contacted.value, score.raw.value if score.raw else None) == (8.0, 4.0, 4.0)
    kept = outcome(found, "retained")
    assert (kept.contacted.value, kept.not_contacted.value, kept.matched.n, kept.matched.strata) == (1.0, 0.0, 2, 1)
    assert (outcome(found, "spent").contacted.value, outcome(found, "spent").n) == (15.0, 1)
    assert "not the effect" in found.warning


def test_those_whose_landmark_is_to_come_are_left_out(database: Database) -> None:
    rows = Rows()
    rows.answer(1, day(20), respondent="p")
    rows.write(database)
    with database.read() as connection:
        early = retention(connection, "acme", MONTH, 14, 180, day(30))
        late = retention(connection, "acme", MONTH, 14, 180, day(34))
    assert (early.too_recent, early.not_contacted) == (1, 0)
    assert (late.too_recent, late.not_contacted) == (0, 1)


def test_what_reached_the_person_before_the_answer_was_not_for_it(database: Database) -> None:
    rows = Rows()
    uid = rows.answer(1, day(5), respondent="p")
    rows.case(uid, day(1), first_contact_at=day(2))
    rows.write(database)
    assert ask(database).contacted == 0


def test_the_matched_difference_finds_the_effect_that_the_raw_one_hides(database: Database) -> None:
    rng, rows = np.random.default_rng(21), Rows()
    for person in range(800):
        score = int(rng.integers(0, 4))
        # the angriest are called most, and they come back angriest: the raw difference is against the contact
        called = rng.random() < (0.85 if score < 2 else 0.2)
        uid = rows.answer(score, day(1), respondent=f"p{person}", priority=1 if score < 2 else 2)
        if called:
            rows.case(uid, day(1), first_contact_at=day(2))
        later = 2 + 2.0 * score + LIFT * called + rng.normal(0, 1)
        rows.answer(float(later), day(60), respondent=f"p{person}")
        rows.outcome(f"p{person}", "retained", day(90), float(rng.random() < 0.3 + 0.1 * score + 0.1 * called))
    rows.write(database)
    found = outcome(ask(database), "later_score")
    assert found.raw is not None and found.raw.interval is not None and found.raw.interval.high < 0
    matched = found.matched.difference
    assert matched is not None and matched.interval is not None
    assert matched.interval.low < LIFT < matched.interval.high
    assert matched.interval.high - matched.interval.low < 0.5
    assert (found.matched.strata, found.matched.n, found.matched.alone) == (4, 800, 0)
    kept = outcome(ask(database), "retained").matched.difference
    assert kept is not None and kept.interval is not None and kept.interval.low < 0.1 < kept.interval.high


def test_strata_with_one_of_the_groups_are_left_alone() -> None:
    rows = [Observed(True, 5.0, "a"), Observed(False, 3.0, "a"), Observed(True, 9.0, "b")]
    found = within(rows)
    assert (found.n, found.strata, found.alone) == (2, 1, 1)
    assert found.difference is not None
    # one of each tells nothing about the spread
    assert (found.difference.value, found.difference.interval) == (2.0, None)
    assert within([]).difference is None
    assert compared([]).raw is None


def test_weights_by_hand() -> None:
    # strata of 2 + 2 and 1 + 3 with differences 1 and 4: weights 1 and 3/4
    rows = [Observed(t, v, "a") for t, v in ((True, 3.0), (True, 5.0), (False, 2.0), (False, 4.0))]
    rows += [Observed(t, v, "b") for t, v in ((True, 6.0), (False, 1.0), (False, 2.0), (False, 3.0))]
    found = within(rows).difference
    assert found is not None and found.interval is not None
    assert found.value == pytest.approx((1 * 1 + 0.75 * 4) / 1.75)


def test_how_often_the_matched_interval_holds_the_truth() -> None:
    rng = np.random.default_rng(8)
    held = 0
    for _ in range(300):
        rows = []
        for _ in range(60):
            stratum = int(rng.integers(0, 4))
            treated = rng.random() < 0.2 + 0.15 * stratum
            rows.append(Observed(bool(treated), float(stratum + LIFT * treated + rng.normal(0, 1)), stratum))
        found = within(rows).difference
        between = found and found.interval
        held += between is not None and between.low <= LIFT <= between.high
    assert 0.92 <= held / 300 <= 0.98
