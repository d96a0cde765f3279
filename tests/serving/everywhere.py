"""A row in every table of a database, whatever tables there are: for tests that must hold for all of them."""

from collections.abc import Callable, Mapping
from datetime import datetime
from hashlib import md5
from typing import Any

from loop import START
from sqlalchemy import JSON, Boolean, Column, Connection, Date, DateTime, Float, Integer, LargeBinary, MetaData, Table

from serving.store.columns import Moment
from serving.store.database import insert

OWNERS = {
    **{"response": "responses", "case": "cases", "event": "events", "delivery": "deliveries", "job": "jobs"},
    "cluster": "clusters",
}
"""Columns that name a row of another table."""


def name_of(table: str, workspace: str) -> str:
    """The id of a workspace's row in a table: of the shape that every route takes for one."""
    return md5(f"{workspace}-{table}".encode(), usedforsecurity=False).hexdigest()


Marker = str | Callable[[str, str], str]


def fill(
    connection: Connection,
    metadata: MetaData,
    workspace: str,
    marker: Marker,
    fixed: Mapping[str, Any] | None = None,
) -> dict[str, int]:
    """Adds a row to every table; every text says `marker`, or what it says of a table and a column.

    `fixed` has other values, by `table.column` or column. Gives how many rows each table has afterwards.
    """
    for table in metadata.sorted_tables:
        if table.name != "alembic_version":
            row = {column.name: _value(table, column, workspace, marker, fixed or {}) for column in table.columns}
            row = {name: value for name, value in row.items() if value is not None}
            # the workspace may be there before
            connection.execute(insert(connection, table).values(row).on_conflict_do_nothing())
    return {table.name: len(connection.execute(table.select()).all()) for table in metadata.sorted_tables}


def _value(table: Table, column: Column[Any], workspace: str, marker: Marker, fixed: Mapping[str, Any]) -> Any:
    for name in (f"{table.name}.{column.name}", column.name):
        if name in fixed:
            return fixed[name]
    if column.name == "workspace" or (table.name == "workspaces" and column.name == "id"):
        return workspace
    if isinstance(column.type, Integer) and column.primary_key and len(table.primary_key) == 1:
        return None  # counted up by the database
    if column.name in OWNERS:
        return name_of(OWNERS[column.name], workspace)
    if column.name == "respondent" or (table.name == "respondents" and column.name == "id"):
        return name_of("respondents", workspace)
    if column.primary_key and column.name in ("id", "uid"):
        return name_of(table.name, workspace)
    return _plain(column, marker if isinstance(marker, str) else marker(table.name, column.name))


def _plain(column: Column[Any], marker: str) -> Any:
    kind = column.type
    if isinstance(kind, Moment | DateTime):
        return _moment()
    if isinstance(kind, Date):
        return _moment().date()
    if isinstance(kind, Boolean):
        return True
    if isinstance(kind, Integer | Float):
        return 1
    if isinstance(kind, LargeBinary):
        return marker.encode()
    if isinstance(kind, JSON):
        return {"note": marker}
    return marker[: getattr(kind, "length", None)]


def _moment() -> datetime:
    return START
