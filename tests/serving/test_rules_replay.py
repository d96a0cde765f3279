"""Replaying rules over what is stored: the same decisions as live, and what would change."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from loop import START
from rules_data import FRAME, rules_of, store
from sqlalchemy import Connection

from serving.rules import history as reading
from serving.rules.document import parse_rules
from serving.rules.facts import facts_of
from serving.rules.history import columns_of, history
from serving.rules.replay import NOBODY, Change, replay
from serving.rules.rule import RuleSet, explain
from serving.rules.ruleset import decide, shipped
from serving.rules.testing import try_rules
from serving.store.database import Database
from serving.store.tables import metadata

END = START + timedelta(days=60)
RULES = rules_of(
    {"when": 'count({"theme": "delivery", "sentiment": "negative"}, "24h") >= 2', "then": {"tag": "wave"}},
    {"when": 'count({"respondent": respondent}, "7d") >= 2', "then": {"priority": 1}},
    {"when": 'count({"unit": unit, "sentiment": sentiment}, "36h") > count({}, "12h")', "then": {"tag": "odd"}},
    {"when": 'theme("delivery", "negative") && score <= 3', "then": {"assign": {"team": "courier"}}},
    {"when": 'attributes.plan == "gold" && hour("Europe/Warsaw") < 12', "then": {"assign": {"person": "anna"}}},
    {"when": 'mentions("kurier") || signal("churn_intent") || age_hours > 1', "then": {"notify": "manager"}},
)

SOMETIMES = st.none() | st.sampled_from(["a", "b"])
ANSWERS = st.lists(
    st.fixed_dictionaries(
        {
            "hours": st.integers(0, 40),
            "unit": SOMETIMES,
            "respondent": SOMETIMES,
            "sentiment": st.sampled_from([None, "negative", "positive"]),
            "score": st.none() | st.integers(0, 10).map(float),
            "text": st.sampled_from(["", "Kurier!", "hotel"]),
            "attributes": st.sampled_from([{}, {"plan": "gold"}]),
            "signals": st.sampled_from([[], ["churn_intent"]]),
            "priority": st.sampled_from([None, 1, 4]),
            "tagged": st.dictionaries(
                st.sampled_from(["delivery.time", "delivery.courier", "price.level", "delivery.old.theme"]),
                st.sampled_from(["negative", "positive"]),
            ),
        }
    ),
    max_size=12,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(answers=ANSWERS, chunk=st.sampled_from([1, 2, 3, 5000]))
def test_a_replay_decides_as_was_decided_live(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, answers: list[Any], chunk: int
) -> None:
    """Answers that arrive one after another, some of them at one time."""
    monkeypatch.setattr(reading, "CHUNK", chunk)
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('replay')}/holos.db")
    metadata.create_all(database.engine)
    live, at = {}, START
    with database.write() as connection:
        for answer in answers:
            given, gap = dict(answer), answer["hours"]
            tagged = list(given.pop("tagged").items())
            # two answers of one moment see each other in a replay; live the first cannot
            at += timedelta(hours=given.pop("hours"), seconds=1)
            row = store(connection, tagged, **given, answered_at=at, received_at=at + timedelta(minutes=gap))
            found = facts_of(connection, "acme", row, tagged, FRAME, row["received_at"])
            live[row["uid"]] = decide(RULES, found)
    with database.read() as connection:
        found = history(connection, "acme", [RULES], FRAME, START, END)
        assert {facts.row["uid"]: explain(RULES, facts).decision for facts in found} == live
    database.close()


def three(connection: Connection) -> list[Mapping[str, Any]]:
    late = [("delivery.time", "negative")]
    return [
        store(connection, late, score=2.0, priority=1, sentiment="negative", answered_at=START),
        store(connection, late, score=9.0, sentiment="negative", answered_at=START + timedelta(hours=1)),
        store(connection, score=10.0, group="promoter", answered_at=START + timedelta(hours=2)),
        store(connection, late, workspace="other", score=1.0, answered_at=START + timedelta(hours=1)),
    ]


BEFORE = rules_of(
    {"id": "low", "when": "score <= 3", "then": {"assign": {"team": "calls"}, "tag": "low"}},
    {"id": "gone", "when": "score >= 9", "then": {"tag": "high"}},
)
AFTER = rules_of(
    {"id": "low", "when": "score <= 3", "then": {"assign": {"team": "calls"}, "tag": "low"}},
    {"id": "late", "when": 'theme("delivery")', "then": {"assign": {"team": "courier"}, "priority": 2}},
    {"id": "unsure", "when": "attributes.visits > 3", "then": {"tag": "often"}},
    {"id": "happy", "when": 'group == "promoter"', "then": {"thank": True}},
)


def test_what_would_change(database: Database) -> None:
    with database.write() as connection:
        rows = three(connection)
    with database.read() as connection:
        found = history(connection, "acme", [BEFORE, AFTER], FRAME, START, END)
        report = replay(found, BEFORE, AFTER, examples=2)
    assert (report.responses, report.changed, report.opens, report.drops) == (3, 3, 1, 0)
    assert report.cases == Change(1, 2)
    assert report.priorities == {
        "1": Change(1, 0),
        "2": Change(0, 2),
        "3": Change(0, 0),
        "4": Change(0, 0),
        "none": Change(2, 1),
    }
    assert report.teams == {"calls": Change(1, 1), "courier": Change(0, 1)}
    assert report.tags == {"high": Change(2, 0), "low": Change(1, 1)}
    assert (report.actions["thank"], report.actions["assign"]) == (Change(0, 1), Change(1, 2))
    assert {rule.id: (rule.before, rule.after, rule.missing, rule.errors) for rule in report.rules} == {
        "low": (1, 1, 0, 0),
        "late": (None, 2, 0, 0),
        "unsure": (None, 0, 3, 0),
        "happy": (None, 1, 0, 0),
        "gone": (2, None, 0, 0),
    }
    assert [example.uid for example in report.examples] == [row["uid"] for row in rows[:2]]
    assert report.examples[0].priority == (1, 2)
    assert report.examples[1].after.team == "courier"


def test_the_same_rules_change_nothing(database: Database) -> None:
    with database.write() as connection:
        three(connection)
    with database.read() as connection:
        found = history(connection, "acme", [AFTER], FRAME, START, END)
        report = replay(found, AFTER, parse_rules(AFTER.source, "again", FRAME), examples=10)
    assert (report.responses, report.changed, report.examples) == (3, 0, ())


def test_rules_that_fail_are_counted(database: Database) -> None:
    failing = rules_of({"id": "bad", "when": "double(attributes.visits) > 3.0", "then": {"tag": "x"}})
    with database.write() as connection:
        for visits in ("many", "5", 2):
            store(connection, attributes={"visits": visits})
    with database.read() as connection:
        found = history(connection, "acme", [failing], FRAME, START, END)
        (rule,) = replay(found, NOBODY, failing, examples=0).rules
    assert (rule.after, rule.errors) == (1, 1)
    assert rule.error is not None
    assert "many" not in rule.error


def test_what_came_before_the_period_counts_but_is_not_replayed(database: Database) -> None:
    with database.write() as connection:
        for day in range(5):
            store(connection, unit="Lviv", answered_at=START + timedelta(days=day))
    rules = rules_of({"id": "many", "when": 'count({"unit": unit}, "3d") >= 3', "then": {"tag": "many"}})
    with database.read() as connection:
        found = history(connection, "acme", [rules], FRAME, START + timedelta(days=3), START + timedelta(days=4))
        report = replay(found, NOBODY, rules, examples=5)
    assert (report.responses, report.rules[0].after) == (1, 1)


def test_the_newest_are_replayed_where_there_are_too_many(database: Database) -> None:
    with database.write() as connection:
        for hour in range(6):
            store(connection, answered_at=START + timedelta(hours=hour))
    with database.read() as connection:
        trial = try_rules(connection, "acme", RULES, FRAME, START, END, 4, 0)
        whole = try_rules(connection, "acme", None, FRAME, START, END, 6, 0)
    assert (trial.report.responses, trial.since > START + timedelta(hours=1)) == (4, True)
    assert (whole.report.responses, whole.since) == (6, START)
    assert [rule.id for rule in whole.report.rules] == [rule.id for rule in shipped().rules]


def test_only_columns_that_rules_ask_for_are_read() -> None:
    rules: RuleSet = rules_of({"when": 'theme("delivery") && score <= 3'})
    assert set(columns_of([rules])) == {"uid", "answered_at", "priority", "score"}
    assert {"received_at", "text", "signals", "unit"} <= set(columns_of([RULES]))


def test_the_benchmark_runs(tmp_path: Path) -> None:
    from tests.benchmarks.replay import fill, measure

    database = Database(f"sqlite:///{tmp_path}/holos.db")
    fill(database, 300)
    found = measure(database)
    assert found["responses"] == 300
    assert found["matched"]["courier"] > 0
    database.close()
