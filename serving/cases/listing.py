"""Cases as they are listed, shown and counted: the most urgent first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, and_, case, false, func, literal, or_, select, true

from serving.cases.rows import with_response
from serving.cases.state import ACTIVE
from serving.frame.covering import under
from serving.paging import id_in, moment_in, wrong_cursor
from serving.rules.lineage import DOTS, Lineage
from serving.store.columns import Moment
from serving.store.loop_tables import attempts, case_events, case_responses, cases
from serving.store.tables import responses

NEVER = datetime(9000, 1, 1, tzinfo=UTC)
"""Stands for the due time of a case that has none, so that such cases come last."""
NO_PRIORITY = 5
"""Priorities are 1 to 4."""
RUNNING = tuple(state for state in ACTIVE if state != "waiting")


@dataclass(frozen=True, slots=True)
class Filter:
    """Which cases; None asks for nothing. A theme covers those that are under it in `lineage`."""

    states: tuple[str, ...] = ()
    priority: int | None = None
    team: str | None = None
    assignee: str | None = None
    unit: str | None = None
    theme: str | None = None
    overdue: bool | None = None
    due_before: datetime | None = None
    respondent: str | None = None
    lineage: Lineage = DOTS


def listed(
    connection: Connection, workspace: str, wanted: Filter, now: datetime, limit: int, after: Sequence[Any] | None
) -> Sequence[RowMapping]:
    """Cases by priority, then due time; `after` is the key of the last row of the page before (see `key_of`)."""
    due = func.coalesce(cases.c.due_at, literal(NEVER, Moment))
    statement = with_response(workspace).where(*_conditions(wanted, now))
    if after is not None:
        priority, moment, id = after
        later = or_(due > moment, and_(due == moment, cases.c.id > id))
        statement = statement.where(or_(cases.c.priority > priority, and_(cases.c.priority == priority, later)))
    return connection.execute(statement.order_by(cases.c.priority, due, cases.c.id).limit(limit)).mappings().all()


def key_of(row: Mapping[str, Any]) -> list[Any]:
    """Where a row stands in the list, as JSON values."""
    return [row["priority"], (row["due_at"] or NEVER).isoformat(), row["id"]]


def key_in(values: Sequence[Any]) -> list[Any]:
    """The key behind the values of a cursor; a 400 where they are none that `key_of` made."""
    priority, at, id = values
    if not isinstance(priority, int) or not 0 < priority < NO_PRIORITY:
        raise wrong_cursor()
    return [priority, moment_in(at), id_in(id)]


def overdue(now: datetime) -> ColumnElement[bool]:
    """Whether a first contact is owed and should have been made."""
    return and_(_owed(), cases.c.due_at < now)


def responses_of(connection: Connection, workspace: str, id: str) -> Sequence[RowMapping]:
    """The responses of a case in the order they joined it."""
    same = and_(responses.c.workspace == case_responses.c.workspace, responses.c.uid == case_responses.c.response)
    asked = (case_responses.c.joined_at, case_responses.c.priority.label("asks_for"))
    statement = select(responses, *asked).select_from(case_responses.join(responses, same))
    ours = statement.where(case_responses.c.workspace == workspace, case_responses.c.case == id)
    return connection.execute(ours.order_by(case_responses.c.joined_at, responses.c.uid)).mappings().all()


def events_of(connection: Connection, workspace: str, id: str) -> Sequence[RowMapping]:
    """What happened to a case, oldest first."""
    statement = select(case_events).where(case_events.c.workspace == workspace, case_events.c.case == id)
    return connection.execute(statement.order_by(case_events.c.id)).mappings().all()


def attempts_of(connection: Connection, workspace: str, id: str) -> Sequence[RowMapping]:
    """The attempts to reach the person, oldest first."""
    statement = select(attempts).where(attempts.c.workspace == workspace, attempts.c.case == id)
    return connection.execute(statement.order_by(attempts.c.id)).mappings().all()


def counted(connection: Connection, workspace: str, since: datetime | None, now: datetime) -> dict[str, Any]:
    """Cases by state, open ones by priority, overdue ones, and how many first contacts came in time.

    A first contact is `met` when the person was reached by the due time and `missed` when that passed; cases whose time
    is still to come, or that were done before it came, count as neither.
    """
    here = and_(cases.c.workspace == workspace, cases.c.opened_at >= since if since else true())
    late = or_(cases.c.breached_at.is_not(None), overdue(now), cases.c.first_contact_at > cases.c.due_at)
    met = and_(cases.c.first_contact_at <= cases.c.due_at, cases.c.breached_at.is_(None))
    sums = {"overdue": overdue(now), "met": met, "missed": late, "no_contact": cases.c.contact.is_(False)}
    numbers = [func.coalesce(func.sum(case((each, 1), else_=0)), 0).label(name) for name, each in sums.items()]
    row = connection.execute(select(func.count().label("total"), *numbers).where(here)).mappings().one()
    return {
        **row,
        "by_state": _grouped(connection, cases.c.state, here),
        "by_priority": _grouped(connection, cases.c.priority, and_(here, cases.c.state.in_(ACTIVE))),
    }


def _grouped(connection: Connection, column: Any, where: Any) -> dict[str, int]:
    statement = select(column, func.count()).where(where).group_by(column).order_by(column)
    return {str(value): count for value, count in connection.execute(statement)}


def _owed() -> ColumnElement[bool]:
    return and_(cases.c.contact, cases.c.first_contact_at.is_(None), cases.c.state.in_(RUNNING))


def _conditions(wanted: Filter, now: datetime) -> list[ColumnElement[bool]]:
    same = {
        cases.c.priority: wanted.priority,
        cases.c.team: wanted.team,
        cases.c.assignee: wanted.assignee,
        cases.c.respondent: wanted.respondent,
        responses.c.unit: wanted.unit,
    }
    conditions: list[ColumnElement[bool]] = [column == value for column, value in same.items() if value is not None]
    if wanted.states:
        conditions.append(cases.c.state.in_(wanted.states))
    if wanted.theme is not None:
        conditions.append(under(cases.c.theme, (wanted.theme,), wanted.lineage))
    if wanted.due_before is not None:
        conditions.append(and_(_owed(), cases.c.due_at < wanted.due_before))
    if wanted.overdue is not None:
        # a case without a due time is not overdue: NULL must not drop it from either list
        late = func.coalesce(overdue(now), false())
        conditions.append(late if wanted.overdue else ~late)
    return conditions
