"""Durable work: rows that outlive the process that does them, done by one at a time and from where the last stopped."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, delete, insert, or_, select, tuple_, update

from serving.store.database import new_id
from serving.store.loop_tables import job_files, jobs, refusals

LEASE = timedelta(seconds=120)
"""A worker that did not commit for so long is taken for dead; a chunk is done in a small part of it."""
INPUT = "input"
OPEN = ("queued", "running")
TO_THE_END = ("rewrite",)
"""Kinds that cannot be stopped: what is half done would stay so."""


class Lost(Exception):  # noqa: N818 - it is a state, not a fault
    """The job was cancelled, or another worker has it: what this one did since its last commit does not count."""


@dataclass(frozen=True, slots=True)
class Held:
    """A job that this worker has until its lease runs out."""

    workspace: str
    id: str
    kind: str
    by: str
    params: Mapping[str, Any]
    done: int
    result: Mapping[str, int]
    created_at: datetime
    worker: str


@dataclass(frozen=True, slots=True)
class Refused:
    """A row that was not taken, as a spreadsheet numbers it, and why."""

    row: int
    code: str
    detail: str


def create(
    connection: Connection,
    workspace: str,
    kind: str,
    by: str,
    params: Mapping[str, Any],
    data: bytes | None,
    now: datetime,
    total: int | None = None,
) -> Mapping[str, Any]:
    """A new job with its input where it has one, as a row."""
    id = new_id()
    row = {"workspace": workspace, "id": id, "kind": kind, "state": "queued", "by": by, "params": dict(params)}
    connection.execute(insert(jobs).values(**row, done=0, total=total, created_at=now, updated_at=now))
    if data is not None:
        connection.execute(insert(job_files).values(workspace=workspace, job=id, name=INPUT, data=data))
    found = find(connection, workspace, id)
    assert found is not None
    return found


def find(connection: Connection, workspace: str, id: str) -> Mapping[str, Any] | None:
    found = select(jobs).where(jobs.c.workspace == workspace, jobs.c.id == id)
    return connection.execute(found).mappings().one_or_none()


def listed(
    connection: Connection, workspace: str, limit: int, after: tuple[datetime, str] | None = None
) -> Sequence[Mapping[str, Any]]:
    """At most `limit` jobs, newest first, those after one where it is given."""
    found = select(jobs).where(jobs.c.workspace == workspace)
    if after is not None:
        place = tuple_(jobs.c.created_at, jobs.c.id)
        found = found.where(place < tuple_(*after, types=[jobs.c.created_at.type, jobs.c.id.type]))
    return list(connection.execute(found.order_by(jobs.c.created_at.desc(), jobs.c.id.desc()).limit(limit)).mappings())


def refused_rows(connection: Connection, workspace: str, id: str) -> list[Refused]:
    """The rows of a file that were not taken, in its order."""
    mine = (refusals.c.workspace == workspace, refusals.c.job == id)
    found = select(refusals.c.row, refusals.c.code, refusals.c.detail).where(*mine).order_by(refusals.c.row)
    return [Refused(*row) for row in connection.execute(found)]


def claim(connection: Connection, kind: str, worker: str, now: datetime) -> Held | None:
    """The oldest job that nobody is at, or whose worker is gone; two workers never get the same."""
    abandoned = and_(jobs.c.state == "running", jobs.c.leased_until < now)
    free = select(jobs).where(jobs.c.kind == kind, or_(jobs.c.state == "queued", abandoned))
    oldest = free.order_by(jobs.c.created_at, jobs.c.id).limit(1).with_for_update(skip_locked=True)
    row = connection.execute(oldest).mappings().one_or_none()
    if row is None:
        return None
    lease = {"state": "running", "leased_by": worker, "leased_until": now + LEASE, "updated_at": now}
    connection.execute(update(jobs).where(jobs.c.workspace == row["workspace"], jobs.c.id == row["id"]).values(**lease))
    names = ("workspace", "id", "kind", "by", "params", "done", "created_at")
    return Held(**{name: row[name] for name in names}, result=row["result"] or {}, worker=worker)


def input_of(connection: Connection, job: Held) -> bytes:
    mine = (job_files.c.workspace == job.workspace, job_files.c.job == job.id, job_files.c.name == INPUT)
    return connection.execute(select(job_files.c.data).where(*mine)).scalar_one()


def renew(connection: Connection, job: Held, now: datetime, **progress: Any) -> None:
    """Keeps the lease and writes progress; raises Lost where the job is no more this worker's."""
    _change(connection, job, leased_until=now + LEASE, updated_at=now, **progress)


def pause(connection: Connection, job: Held, now: datetime) -> None:
    """Puts the job back where it is; raises Lost."""
    _change(connection, job, state="queued", leased_by=None, leased_until=None, updated_at=now)


def finish(connection: Connection, job: Held, state: str, now: datetime, **what: Any) -> None:
    """Ends the job as `done` or `failed` and throws its input away; raises Lost."""
    _change(connection, job, state=state, leased_by=None, leased_until=None, updated_at=now, finished_at=now, **what)
    _forget_input(connection, job.workspace, job.id)


def refuse(connection: Connection, job: Held, found: Sequence[Refused]) -> None:
    """Notes rows that were not taken."""
    if found:
        of = {"workspace": job.workspace, "job": job.id}
        rows = [{**of, "row": each.row, "code": each.code, "detail": each.detail} for each in found]
        connection.execute(insert(refusals), rows)


def cancel(connection: Connection, workspace: str, id: str, now: datetime) -> bool:
    """Stops a job that is not over; what it has taken so far stays. False where it is over, or there is none."""
    mine = (jobs.c.workspace == workspace, jobs.c.id == id, jobs.c.state.in_(OPEN))
    ended = {"state": "cancelled", "leased_by": None, "leased_until": None, "updated_at": now, "finished_at": now}
    if not connection.execute(update(jobs).where(*mine).values(**ended)).rowcount:
        return False
    _forget_input(connection, workspace, id)
    return True


def _change(connection: Connection, job: Held, **values: Any) -> None:
    mine = (jobs.c.workspace == job.workspace, jobs.c.id == job.id)
    held = (jobs.c.state == "running", jobs.c.leased_by == job.worker)
    if not connection.execute(update(jobs).where(*mine, *held).values(**values)).rowcount:
        raise Lost


def _forget_input(connection: Connection, workspace: str, id: str) -> None:
    connection.execute(delete(job_files).where(job_files.c.workspace == workspace, job_files.c.job == id))
