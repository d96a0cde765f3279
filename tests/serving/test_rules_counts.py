"""Counts in a time window: asked of the store, with the hierarchy of themes, and confined to a workspace."""

from datetime import timedelta

import pytest
from loop import START
from rules_data import FRAME, rules_of, store
from sqlalchemy import update

from serving.rules.facts import facts_of
from serving.rules.ruleset import decide
from serving.store.database import Database
from serving.store.tables import tags

LATE = [("delivery.time", "negative")]


def holds(database: Database, condition: str, row: dict, tagged: list[tuple[str, str]], now=START) -> bool:
    with database.read() as connection:
        found = facts_of(connection, "acme", row, tagged, FRAME, now)
        return bool(decide(rules_of({"when": condition}), found).matched)


@pytest.fixture
def last(database: Database) -> dict:
    """The last of some late deliveries: of two units, two workspaces, one praised, one old, one still to come."""
    with database.write() as connection:
        store(connection, LATE, unit="Lviv", answered_at=START - timedelta(hours=2))
        store(connection, [("delivery.courier", "positive")], unit="Lviv", answered_at=START - timedelta(hours=1))
        store(connection, LATE, unit="Lviv", answered_at=START - timedelta(days=8))
        store(connection, LATE, unit="Kyiv", respondent="c-1", answered_at=START - timedelta(days=3))
        store(connection, LATE, unit="Lviv", workspace="other", answered_at=START - timedelta(hours=1))
        store(connection, LATE, unit="Lviv", answered_at=START + timedelta(seconds=1))
        return store(connection, LATE, unit="Lviv", sentiment="negative", respondent="c-1")


@pytest.mark.parametrize(
    ("condition", "is_true"),
    [
        ('count({"theme": "delivery"}, "7d") == 4', True),
        ('count({"theme": "delivery", "sentiment": "negative"}, "7d") == 3', True),
        ('count({"theme": "delivery", "sentiment": "negative", "unit": unit}, "7d") == 2', True),
        ('count({"theme": "delivery.time", "unit": "Lviv"}, "30d") == 3', True),
        ('count({"respondent": respondent}, "7d") == 2', True),
        ('count({"sentiment": sentiment}, "7d") == 1', True),
        ('count({}, "2h") == 2', True),  # what came two hours ago to the second is out
        ('count({}, "121m") == 3', True),
        ('count({"employee": employee}, "7d") == 0', True),  # of nobody, not of everybody without an employee
        ('count({"theme": "price"}, "7d") > 0', False),
    ],
)
def test_counts_of_the_store(database: Database, last: dict, condition: str, is_true: bool) -> None:
    assert holds(database, condition, last, LATE) is is_true


def test_the_response_counts_itself_by_the_tags_given(database: Database, last: dict) -> None:
    none: list[tuple[str, str]] = []
    assert holds(database, 'count({"theme": "delivery"}, "7d") == 3', last, none)


def test_corrected_tags_of_others_are_seen(database: Database, last: dict) -> None:
    with database.write() as connection:
        connection.execute(update(tags).where(tags.c.theme == "delivery.courier").values(sentiment="negative"))
    assert holds(database, 'count({"theme": "delivery", "sentiment": "negative"}, "7d") == 4', last, LATE)


def test_a_count_is_asked_for_once_and_only_when_needed(database: Database, last: dict) -> None:
    from sqlalchemy import event

    asked: list[str] = []
    event.listen(database.engine, "before_cursor_execute", lambda *found: asked.append(found[2]))
    rules = [
        {"when": f'{cheap} && count({{"unit": unit}}, "7d") > {many}'}
        for cheap, many in (("false", 1), ("true", 1), ("true", 2))
    ]
    with database.read() as connection:
        decide(rules_of(*rules), facts_of(connection, "acme", last, LATE, FRAME, START))
    assert len([statement for statement in asked if "count(" in statement]) == 1


def test_a_query_that_fails_is_no_mistake_of_the_rule(database: Database, last: dict) -> None:
    with database.read() as connection:
        found = facts_of(connection, "acme", last, LATE, FRAME, START)
    with pytest.raises(Exception, match="closed"):
        decide(rules_of({"when": 'count({"unit": unit}, "7d") > 1'}), found)
