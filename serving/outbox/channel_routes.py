"""Channels over HTTP: where people are told, what, and when."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter
from sqlalchemy import Connection
from starlette.responses import JSONResponse

from nlp.errors import InputError
from serving.access import Caller
from serving.audit import record
from serving.idempotency import Answer, Key, answer, creating, located
from serving.outbox import schemas as to
from serving.outbox import targets
from serving.outbox.asking import (
    DONE,
    FOUND,
    LISTED,
    MADE,
    OF_ONE,
    Admin,
    Id,
    Reader,
    after,
    enabled,
    found_or_404,
)
from serving.outbox.channels import check_address, masked
from serving.outbox.events import TEST
from serving.outbox.spread import send_alone
from serving.paging import DEFAULT, Cursor, Limit, page
from serving.parts import Given, Parts
from serving.problems import validation_failed
from serving.store.database import new_id

router = APIRouter(tags=["channels"])

_MAY_BE_NULL = ("digest", "quiet")


@router.get("/channels", operation_id="list_channels", summary="Channels", responses=LISTED)
def list_channels(parts: Given, caller: Reader, limit: Limit = DEFAULT, cursor: Cursor = None) -> to.Channels:
    with parts.database.read() as connection:
        rows = targets.page_of(connection, "channel", caller.workspace, after(cursor), limit + 1)
    found = page(rows, limit, lambda row: [row["id"]])
    return to.Channels(items=[_shown(row) for row in found.items], next=found.next)


@router.post(
    "/channels",
    operation_id="create_channel",
    summary="Make a channel",
    status_code=201,
    response_model=to.Channel,
    responses=MADE,
)
async def create_channel(parts: Given, caller: Admin, body: to.ChannelIn, key: Key = None) -> JSONResponse:
    def work() -> Answer:
        now = parts.clock()
        row = {"workspace": caller.workspace, "id": f"ch_{new_id()}", "created_at": now, "last_digest_at": None}
        row |= {**_fields(body), "url": _checked(body.url), "disabled_at": None, "disabled_for": None}
        if body.types is None:
            row["types"] = list(targets.DEFAULT_TYPES[body.role])
        with parts.database.write() as connection:
            targets.add(connection, "channel", row)
            _record(connection, parts, caller, "create", row["id"], role=body.role, types=row["types"])
        return answer(201, _shown(row))

    return await creating(parts, caller, key, "channels", body, work, located("/v1/channels/{id}"))


@router.get("/channels/{id}", operation_id="get_channel", summary="One channel", responses=FOUND)
def get_channel(parts: Given, caller: Reader, id: Id) -> to.Channel:
    with parts.database.read() as connection:
        return _shown(found_or_404(connection, "channel", caller.workspace, id))


@router.patch("/channels/{id}", operation_id="change_channel", summary="Change a channel", responses=OF_ONE)
def change_channel(parts: Given, caller: Admin, id: Id, body: to.ChannelChange) -> to.Channel:
    given = {name: value for name, value in _fields(body).items() if name in body.model_fields_set}
    fields = {name: value for name, value in given.items() if value is not None or name in _MAY_BE_NULL}
    if body.url is not None:
        _checked(body.url)
    return _changed(parts, caller, id, "change", fields, changed=sorted(fields))


@router.delete(
    "/channels/{id}", operation_id="delete_channel", summary="Delete a channel", status_code=204, responses=FOUND
)
def delete_channel(parts: Given, caller: Admin, id: Id) -> None:
    """Its log goes with it."""
    with parts.database.write() as connection:
        found_or_404(connection, "channel", caller.workspace, id)
        targets.remove(connection, "channel", caller.workspace, id)
        _record(connection, parts, caller, "delete", id)


@router.post("/channels/{id}/enable", operation_id="enable_channel", summary="Send to it again", responses=FOUND)
def enable_channel(parts: Given, caller: Admin, id: Id) -> to.Channel:
    return _changed(parts, caller, id, "enable", {"disabled_at": None, "disabled_for": None})


@router.post(
    "/channels/{id}/test",
    operation_id="test_channel",
    summary="Send a test message",
    status_code=202,
    response_model=to.Sent,
    responses=DONE,
)
async def test_channel(parts: Given, caller: Admin, id: Id, key: Key = None) -> JSONResponse:
    """The delivery that is named in the answer tells what came of it."""

    def work() -> Answer:
        with parts.database.write() as connection:
            enabled(found_or_404(connection, "channel", caller.workspace, id), "channel")
            data = {"channel": id}
            event, delivery = send_alone(connection, caller.workspace, "channel", id, TEST, data, parts.clock())
        return answer(202, to.Sent(event=event, delivery=delivery))

    return await creating(parts, caller, key, f"channels/{id}/test", None, work)


def _fields(body: to.ChannelIn | to.ChannelChange) -> dict[str, Any]:
    return body.model_dump(mode="json", by_alias=True)


def _checked(url: str) -> str:
    try:
        return check_address(url)
    except InputError as error:
        raise validation_failed([("url", "url", str(error).removeprefix("url: "))]) from None


def _changed(
    parts: Parts, caller: Caller, id: str, action: str, fields: Mapping[str, Any], **detail: Any
) -> to.Channel:
    with parts.database.write() as connection:
        row = found_or_404(connection, "channel", caller.workspace, id)
        targets.change(connection, "channel", caller.workspace, id, fields)
        _record(connection, parts, caller, action, id, **detail)
    return _shown({**row, **fields})


def _record(connection: Connection, parts: Parts, caller: Caller, action: str, id: str, **detail: Any) -> None:
    subject = f"channel:{id}"
    record(connection, caller.workspace, caller.actor, f"channel.{action}", subject, detail, parts.clock())


def _shown(row: Mapping[str, Any]) -> to.Channel:
    return to.Channel.model_validate({**row, "url": masked(row["url"])})
