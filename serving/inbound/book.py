"""Rows of connectors."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, delete, insert, select, update

from serving.inbound.settings import Settings, parse
from serving.store.database import Database, new_id
from serving.store.loop_tables import connectors

_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Connector:
    """A connector that takes requests."""

    workspace: str
    id: str
    kind: str
    secret: str
    settings: Settings


def open_connector(database: Database, id: str) -> Connector | None:
    """The enabled connector at an address. The address alone names it: what it belongs to is what is found here."""
    if not is_id(id):
        return None
    with database.read() as connection:
        query = select(connectors).where(connectors.c.id == id, connectors.c.disabled_at.is_(None))
        row = connection.execute(query).mappings().one_or_none()
    if row is None:
        return None
    return Connector(row["workspace"], row["id"], row["kind"], row["secret"], parse(row["kind"], row["settings"]))


def is_id(word: str) -> bool:
    return _ID.fullmatch(word) is not None


def find(connection: Connection, workspace: str, id: str) -> RowMapping | None:
    if not is_id(id):
        return None
    query = select(connectors).where(connectors.c.workspace == workspace, connectors.c.id == id)
    return connection.execute(query).mappings().one_or_none()


def list_after(connection: Connection, workspace: str, after: str | None, limit: int) -> Sequence[RowMapping]:
    """In the order they were made, one more than `limit`."""
    query = select(connectors).where(connectors.c.workspace == workspace, connectors.c.id > (after or ""))
    return connection.execute(query.order_by(connectors.c.id).limit(limit + 1)).mappings().all()


def add(
    connection: Connection,
    workspace: str,
    kind: str,
    name: str | None,
    secret: str,
    settings: Mapping[str, Any],
    now: datetime,
) -> str:
    """The new connector's id: 80 random bits of it, so no two workspaces share an address."""
    row = {"workspace": workspace, "id": new_id(), "kind": kind, "name": name, "secret": secret}
    connection.execute(insert(connectors).values(**row, settings=dict(settings), created_at=now))
    return row["id"]


def change(connection: Connection, workspace: str, id: str, values: Mapping[str, Any]) -> None:
    row = connectors.c.workspace == workspace, connectors.c.id == id
    connection.execute(update(connectors).where(*row).values(**values))


def remove(connection: Connection, workspace: str, id: str) -> bool:
    if not is_id(id):
        return False
    row = connectors.c.workspace == workspace, connectors.c.id == id
    return connection.execute(delete(connectors).where(*row)).rowcount > 0
