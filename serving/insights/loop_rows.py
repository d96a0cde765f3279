"""Cases as the report of the loop wants them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, or_, select

from serving.cases.state import ACTIVE
from serving.insights.frame import BOUND
from serving.insights.window import Window
from serving.store.loop_tables import case_events, cases
from serving.store.tables import responses

REOPENED = "reopened"
"""How the history of a case says that it was opened again."""


@dataclass(frozen=True, slots=True)
class CaseRow:
    """One case; `of_period` is False for one that is only here because it is open now."""

    id: str
    of_period: bool
    state: str
    priority: int
    team: str | None
    assignee: str | None
    unit: str | None
    contact: bool
    opened_at: datetime
    due_at: datetime | None
    breached_at: datetime | None
    first_contact_at: datetime | None
    attempts: int
    reopened: bool
    has_outcome: bool
    root_cause: str | None
    compensation: float | None
    currency: str | None
    satisfied: bool | None

    @property
    def planned(self) -> bool:
        """Whether a contact was wanted: also of somebody who was reached and then asked for peace."""
        return self.contact or self.first_contact_at is not None


def load_cases(connection: Connection, workspace: str, window: Window) -> list[CaseRow]:
    """The cases opened in the window's period, and all that are open now, whose first response passes its filters."""
    same = and_(responses.c.workspace == cases.c.workspace, responses.c.uid == cases.c.response)
    joined = cases.outerjoin(responses, same)
    opened = and_(cases.c.opened_at >= window.period.start, cases.c.opened_at < window.period.end)
    condition = and_(cases.c.workspace == workspace, or_(opened, cases.c.state.in_(ACTIVE)), *window.filters())
    reopened = _reopened(connection, workspace)
    statement = select(*_COLUMNS, responses.c.unit).select_from(joined).where(condition).order_by(cases.c.id)
    return [_row(row, window, row["id"] in reopened) for row in connection.execute(statement).mappings()]


_COLUMNS = [
    cases.c[name]
    for name in (
        *("id", "state", "priority", "team", "assignee", "contact", "opened_at", "due_at", "breached_at"),
        *("first_contact_at", "attempts", "outcome"),
    )
]


def _reopened(connection: Connection, workspace: str) -> set[str]:
    kinds = and_(case_events.c.workspace == workspace, case_events.c.kind == REOPENED)
    return set(connection.execute(select(case_events.c.case).where(kinds).distinct()).scalars())


def _row(row: Mapping[str, Any], window: Window, reopened: bool) -> CaseRow:
    said = row["outcome"] or {}
    amount, currency = _paid(said.get("compensation"))
    same = ("id", "state", "priority", "team", "assignee", "unit", "contact", "opened_at", "due_at", "breached_at")
    return CaseRow(
        **{name: row[name] for name in same},
        first_contact_at=row["first_contact_at"],
        attempts=row["attempts"],
        of_period=window.period.start <= row["opened_at"] < window.period.end,
        reopened=reopened,
        has_outcome=row["outcome"] is not None,
        root_cause=said.get("root_cause"),
        compensation=amount,
        currency=currency,
        satisfied=said.get("satisfied"),
    )


def _paid(given: Any) -> tuple[float | None, str | None]:
    """Amount and currency of a compensation; none where the amount is no number that sums can hold."""
    said = given if isinstance(given, Mapping) else {}
    amount, currency = said.get("amount"), said.get("currency")
    is_number = isinstance(amount, int | float) and not isinstance(amount, bool) and abs(amount) <= BOUND
    return (float(amount), currency) if is_number and isinstance(currency, str) else (None, None)
