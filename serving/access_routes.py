"""`/v1/keys` and `/v1/audit`: keys are made, rotated and revoked, and what was done with them is read."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from starlette.responses import JSONResponse

from serving import keys
from serving.access import Caller, allowed, gate_of
from serving.audit import AuditFilter, list_audit, record
from serving.idempotency import Answer, Key, answer, creating
from serving.openapi_parts import problems
from serving.paging import DEFAULT, Cursor, Limit, decode, id_in, moment_in, page, wrong_cursor
from serving.parts import Given, Parts
from serving.problems import Code, ProblemError, problem
from serving.schemas import Instant
from serving.store.columns import NAME

router = APIRouter(prefix="/v1", tags=["access"])

Scope = Literal["ingest", "read", "act", "admin"]
Admin = Annotated[Caller, Depends(allowed("admin"))]
KeyId = Annotated[str, Path(pattern="^[0-9a-f]{1,64}$", description="the key's public half")]
_INK = r"[^\s\x00-\x1f\x7f]"
Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=rf"^{_INK}([^\x00-\x1f\x7f]*{_INK})?$")]
Asked = Annotated[str | None, Query(min_length=1, max_length=NAME, pattern=r"^[^\x00]+$")]
_SERIAL_END = 1 << 63


class KeyIn(BaseModel):
    """A key to be made."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)

    name: Name = Field(description="told in the audit; no two keys in force share one")
    scopes: list[Scope] = Field(min_length=1, max_length=len(keys.SCOPES))
    expires_at: Instant | None = Field(default=None, description="when it stops to open anything; unset: never")


