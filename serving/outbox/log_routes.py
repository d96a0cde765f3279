"""Events and deliveries over HTTP: what was told, to whom, and what came of it."""

from typing import Annotated

from fastapi import APIRouter, Query
from sqlalchemy import Connection

from serving.audit import record
from serving.outbox import log
from serving.outbox.asking import DONE, FOUND, LISTED, OF_ONE, Admin, Id, Reader, after, found_or_404, missing
from serving.outbox.schemas import Deliveries, Delivery, DeliveryDetail, Event, Events, State, Try, Type
from serving.paging import DEFAULT, Cursor, Limit, page
from serving.parts import Given
from serving.problems import Code, problem

router = APIRouter(tags=["webhooks"])

StateAsked = Annotated[State | None, Query()]
TypeAsked = Annotated[Type | None, Query()]


@router.get(
    "/webhooks/{id}/deliveries",
    operation_id="list_webhook_deliveries",
    summary="A webhook's deliveries, newest first",
    responses=OF_ONE,
)
def list_webhook_deliveries(
    parts: Given, caller: Reader, id: Id, state: StateAsked = None, limit: Limit = DEFAULT, cursor: Cursor = None
) -> Deliveries:
    with parts.database.read() as connection:
        return _deliveries(connection, "webhook", caller.workspace, id, state, limit, after(cursor))


@router.get(
    "/channels/{id}/deliveries",
    operation_id="list_channel_deliveries",
    summary="A channel's deliveries, newest first",
    responses=OF_ONE,
)
def list_channel_deliveries(
    parts: Given, caller: Reader, id: Id, state: StateAsked = None, limit: Limit = DEFAULT, cursor: Cursor = None
) -> Deliveries:
    with parts.database.read() as connection:
        return _deliveries(connection, "channel", caller.workspace, id, state, limit, after(cursor))


@router.get("/deliveries/{id}", operation_id="get_delivery", summary="One delivery and its tries", responses=FOUND)
def get_delivery(parts: Given, caller: Reader, id: Id) -> DeliveryDetail:
    with parts.database.read() as connection:
        return _detail(connection, caller.workspace, id)


@router.post("/deliveries/{id}/retry", operation_id="retry_delivery", summary="Try a delivery now", responses=DONE)
def retry_delivery(parts: Given, caller: Admin, id: Id) -> DeliveryDetail:
    """For one that waits or is dead; the schedule goes on where it was."""
    now = parts.clock()
    with parts.database.write() as connection:
        found = _detail(connection, caller.workspace, id)
        if not log.retry(connection, caller.workspace, id, now):
            raise problem(Code.WRONG_STATE, f"the delivery is {found.state}; only one that waits or is dead is retried")
        record(connection, caller.workspace, caller.actor, "delivery.retry", f"delivery:{id}", {}, now)
        return _detail(connection, caller.workspace, id)


@router.get("/events", operation_id="list_events", summary="Events, newest first", responses=LISTED)
def list_events(
    parts: Given, caller: Reader, type: TypeAsked = None, limit: Limit = DEFAULT, cursor: Cursor = None
) -> Events:
    with parts.database.read() as connection:
        rows = log.event_page(connection, caller.workspace, type, after(cursor), limit + 1)
    found = page(rows, limit, lambda row: [row["id"]])
    return Events(items=[Event.model_validate(dict(row)) for row in found.items], next=found.next)


def _deliveries(
    connection: Connection, kind: str, workspace: str, id: str, state: str | None, limit: int, start: str | None
) -> Deliveries:
    found_or_404(connection, kind, workspace, id)
    rows = log.delivery_page(connection, workspace, id, state, start, limit + 1)
    found = page(rows, limit, lambda row: [row["id"]])
    return Deliveries(items=[Delivery.model_validate(dict(row)) for row in found.items], next=found.next)


def _detail(connection: Connection, workspace: str, id: str) -> DeliveryDetail:
    row = log.find_delivery(connection, workspace, id)
    if row is None:
        raise missing("delivery")
    tries = [Try.model_validate(dict(item)) for item in log.tries(connection, workspace, id)]
    return DeliveryDetail.model_validate({**row, "log": tries})
