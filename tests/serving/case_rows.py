"""Stored responses and the policies that the tests of cases stand on."""

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from loop import ROOT, START
from sqlalchemy import Connection, RowMapping, select

from serving.cases.policy import CasePolicy, load_case_policy, parse_case_policy
from serving.store.database import Database, insert
from serving.store.loop_tables import case_events, events
from serving.store.tables import respondents, responses

ACME = "acme"
SOURCE = ROOT / "data" / "policies" / "cases.yaml"
TEXT = "Kurier spóźnił się trzy dni. Tel. <PHONE>"


def shipped() -> CasePolicy:
    return load_case_policy(ROOT / "data")


@cache
def _data() -> str:
    return SOURCE.read_text("utf-8")


def policy_with(**changed: Any) -> CasePolicy:
    """The shipped policy with some of its top keys replaced."""
    data = {**yaml.safe_load(_data()), **changed}
    return parse_case_policy(data, "cases.yaml", shipped().contact)


def theme(id: str, mood: str = "negative", confidence: float | None = 0.9, end: int = 28) -> dict[str, Any]:
    spans = [{"start": 0, "end": end}]
    sentiment = {"label": mood, "confidence": 0.9}
    return {"id": id, "label": id, "confidence": confidence, "threshold": 0.4, "sentiment": sentiment, "spans": spans}


def store(
    connection: Connection,
    uid: str,
    person: str | None = "p1",
    priority: int | None = 1,
    workspace: str = ACME,
    at: datetime = START,
    themes: tuple[Mapping[str, Any], ...] = (theme("delivery.time"),),
    **changed: Any,
) -> RowMapping:
    """A stored response with its person, as ingest leaves them."""
    consent = changed.get("contact_consent")
    if person is not None:
        row = {"workspace": workspace, "id": person, "contact_consent": consent, "updated_at": at}
        statement = insert(connection, respondents).values(**row, attributes={"phone": "+48 600 100 200"})
        connection.execute(statement.on_conflict_do_nothing(index_elements=["workspace", "id"]))
    reason = f"policy: {priority}" if priority else "nothing calls for a case"
    effective = {"text": TEXT, "themes": list(themes), "sentiment": {"label": "negative", "score": -0.8}}
    row = {
        **{"workspace": workspace, "uid": uid, "source": "", "id": uid, "digest": "d", "revision": 1, "text": TEXT},
        **{"received_at": at, "answered_at": at, "respondent": person, "metric": "nps", "score": 2.0, "language": "pl"},
        **{"attributes": {}, "status": "ok", "sentiment": "negative", "sentiment_score": -0.8, "signals": []},
        **{"priority": priority, "priority_reason": reason, "needs_review": False, "corrected": False, "labels": []},
        **{"effective": effective, **changed},
    }
    connection.execute(insert(connection, responses).values(**row))
    return found(connection, uid, workspace)


def found(connection: Connection, uid: str, workspace: str = ACME) -> RowMapping:
    statement = select(responses).where(responses.c.workspace == workspace, responses.c.uid == uid)
    return connection.execute(statement).mappings().one()


def told(database: Database, workspace: str = ACME) -> list[tuple[str, dict[str, Any]]]:
    """Every event of the outbox: its type and data, in the order they were written."""
    with database.read() as connection:
        rows = connection.execute(select(events).where(events.c.workspace == workspace).order_by(events.c.id))
        return [(row.type, row.data) for row in rows]


def types(database: Database) -> list[str]:
    return [type for type, _ in told(database)]


def kinds(database: Database, case: str) -> list[str]:
    """What the history of a case says happened."""
    with database.read() as connection:
        rows = connection.execute(
            select(case_events.c.kind).where(case_events.c.case == case).order_by(case_events.c.id)
        )
        return list(rows.scalars())


def data_dir(tmp_path: Path) -> Path:
    """A copy of the policies that a test may change."""
    folder = tmp_path / "data" / "policies"
    folder.mkdir(parents=True)
    for name in ("cases.yaml", "priority.yaml"):
        (folder / name).write_text((SOURCE.parent / name).read_text("utf-8"), "utf-8")
    return folder.parent
