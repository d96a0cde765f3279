"""Two survey tools, simulated: bodies of webhooks in their shape, signed as they sign."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from serving.scenario.timeline import Answer

RECOMMEND = "How likely are you to recommend Meridian to a friend?"
WHY = "What is the main reason for your score?"
CUSTOMER = ("id", "name", "phone", "contact_consent", "segment", "value")
PLACE = ("touchpoint", "unit", "employee")

MAPPING = {f"respondent.{name}": name for name in CUSTOMER if name != "id"} | {name: name for name in PLACE}
"""Which variable of the survey is which field of a response; both tools call them alike."""
SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "typeform": {"fields": MAPPING | {"respondent.id": "customer"}, "attributes": []},
    "formbricks": {"score": {"ref": "nps", "metric": "nps"}, "text": ["why"], "fields": MAPPING},
}


@dataclass(frozen=True, slots=True)
class Webhook:
    """What a tool sends."""

    body: bytes
    headers: Mapping[str, str]


def webhook(answer: Answer, answered: datetime, sent: datetime, secret: str) -> Webhook:
    """`answered` is when the survey was filled in, `sent` when the tool calls."""
    made = {"typeform": _typeform, "formbricks": _formbricks}[answer.tool](answer, answered)
    # UTF-8 as the tools send it, not the ASCII escapes that Python would
    body = json.dumps(made, ensure_ascii=False).encode("utf-8")
    sign = {"typeform": _sign_typeform, "formbricks": _sign_formbricks}[answer.tool]
    return Webhook(body, {"content-type": "application/json", **sign(answer, body, sent, secret)})


def _variables(answer: Answer) -> dict[str, str]:
    customer = {name: answer.about.get(f"respondent.{name}") for name in CUSTOMER if name != "id"}
    place = {name: answer.about.get(name) for name in PLACE}
    return {name: value for name, value in {**customer, **place}.items() if value}


def _typeform(answer: Answer, answered: datetime) -> dict[str, Any]:
    fields: list[dict[str, Any]] = [
        {"id": "f1", "ref": "nps", "type": "opinion_scale", "title": RECOMMEND},
        {"id": "f2", "ref": "why", "type": "long_text", "title": WHY},
    ]
    about = [{key: field[key] for key in ("id", "ref", "type")} for field in fields]
    answers: list[dict[str, Any]] = [{"type": "number", "number": answer.score, "field": about[0]}]
    if answer.text:
        answers.append({"type": "text", "text": answer.text, "field": about[1]})
    form = {
        "form_id": "mer1d14n",
        "token": answer.id,
        "landed_at": answered.isoformat(),
        "submitted_at": answered.isoformat(),
        "hidden": {"customer": answer.respondent, **_variables(answer)},
        "definition": {"id": "mer1d14n", "title": "After your visit", "fields": fields},
        "answers": answers,
    }
    return {"event_id": f"evt-{answer.id}", "event_type": "form_response", "form_response": form}


def _formbricks(answer: Answer, answered: datetime) -> dict[str, Any]:
    data = {
        "id": answer.id,
        "surveyId": "cm0meridian",
        "createdAt": answered.isoformat(),
        "updatedAt": answered.isoformat(),
        "finished": True,
        "contact": {"id": f"ct-{answer.respondent}", "userId": answer.respondent},
        "contactAttributes": {"userId": answer.respondent, **_variables(answer)},
        "data": {"nps": answer.score, "why": answer.text},
        "language": "default",
        "survey": {"title": "After your order", "type": "link", "status": "inProgress"},
        "meta": {"source": "link"},
        "variables": {},
    }
    return {"webhookId": "cm0hook", "event": "responseFinished", "data": data}


def _sign_typeform(_: Answer, body: bytes, __: datetime, secret: str) -> dict[str, str]:
    found = hmac.new(secret.encode(), body, hashlib.sha256).digest()
    return {"typeform-signature": "sha256=" + base64.b64encode(found).decode()}


def _sign_formbricks(answer: Answer, body: bytes, sent: datetime, secret: str) -> dict[str, str]:
    id, seconds = f"msg-{answer.id}-{int(sent.timestamp())}", str(int(sent.timestamp()))
    return {
        "webhook-id": id,
        "webhook-timestamp": seconds,
        "webhook-signature": standard_signature(secret, id, seconds, body),
    }


def standard_signature(secret: str, id: str, seconds: str, body: bytes) -> str:
    """As Standard Webhooks describes it: id, time and body, keyed with what follows `whsec_`."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    found = hmac.new(key, f"{id}.{seconds}.".encode() + body, hashlib.sha256).digest()
    return "v1," + base64.b64encode(found).decode()
