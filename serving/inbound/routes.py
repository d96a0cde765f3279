"""`/v1/inbound/{connector}`, where survey tools send to, and `/v1/connectors`, where admins set them up."""

import json
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request, Response
from pydantic import ValidationError
from sqlalchemy import Connection, RowMapping
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse

from serving import audit
from serving.access import Caller, allowed
from serving.idempotency import Answer, Key, answer, creating, located
from serving.inbound import book, signature
from serving.inbound.admission import admit, interpret
from serving.inbound.fetching import GivenApis, Unanswered
from serving.inbound.models import (
    MAX_BODY,
    ConnectorChange,
    ConnectorList,
    ConnectorOut,
    InboundOut,
    NewConnector,
    RefusedOut,
    Trial,
    TrialOut,
    signing,
)
from serving.inbound.reading import Reading, Refused
from serving.inbound.settings import MASK, mask, parse, unmask
from serving.openapi_parts import problems
from serving.paging import DEFAULT, Cursor, Limit, decode, page
from serving.parts import Given, Parts
from serving.problems import Code, ProblemError, problem, validation_failed
from serving.schemas import check, clean, invalids

router = APIRouter(prefix="/v1", tags=["connectors"])

Admin = Annotated[Caller, Depends(allowed("admin"))]
Id = Annotated[str, Path(max_length=64, description="the connector's id")]
_ANY_JSON: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "The survey tool's own body, signed its way",
        "content": {"application/json": {"schema": {}}, "application/x-www-form-urlencoded": {"schema": {}}},
    },
}


@router.post(
    "/inbound/{connector}",
    operation_id="inbound",
    summary="Takes a survey tool's webhook",
    responses=problems(400, 401, 404, 413, 422, 503),
    openapi_extra=_ANY_JSON,
)
async def inbound(connector: Id, request: Request, parts: Given, apis: GivenApis) -> InboundOut:
    body = await request.body()
    if len(body) > MAX_BODY:
        raise problem(Code.PAYLOAD_TOO_LARGE, f"a webhook may have {MAX_BODY} bytes")
    headers = {name.lower(): value for name, value in request.headers.items()}
    done = await admit(parts, connector, signature.Request(body, headers), apis)
    return InboundOut(
        created=done.created,
        updated=done.updated,
        duplicate=done.duplicate,
        ignored=done.ignored,
        refused=_shown(done.refused),
    )


@router.head(
    "/inbound/{connector}",
    operation_id="inbound_is_there",
    summary="Whether there is a connector, as survey tools ask before they subscribe",
    responses=problems(404),
)
@router.get(
    "/inbound/{connector}",
    operation_id="inbound_is_there_too",
    summary="Whether there is a connector",
    responses=problems(404),
)
def is_there(connector: Id, parts: Given) -> Response:
    if book.open_connector(parts.database, connector) is None:
        raise problem(Code.NOT_FOUND, "there is no connector at this address, or it is disabled")
    return Response(b"{}", media_type="application/json")


@router.get(
    "/connectors",
    operation_id="list_connectors",
    summary="Lists connectors, oldest first",
    responses=problems(400, 401, 403, 422),
)
def connectors(caller: Admin, parts: Given, limit: Limit = DEFAULT, cursor: Cursor = None) -> ConnectorList:
    after = str(decode(cursor, 1)[0]) if cursor else None
    if after is not None and not book.is_id(after):
        raise problem(Code.BAD_CURSOR, "the cursor is none that this list gave; start again without one")
    with parts.database.read() as connection:
        found = page(book.list_after(connection, caller.workspace, after, limit), limit, lambda row: [row["id"]])
    return ConnectorList(items=[_described(row) for row in found.items], next=found.next)


@router.post(
    "/connectors",
    status_code=201,
    operation_id="create_connector",
    summary="Makes a connector",
    response_model=ConnectorOut,
    responses=problems(400, 401, 403, 409, 410, 413, 422),
)
async def create(body: NewConnector, caller: Admin, parts: Given, key: Key = None) -> JSONResponse:
    def work() -> Answer:
        settings = body.settings.model_dump(mode="json", exclude_unset=True)
        _check_storable(settings)
        secret = body.secret or secrets.token_urlsafe(32)
        now = parts.clock()
        with parts.database.write() as connection:
            id = book.add(connection, caller.workspace, body.kind, body.name, secret, settings, now)
            _record(connection, caller, "connector.create", id, {"kind": body.kind}, now)
            shown = _described(_find(connection, caller, id))
        return answer(201, shown.model_copy(update={"secret": secret}) if body.secret is None else shown)

    return await creating(parts, caller, key, "connectors", body, work, located("/v1/connectors/{id}"))


@router.get(
    "/connectors/{connector}",
    operation_id="get_connector",
    summary="Shows a connector",
    responses=problems(401, 403, 404, 422),
)
def show(connector: Id, caller: Admin, parts: Given) -> ConnectorOut:
    with parts.database.read() as connection:
        return _described(_find(connection, caller, connector))