class RotateKeyIn(BaseModel):
    """How to rotate a key; `{}` will do."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)

    overlap_hours: float = Field(
        default=keys.OVERLAP / timedelta(hours=1),
        ge=0,
        le=keys.LONGEST_OVERLAP / timedelta(hours=1),
        description="how long the secret before stays good; 0 after a leak",
    )


class KeyOut(BaseModel):
    """A key without its secret."""

    id: str
    name: str
    scopes: list[Scope]
    by: str = Field(description="who made it")
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    used_at: datetime | None = Field(description="last used, to the minute")
    old_until: datetime | None = Field(description="until when the secret before the last rotation is good")


class KeyMade(BaseModel):
    """A key with its secret: shown now, and never again."""

    id: str
    key: str | None = Field(
        description="for the header: `Authorization: Bearer <key>`; null where the request was sent again"
    )


class KeyList(BaseModel):
    """One page of keys."""

    items: list[KeyOut]
    next: str | None


class AuditLine(BaseModel):
    """Who did what to whom."""

    id: int
    at: datetime
    by: str
    action: str
    subject: str | None
    detail: dict[str, Any]


class AuditList(BaseModel):
    """One page of the audit."""

    items: list[AuditLine]
    next: str | None


@router.get(
    "/keys",
    operation_id="list_keys",
    summary="Keys of the workspace, by the time they were made",
    responses=problems(400, 401, 403, 422, 429, 503),
)
def list_keys(caller: Admin, parts: Given, limit: Limit = DEFAULT, cursor: Cursor = None) -> KeyList:
    after = _after(cursor, str)
    with parts.database.read() as connection:
        rows = keys.list_keys(connection, caller.workspace, limit + 1, after)
    found = page(rows, limit, lambda row: (row["created_at"].isoformat(), row["id"]))
    return KeyList(items=[KeyOut.model_validate(dict(row)) for row in found.items], next=found.next)


@router.post(
    "/keys",
    operation_id="create_key",
    summary="Make a key; it never has more scopes than the key that makes it",
    status_code=201,
    response_model=KeyMade,
    responses=problems(400, 401, 403, 409, 410, 422, 429, 503),
)
async def create_key(caller: Admin, parts: Given, body: KeyIn, key: Key = None) -> JSONResponse:
    """A secret is never kept: sent again with its Idempotency-Key, the request is answered without it. Then rotate."""
    made: list[KeyMade] = []

    def work() -> Answer:
        made.append(_create(caller, parts, body))
        return answer(201, made[0].model_copy(update={"key": None}))

    kept = await creating(parts, caller, key, "keys", body, work)
    if not made:
        return kept
    return JSONResponse(made[0].model_dump(), kept.status_code)


def _create(caller: Caller, parts: Parts, body: KeyIn) -> KeyMade:
    _no_more(caller, body.scopes)
    now = parts.clock()
    if body.expires_at and body.expires_at <= now:
        raise problem(Code.VALIDATION_FAILED, "expires_at: lies in the past")
    with parts.database.write() as connection:
        if keys.name_taken(connection, caller.workspace, body.name, now):
            raise problem(Code.WRONG_STATE, "a key in force has this name; revoke or rotate that one, or give another")
        made = keys.make_key(
            connection, caller.workspace, body.name, body.scopes, now, body.expires_at, by=caller.actor
        )
        detail = {"name": body.name, "scopes": list(body.scopes)}
        record(connection, caller.workspace, caller.actor, "key.create", f"key:{made.id}", detail, now)
    return KeyMade(id=made.id, key=made.key)


@router.post(
    "/keys/{id}/rotate",
    operation_id="rotate_key",
    summary="A new secret for a key; the one before stays good for an overlap",
    responses=problems(400, 401, 403, 404, 409, 422, 429, 503),
)
def rotate_key(caller: Admin, parts: Given, request: Request, id: KeyId, body: RotateKeyIn) -> KeyMade:
    now, overlap = parts.clock(), timedelta(hours=body.overlap_hours)
    with parts.database.write() as connection:
        row = keys.find_key(connection, id)
        if row is None or row["workspace"] != caller.workspace:
            raise _no_key()
        _no_more(caller, row["scopes"])
        made = keys.rotate_key(connection, caller.workspace, id, now, overlap)
        if made is None:
            raise problem(Code.WRONG_STATE, "this key was revoked or has expired; make a new one")
        detail = {"overlap_hours": body.overlap_hours}
        record(connection, caller.workspace, caller.actor, "key.rotate", f"key:{id}", detail, now)
    gate_of(request.app).forget(id)
    return KeyMade(id=made.id, key=made.key)


@router.delete(
    "/keys/{id}",
    operation_id="revoke_key",
    summary="Revoke a key: it opens nothing from now on",
    status_code=204,
    response_class=Response,
    responses=problems(401, 403, 404, 422, 429, 503),
)
def revoke_key(caller: Admin, parts: Given, request: Request, id: KeyId) -> None:
    now = parts.clock()
    with parts.database.write() as connection:
        if not keys.revoke_key(connection, caller.workspace, id, now):
            raise _no_key()
        record(connection, caller.workspace, caller.actor, "key.revoke", f"key:{id}", {}, now)
    gate_of(request.app).forget(id)


@router.get(
    "/audit",
    operation_id="list_audit",
    summary="Who read and changed what, the newest first",
    responses=problems(400, 401, 403, 422, 429, 503),
)
def read_audit(
    caller: Admin,
    parts: Given,
    by: Asked = None,
    action: Asked = None,
    subject: Asked = None,
    since: Instant | None = None,
    until: Instant | None = None,
    limit: Limit = DEFAULT,
    cursor: Cursor = None,
) -> AuditList:
    asked = AuditFilter(by, action, subject, since, until)
    before = _after(cursor, int)
    with parts.database.read() as connection:
        rows = list_audit(connection, caller.workspace, asked, limit + 1, before)
    found = page(rows, limit, lambda row: (row["at"].isoformat(), row["id"]))
    return AuditList(items=[AuditLine.model_validate(dict(row)) for row in found.items], next=found.next)


def _no_key() -> ProblemError:
    return problem(Code.NOT_FOUND, "this workspace has no such key; GET /v1/keys lists them")


def _no_more(caller: Caller, scopes: list[str]) -> None:
    lacking = [scope for scope in scopes if scope not in caller.scopes]
    if lacking:
        raise problem(Code.FORBIDDEN, f"this key lacks {', '.join(lacking)} and cannot give it away")


def _after(cursor: str | None, kind: type) -> Any:
    """The moment and the id in a cursor; a 400 where they are none."""
    if cursor is None:
        return None
    at, id = decode(cursor, 2)
    if kind is str:
        return moment_in(at), id_in(id)
    if type(id) is not int or not 0 <= id < _SERIAL_END:
        raise wrong_cursor()
    return moment_in(at), id
