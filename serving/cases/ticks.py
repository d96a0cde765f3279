"""What happens to cases because time passes: warnings, breaches, escalation, closing."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, RowMapping, and_, or_, select

from serving.cases.events import Breach, Close, Escalate, Warn
from serving.cases.policy import CasePolicy, load_case_policy
from serving.cases.rows import UnknownCaseError, case_of_row
from serving.cases.state import ACTIVE
from serving.cases.work import Work
from serving.parts import Parts
from serving.store.loop_tables import cases

BATCH = 500
"""Cases of a workspace in one round; the next round takes more."""


def run_once(parts: Parts) -> int:
    """How many steps were taken, over all workspaces; several processes may do this at once, none twice."""
    policy, now = load_case_policy(parts.settings.data_dir), parts.clock()
    with parts.database.read() as connection:
        found = list(_due(connection, policy, now))
    done = 0
    for workspace, id in found:
        # one transaction each: a case that cannot be stepped keeps no other waiting
        with parts.database.write() as connection:
            done += _steps(Work(connection, workspace, policy, now), id)
    return done


def _due(connection: Connection, policy: CasePolicy, now: datetime) -> Iterator[tuple[str, str]]:
    for workspace in connection.execute(select(cases.c.workspace).distinct()).scalars().all():
        statement = select(cases.c.id).where(cases.c.workspace == workspace, _something_due(policy, now))
        for id in connection.execute(statement.order_by(cases.c.due_at, cases.c.id).limit(BATCH)).scalars():
            yield workspace, id


def _something_due(policy: CasePolicy, now: datetime) -> Any:
    owed = and_(
        cases.c.contact,
        cases.c.first_contact_at.is_(None),
        cases.c.state.in_([state for state in ACTIVE if state != "waiting"]),
    )
    warn = and_(cases.c.warn_at <= now, cases.c.warned_at.is_(None), cases.c.breached_at.is_(None))
    breach = and_(cases.c.due_at <= now, cases.c.breached_at.is_(None))
    over = (
        and_(cases.c.state == state, _since(state) <= now - timedelta(days=days))
        for state, days in policy.close_after_days.items()
    )
    return or_(and_(owed, or_(warn, breach, cases.c.escalate_at <= now)), *over)


def _since(state: str) -> Any:
    return cases.c.resolved_at if state == "resolved" else cases.c.updated_at


def _steps(work: Work, id: str) -> int:
    """The steps of one case, looked at anew now that nobody else can change it."""
    try:
        row = work.find(id)
    except UnknownCaseError:
        return 0  # erased since it was listed
    done = 0
    while (step := _next_step(work, row)) is not None:
        row = step
        done += 1
    return done


def _next_step(work: Work, row: RowMapping) -> RowMapping | None:
    case, now = case_of_row(row), work.now
    days = work.policy.close_after_days.get(case.state)
    if days is not None and (case.resolved_at or case.updated_at) <= now - timedelta(days=days):
        work.audit(row["id"], "close", {"after_days": days})
        return work.step(row, Close(), "closed", {"after_days": days})
    if not case.owes_contact:
        return None
    if case.due_at and case.due_at <= now and case.breached_at is None:
        return _told(work, work.step(row, Breach(), "breached", {}), "case.breached")
    if case.warn_at and case.warn_at <= now and case.warned_at is None and case.breached_at is None:
        return _told(work, work.step(row, Warn(), "warned", {}), "case.due_soon")
    # the chain may have become shorter since the case was opened
    if case.escalate_at and case.escalate_at <= now and case.escalation < len(work.policy.escalation):
        return _escalated(work, row)
    return None


def _told(work: Work, row: RowMapping, type: str) -> RowMapping:
    # a case that was reopened has a new due time, of which it is told anew
    work.tell(row, type, dedupe=f"{type}:{row['id']}:{row['due_at'].isoformat()}")
    return row


def _escalated(work: Work, row: RowMapping) -> RowMapping:
    done = row["escalation"]
    level = work.policy.escalation[done]
    event = Escalate(level.team, level.assignee, work.clock.escalation(row["due_at"], done + 1))
    row = work.step(row, event, "escalated", {"level": done + 1, "team": level.team, "assignee": level.assignee})
    dedupe = f"case.escalated:{row['id']}:{row['due_at'].isoformat()}:{done + 1}"
    work.tell(row, "case.escalated", {"level": done + 1}, dedupe)
    return row
