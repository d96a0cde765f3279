"""What arrives, made ready to be kept: checked, free of personal data, told apart from what arrived before."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal

from nlp.pipeline import Analysis
from nlp.types import Failure, Respondent, Response, Scalar
from serving.parts import Parts
from serving.schemas import MAX_TEXT, ResponseIn, check
from serving.store.columns import NAME
from serving.store.effective import columns
from serving.store.people import Person
from serving.store.responses import vector_of
from serving.store.saving import Arrived, Key

YEARS = range(1900, 2200)
"""Years an answer can be of; anything else is a slip, and databases differ in what they make of it."""
MAX_ATTRIBUTES = 200
DIMENSIONS = ("survey", "touchpoint", "channel", "unit", "employee")


@dataclass(frozen=True, slots=True)
class Arrival:
    """One answer as sent; `default_source` stands in where it names no source."""

    item: ResponseIn
    default_source: str | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of one arrival; `id` is the sender's, `uid` ours (None where it was refused)."""

    outcome: Literal["created", "updated", "duplicate", "error"]
    id: str
    uid: str | None = None
    classification: dict[str, Any] | None = None
    error: Failure | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """An arrival as the pipeline reads it; `failure` says why it is not to be read."""

    response: Response
    dated: bool
    failure: Failure | None

    @property
    def key(self) -> Key:
        return self.response.source or "", self.response.id

    @property
    def respondent(self) -> str | None:
        return self.response.respondent.id if self.response.respondent else None


def sent(arrival: Arrival, now: datetime) -> Sent:
    """The arrival, checked; `now` dates it where the sender did not."""
    item = arrival.item
    if item.source is None and arrival.default_source is not None:
        item = item.model_copy(update={"source": arrival.default_source})
    response = item.to_response(now)
    return Sent(response, item.answered_at is not None, check(response) or _storable(response))


def is_known(parts: Parts, given: Sent, stored: Mapping[str, Any]) -> bool:
    """Whether this is what is stored already."""
    return digest(_redacted(parts, given.response, parts.redact(given.response.text)), given.dated) == stored["digest"]


def with_known(given: Sent, person: Person | None) -> Response:
    """The response with what is known of its sender where it does not say so itself."""
    said = given.response.respondent
    if said is None or person is None:
        return given.response
    fields = {
        name: getattr(person, name) if getattr(said, name) is None else getattr(said, name)
        for name in ("contact_consent", "segment", "value")
    }
    return replace(given.response, respondent=replace(said, **fields))


def arrived(parts: Parts, given: Sent, response: Response, analysis: Analysis) -> Arrived:
    """The row of a response: `response` is `given` with what is known of its sender."""
    said = analysis.classification
    kept = _redacted(parts, given.response, said.text)
    person = response.respondent or Respondent()
    entry = parts.priority.metrics.get(kept.metric or "custom")
    scale = kept.scale or (entry.scale if entry and kept.score is not None else None)
    row = {
        "source": kept.source or "",
        "id": kept.id,
        "digest": digest(kept, given.dated),
        **{name: getattr(kept, name) for name in ("answered_at", "text", "question", "metric", "score", *DIMENSIONS)},
        "scale_min": scale.min if scale else None,
        "scale_max": scale.max if scale else None,
        "respondent": person.id,
        **{name: getattr(person, name) for name in ("contact_consent", "segment", "value")},
        "attributes": dict(kept.attributes),
        **columns(said.to_dict(), response, parts.priority),
        "corrected": False,
        "labels": [],
    }
    return Arrived(row, vector_of(parts, analysis), given.dated)


def person_of(given: Sent) -> Person | None:
    """Who sent it, with what they said of themselves; None for nobody in particular."""
    said = given.response.respondent
    if said is None or said.id is None:
        return None
    at = given.response.answered_at
    assert at is not None
    return Person(said.id, said.contact_consent, said.segment, said.value, said.attributes, at)


def digest(kept: Response, dated: bool) -> str:
    """SHA-256 of a response whose text, question and attributes are redacted, salted with whose it is.

    What redaction took out has no part in it, nor have the means to reach a person: no guess can be tried on it.
    """
    person = kept.respondent or Respondent()
    said = [
        *(getattr(kept, name) for name in ("source", "id", "text", "question", "metric", "score", "language")),
        [kept.scale.min, kept.scale.max] if kept.scale else None,
        *(getattr(kept, name) for name in DIMENSIONS),
        kept.answered_at.astimezone(UTC).isoformat() if dated and kept.answered_at else None,
        [person.id, person.contact_consent, person.segment, person.value],
        sorted(kept.attributes.items()),
    ]
    return hashlib.sha256(json.dumps(said).encode("ascii")).hexdigest()


def _redacted(parts: Parts, response: Response, text: str) -> Response:
    question = parts.redact(response.question) if response.question else response.question
    attributes = {name: parts.redact(v) if isinstance(v, str) else v for name, v in response.attributes.items()}
    return replace(response, text=text, question=question, attributes=attributes)


def _storable(response: Response) -> Failure | None:
    """Why this response cannot be kept, though it could be read."""
    assert response.answered_at is not None
    if response.answered_at.year not in YEARS:
        return Failure("invalid_date", f"answered_at is of the year {response.answered_at.year}; is it a slip?")
    person = response.respondent or Respondent()
    if len(response.attributes) > MAX_ATTRIBUTES or len(person.attributes) > MAX_ATTRIBUTES:
        return Failure("too_many_attributes", f"more than {MAX_ATTRIBUTES} attributes; send those that are used")
    for name, value, most in _strings(response, person):
        if "\x00" in value:
            return Failure("invalid_text", f"{name} has a NUL character; remove it")
        if len(value) > most:
            return Failure("field_too_long", f"{name} has {len(value)} characters; {most} at most")
    return None


def _strings(response: Response, person: Respondent) -> Iterator[tuple[str, str, int]]:
    """Every string beside the verbatim: what it is called, itself and how long it may be."""
    for name in ("id", "source", *DIMENSIONS):
        yield name, getattr(response, name) or "", NAME
    yield "respondent.id", person.id or "", NAME
    yield "respondent.segment", person.segment or "", NAME
    yield "question", response.question or "", MAX_TEXT
    yield from _attributes("attributes", response.attributes)
    yield from _attributes("respondent", person.attributes)


def _attributes(name: str, values: Mapping[str, Scalar]) -> Iterator[tuple[str, str, int]]:
    for key, value in values.items():
        yield f"a name in {name}", key, NAME
        if isinstance(value, str):
            yield f"a value in {name}", value, MAX_TEXT
