"""Files of responses taken in chunk by chunk, each with its progress in one transaction: nothing is lost or twice."""

import asyncio
import math
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from time import monotonic
from typing import Any

import yaml
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from nlp.errors import HolosError, PolicyError
from serving import logs
from serving.batcher import Closed, Overloaded
from serving.engine import NotReady
from serving.files import read_rows
from serving.ingest.arrivals import Arrival, Taken
from serving.ingest.take import Also, take
from serving.mapping import ColumnMapping, parse_mapping
from serving.outbox.events import emit
from serving.parts import Parts
from serving.rows import ReadLog, Row
from serving.store import jobs, statistics
from serving.store.database import new_id
from serving.store.jobs import Held, Lost, Refused

KIND = "import"
CHUNK = 256
"""Rows taken together: full batches for the model, seconds of work to repeat after a crash."""
SLICE_SECONDS = 20.0
"""One run works so long, so that a process that stops need not wait, and the job goes on where it was."""
LARGE = 10_000
"""Rows after which the database is told to look at its tables anew: fewer do not change how it goes about things."""
EARLY = (1_000, 5_000)
"""Rows after which it is told so on the way: planned as for empty tables, 12,000 rows took PostgreSQL a minute, not ten
seconds, beside a classifier that costs nothing."""
TRIES = 60
"""Times that a full queue is waited for before the job goes back to the others."""

Tally = Counter[str]
OUTCOMES = ("created", "updated", "duplicate", "refused")


@dataclass(frozen=True, slots=True)
class Chunk:
    """Rows of a file that lie together, and what became of those that could be read."""

    rows: Sequence[Row]
    taken: Sequence[Taken]

    @property
    def refused(self) -> list[Refused]:
        """The rows that were not taken, with why."""
        read = iter(self.taken)
        found = [(row, next(read).error if row.item else row.problem) for row in self.rows]
        return [Refused(row.number, why.code, why.detail) for row, why in found if why is not None]

    @property
    def tally(self) -> Tally:
        kept = Counter({name: 0 for name in OUTCOMES})
        kept.update(each.outcome for each in self.taken if each.outcome != "error")
        kept["refused"] = len(self.refused)
        return kept


Keep = Callable[[Connection, Chunk], None]
"""What belongs into the transaction of a chunk."""


async def run_once(parts: Parts) -> int:
    """Works on the oldest import that waits, for a while; the rows taken. Cancelled, it leaves the job where it is."""
    worker = new_id()
    job = await asyncio.to_thread(_claimed, parts, worker)
    if job is None:
        return 0
    done = [0]
    try:
        await _work(parts, job, done)
    except Lost:
        logs.get_logger().info("import_left", job=job.id)
        await asyncio.to_thread(refresh, parts, job.done + done[0])  # cancelled, it leaves what it has taken
    except (NotReady, Closed, Overloaded):
        await asyncio.to_thread(_pause, parts, job)
    except asyncio.CancelledError:
        await asyncio.shield(asyncio.to_thread(_pause, parts, job))
        raise
    except OperationalError as error:
        # the database is away: the lease runs out, and whoever comes next goes on from the last commit
        logs.get_logger().warning("import_interrupted", job=job.id, **logs.where(error))
    except HolosError as error:
        await asyncio.to_thread(_fail, parts, job, done[0], str(error))
    except Exception as error:
        logs.get_logger().error("import_failed", job=job.id, **logs.where(error))
        reason = f"something failed in the server ({type(error).__name__}); its log says where. Send the file again"
        await asyncio.to_thread(_fail, parts, job, done[0], reason)
    return done[0]


async def import_rows(
    parts: Parts,
    workspace: str,
    actor: str,
    rows: Iterator[Row],
    dated: datetime,
    keep: Keep,
    waiting: Callable[[], None] = lambda: None,
    seconds: float = math.inf,
    before: int = 0,
) -> bool:
    """Takes rows chunk by chunk; False where `seconds` were over before the rows were.

    `keep` is called in each chunk's transaction, `waiting` while the model has no room. `dated` is the time of answers
    that have none: the same however often the file is read. `before`: rows of the file that were taken already.
    """
    ends, at = monotonic() + seconds, before
    while chunk := await asyncio.to_thread(lambda: list(islice(rows, CHUNK))):
        arrivals = [Arrival(row.item) for row in chunk if row.item]

        def also(connection: Connection, taken: Sequence[Taken], chunk: list[Row] = chunk) -> None:
            keep(connection, Chunk(chunk, taken))

        await _patiently(parts, workspace, arrivals, actor, dated, also, waiting)
        at += len(chunk)
        if any(at - len(chunk) < mark <= at for mark in EARLY):
            await asyncio.to_thread(statistics.refresh, parts.database)
        if monotonic() >= ends:
            return False
    return True


