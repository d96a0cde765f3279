"""Events: rows of the outbox, written in the same transaction as what they tell of."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from serving.store.database import insert, new_id
from serving.store.loop_tables import events

TYPES = (
    *("response.thanked", "response.flagged"),
    *("case.opened", "case.assigned", "case.due_soon", "case.breached", "case.escalated", "case.resolved"),
    *("case.unreachable", "case.reopened"),
    *("theme.spike", "cluster.emerging", "model.promoted", "import.finished"),
)
"""Every type of event there is."""


def emit(
    connection: Connection,
    workspace: str,
    type: str,
    subject: str | None,
    data: Mapping[str, Any],
    now: datetime,
    dedupe: str | None = None,
) -> str | None:
    """The new event's id; None where an event with this `dedupe` word was written before, which stands."""
    if type not in TYPES:
        raise ValueError(f"there is no event type {type}")
    row = {"workspace": workspace, "id": f"evt_{new_id()}", "type": type, "subject": subject, "at": now}
    statement = insert(connection, events).values(**row, data=dict(data), dedupe=dedupe)
    done = connection.execute(statement.on_conflict_do_nothing(index_elements=["workspace", "dedupe"]))
    return row["id"] if done.rowcount else None
