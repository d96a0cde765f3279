"""Events: rows of the outbox, written in the same transaction as what they tell of."""

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection

from serving.store.database import insert, insert_of, new_id
from serving.store.loop_tables import events

TYPES = (
    *("response.thanked", "response.flagged"),
    *("case.opened", "case.assigned", "case.due_soon", "case.breached", "case.escalated", "case.resolved"),
    *("case.unreachable", "case.reopened"),
    *("theme.spike", "cluster.emerging", "model.promoted", "import.finished"),
)
"""Every type of event that webhooks and channels can subscribe to."""

PING, TEST, DIGEST = "webhook.ping", "channel.test", "channel.digest"
"""Events for one target: a trial of a webhook or a channel, and a digest that is due; nobody subscribes to them."""


def emit(
    connection: Connection,
    workspace: str,
    type: str,
    subject: str | None,
    data: Mapping[str, Any],
    now: datetime,
    dedupe: str | None = None,
) -> str | None:
    """The new event's id; None where an event with this `dedupe` word was written before, which stands.

    With `webhooks` (a list of ids) and `notices` (a list of {"to": a channel's id, name or role, "message"}) in the
    data the event goes to those alone, whatever they subscribed to; without them, to all who subscribed. Raises
    ValueError for a type that there is none of.
    """
    if type not in TYPES:
        raise ValueError(f"there is no event type {type}")
    row = {**_row(workspace, type, subject, data, now), "dedupe": dedupe}
    return connection.execute(_once(connection.dialect.name), row).scalar_one_or_none()


def emit_alone(
    connection: Connection, workspace: str, type: str, subject: str, data: Mapping[str, Any], now: datetime
) -> Mapping[str, Any]:
    """The row of an event that its writer delivers to one target: it is never spread."""
    row = _row(workspace, type, subject, data, now)
    connection.execute(insert(connection, events).values(**row, spread_at=now))
    return row


@cache
def _once(dialect: str) -> Any:
    """Built once: building a statement takes longer than running it."""
    statement = insert_of(dialect, events).on_conflict_do_nothing(index_elements=["workspace", "dedupe"])
    # what is returned tells whether there is a row: PostgreSQL's driver does not count those of an INSERT
    return statement.returning(events.c.id)


def _row(workspace: str, type: str, subject: str | None, data: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    id = f"evt_{new_id()}"
    return {"workspace": workspace, "id": id, "type": type, "subject": subject, "at": now, "data": dict(data)}
