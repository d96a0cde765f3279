"""Gives issues their titles beside everything else, one of each workspace a turn; nothing where no endpoint is set."""

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from weakref import WeakKeyDictionary

from sqlalchemy import Engine, select

from nlp.errors import HolosError
from serving.logs import get_logger
from serving.outbox.retry import retry_after
from serving.parts import Parts
from serving.store.tables import workspaces
from serving.titles import store
from serving.titles.endpoint import DECLINED_IN_A_ROW, DeclinedError, Endpoint, EndpointError
from serving.titles.line import RefusedTitleError, title_in
from serving.titles.prompt import messages

FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=1)
"""In which a process leaves an endpoint alone that failed, doubled with each failure in a row."""
LONGEST_ASKED = timedelta(hours=24)
"""A Retry-After beyond counts as that."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Until when an endpoint is left alone, and after how many failures in a row; `declined`: requests in a row."""

    until: datetime
    failures: int
    declined: int = 0


_PAUSES: WeakKeyDictionary[Engine, Pause] = WeakKeyDictionary()
"""Of this process, by database; another finds out by itself, with one question."""


async def run_once(parts: Parts) -> int:
    """How many issues were asked for and need not be for a while; several processes may do this at once."""
    if parts.settings.titles_url is None or _paused(parts):
        return 0
    names = await asyncio.to_thread(_workspaces, parts)
    done = 0
    async with Endpoint(parts.settings) as endpoint:
        for name in names:
            try:
                done += await _one(parts, endpoint, name)
            except EndpointError:
                return done  # the others would meet the same
    return done


async def _one(parts: Parts, endpoint: Endpoint, workspace: str) -> int:
    """Asks for one issue of a workspace; 0 where none wants a title.

    Raises EndpointError after noting it, but where only this issue's request was declined.
    """
    asked = await asyncio.to_thread(_claimed, parts, workspace)
    if asked is None:
        return 0
    try:
        answer = await endpoint.ask(messages(asked.subject, parts.redact))
        title = title_in(answer, asked.subject.quotes, parts.redact)
    except EndpointError as error:
        alone = isinstance(error, DeclinedError) and _declined(parts)
        await asyncio.to_thread(_failed, parts, asked, parts.clock() if alone else _pause(parts, error), error)
        if not alone:
            raise
    except RefusedTitleError as error:
        await asyncio.to_thread(_failed, parts, asked, _ready(parts), error)
    else:
        await asyncio.to_thread(_kept, parts, asked, title, _ready(parts))
    return 1


def pause_after(failures: int, asked: timedelta) -> timedelta:
    """How long an endpoint is left alone after so many failures in a row; `asked`: what its Retry-After says."""
    own = min(FIRST_PAUSE * 2 ** min(failures - 1, 10), LONGEST_PAUSE)
    return max(own, min(asked, LONGEST_ASKED))


def _paused(parts: Parts) -> bool:
    found = _PAUSES.get(parts.database.engine)
    return found is not None and parts.clock() < found.until


def _pause(parts: Parts, error: EndpointError) -> datetime:
    now = parts.clock()
    before = _PAUSES.get(parts.database.engine, Pause(now, 0))
    until = now + pause_after(before.failures + 1, retry_after(error.retry_after, now))
    _PAUSES[parts.database.engine] = replace(before, until=until, failures=before.failures + 1)
    return until


def _declined(parts: Parts) -> bool:
    """Counts one more declined request; whether there are so few that each may be of its issue alone."""
    before = _PAUSES.get(parts.database.engine, Pause(parts.clock(), 0))
    _PAUSES[parts.database.engine] = counted = replace(before, declined=before.declined + 1)
    return counted.declined < DECLINED_IN_A_ROW


def _ready(parts: Parts) -> datetime:
    """The endpoint answers: whatever it failed with is over. The time it is."""
    _PAUSES.pop(parts.database.engine, None)
    return parts.clock()


def _workspaces(parts: Parts) -> list[str]:
    with parts.database.read() as connection:
        return [*connection.execute(select(workspaces.c.id).order_by(workspaces.c.id)).scalars()]


def _claimed(parts: Parts, workspace: str) -> store.Asked | None:
    now, model = parts.clock(), parts.settings.titles_model or ""
    with parts.database.read() as connection:
        id = store.waiting(connection, workspace, now)
    if id is None:
        return None
    with parts.database.write() as connection:
        return store.claim(connection, workspace, id, parts.taxonomy(), model, now)


def _kept(parts: Parts, asked: store.Asked, title: str, now: datetime) -> None:
    with parts.database.write() as connection:
        store.keep(connection, asked, title, now)


def _failed(parts: Parts, asked: store.Asked, until: datetime, error: HolosError) -> None:
    with parts.database.write() as connection:
        failures = store.put_off(connection, asked, until, parts.clock())
    get_logger().warning("title_failed", cluster=asked.id, reason=str(error), failures=failures)
