"""Messages to people about one event: what happened, whom it concerns, by when, and where to look."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from serving.outbox.about import About, about, addressed
from serving.outbox.channels import Note
from serving.outbox.digest_text import digest_note, reader_of
from serving.outbox.events import DIGEST
from serving.outbox.hours import Period
from serving.outbox.targets import Channel
from serving.outbox.texts import LABELS, TITLES
from serving.parts import Parts

QUOTE = 280
"""Characters of a verbatim in a message: enough to know what it is about before the case is opened."""

Line = tuple[str, Any]


def compose(parts: Parts, channel: Channel, event: Mapping[str, Any], count: int) -> Note:
    """The message about an event, from what the store holds now, so that what was erased is not sent."""
    with parts.database.read() as connection:
        if event["type"] == DIGEST:
            period = Period(*(datetime.fromisoformat(event["data"][end]) for end in ("from", "to")))
            return digest_note(connection, reader_of(connection, parts, channel), period, parts.clock())
        return event_note(connection, channel, event, count, getattr(parts.settings, "public_url", None))


def event_note(
    connection: Connection, channel: Channel, event: Mapping[str, Any], count: int, public_url: str | None
) -> Note:
    """`count` is how many events of this kind about this subject the message tells of."""
    found, named = about(connection, event), addressed(event)
    language, data = channel.language, event["data"]
    values = {"priority": found.case["priority"] if found.case else "-", "name": _name(event)}
    title = TITLES[event["type"]][language].format(**values)
    lines = [
        ("message", named.message(channel) if named else None),
        *_case_lines(found, ZoneInfo(channel.zone)),
        *([] if found.case else [("why", data.get("sentence"))]),
        ("said", _quote(found)),
        *[(key, data.get(key)) for key in ("done", "refused")],
        ("count", count if count > 1 else None),
        *_where_to_look(event, found, public_url),
    ]
    return Note(" ".join(title.split()), in_lines(lines, language))


def in_lines(lines: Iterable[Line], language: str) -> str:
    """`Label: value`, one a line, without those that have no value."""
    return "\n".join(f"{LABELS[key][language]}: {value}" for key, value in lines if value not in (None, ""))


def _case_lines(found: About, zone: ZoneInfo) -> list[Line]:
    case = found.case
    unit = ("unit", found.response["unit"] if found.response else None)
    if case is None:
        return [unit]
    due = case["due_at"].astimezone(zone).strftime("%Y-%m-%d %H:%M") if case["due_at"] else None
    lines = [("why", case["reason"]), ("theme", case["theme"]), ("team", case["team"]), ("assignee", case["assignee"])]
    return [*lines, unit, ("due", due), ("attempts", case["attempts"] or None)]


def _quote(found: About) -> str | None:
    text = " ".join(found.response["text"].split()) if found.response else ""
    return f"{text[: QUOTE - 1]}…" if len(text) > QUOTE else text


def _where_to_look(event: Mapping[str, Any], found: About, public_url: str | None) -> list[Line]:
    link = None
    if public_url and found.case:
        link = f"{public_url.rstrip('/')}/cases/{found.case['id']}"
    return [("link", link), ("about", event["subject"] if link is None else None), ("reference", event["id"])]


def _name(event: Mapping[str, Any]) -> str:
    """What people call the event's subject."""
    data = event["data"]
    given = next((data[key] for key in ("label", "name", "theme", "version") if isinstance(data.get(key), str)), None)
    return given or (event["subject"] or "").partition(":")[2] or "-"
