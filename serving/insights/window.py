"""Which responses a figure is about: the period and the filters, and how a period is cut into days, weeks or months."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import numpy as np
from sqlalchemy import ColumnElement, Connection, String, and_, func

from nlp.errors import InputError
from serving.store.tables import responses

Every = Literal["day", "week", "month"]

DEFAULT_DAYS = 90
"""A quarter: what a period is where nobody said."""
MOST_DAYS = 3660
"""Ten years: a trend by days has that many points for every theme."""
EARLIEST = datetime(1971, 1, 1, tzinfo=UTC)
"""The period before the one asked for must be a time as well."""
_MONDAY = 3
"""Day 0 of the epoch was a Thursday."""


@dataclass(frozen=True, slots=True)
class Period:
    """From `start` up to, not including, `end`."""

    start: datetime
    end: datetime

    @property
    def before(self) -> "Period":
        """The period of the same length right before it."""
        return Period(self.start - (self.end - self.start), self.start)


@dataclass(frozen=True, slots=True)
class Window:
    """A period and what the responses of it must have; None lets all pass."""

    period: Period
    survey: str | None = None
    touchpoint: str | None = None
    unit: str | None = None
    metric: str | None = None

    def conditions(self, workspace: str, period: Period | None = None) -> ColumnElement[bool]:
        """What a row of `responses` must fulfil; `period` stands in for the window's own."""
        asked = period or self.period
        answered = and_(responses.c.answered_at >= asked.start, responses.c.answered_at < asked.end)
        return and_(responses.c.workspace == workspace, answered, *self.filters())

    def filters(self) -> list[ColumnElement[bool]]:
        """The conditions beside workspace and period."""
        asked = {"survey": self.survey, "touchpoint": self.touchpoint, "unit": self.unit, "metric": self.metric}
        return [responses.c[name] == value for name, value in asked.items() if value is not None]


def period(start: datetime | None, end: datetime | None, now: datetime) -> Period:
    """The period asked for: without an end until now, without a start 90 days; InputError where it cannot be."""
    until = (end or now).astimezone(UTC)
    since = start.astimezone(UTC) if start else until - min(timedelta(days=DEFAULT_DAYS), until - EARLIEST)
    if not EARLIEST <= since < until:
        raise InputError(f"from {since.isoformat()} to {until.isoformat()} is no period after 1970; put from before to")
    if until - since > timedelta(days=MOST_DAYS):
        raise InputError(f"the period has {(until - since).days} days; ask for {MOST_DAYS} at most")
    return Period(since, until)


def day_of(connection: Connection, column: ColumnElement[Any]) -> ColumnElement[str]:
    """The UTC day of a Moment column as `2026-11-02`, on either database."""
    if connection.dialect.name == "sqlite":
        return func.substr(column, 1, 10, type_=String)
    return func.to_char(func.timezone("UTC", column), "YYYY-MM-DD", type_=String)


def as_days(words: list[str]) -> np.ndarray:
    """`2026-11-02` words as datetime64[D] (n,)."""
    return np.array(words, dtype="datetime64[D]")


def bucket(days: np.ndarray, every: Every) -> np.ndarray:
    """The first day of the day, week (from Monday) or month that each datetime64[D] lies in."""
    if every == "week":
        numbers = days.astype(np.int64)
        return ((numbers + _MONDAY) // 7 * 7 - _MONDAY).astype("datetime64[D]")
    return days.astype("datetime64[M]").astype("datetime64[D]") if every == "month" else days
