"""From events to deliveries: one for each webhook and channel that is to be told, made once."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, RowMapping, func, insert, select, update

from serving.frame.effective import Frame
from serving.frame.store import frame_of
from serving.outbox import targets
from serving.outbox.about import about, addressed, within
from serving.outbox.events import emit_alone
from serving.outbox.targets import Channel
from serving.parts import Parts
from serving.store.database import new_id
from serving.store.loop_tables import deliveries, events

BATCH = 200
"""Events in one transaction: long enough to be quick, short enough that a writer on SQLite waits little."""


@dataclass(frozen=True, slots=True)
class Listeners:
    """Whom a workspace tells, those that are disabled left out, and the code frame that its channels go by."""

    webhooks: tuple[RowMapping, ...]
    channels: tuple[Channel, ...]
    frame: Frame


def run_once(parts: Parts) -> int:
    """Makes the deliveries of up to BATCH events; answers how many events there were."""
    with parts.database.read() as connection:
        if connection.execute(select(events.c.id).where(events.c.spread_at.is_(None)).limit(1)).first() is None:
            return 0
    now = parts.clock()
    with parts.database.write() as connection:
        found = _unspread(connection)
        # in one order, so that no two processes wait for each other
        known = {
            workspace: listeners(connection, parts, workspace)
            for workspace in sorted({row["workspace"] for row in found})
        }
        for event in found:
            _spread(connection, event, known[event["workspace"]], now)
        _mark(connection, found, now)
    return len(found)


def listeners(connection: Connection, parts: Parts, workspace: str) -> Listeners:
    """Two processes that tell a workspace's channels take turns, so that neither misses a repeat of the other's."""
    targets.lock(connection, "channel", workspace)
    webhooks = targets.find_all(connection, "webhook", workspace)
    channels = map(targets.to_channel, targets.find_all(connection, "channel", workspace))
    return Listeners(
        tuple(row for row in webhooks if row["disabled_at"] is None),
        tuple(channel for channel in channels if not channel.disabled),
        frame_of(connection, workspace, parts.taxonomy()),
    )


def send_alone(
    connection: Connection, workspace: str, kind: str, target: str, type: str, data: Mapping[str, Any], now: datetime
) -> tuple[str, str]:
    """A new event for one webhook or channel, due now: the ids of the event and of its delivery."""
    event = emit_alone(connection, workspace, type, f"{kind}:{target}", data, now)
    return event["id"], _add(connection, event, kind, target, now, {})


def subscribed(types: Sequence[str], type: str) -> bool:
    """Whether who chose these types is told of this one; who chose none is told of all."""
    return not types or type in types


def _unspread(connection: Connection) -> list[RowMapping]:
    statement = select(events).where(events.c.spread_at.is_(None)).order_by(events.c.at, events.c.id).limit(BATCH)
    return list(connection.execute(statement.with_for_update(skip_locked=True)).mappings())


def _mark(connection: Connection, found: Sequence[RowMapping], now: datetime) -> None:
    for workspace in {event["workspace"] for event in found}:
        ids = [event["id"] for event in found if event["workspace"] == workspace]
        where = (events.c.workspace == workspace, events.c.id.in_(ids))
        connection.execute(update(events).where(*where).values(spread_at=now))


def _spread(connection: Connection, event: RowMapping, to: Listeners, now: datetime) -> None:
    for row in _webhooks(event, to):
        _add(connection, event, "webhook", row["id"], now, {})
    for channel in _channels(connection, event, to):
        _tell(connection, event, channel, now)


def _webhooks(event: RowMapping, to: Listeners) -> Iterator[RowMapping]:
    named = addressed(event)
    for row in to.webhooks:
        if row["id"] in named.webhooks if named else subscribed(row["types"], event["type"]):
            yield row


def _channels(connection: Connection, event: RowMapping, to: Listeners) -> Iterator[Channel]:
    if not to.channels:
        return
    named, found = addressed(event), about(connection, event)
    for channel in to.channels:
        if named:
            chosen = named.names(channel) or (named.names_role(channel) and within(channel.scope, found, to.frame))
        else:
            at_once = channel.digest is None and subscribed(channel.types, event["type"])
            chosen = at_once and within(channel.scope, found, to.frame)
        if chosen:
            yield channel


def _tell(connection: Connection, event: RowMapping, channel: Channel, now: datetime) -> None:
    """A message of its own, unless people heard the same within the channel's window: then one tells of all."""
    window = timedelta(minutes=channel.dedupe_minutes)
    earlier = _earlier(connection, event, channel, now - window) if window and event["subject"] else None
    if earlier is None:
        _add(connection, event, "channel", channel.id, now, {})
    elif _merged(connection, earlier):
        more = {"state": "merged", "merged_into": earlier["id"], "done_at": now}
        _add(connection, event, "channel", channel.id, now, more)
    else:
        _add(connection, event, "channel", channel.id, now, {"next_at": (earlier["done_at"] or now) + window})


def _earlier(connection: Connection, event: RowMapping, channel: Channel, since: datetime) -> RowMapping | None:
    """The newest delivery of the same kind of news about the same subject that waits, or went out since."""
    told = func.coalesce(deliveries.c.done_at, deliveries.c.created_at)
    waiting = (deliveries.c.state == "pending") | ((deliveries.c.state == "delivered") & (told > since))
    statement = (
        select(deliveries)
        .join(events, (events.c.workspace == deliveries.c.workspace) & (events.c.id == deliveries.c.event))
        .where(deliveries.c.workspace == channel.workspace, deliveries.c.target == channel.id, waiting)
        .where(events.c.type == event["type"], events.c.subject == event["subject"])
        .order_by(deliveries.c.id.desc())
        .limit(1)
    )
    return connection.execute(statement).mappings().one_or_none()


def _merged(connection: Connection, earlier: RowMapping) -> bool:
    """Whether a waiting message could take one more event; none that is being sent can."""
    where = (deliveries.c.workspace == earlier["workspace"], deliveries.c.id == earlier["id"])
    waiting = (deliveries.c.state == "pending", deliveries.c.leased_until.is_(None))
    done = connection.execute(update(deliveries).where(*where, *waiting).values(count=deliveries.c.count + 1))
    return bool(done.rowcount)


def _add(
    connection: Connection, event: Mapping[str, Any], kind: str, target: str, now: datetime, more: Mapping[str, Any]
) -> str:
    """The new delivery's id; whoever adds one has the event to itself, so that there is none yet."""
    row = {"workspace": event["workspace"], "id": new_id(), "event": event["id"], "target": target, "kind": kind}
    row |= {"state": "pending", "tries": 0, "next_at": now, "created_at": now, "replay": 0, "count": 1, **more}
    connection.execute(insert(deliveries).values(**row))
    return row["id"]
