"""Everything that is kept of a person, as JSON values: what they may ask for."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from serving.privacy.person import Subject, chunks, find_person, rows_about
from serving.store.loop_tables import audit, events

Rows = dict[str, list[dict[str, Any]]]


def export(connection: Connection, workspace: str, respondent: str, alias: str) -> Rows:
    """A person's rows by table, with the events and the lines of the audit about them; {} where there is nothing.

    Vectors come without their numbers: they say nothing that the text beside them does not.
    """
    subject = find_person(connection, workspace, respondent).subject
    found: Rows = {}
    for table, row in rows_about(connection, workspace, subject):
        found.setdefault(table.name, []).append(_plain(row))
    if found:
        for name, rows in _told(connection, workspace, subject, alias).items():
            if rows:
                found[name] = rows
    return found


def _told(connection: Connection, workspace: str, subject: Subject, alias: str) -> Rows:
    own = [*(f"response:{uid}" for uid in subject.responses), *(f"case:{id}" for id in subject.cases)]
    subjects = [f"respondent:{subject.respondent}", alias, *own]
    found: Rows = {"events": [], "audit": []}
    for some in chunks(subjects):
        for table in (events, audit):
            asked = select(table).where(table.c.workspace == workspace, table.c.subject.in_(some))
            rows = connection.execute(asked.order_by(table.c.at, table.c.id)).mappings()
            found[table.name].extend(_plain(row) for row in rows)
    return found


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    def value(item: Any) -> Any:
        return item.isoformat() if isinstance(item, datetime) else item

    return {name: value(item) for name, item in row.items() if name != "workspace" and not isinstance(item, bytes)}
