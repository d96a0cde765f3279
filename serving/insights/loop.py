"""Whether the loop is closed: who was to be contacted, who was, how soon, and what came of it."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import numpy as np
from sqlalchemy import Connection

from serving.cases.state import ACTIVE
from serving.insights.intervals import Share, wilson
from serving.insights.loop_rows import CaseRow, load_cases
from serving.insights.window import Period, Window

By = Literal["priority", "team", "assignee", "unit"]

MOST_ATTEMPTS = 5
"""Cases with as many attempts or more are counted together."""


@dataclass(frozen=True, slots=True)
class Attempted:
    """How many of the planned cases had this many attempts; the last entry has that many or more."""

    attempts: int
    cases: int


@dataclass(frozen=True, slots=True)
class Closure:
    """The cases of one group; `name` is null for those that have nothing there, and for all together.

    `planned` are those whose person may be contacted; hours are by the wall clock, from the opening to the first
    attempt that reached somebody.
    """

    name: str | None
    opened: int
    planned: int
    no_contact: int
    contacted: Share
    in_time: Share
    """Of those planned whose clock has come to an end; `pending` are the others."""
    pending: int
    median_hours: float | None
    p90_hours: float | None
    attempts: int
    attempts_per_case: float | None
    attempted: tuple[Attempted, ...]
    unreachable: Share
    closed: Share
    """Of those planned: reached, and resolved or closed."""
    reopened: Share
    """Of those that ever came to an end."""
    satisfied: Share
    """Of those of whom it is known whether the contact satisfied them."""
    open_now: int
    overdue_now: int
    """Of all cases open now, whenever they were opened."""


@dataclass(frozen=True, slots=True)
class Paid:
    """What customers were given in one currency, and in how many cases."""

    currency: str
    amount: float
    cases: int


@dataclass(frozen=True, slots=True)
class RootCause:
    """What resolved cases were found to come from, what they cost, and whether the customers were satisfied."""

    cause: str | None
    cases: int
    compensation: tuple[Paid, ...]
    satisfied: Share


@dataclass(frozen=True, slots=True)
class Loop:
    """The closed loop of the cases opened in a period."""

    period: Period
    n: int
    by: By | None
    overall: Closure
    groups: tuple[Closure, ...]
    left_out: int
    root_causes: tuple[RootCause, ...]


def loop(connection: Connection, workspace: str, window: Window, by: By | None, now: datetime, limit: int) -> Loop:
    """The cases opened in a window, whose responses pass its filters, as they stand now."""
    return report(window.period, load_cases(connection, workspace, window), by, now, limit)


def report(period: Period, rows: Sequence[CaseRow], by: By | None, now: datetime, limit: int) -> Loop:
    """The report of rows that are of the period or open."""
    groups: dict[str | None, list[CaseRow]] = defaultdict(list)
    for row in rows if by else ():
        name = getattr(row, by or "")
        groups[None if name is None else str(name)].append(row)
    found = [closure(name, groups[name], now) for name in groups]
    found.sort(key=lambda item: (-item.opened, item.name or ""))
    overall, causes = closure(None, rows, now), root_causes(rows)
    return Loop(period, overall.opened, by, overall, tuple(found[:limit]), max(0, len(found) - limit), causes)


def closure(name: str | None, rows: Sequence[CaseRow], now: datetime) -> Closure:
    """The figures of one group of cases."""
    opened = [row for row in rows if row.of_period]
    planned = [row for row in opened if row.planned]
    n = len(planned)
    contacted = [row for row in planned if row.first_contact_at]
    settled = [met for met in (in_time(row, now) for row in planned) if met is not None]
    ended = [row for row in opened if row.reopened or row.state not in ACTIVE]
    told = [row.satisfied for row in opened if row.satisfied is not None]
    closed = sum(row.state in ("resolved", "closed") for row in contacted)
    hours = [(row.first_contact_at - row.opened_at).total_seconds() / 3600 for row in contacted if row.first_contact_at]
    attempts = sum(row.attempts for row in planned)
    return Closure(
        name=name,
        opened=len(opened),
        planned=n,
        no_contact=len(opened) - n,
        contacted=wilson(len(contacted), n),
        in_time=wilson(sum(settled), len(settled)),
        pending=n - len(settled),
        median_hours=_quantile(hours, 0.5),
        p90_hours=_quantile(hours, 0.9),
        attempts=attempts,
        attempts_per_case=attempts / n if n else None,
        attempted=_attempted(planned),
        unreachable=wilson(sum(row.state == "unreachable" for row in planned), n),
        closed=wilson(closed, n),
        reopened=wilson(sum(row.reopened for row in ended), len(ended)),
        satisfied=wilson(sum(told), len(told)),
        open_now=sum(row.state in ACTIVE for row in rows),
        overdue_now=sum(overdue(row, now) for row in rows),
    )


def in_time(row: CaseRow, now: datetime) -> bool | None:
    """Whether the first contact came when it was due; None while it still may, or the clock stands still.

    A case that was breached stays so, and one that came to its end without a contact did not meet its target.
    """
    if row.breached_at:
        return False
    if row.first_contact_at:
        return row.due_at is None or row.first_contact_at <= row.due_at
    if row.state not in ACTIVE:
        return False
    return False if overdue(row, now) else None


def overdue(row: CaseRow, now: datetime) -> bool:
    """Whether a first contact is owed now that was due before."""
    owed = row.contact and row.state in ACTIVE and row.state != "waiting" and row.first_contact_at is None
    return owed and row.due_at is not None and row.due_at < now


def root_causes(rows: Iterable[CaseRow]) -> tuple[RootCause, ...]:
    """What the resolved cases of the period were found to come from, the most frequent first."""
    groups: dict[str | None, list[CaseRow]] = defaultdict(list)
    for row in rows:
        if row.of_period and row.has_outcome:
            groups[row.root_cause].append(row)
    found = [_root_cause(cause, groups[cause]) for cause in groups]
    return tuple(sorted(found, key=lambda item: (-item.cases, item.cause or "")))


def _root_cause(cause: str | None, rows: Sequence[CaseRow]) -> RootCause:
    told = [row.satisfied for row in rows if row.satisfied is not None]
    return RootCause(cause, len(rows), _paid(rows), wilson(sum(told), len(told)))


def _paid(rows: Iterable[CaseRow]) -> tuple[Paid, ...]:
    """Sums by currency, in the order of their names: amounts of two currencies have no sum."""
    sums: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        if row.compensation is not None and row.currency is not None:
            sums[row.currency].append(row.compensation)
    return tuple(Paid(currency, float(sum(sums[currency])), len(sums[currency])) for currency in sorted(sums))


def _attempted(planned: Iterable[CaseRow]) -> tuple[Attempted, ...]:
    counts = np.bincount([min(row.attempts, MOST_ATTEMPTS) for row in planned], minlength=MOST_ATTEMPTS + 1)
    return tuple(Attempted(attempts, int(cases)) for attempts, cases in enumerate(counts))


def _quantile(hours: Sequence[float], share: float) -> float | None:
    return float(np.quantile(hours, share)) if hours else None
