"""Formbricks: response webhooks, one event or a list of them."""

import json
from collections.abc import Mapping
from typing import Any

from serving.inbound.submission import Answer, Submission, part, scalars, word

EVENTS = frozenset({"responseCreated", "responseUpdated", "responseFinished"})
TEST = {"event": "testEndpoint"}
"""Sent before there is a secret, to see whether the address answers."""
TEST_BYTES = 200


def is_test(body: bytes) -> bool:
    """Whether this is the question whether the address answers, which brings nothing."""
    if len(body) > TEST_BYTES:
        return False
    try:
        return bool(json.loads(body) == TEST)
    except (ValueError, RecursionError):
        return False


def read(payload: Any, partial: bool = False) -> list[Submission]:
    """The responses told of: finished ones, and the others where `partial` is set. Raises Unreadable."""
    events = payload if isinstance(payload, list) else [payload]
    found = [(index, event) for index, event in enumerate(events) if not isinstance(event, dict) or _tells(event)]
    read = [_submission(event, f"[{index}]." if isinstance(payload, list) else "") for index, event in found]
    return [submission for submission, finished in read if finished or partial]


def _tells(event: Mapping[str, Any]) -> bool:
    return event.get("event") is None or word(event["event"]) in EVENTS


def _submission(event: Any, where: str) -> tuple[Submission, bool]:
    response = part(event, "data", dict, where)
    answers = part(response, "data", dict, f"{where}data.")
    language = word(response.get("language"))
    attributes = scalars(response.get("contactAttributes"))
    submission = Submission(
        id=part(response, "id", str, f"{where}data."),
        answers=tuple(Answer(name, value) for name, value in answers.items()),
        variables={
            **scalars(response.get("meta"), "meta."),
            **scalars(response.get("survey"), "survey."),
            **scalars(response.get("variables")),
            **attributes,
        },
        answered_at=response.get("createdAt"),  # it stays the same when more is answered
        survey=word(response.get("surveyId")),
        language=language if language != "default" else None,
        respondent=_person(response.get("contact"), attributes),
    )
    return submission, response.get("finished") is True or event.get("event") == "responseFinished"


def _person(contact: Any, attributes: Mapping[str, Any]) -> str | None:
    known = contact if isinstance(contact, dict) else {}
    return word(known.get("userId")) or word(attributes.get("userId")) or word(known.get("id"))
