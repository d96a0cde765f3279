"""What a webhook's receiver gets: the body, and the headers of Standard Webhooks that prove who sent it."""

import base64
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cloudevents.core.bindings.http import to_structured_event
from cloudevents.core.v1.event import CloudEvent
from standardwebhooks import Webhook

MODES = ("standard", "cloudevents")
PREFIX = "whsec_"
SECRET_BYTES = 32
"""Standard Webhooks asks for 24 to 64 bytes."""
SIGNERS = 2
"""Secrets that sign at one time: the new one, and the old one until receivers have changed over."""

_USER_AGENT = "holos-webhooks/1"


@dataclass(frozen=True, slots=True)
class Secret:
    """A signing key; `secret` is what was shown once and what signs. `until` None: no end is set."""

    secret: str
    made_at: datetime
    until: datetime | None = None

    def to_dict(self) -> dict[str, Any]:
        until = self.until.isoformat() if self.until else None
        return {"secret": self.secret, "made_at": self.made_at.isoformat(), "until": until}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Secret":
        until = datetime.fromisoformat(data["until"]) if data["until"] else None
        return cls(data["secret"], datetime.fromisoformat(data["made_at"]), until)


@dataclass(frozen=True, slots=True)
class Message:
    """One POST, the same bytes at every try; headers are signed anew each time."""

    body: bytes
    content_type: str


def make_secret() -> str:
    """A new random signing key, as people are shown it."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def rotate(old: Sequence[Secret], new: str, now: datetime, overlap: timedelta) -> tuple[Secret, ...]:
    """The new secret first; the one before signs along for `overlap`, any older one no more."""
    kept = [Secret(item.secret, item.made_at, now + overlap) for item in signing(old, now)[: SIGNERS - 1]]
    return (Secret(new, now), *(kept if overlap else ()))


def signing(found: Sequence[Secret], now: datetime) -> tuple[Secret, ...]:
    """The secrets that sign at this time, newest first."""
    return tuple(item for item in found if item.until is None or now < item.until)[:SIGNERS]


def message(event: Mapping[str, Any], mode: str) -> Message:
    """The body for one row of `events` in one of MODES."""
    if mode == "cloudevents":
        return _cloud_event(event)
    content = {"id": event["id"], "type": event["type"], "timestamp": _time(event["at"])}
    content |= {"subject": event["subject"], "data": event["data"]}
    body = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
    return Message(body, "application/json")


def headers(event_id: str, sent: Message, found: Sequence[Secret], now: datetime) -> dict[str, str]:
    """The headers of one try at `now`, signed by every secret that signs at that time."""
    body = sent.body.decode()
    signatures = [Webhook(item.secret).sign(event_id, now, body) for item in signing(found, now)]
    return {
        "content-type": sent.content_type,
        "user-agent": _USER_AGENT,
        "webhook-id": event_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def _cloud_event(event: Mapping[str, Any]) -> Message:
    attributes = {
        "id": event["id"],
        "source": f"/holos/{event['workspace']}",
        "type": f"holos.{event['type']}",
        "time": event["at"],
        "datacontenttype": "application/json",
    }
    if event["subject"]:
        attributes["subject"] = event["subject"]
    structured = to_structured_event(CloudEvent(attributes, event["data"]))
    return Message(structured.body, structured.headers["content-type"])


def _time(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
