"""The log of deliveries and events: lists, one delivery with its tries, replays and retries by hand."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, func, insert, select, update

from serving.outbox.events import DIGEST, PING, TEST
from serving.outbox.targets import lock
from serving.store.database import new_id
from serving.store.loop_tables import deliveries, delivery_tries, events

MOST_REPLAYED = 10_000
"""Deliveries queued by one request: a longer range is asked for in parts."""

_WITH_TYPE = deliveries.join(
    events, (events.c.workspace == deliveries.c.workspace) & (events.c.id == deliveries.c.event)
)


@dataclass(frozen=True, slots=True)
class Range:
    """Events from a moment up to, and without, another; `types` empty for all."""

    start: datetime
    end: datetime
    types: tuple[str, ...] = ()


class TooManyError(Exception):
    """The range has more events than one request may replay."""


def event_page(
    connection: Connection, workspace: str, type: str | None, after: str | None, limit: int
) -> list[RowMapping]:
    """Newest first."""
    statement = select(events).where(events.c.workspace == workspace).order_by(events.c.id.desc()).limit(limit)
    if type is not None:
        statement = statement.where(events.c.type == type)
    if after is not None:
        statement = statement.where(events.c.id < after)
    return list(connection.execute(statement).mappings())


def delivery_page(
    connection: Connection, workspace: str, target: str, state: str | None, after: str | None, limit: int
) -> list[RowMapping]:
    """Newest first."""
    statement = _deliveries(workspace).where(deliveries.c.target == target)
    statement = statement.order_by(deliveries.c.id.desc()).limit(limit)
    if state is not None:
        statement = statement.where(deliveries.c.state == state)
    if after is not None:
        statement = statement.where(deliveries.c.id < after)
    return list(connection.execute(statement).mappings())


def find_delivery(connection: Connection, workspace: str, id: str) -> RowMapping | None:
    return connection.execute(_deliveries(workspace).where(deliveries.c.id == id)).mappings().one_or_none()


def tries(connection: Connection, workspace: str, delivery: str) -> list[RowMapping]:
    """In order."""
    table = delivery_tries
    where = (table.c.workspace == workspace, table.c.delivery == delivery)
    return list(connection.execute(select(table).where(*where).order_by(table.c.id)).mappings())


def retry(connection: Connection, workspace: str, id: str, now: datetime) -> bool:
    """Makes a waiting or dead delivery due now; False where it has arrived or another tells of its event."""
    where = (deliveries.c.workspace == workspace, deliveries.c.id == id, deliveries.c.state.in_(("pending", "dead")))
    fields = {"state": "pending", "next_at": now, "done_at": None, "reason": None}
    return bool(connection.execute(update(deliveries).where(*where).values(**fields)).rowcount)


def replay(connection: Connection, workspace: str, webhook: str, asked: Range, now: datetime) -> int:
    """Queues the events of a range for a webhook once more, with the ids they had; answers how many.

    Raises TooManyError for more than MOST_REPLAYED.
    """
    # two replays at one time take turns here, so that each gets a number of its own
    lock(connection, "webhook", workspace, webhook)
    ids = _in_range(connection, workspace, asked)
    if len(ids) > MOST_REPLAYED:
        raise TooManyError
    mine = (deliveries.c.workspace == workspace, deliveries.c.target == webhook)
    number = (connection.execute(select(func.max(deliveries.c.replay)).where(*mine)).scalar() or 0) + 1
    fixed = {"workspace": workspace, "target": webhook, "kind": "webhook", "state": "pending", "tries": 0}
    fixed |= {"next_at": now, "created_at": now, "replay": number, "count": 1}
    if ids:
        connection.execute(insert(deliveries), [{**fixed, "id": new_id(), "event": event} for event in ids])
    return len(ids)


def _in_range(connection: Connection, workspace: str, asked: Range) -> Sequence[str]:
    where = (events.c.workspace == workspace, events.c.at >= asked.start, events.c.at < asked.end)
    chosen = events.c.type.in_(asked.types) if asked.types else events.c.type.not_in((PING, TEST, DIGEST))
    statement = select(events.c.id).where(*where, chosen).order_by(events.c.at, events.c.id).limit(MOST_REPLAYED + 1)
    return connection.execute(statement).scalars().all()


def _deliveries(workspace: str) -> Select[Any]:
    return select(deliveries, events.c.type).select_from(_WITH_TYPE).where(deliveries.c.workspace == workspace)
