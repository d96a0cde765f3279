"""`Idempotency-Key`: a request that is sent again is answered as it was the first time, and its work is done once."""

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from http import HTTPStatus
from types import MappingProxyType
from typing import Annotated, Any

from fastapi import Header
from pydantic import BaseModel
from sqlalchemy import Connection, delete, select, update
from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import JSONResponse

from serving import logs
from serving.access import Caller
from serving.parts import Parts
from serving.problems import Code, problem
from serving.store.access_tables import idempotency
from serving.store.database import Unreachable, insert

KEPT = timedelta(hours=24)
"""How long an answer can be had again."""
ABANDONED = timedelta(minutes=3)
"""A request that has not said for so long that it is at work died with its process, and its key may be used again.

Longer than a database can be busy: on SQLite a heartbeat waits `BUSY_SECONDS` for its turn before it is given up.
"""
ALIVE_SECONDS = 15.0
"""A request at work says so this often: a slow moment of its process is not taken for its death."""
WAITS = (0.2, 1.0, 5.0)
"""Seconds between the times that the end of a request is written down, where the database is busy or away."""
NOT_WRITTEN = (SQLAlchemyError, Unreachable)
REPLAYED = "Idempotent-Replayed"

Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern=r"^[\x21-\x7e]+$",
        description="the sender's word for this request; sent again within 24 h it is answered as it was",
    ),
]


Headers = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that can be kept."""

    status: int
    content: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """A request with its key: who sent it where, and a digest of what was sent."""

    workspace: str
    key: str
    route: str
    digest: str


def asked(workspace: str, key: str, route: str, *sent: bytes) -> Asked:
    """Salted with the key, which is the sender's own: equal bodies under two keys look different."""
    found = hashlib.sha256(f"{workspace}\0{route}\0{key}".encode())
    for part in sent:
        found.update(hashlib.sha256(part).digest())
    return Asked(workspace, key, route, found.hexdigest())


def answer(status: int, body: BaseModel) -> Answer:
    return Answer(status, body.model_dump(mode="json", by_alias=True))


async def creating(
    parts: Parts,
    caller: Caller,
    key: str | None,
    route: str,
    body: BaseModel | bytes | None,
    work: Callable[[], Answer],
    headers: Callable[[Mapping[str, Any]], Headers] = lambda content: {},
) -> JSONResponse:
    """Does the work in a thread, once for each Idempotency-Key of a route; `body` is what was sent."""
    sent = body.model_dump_json(by_alias=True).encode() if isinstance(body, BaseModel) else body or b""

    async def run() -> Answer:
        return await asyncio.to_thread(work)

    return await once(parts, asked(caller.workspace, key, route, sent) if key else None, run, headers)


def located(at: str) -> Callable[[Mapping[str, Any]], Headers]:
    """The address of what was made, such as `/v1/webhooks/{id}`."""
    return lambda content: {"Location": at.format(**content)}


async def once(
    parts: Parts,
    request: Asked | None,
    work: Callable[[], Awaitable[Answer]],
    headers: Callable[[Mapping[str, Any]], Headers] = lambda content: {},
) -> JSONResponse:
    """The answer of `work`, or the one kept of it; without a key it is simply done. `headers` follow from the content.

    Raises problems: the key was used for another body, the first request with it is still at work, or its answer was
    erased.
    """
    if request is None:
        return await asyncio.to_thread(_response, await work(), headers)
    kept = await asyncio.to_thread(_begin, parts, request)
    if kept is not None:
        return await asyncio.to_thread(_response, kept, headers, {REPLAYED: "true"})
    alive = asyncio.create_task(_alive(parts, request))
    try:
        answer = await _worked(parts, request, work)
    finally:
        alive.cancel()
    return await asyncio.to_thread(_response, answer, headers)


async def _worked(parts: Parts, request: Asked, work: Callable[[], Awaitable[Answer]]) -> Answer:
    """What came of the work, written down with its key; raises what `work` does, and nothing of the writing."""
    try:
        answer = await work()
    except BaseException:
        # nothing came of it: the sender may try again under the same key
        await asyncio.shield(asyncio.to_thread(_surely, partial(_release, parts, request)))
        raise
    # the work is kept by now: whatever comes of its key, the sender is told what was done
    await asyncio.shield(asyncio.to_thread(_surely, partial(_finish, parts, request, answer)))
    return answer


def _surely(write: Callable[[], None]) -> None:
    """Writes, again and again where the database is busy or away; runs in a thread and raises nothing of that."""
    for wait in WAITS:
        with suppress(*NOT_WRITTEN):
            return write()
        time.sleep(wait)
    try:
        write()
    except NOT_WRITTEN as error:
        logs.get_logger().error("idempotency_not_written", **logs.where(error))


def _response(
    answer: Answer, headers: Callable[[Mapping[str, Any]], Headers], more: Headers = MappingProxyType({})
) -> JSONResponse:
    """Written in a thread: a thousand answers would hold up everybody else's."""
    return JSONResponse(dict(answer.content), answer.status, headers={**headers(answer.content), **more})


def _begin(parts: Parts, request: Asked) -> Answer | None:
    now = parts.clock()
    with parts.database.write() as connection:
        connection.execute(delete(idempotency).where(idempotency.c.at < now - KEPT))
        row = {"workspace": request.workspace, "key": request.key, "route": request.route, "at": now}
        statement = insert(connection, idempotency).values(**row, digest=request.digest)
        # PostgreSQL's driver does not say how many rows an INSERT made
        if connection.execute(statement.on_conflict_do_nothing().returning(idempotency.c.key)).first():
            return None
        return _stored(connection, request, now)


def _stored(connection: Connection, request: Asked, now: datetime) -> Answer | None:
    found = connection.execute(select(idempotency).where(*_mine(request)).with_for_update()).mappings().one()
    if found["digest"] != request.digest:
        raise problem(Code.KEY_REUSED, "this Idempotency-Key was used for another request; take a new one")
    if found["status"] is not None and found["status"] >= HTTPStatus.BAD_REQUEST:
        # erasure leaves a problem where the answer told of the person
        raise problem(Code(found["answer"]["code"]), found["answer"]["detail"])
    if found["status"] is not None:
        return Answer(found["status"], found["answer"])
    if found["at"] > now - ABANDONED:
        raise problem(Code.IN_PROGRESS, "the first request with this Idempotency-Key is still at work; try again later")
    connection.execute(update(idempotency).where(*_mine(request)).values(at=now))
    return None


async def _alive(parts: Parts, request: Asked) -> None:
    """Until it is cancelled: says now and then that the request is at work."""
    while True:
        await asyncio.sleep(ALIVE_SECONDS)
        with suppress(*NOT_WRITTEN):  # the next time may do; if none does, the work itself will tell
            await asyncio.to_thread(_renew, parts, request)


def _renew(parts: Parts, request: Asked) -> None:
    with parts.database.write() as connection:
        mine = (*_mine(request), idempotency.c.status.is_(None))
        connection.execute(update(idempotency).where(*mine).values(at=parts.clock()))


def _finish(parts: Parts, request: Asked, answer: Answer) -> None:
    with parts.database.write() as connection:
        connection.execute(
            update(idempotency).where(*_mine(request)).values(status=answer.status, answer=dict(answer.content))
        )


def _release(parts: Parts, request: Asked) -> None:
    with parts.database.write() as connection:
        connection.execute(delete(idempotency).where(*_mine(request)))


def _mine(request: Asked) -> tuple[Any, ...]:
    of = idempotency.c
    return (of.workspace == request.workspace, of.key == request.key, of.route == request.route)