def read_mapping(text: str | None) -> ColumnMapping:
    """The mapping in a YAML text; raises PolicyError."""
    if text is None:
        return ColumnMapping()
    try:
        return parse_mapping(yaml.safe_load(text), "mapping")
    except (yaml.YAMLError, ValueError, RecursionError):
        raise PolicyError("mapping: not valid YAML") from None


async def _work(parts: Parts, job: Held, done: list[int]) -> None:
    tally = Counter(job.result)
    with tempfile.TemporaryDirectory(prefix="holos-import-") as folder:
        path = await asyncio.to_thread(_put, parts, job, Path(folder))
        log = ReadLog(lambda remark: None)
        rows = read_rows(path, read_mapping(job.params.get("mapping")), log)
        # what was committed before is read past, not taken again
        await asyncio.to_thread(lambda: next(islice(rows, job.done, job.done), None))

        def keep(connection: Connection, chunk: Chunk) -> None:
            jobs.refuse(connection, job, chunk.refused)
            at, result = job.done + done[0] + len(chunk.rows), tally + chunk.tally
            jobs.renew(connection, job, parts.clock(), done=at, total=_total(log, at), result=_counts(result))
            tally.update(chunk.tally)
            done[0] += len(chunk.rows)

        def waiting() -> None:
            with parts.database.write() as connection:
                jobs.renew(connection, job, parts.clock())

        try:
            through = await import_rows(
                parts, job.workspace, job.by, rows, job.created_at, keep, waiting, SLICE_SECONDS, job.done
            )
        except HolosError as error:
            raise type(error)(str(error).replace(str(path), str(job.params["name"]))) from None
    if through:
        await asyncio.to_thread(_finish, parts, job, job.done + done[0], _counts(tally))
    else:
        await asyncio.to_thread(_pause, parts, job)


async def _patiently(
    parts: Parts,
    workspace: str,
    arrivals: Sequence[Arrival],
    actor: str,
    dated: datetime,
    also: Also,
    waiting: Callable[[], None],
) -> None:
    """`take`, again and again while the model has no room: callers over HTTP go first."""
    for left in range(TRIES, -1, -1):
        try:
            await take(parts, workspace, arrivals, actor, dated=dated, also=also)
            return
        except Overloaded as error:
            if not left:
                raise
            await asyncio.sleep(error.retry_after)
            await asyncio.to_thread(waiting)


def _claimed(parts: Parts, worker: str) -> Held | None:
    with parts.database.write() as connection:
        return jobs.claim(connection, KIND, worker, parts.clock())


def _put(parts: Parts, job: Held, folder: Path) -> Path:
    # the reader goes by the ending; the rest of a sender's name stays out of the file system
    path = folder / f"input{Path(job.params['name']).suffix.lower()}"
    with parts.database.read() as connection:
        path.write_bytes(jobs.input_of(connection, job))
    return path


def _pause(parts: Parts, job: Held) -> None:
    # a job that was cancelled meanwhile, or is another's, needs no pause
    with suppress(Lost), parts.database.write() as connection:
        jobs.pause(connection, job, parts.clock())


def _fail(parts: Parts, job: Held, done: int, reason: str) -> None:
    with suppress(Lost):
        _end(parts, job, "failed", error=reason)
    refresh(parts, job.done + done)


def _finish(parts: Parts, job: Held, rows: int, result: dict[str, int]) -> None:
    _end(parts, job, "done", done=rows, total=rows, result=result)
    refresh(parts, rows)


def refresh(parts: Parts, rows: int) -> None:
    """Once a file of so many rows is through: has the database look at what it has now, if they were many."""
    if rows >= LARGE:
        statistics.refresh(parts.database)


def _end(parts: Parts, job: Held, state: str, **what: Any) -> None:
    now = parts.clock()
    with parts.database.write() as connection:
        jobs.finish(connection, job, state, now, **what)
        tell(connection, job.workspace, job.id, str(job.params["name"]), state, what, now)


def tell(
    connection: Connection, workspace: str, id: str, name: str, state: str, what: dict[str, Any], now: datetime
) -> None:
    """The event that a file is through, or could not be read."""
    told = {"job": id, "file": name, "state": state, **what}
    emit(connection, workspace, "import.finished", f"job:{id}", told, now, f"import.finished:{id}")


def _total(log: ReadLog, done: int) -> int | None:
    """Rows to expect; counted lines can be fewer or more than rows, but never fewer than were read."""
    return None if log.expected is None else max(log.expected, done)


def _counts(tally: Tally) -> dict[str, int]:
    return {name: tally[name] for name in OUTCOMES}
