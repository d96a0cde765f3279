"""Which responses there are: filters over the effective reading, newest answers first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, or_, select, tuple_

from serving.store.tables import responses, tags

EQUAL = (
    *("sentiment", "group", "priority", "survey", "touchpoint", "channel", "unit", "employee", "language", "source"),
    *("respondent", "needs_review"),
)
"""Filters that ask for one value of the column of their name."""


@dataclass(frozen=True, slots=True)
class Filters:
    """What a response has to be; None asks for nothing."""

    since: datetime | None = None
    until: datetime | None = None
    """Exclusive."""
    themes: tuple[str, ...] | None = None
    """One of them is enough."""
    sentiment: str | None = None
    group: str | None = None
    priority: int | None = None
    survey: str | None = None
    touchpoint: str | None = None
    channel: str | None = None
    unit: str | None = None
    employee: str | None = None
    language: str | None = None
    source: str | None = None
    respondent: str | None = None
    needs_review: bool | None = None
    q: str | None = None
    """Words in the redacted text, whatever their case."""


After = tuple[datetime, str]
"""When the last row of a page was answered, and its uid."""


def search(
    connection: Connection, workspace: str, filters: Filters, limit: int, after: After | None = None
) -> Sequence[Mapping[str, Any]]:
    """At most `limit` rows, newest answers first, those after a row where one is given."""
    statement = select(responses).where(responses.c.workspace == workspace, *_conditions(workspace, filters))
    place = tuple_(responses.c.answered_at, responses.c.uid)
    if after is not None:
        statement = statement.where(place < tuple_(*after, types=[responses.c.answered_at.type, responses.c.uid.type]))
    statement = statement.order_by(responses.c.answered_at.desc(), responses.c.uid.desc()).limit(limit)
    return list(connection.execute(statement).mappings())


def _conditions(workspace: str, filters: Filters) -> list[ColumnElement[bool]]:
    wanted = ((name, getattr(filters, name)) for name in EQUAL)
    found: list[ColumnElement[bool]] = [responses.c[name] == value for name, value in wanted if value is not None]
    if filters.since is not None:
        found.append(responses.c.answered_at >= filters.since)
    if filters.until is not None:
        found.append(responses.c.answered_at < filters.until)
    if filters.themes is not None:
        mine = (tags.c.workspace == workspace, tags.c.response == responses.c.uid, tags.c.theme.in_(filters.themes))
        found.append(select(tags.c.theme).where(*mine).exists())
    if filters.q:
        found.append(_says(filters.q))
    return found


def _says(words: str) -> ColumnElement[bool]:
    # SQLite folds the case of ASCII alone: the ways a word is written are asked for by themselves
    ways = sorted({words, words.lower(), words.upper(), words.capitalize()})
    return or_(*(responses.c.text.contains(way, autoescape=True) for way in ways))
