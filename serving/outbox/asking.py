"""What the outbox's routes share: who asks, what is found, requests that may be sent twice."""

import asyncio
from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, Path
from pydantic import BaseModel
from sqlalchemy import Connection, RowMapping
from starlette.responses import JSONResponse

from serving import paging
from serving.access import Caller, allowed
from serving.ingest.idempotency import Answer, asked, once
from serving.openapi_parts import problems
from serving.outbox import targets
from serving.parts import Parts
from serving.problems import Code, ProblemError, problem

Reader = Annotated[Caller, Depends(allowed("read"))]
Admin = Annotated[Caller, Depends(allowed("admin"))]
Id = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$")]

LISTED = problems(400, 401, 403, 422, 429)
FOUND = problems(401, 403, 404, 422, 429)
OF_ONE = problems(400, 401, 403, 404, 422, 429)
MADE = problems(400, 401, 403, 409, 410, 422, 429)
DONE = problems(400, 401, 403, 404, 409, 422, 429)


async def creating(
    parts: Parts,
    caller: Caller,
    key: str | None,
    route: str,
    body: BaseModel | None,
    work: Callable[[], Answer],
    at: str | None = None,
) -> JSONResponse:
    """Does the work in a thread, once for each Idempotency-Key of a route; `at` is the address of what was made."""
    sent = body.model_dump_json(by_alias=True).encode() if body else b""

    async def run() -> Answer:
        return await asyncio.to_thread(work)

    request = asked(caller.workspace, key, route, sent) if key else None
    return await once(parts, request, run, lambda content: {"Location": at.format(**content)} if at else {})


def answer(status: int, body: BaseModel) -> Answer:
    return Answer(status, body.model_dump(mode="json", by_alias=True))


def after(cursor: str | None) -> str | None:
    """The id that a cursor says, None without one."""
    if cursor is None:
        return None
    [id] = paging.decode(cursor, 1)
    if not isinstance(id, str) or "\0" in id or not id.isascii():
        raise problem(Code.BAD_CURSOR, "the cursor is none that this list gave; start again without one")
    return id


def found_or_404(connection: Connection, kind: str, workspace: str, id: str) -> RowMapping:
    row = targets.find(connection, kind, workspace, id)
    if row is None:
        raise missing(kind)
    return row


def enabled(row: RowMapping, kind: str) -> RowMapping:
    if row["disabled_at"] is not None:
        raise problem(Code.WRONG_STATE, f"the {kind} is disabled; enable it first")
    return row


def missing(kind: str) -> ProblemError:
    return problem(Code.NOT_FOUND, f"there is no such {kind}")