@router.patch(
    "/connectors/{connector}",
    operation_id="change_connector",
    summary="Changes, disables or enables a connector",
    responses=problems(400, 401, 403, 404, 413, 422),
)
def change(connector: Id, body: ConnectorChange, caller: Admin, parts: Given) -> ConnectorOut:
    now = parts.clock()
    with parts.database.write() as connection:
        row = _find(connection, caller, connector)
        values = _changes(row, body)
        if body.enabled is not None:
            values["disabled_at"] = None if body.enabled else (row["disabled_at"] or now)
        if values:
            book.change(connection, caller.workspace, connector, values)
            detail = {"changed": sorted(body.model_fields_set)}
            _record(connection, caller, "connector.change", connector, detail, now)
        return _described(_find(connection, caller, connector))


@router.delete(
    "/connectors/{connector}",
    status_code=204,
    operation_id="delete_connector",
    summary="Deletes a connector; what it brought stays",
    responses=problems(401, 403, 404, 422),
)
def delete(connector: Id, caller: Admin, parts: Given) -> None:
    with parts.database.write() as connection:
        if not book.remove(connection, caller.workspace, connector):
            raise _missing()
        _record(connection, caller, "connector.delete", connector, {}, parts.clock())


@router.post(
    "/connectors/{connector}/test",
    operation_id="test_connector",
    summary="Shows what a payload would give; stores nothing",
    responses=problems(400, 401, 403, 404, 413, 422, 503),
)
async def test(connector: Id, body: Trial, caller: Admin, parts: Given, apis: GivenApis) -> TrialOut:
    row = await run_in_threadpool(_row, parts, caller, connector)
    payload = json.dumps(body.payload).encode()
    if len(payload) > MAX_BODY:
        raise problem(Code.PAYLOAD_TOO_LARGE, f"a webhook may have {MAX_BODY} bytes")
    settings = parse(row["kind"], row["settings"])
    try:
        found = await interpret(row["kind"], signature.Request(payload, {}), settings, apis)
    except Unanswered as error:
        raise problem(Code.NOT_READY, f"{error}; try again", Retry_After="30") from None
    return _tried(found, parts.clock())


def _tried(found: Reading, now: datetime) -> TrialOut:
    """What would be stored, and what would be refused then."""
    failures = [(item, check(item.to_response(now))) for item in found.items]
    shown = [item.model_dump(mode="json", exclude_none=True) for item, failure in failures if failure is None]
    refused = [Refused(item.id, failure.code, failure.detail) for item, failure in failures if failure]
    return TrialOut(responses=shown, ignored=found.ignored, refused=_shown([*found.refused, *refused]))


def _shown(refused: Sequence[Refused]) -> list[RefusedOut]:
    return [RefusedOut(id=one.id and clean(one.id), code=one.code, detail=clean(one.detail)) for one in refused]


def _missing() -> ProblemError:
    return problem(Code.NOT_FOUND, "there is no such connector")


def _find(connection: Connection, caller: Caller, id: str) -> RowMapping:
    row = book.find(connection, caller.workspace, id)
    if row is None:
        raise _missing()
    return row


def _record(
    connection: Connection, caller: Caller, action: str, id: str, detail: Mapping[str, Any], now: datetime
) -> None:
    audit.record(connection, caller.workspace, caller.actor, action, f"connector:{id}", detail, now)


def _row(parts: Parts, caller: Caller, id: str) -> RowMapping:
    with parts.database.read() as connection:
        return _find(connection, caller, id)


def _described(row: RowMapping) -> ConnectorOut:
    names = ("id", "kind", "name", "created_at", "refused_at", "refusal")
    return ConnectorOut(
        **{name: row[name] for name in names},
        address=f"/v1/inbound/{row['id']}",
        secret=MASK,
        settings=mask(row["settings"]),
        enabled=row["disabled_at"] is None,
    )


def _changes(row: RowMapping, body: ConnectorChange) -> dict[str, Any]:
    values: dict[str, Any] = {}
    if "name" in body.model_fields_set:
        values["name"] = body.name
    try:
        if body.secret is not None:
            values["secret"] = signing(body.secret) if row["kind"] == "formbricks" else body.secret
        if body.settings is not None:
            given = unmask(body.settings, row["settings"])
            values["settings"] = parse(row["kind"], given).model_dump(mode="json", exclude_unset=True)
            _check_storable(values["settings"])
    except ValidationError as error:
        wrong = [(f"settings.{one.path}".rstrip("."), one.code, one.reason) for one in invalids(error)]
        raise validation_failed(wrong) from None
    except ValueError as error:
        raise validation_failed([("secret", "secret", str(error))]) from None
    return values


def _check_storable(settings: Mapping[str, Any]) -> None:
    """PostgreSQL's JSON holds no NUL."""
    if "\\u0000" in json.dumps(settings):
        raise validation_failed([("settings", "nul", "a NUL character cannot be kept; remove it")])
