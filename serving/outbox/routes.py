"""Webhooks over HTTP: making them, turning their secrets, replaying what they missed."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from fastapi import APIRouter
from sqlalchemy import Connection
from starlette.responses import JSONResponse

from nlp.errors import InputError
from serving.access import Caller
from serving.audit import record
from serving.idempotency import Answer, Key, answer, creating, located
from serving.outbox import channel_routes, log, log_routes, targets
from serving.outbox import schemas as to
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
from serving.outbox.events import PING
from serving.outbox.guard import check_url
from serving.outbox.signing import Secret, make_secret, rotate, signing
from serving.outbox.spread import send_alone
from serving.paging import DEFAULT, Cursor, Limit, page
from serving.parts import Given, Parts
from serving.problems import validation_failed
from serving.store.database import new_id

router = APIRouter(prefix="/v1", tags=["webhooks"])
"""Webhooks, channels, events and deliveries."""


@router.get("/webhooks", operation_id="list_webhooks", summary="Webhooks", responses=LISTED)
def list_webhooks(parts: Given, caller: Reader, limit: Limit = DEFAULT, cursor: Cursor = None) -> to.Webhooks:
    with parts.database.read() as connection:
        rows = targets.page_of(connection, "webhook", caller.workspace, after(cursor), limit + 1)
    found = page(rows, limit, lambda row: [row["id"]])
    return to.Webhooks(items=[_shown(parts, row) for row in found.items], next=found.next)


@router.post(
    "/webhooks",
    operation_id="create_webhook",
    summary="Make a webhook; its secret is shown this once",
    status_code=201,
    response_model=to.WebhookMade,
    responses=MADE,
)
async def create_webhook(parts: Given, caller: Admin, body: to.WebhookIn, key: Key = None) -> JSONResponse:
    def work() -> Answer:
        now, secret = parts.clock(), make_secret()
        row = {"workspace": caller.workspace, "id": f"wh_{new_id()}", "created_at": now, **body.model_dump()}
        row |= {"url": _checked(parts, body.url), "secrets": [Secret(secret, now).to_dict()]}
        row |= {"disabled_at": None, "disabled_for": None}
        with parts.database.write() as connection:
            targets.add(connection, "webhook", row)
            _record(connection, parts, caller, "create", row["id"], types=body.types, mode=body.mode)
        return answer(201, _with_secret(parts, row, secret))

    return await creating(parts, caller, key, "webhooks", body, work, located("/v1/webhooks/{id}"))


@router.get("/webhooks/{id}", operation_id="get_webhook", summary="One webhook", responses=FOUND)
def get_webhook(parts: Given, caller: Reader, id: Id) -> to.Webhook:
    with parts.database.read() as connection:
        return _shown(parts, found_or_404(connection, "webhook", caller.workspace, id))


@router.patch("/webhooks/{id}", operation_id="change_webhook", summary="Change a webhook", responses=OF_ONE)
def change_webhook(parts: Given, caller: Admin, id: Id, body: to.WebhookChange) -> to.Webhook:
    fields = body.model_dump(exclude_none=True)
    if body.url is not None:
        _checked(parts, body.url)
    return _changed(parts, caller, id, "change", fields, changed=sorted(fields))


@router.delete(
    "/webhooks/{id}", operation_id="delete_webhook", summary="Delete a webhook", status_code=204, responses=FOUND
)
def delete_webhook(parts: Given, caller: Admin, id: Id) -> None:
    """Its log goes with it."""
    with parts.database.write() as connection:
        found_or_404(connection, "webhook", caller.workspace, id)
        targets.remove(connection, "webhook", caller.workspace, id)
        _record(connection, parts, caller, "delete", id)


@router.post(
    "/webhooks/{id}/rotate",
    operation_id="rotate_webhook",
    summary="A new secret, shown this once",
    response_model=to.WebhookMade,
    responses=DONE,
)
async def rotate_webhook(parts: Given, caller: Admin, id: Id, body: to.RotateIn, key: Key = None) -> JSONResponse:
    """Until the overlap ends both secrets sign, so that receivers change over without losing an event."""

    def work() -> Answer:
        now, secret = parts.clock(), make_secret()
        with parts.database.write() as connection:
            row = found_or_404(connection, "webhook", caller.workspace, id)
            old = [Secret.from_dict(item) for item in row["secrets"]]
            turned = rotate(old, secret, now, timedelta(hours=body.overlap_hours))
            fields = {"secrets": [item.to_dict() for item in turned]}
            targets.change(connection, "webhook", caller.workspace, id, fields)
            _record(connection, parts, caller, "rotate", id, overlap_hours=body.overlap_hours)
        return answer(200, _with_secret(parts, {**row, **fields}, secret))

    return await creating(parts, caller, key, f"webhooks/{id}/rotate", body, work)


@router.post("/webhooks/{id}/enable", operation_id="enable_webhook", summary="Send to it again", responses=FOUND)
def enable_webhook(parts: Given, caller: Admin, id: Id) -> to.Webhook:
    """What it missed is sent again by a replay."""
    return _changed(parts, caller, id, "enable", {"disabled_at": None, "disabled_for": None})


@router.post(
    "/webhooks/{id}/test",
    operation_id="test_webhook",
    summary="Send a signed ping",
    status_code=202,
    response_model=to.Sent,
    responses=DONE,
)
async def test_webhook(parts: Given, caller: Admin, id: Id, key: Key = None) -> JSONResponse:
    """The delivery that is named in the answer tells what came of it."""

    def work() -> Answer:
        with parts.database.write() as connection:
            enabled(found_or_404(connection, "webhook", caller.workspace, id), "webhook")
            data = {"webhook": id}
            event, delivery = send_alone(connection, caller.workspace, "webhook", id, PING, data, parts.clock())
        return answer(202, to.Sent(event=event, delivery=delivery))

    return await creating(parts, caller, key, f"webhooks/{id}/test", None, work)


@router.post(
    "/webhooks/{id}/replay",
    operation_id="replay_webhook",
    summary="Send the events of a range again",
    status_code=202,
    response_model=to.Queued,
    responses=DONE,
)
async def replay_webhook(parts: Given, caller: Admin, id: Id, body: to.ReplayIn, key: Key = None) -> JSONResponse:
    """All of a range, arrived or not, with the ids they had: receivers know by the id what they have seen."""

    def work() -> Answer:
        with parts.database.write() as connection:
            row = enabled(found_or_404(connection, "webhook", caller.workspace, id), "webhook")
            asked = log.Range(body.from_, body.to, tuple(body.types or row["types"]))
            queued = _replayed(connection, parts, caller.workspace, id, asked)
            times = {"start": body.from_.isoformat(), "end": body.to.isoformat()}
            _record(connection, parts, caller, "replay", id, **times, queued=queued)
        return answer(202, to.Queued(queued=queued))

    return await creating(parts, caller, key, f"webhooks/{id}/replay", body, work)


def _replayed(connection: Connection, parts: Parts, workspace: str, id: str, asked: log.Range) -> int:
    try:
        return log.replay(connection, workspace, id, asked, parts.clock())
    except log.TooManyError:
        reason = f"the range has more than {log.MOST_REPLAYED} events; replay it in parts"
        raise validation_failed([("to", "range", reason)]) from None


def _checked(parts: Parts, url: str) -> str:
    try:
        return check_url(url, parts.settings.webhook_private)
    except InputError as error:
        raise validation_failed([("url", "url", str(error).removeprefix("url: "))]) from None


def _changed(
    parts: Parts, caller: Caller, id: str, action: str, fields: Mapping[str, Any], **detail: Any
) -> to.Webhook:
    with parts.database.write() as connection:
        row = found_or_404(connection, "webhook", caller.workspace, id)
        targets.change(connection, "webhook", caller.workspace, id, fields)
        _record(connection, parts, caller, action, id, **detail)
    return _shown(parts, {**row, **fields})


def _record(connection: Connection, parts: Parts, caller: Caller, action: str, id: str, **detail: Any) -> None:
    subject = f"webhook:{id}"
    record(connection, caller.workspace, caller.actor, f"webhook.{action}", subject, detail, parts.clock())


def _shown(parts: Parts, row: Mapping[str, Any]) -> to.Webhook:
    found = signing([Secret.from_dict(item) for item in row["secrets"]], parts.clock())
    return to.Webhook.model_validate({**row, "secrets": list(found)})


def _with_secret(parts: Parts, row: Mapping[str, Any], secret: str) -> to.WebhookMade:
    return to.WebhookMade(**_shown(parts, row).model_dump(), secret=secret)


router.include_router(channel_routes.router)
router.include_router(log_routes.router)
