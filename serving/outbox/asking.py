"""What the outbox's routes share: who asks, what is found, requests that may be sent twice."""

from typing import Annotated

from fastapi import Depends, Path
from sqlalchemy import Connection, RowMapping

from serving import paging
from serving.access import Caller, allowed
from serving.openapi_parts import problems
from serving.outbox import targets
from serving.problems import Code, ProblemError, problem

Reader = Annotated[Caller, Depends(allowed("read"))]
Admin = Annotated[Caller, Depends(allowed("admin"))]
Id = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$")]

LISTED = problems(400, 401, 403, 422, 429)
FOUND = problems(401, 403, 404, 422, 429)
OF_ONE = problems(400, 401, 403, 404, 422, 429)
MADE = problems(400, 401, 403, 409, 410, 422, 429)
DONE = problems(400, 401, 403, 404, 409, 422, 429)


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
