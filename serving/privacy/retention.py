"""Deletes what has been kept for its time, a little at a time; run by the background work of every process."""

from collections.abc import Callable, Mapping
from datetime import datetime

from sqlalchemy import Connection, Select, Table, and_, delete, exists, or_, select, union

from serving.audit import record
from serving.cases.state import ACTIVE
from serving.issues.forgetting import forget
from serving.parts import Parts
from serving.privacy.originals import FINISHED
from serving.privacy.person import Subject, delete_rows
from serving.privacy.retention_policy import load_retention, own_days
from serving.store.access_tables import idempotency, keys
from serving.store.database import Database
from serving.store.loop_tables import (
    audit,
    case_responses,
    cases,
    deliveries,
    events,
    job_files,
    jobs,
)
from serving.store.tables import outcomes, respondents, responses, workspaces

AT_ONCE = 500
"""Rows in one transaction: short enough that a writer on SQLite waits little."""
BY = "retention"
Drop = Callable[[Connection, str, datetime], int]


def run_once(parts: Parts) -> int:
    """Deletes up to AT_ONCE rows of every kind in every workspace and tells how many; 0 when all has been done."""
    now, policy, gone = parts.clock(), load_retention(parts.settings.data_dir), 0
    for workspace in _workspaces(parts.database):
        with parts.database.read() as connection:
            mine = policy.overlaid(own_days(connection, workspace))
        for kind, (due, drop) in _KINDS.items():
            if cutoff := mine.cutoff(kind, now):
                gone += _drop(parts.database, workspace, kind, due, drop, cutoff, now)
    return gone


def _drop(
    database: Database, workspace: str, kind: str, due: "Due", drop: Drop, cutoff: datetime, now: datetime
) -> int:
    with database.read() as connection:
        if connection.execute(due(workspace, cutoff).limit(1)).first() is None:
            return 0
    with database.write() as connection:
        gone = drop(connection, workspace, cutoff)
        if gone and kind != "audit":
            record(connection, workspace, BY, f"retention.{kind}", None, {"rows": gone}, now)
    return gone


def _workspaces(database: Database) -> list[str]:
    with database.read() as connection:
        found = connection.execute(union(select(workspaces.c.id), select(keys.c.workspace))).scalars()
        return sorted(found)


Due = Callable[[str, datetime], Select]


def _due_responses(workspace: str, cutoff: datetime) -> Select:
    """Old by both times: an archive imported today stays for its days. What people still work on stays."""
    linked = and_(case_responses.c.workspace == cases.c.workspace, case_responses.c.case == cases.c.id)
    of_this = or_(cases.c.response == responses.c.uid, case_responses.c.response == responses.c.uid)
    live = (
        select(cases.c.id)
        .outerjoin(case_responses, linked)
        .where(cases.c.workspace == workspace, cases.c.state.in_(ACTIVE), of_this)
    )
    old = (responses.c.answered_at <= cutoff, responses.c.received_at <= cutoff)
    asked = select(responses.c.uid, responses.c.respondent).where(responses.c.workspace == workspace, *old)
    return asked.where(~exists(live.correlate(responses)))


def _drop_responses(connection: Connection, workspace: str, cutoff: datetime) -> int:
    due = _due_responses(workspace, cutoff).order_by(responses.c.answered_at, responses.c.uid).limit(AT_ONCE)
    rows = connection.execute(due.with_for_update(skip_locked=True, of=responses)).all()
    uids = tuple(row.uid for row in rows)
    opened = select(cases.c.id).where(cases.c.workspace == workspace, cases.c.response.in_(uids))
    subject = Subject(None, uids, tuple(connection.execute(opened).scalars()))
    forget(connection, workspace, uids)
    delete_rows(connection, workspace, subject)
    _drop_strangers(connection, workspace, {row.respondent for row in rows if row.respondent is not None})
    return len(rows)


def _drop_strangers(connection: Connection, workspace: str, people: set[str]) -> None:
    """Deletes those of these people of whom nothing is left."""
    left = or_(*(exists().where(t.c.workspace == workspace, t.c.respondent == respondents.c.id) for t in _OF_PEOPLE))
    here = (respondents.c.workspace == workspace, respondents.c.id.in_(people))
    connection.execute(delete(respondents).where(*here, ~left))


def _due_originals(workspace: str, cutoff: datetime) -> Select:
    same = and_(jobs.c.workspace == job_files.c.workspace, jobs.c.id == job_files.c.job)
    old = (jobs.c.state.in_(FINISHED), jobs.c.finished_at <= cutoff)
    return select(job_files.c.job, job_files.c.name).join(jobs, same).where(job_files.c.workspace == workspace, *old)


def _due_events(workspace: str, cutoff: datetime) -> Select:
    mine = (deliveries.c.workspace == events.c.workspace, deliveries.c.event == events.c.id)
    waiting = exists().where(*mine, deliveries.c.state == "pending")
    old = (events.c.workspace == workspace, events.c.at <= cutoff, events.c.spread_at.is_not(None), ~waiting)
    return select(events.c.id).where(*old)


def _due_idempotency(workspace: str, cutoff: datetime) -> Select:
    old = (idempotency.c.workspace == workspace, idempotency.c.at <= cutoff)
    return select(idempotency.c.key, idempotency.c.route).where(*old)


def _due_audit(workspace: str, cutoff: datetime) -> Select:
    return select(audit.c.id).where(audit.c.workspace == workspace, audit.c.at <= cutoff)


def _plain(table: Table, due: Due) -> tuple[Due, Drop]:
    """Rows that are deleted by what names them; whatever belongs to them goes by the database's own cascade."""

    def drop(connection: Connection, workspace: str, cutoff: datetime) -> int:
        found = due(workspace, cutoff).limit(AT_ONCE).with_for_update(skip_locked=True, of=table)
        rows = connection.execute(found).mappings().all()
        here = table.c.workspace == workspace
        same = [and_(*(table.c[name] == value for name, value in row.items())) for row in rows]
        return sum(connection.execute(delete(table).where(here, one)).rowcount for one in same)

    return due, drop


_OF_PEOPLE = (responses, cases, outcomes)
_KINDS: Mapping[str, tuple[Due, Drop]] = {
    "responses": (_due_responses, _drop_responses),
    "originals": _plain(job_files, _due_originals),
    "events": _plain(events, _due_events),
    "idempotency": _plain(idempotency, _due_idempotency),
    "audit": _plain(audit, _due_audit),
}
