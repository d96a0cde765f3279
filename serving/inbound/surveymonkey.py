"""SurveyMonkey: events that carry ids, and the response details behind them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from serving.inbound.submission import Answer, Submission, Unreadable, objects, part, scalars, word

EVENTS = frozenset({"response_completed", "response_updated"})
"""Events after which there are answers to read."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A response whose answers must be asked for."""

    survey: str
    response: str


def wanted(payload: Any) -> Wanted | None:
    """Which response an event tells of; None where it tells of none or brings the answers along."""
    if details(payload) is not None or not isinstance(payload, dict) or word(payload.get("event_type")) not in EVENTS:
        return None
    resources = part(payload, "resources", dict)
    is_response = payload.get("object_type") == "response"
    response = word(payload.get("object_id")) if is_response else word(resources.get("respondent_id"))
    survey = word(resources.get("survey_id"))
    if survey is None or response is None:
        raise Unreadable("the event should have object_id and resources.survey_id")
    return Wanted(survey, response)


def details(payload: Any) -> Mapping[str, Any] | None:
    """The answers in a payload: as the API gives them, or within an event."""
    if not isinstance(payload, dict):
        return None
    inner = payload.get("response")
    found = inner if isinstance(inner, dict) else payload
    return found if isinstance(found.get("pages"), list) else None


def read(payload: Any) -> list[Submission]:
    """The submission in response details; none for an event without them. Raises Unreadable."""
    found = details(payload)
    if found is None:
        part(payload, "event_type", str)
        return []
    custom = scalars(found.get("custom_variables"))
    return [
        Submission(
            id=word(found.get("id")) or part(found, "id", str),
            answers=tuple(_answer(one) for page in objects(found["pages"]) for one in objects(page.get("questions"))),
            variables={**scalars(found), **_contact(found), **custom},
            hidden=frozenset(custom),
            answered_at=found.get("date_modified"),
            survey=word(found.get("survey_id")),
        )
    ]


def _answer(question: Mapping[str, Any]) -> Answer:
    given = list(objects(question.get("answers")))
    texts = [one["text"] for one in given if isinstance(one.get("text"), str)]
    chosen = [name for one in given for name in _choice(one)]
    heading = question.get("heading")
    family = question.get("family")
    return Answer(
        ref=word(question.get("id")) or "",
        value="\n".join(texts) if texts else None,
        names=tuple(name for name in (word(question.get("variable_id")),) if name),
        choices=tuple(chosen),
        title=heading if isinstance(heading, str) else None,
        is_open=family == "open_ended" if family else bool(texts) and not chosen,
    )


def _choice(one: Mapping[str, Any]) -> list[str]:
    """What tells a choice, the surest first; a weight of 0 stands for 7 and 8 in questions of recommendation."""
    if "choice_id" not in one:
        return []
    metadata = one.get("choice_metadata")
    weight = word(metadata.get("weight")) if isinstance(metadata, dict) else None
    simple = word(one.get("simple_text"))
    names = [simple, word(one["choice_id"]), weight if weight not in ("0", "0.0") else None]
    # the label of a row stands before that of its choice
    return [name for name in ((simple or "").rpartition("|")[2].strip(), *names) if name]


def _contact(found: Mapping[str, Any]) -> dict[str, Any]:
    """`contact.email` and its like, for `fields` alone."""
    metadata = found.get("metadata")
    contact = metadata.get("contact") if isinstance(metadata, dict) else None
    pairs = contact.items() if isinstance(contact, dict) else ()
    return {f"contact.{name}": one.get("value") for name, one in pairs if isinstance(one, dict)}
