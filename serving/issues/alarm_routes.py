"""Alarms over HTTP: what was told as rising, falling or returning."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import RowMapping, select

from serving import paging
from serving.access import Caller, allowed
from serving.openapi_parts import problems
from serving.paging import DEFAULT, Cursor, Limit, page
from serving.parts import Given
from serving.problems import Code, problem
from serving.schemas import Instant
from serving.store.columns import ID, NAME
from serving.store.issue_tables import alarms

router = APIRouter(prefix="/v1", tags=["clusters"])

Kind = Literal["cluster", "theme", "touchpoint"]
Direction = Literal["rising", "falling", "returning"]
Reader = Annotated[Caller, Depends(allowed("read"))]
From = Annotated[Instant | None, Query(alias="from", description="told at this time or later, with an offset")]
_LARGEST = 2**63 - 1
_SENTENCE = 10_000


class Alarm(BaseModel):
    """One thing that was told."""

    model_config = ConfigDict(extra="forbid")

    id: int
    at: datetime
    kind: Kind
    subject: str = Field(max_length=NAME, description="id of the issue, theme or touchpoint")
    direction: Direction
    observed: int = Field(ge=0, description="answers counted in the window")
    expected: float = Field(ge=0, description="answers that were to be expected in it")
    days: int = Field(ge=1, description="length of the window, counted back from `at`")
    q: float = Field(ge=0, le=1, description="share of false ones among all that are at least as clear")
    sentence: str = Field(max_length=_SENTENCE)
    event: str | None = Field(max_length=ID, description="the event that told of it; what falls has none")


class Alarms(BaseModel):
    model_config = ConfigDict(extra="forbid")

    items: list[Alarm]
    next: str | None


@router.get(
    "/alarms",
    operation_id="list_alarms",
    summary="What was told as rising, falling or returning, newest first",
    responses=problems(400, 401, 403, 422, 429),
)
def list_alarms(
    parts: Given,
    caller: Reader,
    kind: Annotated[Kind | None, Query()] = None,
    direction: Annotated[Direction | None, Query()] = None,
    since: From = None,
    limit: Limit = DEFAULT,
    cursor: Cursor = None,
) -> Alarms:
    of = alarms.c
    asked = select(alarms).where(of.workspace == caller.workspace)
    for column, value in ((of.kind, kind), (of.direction, direction)):
        asked = asked if value is None else asked.where(column == value)
    if since is not None:
        asked = asked.where(of.at >= since)
    if (last := _after(cursor)) is not None:
        asked = asked.where(of.id < last)
    with parts.database.read() as connection:
        rows = connection.execute(asked.order_by(of.id.desc()).limit(limit + 1)).mappings().all()
    found = page(rows, limit, lambda row: [row["id"]])
    return Alarms(items=[_shown(row) for row in found.items], next=found.next)


def _after(cursor: str | None) -> int | None:
    if cursor is None:
        return None
    [id] = paging.decode(cursor, 1)
    if not isinstance(id, int) or isinstance(id, bool) or not 0 <= id <= _LARGEST:
        raise problem(Code.BAD_CURSOR, "the cursor is none that this list gave; start again without one")
    return id


def _shown(row: RowMapping) -> Alarm:
    return Alarm(**{name: row[name] for name in Alarm.model_fields})
