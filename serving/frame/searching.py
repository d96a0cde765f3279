"""Themes of a workspace's own in the answers of before: looked for as in new ones, beside everything else.

A job for each change that brings themes or other words for them; of one job a portion at a time, whichever process
does it. Nothing follows from what is found: no rule decides, no case is opened, nobody is told.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, select, tuple_
from sqlalchemy.exc import OperationalError

from nlp.errors import HolosError
from nlp.pipeline import Analysis
from serving import logs
from serving.audit import record
from serving.batcher import Closed, Overloaded
from serving.engine import NotReady
from serving.frame.adding import Found, add
from serving.frame.effective import Frame
from serving.frame.progress import SEARCH
from serving.frame.reading import Unread, search
from serving.frame.store import frame_of, hold
from serving.parts import Parts
from serving.store import jobs
from serving.store.database import new_id, untangled
from serving.store.jobs import Held, Lost
from serving.store.loop_tables import jobs as table
from serving.store.responses import response_of
from serving.store.tables import responses

HISTORY = timedelta(days=365)
"""How old answers may be: reading one costs what taking it in did, and analysts compare within a year."""
PORTION = 32
"""Answers read together: a share of one batch of the model, so that whoever sends answers waits for no more."""
LONGEST_REST = 30.0
"""Seconds. A process rests as long as a portion took, which is the longer the more the model has to do."""


@dataclass(frozen=True, slots=True)
class Portion:
    """The next answers, the themes that are still looked for, and how many answers there are in all, once counted."""

    rows: Sequence[Mapping[str, Any]]
    themes: frozenset[str]
    total: int | None


def ask(connection: Connection, workspace: str, before: Frame, after: Frame, by: str, now: datetime) -> str | None:
    """Has stored answers searched for what `after` finds by similarity and `before` did not, or not by these words.

    The id of the job; None where there is nothing new.
    """
    said = {(theme.id, theme.label, theme.description) for theme in before.by_similarity}
    new = [each.id for each in after.by_similarity if (each.id, each.label, each.description) not in said]
    if not new:
        return None
    return jobs.create(connection, workspace, SEARCH, by, {"themes": sorted(new), "place": None}, None, now)["id"]


async def run_once(parts: Parts) -> int:
    """Reads a portion for the oldest search that waits; how many answers that were."""
    job = await asyncio.to_thread(_claimed, parts)
    if job is None:
        return 0
    started = monotonic()
    done = await _worked(parts, job)
    # whoever sends answers goes first: beside a busy model this process is mostly at rest
    await asyncio.sleep(min(monotonic() - started, LONGEST_REST))
    return done


async def _worked(parts: Parts, job: Held) -> int:
    try:
        return await _read(parts, job)
    except Lost:
        return 0
    except (NotReady, Closed, Overloaded, Unread):
        await asyncio.to_thread(_pause, parts, job)
        return 0
    except asyncio.CancelledError:
        await asyncio.shield(asyncio.to_thread(_pause, parts, job))
        raise
    except OperationalError:
        raise  # the database is away: the lease runs out, and whoever comes next goes on from the last commit
    except HolosError as error:
        await asyncio.to_thread(_fail, parts, job, str(error))
    except Exception as error:
        logs.get_logger().error("search_failed", job=job.id, **logs.where(error))
        reason = f"something failed in the server ({type(error).__name__}); its log says where"
        await asyncio.to_thread(_fail, parts, job, reason)
    return 0


async def _read(parts: Parts, job: Held) -> int:
    portion = await asyncio.to_thread(_next, parts, job)
    if not portion.rows or not portion.themes:
        await asyncio.to_thread(_finish, parts, job)
        return 1
    found = await search(parts, job.workspace, [response_of(row) for row in portion.rows])
    await asyncio.to_thread(untangled, lambda: _keep(parts, job, portion, found))
    return len(portion.rows)


def _claimed(parts: Parts) -> Held | None:
    with parts.database.write() as connection:
        return jobs.claim(connection, SEARCH, new_id(), parts.clock())


def _next(parts: Parts, job: Held) -> Portion:
    with parts.database.read() as connection:
        frame = frame_of(connection, job.workspace, parts.taxonomy())
        themes = _given(job.params["themes"], frame) - _asked_again(connection, job)
        of = responses.c
        asked = select(responses).where(_wanted(job), _after(job)).order_by(of.answered_at.desc(), of.uid.desc())
        rows = connection.execute(asked.limit(PORTION)).mappings().all()
        total = None if job.done else connection.execute(select(func.count()).where(_wanted(job))).scalar_one()
    return Portion(rows, themes, total)


def _given(themes: Sequence[str], frame: Frame) -> frozenset[str]:
    """Those that new answers are given by similarity now."""
    return frozenset(themes) & {theme.id for theme in frame.by_similarity}


def _asked_again(connection: Connection, job: Held) -> set[str]:
    """Themes that a later search looks for, by the words they have now."""
    of = table.c
    later = and_(of.workspace == job.workspace, of.kind == SEARCH, of.created_at >= job.created_at, of.id > job.id)
    return {
        theme for params in connection.execute(select(of.params).where(later)).scalars() for theme in params["themes"]
    }


def _wanted(job: Held) -> ColumnElement[bool]:
    """What came in later was read by the frame with the theme in it."""
    of = responses.c
    recent = and_(of.answered_at >= job.created_at - HISTORY, of.received_at <= job.created_at)
    return and_(of.workspace == job.workspace, recent, of.text != "")


def _after(job: Held) -> ColumnElement[bool]:
    of = responses.c
    if job.params["place"] is None:
        return of.workspace == job.workspace
    at, uid = job.params["place"]
    last = tuple_(datetime.fromisoformat(at), uid, types=[of.answered_at.type, of.uid.type])
    return tuple_(of.answered_at, of.uid) < last


def _keep(parts: Parts, job: Held, portion: Portion, read: Sequence[Analysis]) -> None:
    now = parts.clock()
    with parts.database.write() as connection:
        hold(connection, job.workspace, change=False)
        frame = frame_of(connection, job.workspace, parts.taxonomy())
        themes = _given(sorted(portion.themes), frame)
        found = [_found(row, said, themes) for row, said in zip(portion.rows, read, strict=True)]
        counts = add(connection, parts, job.workspace, found, frame, now)
        result = {id: job.result.get(id, 0) + counts[id] for id in job.params["themes"]}
        last = portion.rows[-1]
        params = {**job.params, "place": [last["answered_at"].isoformat(), last["uid"]]}
        total = {} if portion.total is None else {"total": portion.total}
        jobs.renew(connection, job, now, done=job.done + len(portion.rows), result=result, params=params, **total)
        jobs.pause(connection, job, now)


def _found(row: Mapping[str, Any], said: Analysis, themes: frozenset[str]) -> Found:
    """The themes in an answer; none where the reader saw another text, whose places are not those of this one."""
    same = said.classification.error is None and said.classification.text == row["text"]
    tags = said.classification.to_dict()["themes"] if same else ()
    return Found(row["uid"], row["revision"], [tag for tag in tags if tag.get("zero_shot") and tag["id"] in themes])


def _finish(parts: Parts, job: Held) -> None:
    now = parts.clock()
    counts = {id: job.result.get(id, 0) for id in job.params["themes"]}
    with parts.database.write() as connection:
        jobs.finish(connection, job, "done", now, total=job.done, result=counts)
        for id, count in counts.items():
            told = {"job": job.id, "answers": job.done, "found": count}
            record(connection, job.workspace, job.by, "taxonomy.search", f"theme:{id}", told, now)


def _pause(parts: Parts, job: Held) -> None:
    with suppress(Lost), parts.database.write() as connection:
        jobs.pause(connection, job, parts.clock())


def _fail(parts: Parts, job: Held, reason: str) -> None:
    with suppress(Lost), parts.database.write() as connection:
        jobs.finish(connection, job, "failed", parts.clock(), error=reason)
