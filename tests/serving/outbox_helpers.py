"""What the tests of the outbox share: webhooks, channels, events and cases put straight into the database."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert, select

from serving.outbox.events import emit
from serving.outbox.signing import Secret, make_secret
from serving.parts import Parts
from serving.store.database import new_id
from serving.store.loop_tables import cases, channels, deliveries, delivery_tries, webhooks
from serving.store.tables import responses, tags

ACME = "acme"


def private(parts: Parts) -> Parts:
    """The parts of an installation whose receivers may be inside the house, as those of tests are."""
    return replace(parts, settings=parts.settings.model_copy(update={"webhook_private": True}))


def add_webhook(parts: Parts, url: str, workspace: str = ACME, **fields: Any) -> str:
    row = {"workspace": workspace, "id": f"wh_{new_id()}", "url": url, "types": [], "mode": "standard"}
    row |= {"secrets": [Secret(make_secret(), parts.clock()).to_dict()], "created_at": parts.clock(), **fields}
    with parts.database.write() as connection:
        connection.execute(insert(webhooks).values(**row))
    return row["id"]


def add_channel(parts: Parts, url: str, workspace: str = ACME, **fields: Any) -> str:
    row = {"workspace": workspace, "id": f"ch_{new_id()}", "name": "people", "url": url, "role": "manager"}
    row |= {"scope": {}, "types": [], "language": "en", "zone": "Europe/Warsaw", "digest": None, "quiet": None}
    row |= {"dedupe_minutes": 10, "created_at": parts.clock(), **fields}
    with parts.database.write() as connection:
        connection.execute(insert(channels).values(**row))
    return row["id"]


def add_event(
    parts: Parts, type: str = "case.opened", subject: str | None = "case:c1", workspace: str = ACME, **data: Any
) -> str:
    with parts.database.write() as connection:
        id = emit(connection, workspace, type, subject, data, parts.clock())
    assert id is not None
    return id


def add_response(parts: Parts, workspace: str = ACME, themes: Any = (), **fields: Any) -> str:
    """`themes`: pairs of id and sentiment."""
    uid, now = new_id(), parts.clock()
    row: dict[str, Any] = {"workspace": workspace, "uid": uid, "source": "", "id": uid, "digest": "", "revision": 1}
    row |= {"received_at": now, "answered_at": now, "text": "The courier came three days late.", "status": "ok"}
    row |= {"attributes": {}, "signals": [], "labels": [], "needs_review": False, "corrected": False, "effective": {}}
    with parts.database.write() as connection:
        connection.execute(insert(responses).values(**row | fields))
        for theme, mood in themes:
            values = {"workspace": workspace, "response": uid, "theme": theme, "sentiment": mood, "by": "model"}
            connection.execute(insert(tags).values(**values))
    return uid


def add_case(parts: Parts, workspace: str = ACME, response: str | None = None, **fields: Any) -> str:
    now: datetime = parts.clock()
    uid = response or add_response(parts, workspace)
    row: dict[str, Any] = {"workspace": workspace, "id": new_id(), "response": uid, "state": "open", "priority": 1}
    row |= {"reason": "NPS 2 is in the low band 0-3 and the comment gives a reason", "contact": True, "tags": []}
    row |= {"opened_at": now, "due_at": now + timedelta(hours=24), "attempts": 0, "misses": 0, "escalation": 0}
    with parts.database.write() as connection:
        connection.execute(insert(cases).values(**row | {"updated_at": now, "version": 1} | fields))
    return row["id"]


def all_deliveries(parts: Parts, target: str | None = None) -> list[Any]:
    with parts.database.read() as connection:
        rows = connection.execute(select(deliveries).order_by(deliveries.c.id)).mappings().all()
    return [row for row in rows if target in (None, row["target"])]


def all_tries(parts: Parts) -> list[Any]:
    with parts.database.read() as connection:
        return list(connection.execute(select(delivery_tries).order_by(delivery_tries.c.id)).mappings())


def target_row(parts: Parts, table: Any, id: str) -> Any:
    with parts.database.read() as connection:
        return connection.execute(select(table).where(table.c.id == id)).mappings().one()
