"""What a change of the code frame still does to stored answers, as its jobs have it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, select

from serving.frame import schemas as to
from serving.store.jobs import OPEN
from serving.store.loop_tables import jobs

SEARCH, REWRITE = "search", "rewrite"
"""Kinds of jobs."""


def open_jobs(connection: Connection, workspace: str, kind: str) -> list[RowMapping]:
    """Those that are not over, in the order they are done."""
    of = jobs.c
    mine = (of.workspace == workspace, of.kind == kind, of.state.in_(OPEN))
    return list(connection.execute(select(jobs).where(*mine).order_by(of.created_at, of.id)).mappings())


def searching(connection: Connection, workspace: str) -> list[to.Searching]:
    rows = open_jobs(connection, workspace, SEARCH)
    return [to.Searching(job=row["id"], themes=row["params"]["themes"], left=_left(row)) for row in rows]


def searched_since(connection: Connection, workspace: str) -> dict[str, datetime]:
    """Themes that stored answers are still searched for, and when that was asked."""
    rows = open_jobs(connection, workspace, SEARCH)
    return {theme: row["created_at"] for row in rows for theme in row["params"]["themes"]}


def rewriting(connection: Connection, workspace: str) -> to.Rewriting | None:
    """There is never more than one."""
    rows = open_jobs(connection, workspace, REWRITE)
    return to.Rewriting(job=rows[0]["id"], left=_left(rows[0]) or 0) if rows else None


def _left(row: Mapping[str, Any]) -> int | None:
    return None if row["total"] is None else max(0, row["total"] - row["done"])
