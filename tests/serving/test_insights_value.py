"""What people are worth: each person once, by the newest word, and what is at risk by theme."""

import numpy as np
import pytest
from insight_rows import Rows, day

from serving.insights.value import AtRisk, Value, value
from serving.insights.window import Window, period
from serving.store.database import Database

QUARTER = Window(period(day(0), day(90), day(90)))


def ask(database: Database, limit: int = 100) -> Value:
    with database.read() as connection:
        return value(connection, "acme", QUARTER, limit)


def test_counted_by_hand(database: Database) -> None:
    rows = Rows()
    late, dear = ("delivery.time", "negative"), ("price", "negative")
    rows.answer(2, day(1), [late], respondent="ala", value=100.0)
    rows.answer(3, day(2), [late, dear], respondent="ala", value=150.0)  # the same person, worth more by now
    rows.answer(1, day(1), [late], respondent="bob", value=50.0)
    rows.answer(9, day(5), respondent="bob")  # happy again: no longer at risk, and still worth 50
    rows.answer(0, day(1), [dear, ("delivery.time", "positive")], respondent="ewa")  # of unknown value
    rows.answer(10, day(1), [late], respondent="jan", value=1000.0)  # complains, but promotes
    rows.answer(None, day(1), [late], value=30.0, sentiment="negative")  # nobody in particular, no score
    rows.answer(None, day(1), [late], value=70.0, sentiment="positive")
    rows.answer(5, day(1), [dear], respondent="zoe", value=1e300)  # no customer is worth that
    rows.write(database)
    found = ask(database)
    assert (found.n, found.respondents) == (9, 7)
    groups = {worth.group: (worth.respondents, worth.unknown, worth.total, worth.median) for worth in found.groups}
    assert groups == {
        "promoter": (2, 0, 1050.0, 525.0),
        "passive": (0, 0, 0.0, None),
        "detractor": (3, 2, 150.0, 150.0),
        None: (2, 0, 100.0, 50.0),
    }
    assert (found.at_risk.respondents, found.at_risk.unknown, found.at_risk.total) == (4, 2, 180.0)
    assert found.themes == (
        AtRisk("delivery.time", 2, 0, 180.0, 1.0),
        AtRisk("price", 3, 2, 150.0, pytest.approx(150 / 180)),
    )
    assert (ask(database, limit=1).themes, ask(database, limit=1).left_out) == (found.themes[:1], 1)


def test_the_difference_between_promoters_and_detractors(database: Database) -> None:
    rng, rows = np.random.default_rng(6), Rows()
    for number in range(400):
        happy = number % 2 == 0
        worth = float(rng.gamma(4, 75 if happy else 50))  # 300 and 200 on the mean
        rows.answer(10 if happy else 1, day(1), respondent=f"p{number}", value=worth)
    rows.write(database)
    found = ask(database).promoter_less_detractor
    assert found is not None and found.interval is not None
    assert found.interval.low < 100 < found.interval.high
    assert found.interval.low > 40


def test_nobody_gave_a_value(database: Database) -> None:
    rows = Rows()
    rows.answer(1, day(1), [("price", "negative")], respondent="p")
    rows.write(database)
    found = ask(database)
    assert (found.at_risk.total, found.at_risk.unknown, found.promoter_less_detractor) == (0.0, 1, None)
    assert found.themes == (AtRisk("price", 1, 1, 0.0, None),)
