"""Who is told: webhooks of programs and channels of people, as they are kept."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, Table, delete, insert, select, update

from serving.outbox.hours import Quiet, Schedule
from serving.store.loop_tables import channels, deliveries, webhooks

KINDS: Mapping[str, Table] = {"webhook": webhooks, "channel": channels}
ROLES = ("frontline", "manager", "team")
LANGUAGES = ("pl", "uk", "ru", "en")

DEFAULT_TYPES: Mapping[str, tuple[str, ...]] = {
    "frontline": ("case.opened", "case.assigned", "case.due_soon", "case.breached", "case.reopened"),
    "manager": ("case.breached", "case.escalated", "case.unreachable", "theme.spike", "cluster.emerging"),
    "team": ("case.opened", "case.breached", "theme.spike", "cluster.emerging"),
}
"""What a channel of a role is told where nobody chose."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What a channel is for; an empty list asks for nothing, those that are given must all hold."""

    teams: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    employees: tuple[str, ...] = ()
    themes: tuple[str, ...] = ()
    """A theme stands for its children too."""

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Scope":
        return cls(**{name: tuple(values) for name, values in data.items()})


@dataclass(frozen=True, slots=True)
class Channel:
    """People's: where messages go by e-mail or chat, which ones, in what words and when."""

    workspace: str
    id: str
    name: str
    url: str
    role: str
    scope: Scope
    types: tuple[str, ...]
    language: str
    zone: str
    digest: Schedule | None
    quiet: Quiet | None
    dedupe_minutes: int
    last_digest_at: datetime | None
    created_at: datetime
    disabled: bool


def to_channel(row: Mapping[str, Any]) -> Channel:
    zone = row["zone"]
    return Channel(
        workspace=row["workspace"],
        id=row["id"],
        name=row["name"],
        url=row["url"],
        role=row["role"],
        scope=Scope.from_dict(row["scope"]),
        types=tuple(row["types"]),
        language=row["language"],
        zone=zone,
        digest=Schedule.from_dict(row["digest"], zone) if row["digest"] else None,
        quiet=Quiet.from_dict(row["quiet"], zone) if row["quiet"] else None,
        dedupe_minutes=row["dedupe_minutes"],
        last_digest_at=row["last_digest_at"],
        created_at=row["created_at"],
        disabled=row["disabled_at"] is not None,
    )


def find(connection: Connection, kind: str, workspace: str, id: str) -> RowMapping | None:
    table = KINDS[kind]
    statement = select(table).where(table.c.workspace == workspace, table.c.id == id)
    return connection.execute(statement).mappings().one_or_none()


def lock(connection: Connection, kind: str, workspace: str, id: str | None = None) -> None:
    """Until the transaction ends no other that asks for this lock goes on; without an id it is for all of them."""
    table = KINDS[kind]
    mine = select(table.c.id).where(table.c.workspace == workspace).order_by(table.c.id)
    connection.execute((mine.where(table.c.id == id) if id else mine).with_for_update())


def find_all(connection: Connection, kind: str, workspace: str) -> list[RowMapping]:
    """In the order they were made."""
    table = KINDS[kind]
    statement = select(table).where(table.c.workspace == workspace).order_by(table.c.id)
    return list(connection.execute(statement).mappings())


def page_of(connection: Connection, kind: str, workspace: str, after: str | None, limit: int) -> list[RowMapping]:
    table = KINDS[kind]
    statement = select(table).where(table.c.workspace == workspace).order_by(table.c.id).limit(limit)
    if after is not None:
        statement = statement.where(table.c.id > after)
    return list(connection.execute(statement).mappings())


def add(connection: Connection, kind: str, row: Mapping[str, Any]) -> None:
    connection.execute(insert(KINDS[kind]).values(**row))


def change(connection: Connection, kind: str, workspace: str, id: str, fields: Mapping[str, Any]) -> None:
    if fields:
        table = KINDS[kind]
        where = (table.c.workspace == workspace, table.c.id == id)
        connection.execute(update(table).where(*where).values(**fields))


def remove(connection: Connection, kind: str, workspace: str, id: str) -> None:
    """Takes its deliveries along: nobody could ask for them any more."""
    table = KINDS[kind]
    connection.execute(delete(deliveries).where(deliveries.c.workspace == workspace, deliveries.c.target == id))
    connection.execute(delete(table).where(table.c.workspace == workspace, table.c.id == id))


def disable(connection: Connection, kind: str, workspace: str, id: str, reason: str, now: datetime) -> None:
    """Nothing is sent to it from now on; what waits for it becomes dead, to be replayed once it is enabled again."""
    change(connection, kind, workspace, id, {"disabled_at": now, "disabled_for": reason})
    waiting = (deliveries.c.workspace == workspace, deliveries.c.target == id, deliveries.c.state == "pending")
    dead = {"state": "dead", "done_at": now, "reason": f"the {kind} was disabled: {reason}", "leased_until": None}
    connection.execute(update(deliveries).where(*waiting).values(**dead))
