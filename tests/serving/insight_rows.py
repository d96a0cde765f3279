"""Rows for the tests of insights: responses, tags, cases and outcomes, written straight into their tables."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from loop import START
from sqlalchemy import Connection

from serving.store.database import Database, insert
from serving.store.loop_tables import case_events, case_responses, cases
from serving.store.tables import outcomes, responses, tags

GROUPS = {**dict.fromkeys(range(7), "detractor"), 7: "passive", 8: "passive", 9: "promoter", 10: "promoter"}
BANDS = {**dict.fromkeys(range(4), "low"), **dict.fromkeys((4, 5, 6), "middle"), 7: "passive", 8: "passive"}

Mention = tuple[str, str]
"""A theme and its sentiment."""


def day(number: float) -> datetime:
    """So many days after the tests' Monday."""
    return START + timedelta(days=number)


@dataclass
class Rows:
    """Rows to be written at once; `answer`, `case` and `outcome` add one and give its id."""

    workspace: str = "acme"
    responses: list[dict[str, Any]] = field(default_factory=list)
    tags: list[dict[str, Any]] = field(default_factory=list)
    cases: list[dict[str, Any]] = field(default_factory=list)
    links: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    outcomes: list[dict[str, Any]] = field(default_factory=list)

    def answer(self, score: float | None = None, at: datetime = START, themes: Sequence[Mention] = (), **more: Any):
        """An NPS answer; groups and bands as the shipped policy gives them, unless named."""
        uid = more.pop("uid", f"{self.workspace}-r{len(self.responses):06}")
        row = _response(self.workspace, uid, score, at) | more
        self.responses.append(row)
        spans = [{"id": theme, "spans": [{"start": 0, "end": len(row["text"])}]} for theme, _ in themes]
        row["effective"] = row["effective"] or {"themes": spans}
        for theme, sentiment in themes:
            tag = {"workspace": self.workspace, "response": uid, "theme": theme, "sentiment": sentiment}
            self.tags.append({**tag, "confidence": 0.9, "by": "model"})
        return uid

    def case(self, response: str, opened_at: datetime = START, reopened: bool = False, **more: Any) -> str:
        id = f"{self.workspace}-c{len(self.cases):06}"
        self.cases.append(_case(self.workspace, id, response, opened_at) | more)
        link = {"workspace": self.workspace, "case": id, "response": response, "joined_at": opened_at}
        self.links.append(link | _given(case_responses, {"priority": 1, "reason": "low"}))
        if reopened:
            event = {"workspace": self.workspace, "case": id, "at": opened_at, "kind": "reopened"}
            self.events.append({**event, "by": "tester", "detail": {}})
        return id

    def outcome(self, respondent: str, kind: str, at: datetime, value: float) -> None:
        row = {"workspace": self.workspace, "respondent": respondent, "kind": kind, "at": at, "value": value}
        self.outcomes.append(row)

    def write(self, database: Database) -> None:
        with database.write() as connection:
            _insert(connection, responses, self.responses)
            _insert(connection, tags, self.tags)
            _insert(connection, cases, self.cases)
            _insert(connection, case_responses, self.links)
            _insert(connection, case_events, self.events)
            _insert(connection, outcomes, self.outcomes)


def _insert(connection: Connection, table: Any, rows: Iterable[Mapping[str, Any]]) -> None:
    if rows:
        connection.execute(insert(connection, table), list(rows))


def _given(table: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values that the table has a column for."""
    return {name: value for name, value in values.items() if name in table.c}


def _response(workspace: str, uid: str, score: float | None, at: datetime) -> dict[str, Any]:
    named = dict.fromkeys(
        ("question", "scale_min", "scale_max", "survey", "touchpoint", "channel", "unit", "employee", "respondent")
    )
    unsaid = dict.fromkeys(("contact_consent", "segment", "value", "sentiment", "sentiment_score", "priority"))
    return {
        **{"workspace": workspace, "uid": uid, "source": "", "id": uid, "digest": "0" * 64, "revision": 1},
        **{"received_at": at, "answered_at": at, "text": "", "metric": "nps", "score": score, **named, **unsaid},
        **{"attributes": {}, "language": "pl", "status": "ok", "justified": False, "signals": [], "labels": []},
        **{"group": GROUPS.get(score), "band": BANDS.get(score, "high" if score is not None else None)},
        **{"priority_reason": None, "needs_review": False, "corrected": False, "effective": {}},
    }


def _case(workspace: str, id: str, response: str, opened_at: datetime) -> dict[str, Any]:
    times = ("warn_at", "next_attempt_at", "first_contact_at", "paused_at", "warned_at", "breached_at", "escalate_at")
    nothing = dict.fromkeys(("respondent", "team", "assignee", "assigned_by", "theme", "resolved_at", "closed_at"))
    row = {
        **{"workspace": workspace, "id": id, "response": response, "state": "open", "priority": 1, "reason": "low"},
        **{"contact": True, "tags": [], "opened_at": opened_at, "due_at": opened_at + timedelta(days=1)},
        **{"attempts": 0, "escalation": 0, "outcome": None, "updated_at": opened_at, "version": 1},
        **dict.fromkeys(times),
        **nothing,
    }
    return row | _given(cases, {"misses": 0})
