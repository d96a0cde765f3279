"""Stored answers after a change that reaches too many of them for one transaction: rewritten beside everything else.

The change itself is in force at once; a job brings the answers that still have the themes of before in line, the newest
first, a batch in a transaction, whichever process does it.
"""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime

from sqlalchemy import Connection

from serving.audit import record
from serving.frame.effective import Frame, effective
from serving.frame.following import follow, follows_answers
from serving.frame.own import Own
from serving.frame.progress import REWRITE, open_jobs
from serving.frame.renewing import Concerned, renew, uids_of
from serving.frame.store import frame_of, hold, own_in, row_of
from serving.parts import Parts
from serving.store import jobs
from serving.store.database import new_id, untangled
from serving.store.jobs import Held, Lost

MOST_AT_ONCE = 5_000
"""Answers that a change rewrites by itself, in some 3 s on PostgreSQL and 2 s on SQLite, in which others wait."""
BATCH = 500
"""Answers in one transaction: about a third of a second on PostgreSQL, in which others wait for these rows alone."""
BATCHES = 10
"""Of one run: seconds, so that a process that stops need not wait."""


def ask(
    connection: Connection, workspace: str, version: int, found: Concerned, total: int, by: str, now: datetime
) -> str:
    """Has `total` answers rewritten that are of the frame before `version`; the id of the job."""
    params = {"version": version, "place": None, **found.plain()}
    return jobs.create(connection, workspace, REWRITE, by, params, None, now, total)["id"]


def run_once(parts: Parts) -> int:
    """Rewrites some batches of the oldest change that waits; how many answers that were."""
    with parts.database.write() as connection:
        job = jobs.claim(connection, REWRITE, new_id(), parts.clock())
    if job is None:
        return 0
    with suppress(Lost):
        return _worked(parts, job)
    return 0


def _worked(parts: Parts, job: Held) -> int:
    uids, done = uids_of_job(parts, job), 0
    for start in range(0, len(uids), BATCH):
        some = uids[start : start + BATCH]
        done += len(some)
        untangled(lambda some=some, done=done: _batch(parts, job, some, job.done + done))
    if len(uids) < BATCH * BATCHES:
        untangled(lambda: _finish(parts, job, job.done + done))
        return done or 1
    with parts.database.write() as connection:
        jobs.pause(connection, job, parts.clock())
    return done


def uids_of_job(parts: Parts, job: Held) -> list[str]:
    """The answers of one run."""
    found, place = Concerned.restored(job.params), job.params["place"]
    with parts.database.read() as connection:
        return uids_of(connection, job.workspace, found, place, BATCH * BATCHES)


def _batch(parts: Parts, job: Held, uids: Sequence[str], done: int) -> None:
    """Several changes may have followed: what is in force now holds."""
    with parts.database.write() as connection:
        hold(connection, job.workspace, change=False)
        renew(connection, parts, job.workspace, uids, frame_of(connection, job.workspace, parts.taxonomy()))
        jobs.renew(connection, job, parts.clock(), done=done, params={**job.params, "place": uids[-1]})


def _finish(parts: Parts, job: Held, done: int) -> None:
    """Cases and issues that go by what their answers say now follow at the end."""
    now, workspace, version = parts.clock(), job.workspace, job.params["version"]
    with parts.database.write() as connection:
        hold(connection, workspace, change=False)
        before, after = (_frame(connection, parts, workspace, each) for each in (version - 1, version))
        if follows_answers(before, after):
            follow(connection, workspace, before, after, now)
        jobs.finish(connection, job, "done", now, done=done, total=done, result={"answers": done})
        told = {"job": job.id, "version": version, "answers": done}
        record(connection, workspace, job.by, "taxonomy.rewrite", "taxonomy", told, now)


def _frame(connection: Connection, parts: Parts, workspace: str, version: int) -> Frame:
    row = row_of(connection, workspace, version)
    return effective(parts.taxonomy(), own_in(row) if row else Own(), version)


def under_way(connection: Connection, workspace: str) -> int | None:
    """How many answers an earlier change has still to rewrite; None where none has."""
    rows = open_jobs(connection, workspace, REWRITE)
    return max(0, rows[0]["total"] - rows[0]["done"]) if rows else None
