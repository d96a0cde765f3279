"""What every request about issues has in common: who asks, which version was seen, and what goes wrong."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any

from fastapi import Depends, Path
from pydantic import BaseModel
from starlette.responses import JSONResponse

from nlp.errors import InputError
from serving import etags
from serving.access import Caller, allowed
from serving.idempotency import Answer, asked, once
from serving.issues.actions import IssueChangedError, IssueStateError, UnknownIssueError, Work
from serving.issues.schemas import Uid
from serving.issues.turns import hold
from serving.parts import Parts
from serving.problems import Code, problem

Reader = Annotated[Caller, Depends(allowed("read"))]
Actor = Annotated[Caller, Depends(allowed("act"))]
ClusterId = Annotated[Uid, Path(description="id of a cluster")]

CODES: tuple[tuple[type[InputError], Code], ...] = (
    (UnknownIssueError, Code.NOT_FOUND),
    (IssueChangedError, Code.VERSION_CHANGED),
    (IssueStateError, Code.WRONG_STATE),
    (InputError, Code.VALIDATION_FAILED),
)
"""The first that fits."""
Seen = Annotated[int | None, Depends(etags.seen_version("cluster"))]


@contextmanager
def told() -> Iterator[None]:
    """Turns what goes wrong with an issue into problems."""
    try:
        yield
    except InputError as error:
        code = next(code for kind, code in CODES if isinstance(error, kind))
        raise problem(code, str(error)) from None


@contextmanager
def working(parts: Parts, caller: Caller) -> Iterator[Work]:
    """A transaction in which the caller changes issues; what goes wrong in it changes nothing."""
    with told(), parts.database.write() as connection:
        hold(connection, caller.workspace)
        yield Work(connection, caller.workspace, caller.actor, parts.clock())


async def created(
    parts: Parts,
    caller: Caller,
    key: str | None,
    route: str,
    body: BaseModel,
    work: Callable[[Work], Mapping[str, Any]],
) -> JSONResponse:
    """The answer (201) of work that makes something, once for each key."""

    def at_work() -> Answer:
        with working(parts, caller) as found:
            return Answer(201, work(found))

    async def run() -> Answer:
        return await asyncio.to_thread(at_work)

    sent = body.model_dump_json().encode()
    return await once(parts, asked(caller.workspace, key, route, sent) if key else None, run)
