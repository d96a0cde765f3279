"""Who read and changed what: rows that are only ever added."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any

from fastapi import BackgroundTasks, Depends
from sqlalchemy import Connection, RowMapping, insert, literal, select, tuple_

from serving.access import Caller
from serving.parts import Given, Parts
from serving.store.columns import NAME
from serving.store.loop_tables import audit

_INSERT = insert(audit)  # built once: building a statement takes longer than running it


def record(
    connection: Connection,
    workspace: str,
    by: str,
    action: str,
    subject: str | None,
    detail: Mapping[str, Any],
    now: datetime,
) -> None:
    """One line of the audit; `action` reads like `case.resolve`, `subject` like `case:0192...`; never a verbatim."""
    connection.execute(_INSERT, _line(workspace, by, action, subject, detail, now))


@dataclass(frozen=True, slots=True)
class Reads:
    """What one request reads of people's data: noted by the route, written together after it was answered."""

    parts: Parts
    lines: list[dict[str, Any]] = field(default_factory=list)

    def note(self, caller: Caller, action: str, subject: str | None = None, **detail: Any) -> None:
        """One line: `reads.note(caller, "response.list", count=100)`; a list is one line, not one for each row."""
        line = _line(caller.workspace, caller.actor, action, subject, detail, self.parts.clock())
        self.lines.append(line)

    def write(self) -> None:
        if self.lines:
            with self.parts.database.write() as connection:
                connection.execute(_INSERT, self.lines)


def _reads(parts: Given, background: BackgroundTasks) -> Reads:
    reads = Reads(parts)
    background.add_task(reads.write)
    return reads


Reading = Annotated[Reads, Depends(_reads)]
"""As a route's parameter: `reads: Reading`; its lines cost the answer no time, and go with a process that is killed."""


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which lines are asked for; None asks for nothing. `since` is included, `until` is not."""

    by: str | None = None
    action: str | None = None
    subject: str | None = None
    since: datetime | None = None
    until: datetime | None = None


def list_audit(
    connection: Connection, workspace: str, asked: AuditFilter, limit: int, before: tuple[datetime, int] | None = None
) -> list[RowMapping]:
    """Up to `limit` lines, the newest first."""
    exact = {audit.c.by: asked.by, audit.c.action: asked.action, audit.c.subject: asked.subject}
    found = select(audit).where(audit.c.workspace == workspace)
    found = found.where(*(column == value for column, value in exact.items() if value is not None))
    if asked.since:
        found = found.where(audit.c.at >= asked.since)
    if asked.until:
        found = found.where(audit.c.at < asked.until)
    if before:
        found = found.where(tuple_(audit.c.at, audit.c.id) < tuple_(literal(before[0], audit.c.at.type), before[1]))
    return list(connection.execute(found.order_by(audit.c.at.desc(), audit.c.id.desc()).limit(limit)).mappings())


def _line(
    workspace: str, by: str, action: str, subject: str | None, detail: Mapping[str, Any], now: datetime
) -> dict[str, Any]:
    # what names a subject may be as long as a sender likes
    cut = None if subject is None else subject[:NAME]
    return {"workspace": workspace, "at": now, "by": by, "action": action, "subject": cut, "detail": dict(detail)}
