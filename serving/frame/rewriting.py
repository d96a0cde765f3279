"""Stored answers after a change that reaches too many of them for one transaction: rewritten beside everything else.

The change itself is in force at once; a job brings the answers that still have the themes of before in line, the newest
first, a batch in a transaction, whichever process does it.
"""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime

from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from serving import logs
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
FAULTS = 10
"""Answers that fail one after the other: then it is not the answers, and the job is tried again from there."""


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
    uids, run = uids_of_job(parts, job), _Run(parts, job)
    for start in range(0, len(uids), BATCH):
        run.rewrite(uids[start : start + BATCH])
    run.count_faults()
    if len(uids) < BATCH * BATCHES:
        untangled(lambda: _finish(parts, job, run.done, run.failed))
        return len(uids) or 1
    with parts.database.write() as connection:
        _keep_place(connection, parts, job, uids[-1], run.done, run.failed)
        jobs.pause(connection, job, parts.clock())
    return len(uids)


class _Run:
    """How far a job is; `failed` answers, which are passed over for good, are among those that are `done`."""

    def __init__(self, parts: Parts, job: Held) -> None:
        self.parts, self.job = parts, job
        self.done, self.failed = job.done, job.result.get("failed", 0)
        self._faults: list[Exception] = []  # since the last answer that went well

    def rewrite(self, uids: Sequence[str]) -> None:
        """Does these in one transaction, or where that fails in halves, so that a bad answer holds up no other."""
        failed = self.failed + len(self._faults)
        done = self.done + len(self._faults) + len(uids)
        try:
            untangled(lambda: _batch(self.parts, self.job, uids, done, failed))
            self.done, self.failed, self._faults = done, failed, []
        except (Lost, OperationalError):
            raise  # of this worker, or of the database: not of the answers
        except Exception as error:
            if len(uids) == 1:
                self._note(uids[0], error)
            else:
                self.rewrite(uids[: len(uids) // 2])
                self.rewrite(uids[len(uids) // 2 :])

    def count_faults(self) -> None:
        """Passes over what failed at the end, or raises it where no answer of the job has gone well."""
        if self._faults and self.done == self.failed:
            raise self._faults[0]
        self.done += len(self._faults)
        self.failed += len(self._faults)

    def _note(self, uid: str, error: Exception) -> None:
        logs.get_logger().error("answer_not_rewritten", job=self.job.id, response=uid, **logs.where(error))
        self._faults.append(error)
        if len(self._faults) >= FAULTS:
            raise error


def uids_of_job(parts: Parts, job: Held) -> list[str]:
    """The answers of one run."""
    found, place = Concerned.restored(job.params), job.params["place"]
    with parts.database.read() as connection:
        return uids_of(connection, job.workspace, found, place, BATCH * BATCHES)


def _batch(parts: Parts, job: Held, uids: Sequence[str], done: int, failed: int = 0) -> None:
    """Several changes may have followed: what is in force now holds."""
    with parts.database.write() as connection:
        hold(connection, job.workspace, change=False)
        renew(connection, parts, job.workspace, uids, frame_of(connection, job.workspace, parts.taxonomy()))
        _keep_place(connection, parts, job, uids[-1], done, failed)


def _keep_place(connection: Connection, parts: Parts, job: Held, place: str, done: int, failed: int) -> None:
    said = {"params": {**job.params, "place": place}, "done": done, "result": _result(failed)}
    jobs.renew(connection, job, parts.clock(), **said)


def _result(failed: int) -> dict[str, int]:
    return {"failed": failed} if failed else {}


def _finish(parts: Parts, job: Held, done: int, failed: int) -> None:
    """Cases and issues that go by what their answers say now follow at the end."""
    now, workspace, version = parts.clock(), job.workspace, job.params["version"]
    with parts.database.write() as connection:
        hold(connection, workspace, change=False)
        before, after = (_frame(connection, parts, workspace, each) for each in (version - 1, version))
        if follows_answers(before, after):
            follow(connection, workspace, before, after, now)
        result = {"answers": done - failed, **_result(failed)}
        jobs.finish(connection, job, "done", now, done=done, total=done, result=result)
        told = {"job": job.id, "version": version, **result}
        record(connection, workspace, job.by, "taxonomy.rewrite", "taxonomy", told, now)


def _frame(connection: Connection, parts: Parts, workspace: str, version: int) -> Frame:
    row = row_of(connection, workspace, version)
    return effective(parts.taxonomy(), own_in(row) if row else Own(), version)


def under_way(connection: Connection, workspace: str) -> int | None:
    """How many answers an earlier change has still to rewrite; None where none has."""
    rows = open_jobs(connection, workspace, REWRITE)
    return max(0, rows[0]["total"] - rows[0]["done"]) if rows else None
