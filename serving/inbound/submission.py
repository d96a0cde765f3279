"""A submission of any survey tool, and the responses it gives: one for each open question that was answered."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from serving.cells import label, read_cell
from serving.inbound.settings import Score, Survey
from serving.mapping import listed
from serving.schemas import METRIC_SCALES

SCORE_ONLY = "score"
"""Stands for the open question in the id of a response to a survey that has none."""
MILLISECONDS_FROM = 100_000_000_000
"""Unix seconds up to the year 5138; larger numbers are milliseconds."""

_NUMBER_FIRST = re.compile(r"\s*([+-]?\d{1,6}(?:[.,]\d{1,6})?)(?:\s*(?:[-–—|:(/].*)?)?", re.DOTALL | re.ASCII)


class Unreadable(ValueError):  # noqa: N818 - a state of one payload, told to the admin
    """A payload, or a part of it, that cannot be mapped; says where and what to do, never with what was answered."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered to one question; `value` is None where it was skipped."""

    ref: str
    value: Any = None
    names: tuple[str, ...] = ()  # what else the tool calls the question
    choices: tuple[str, ...] = ()  # ids, codes and labels of what was chosen
    title: str | None = None
    is_open: bool = False
    metric: str | None = None  # where the tool's type of question says it
    scale: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Submission:
    """One filled-in survey."""

    id: str
    answers: tuple[Answer, ...]
    variables: Mapping[str, Any] = field(default_factory=dict)
    hidden: frozenset[str] = frozenset()  # variables that the survey's owner put there
    answered_at: Any = None
    survey: str | None = None
    language: str | None = None
    respondent: str | None = None
    lists_all: bool = False  # whether skipped questions are among the answers

    def find(self, name: str) -> Answer | None:
        return next((answer for answer in self.answers if name == answer.ref or name in answer.names), None)

    def value(self, name: str) -> Any:
        found = self.find(name)
        return found.value if found else self.variables.get(name)


def responses(submission: Submission, settings: Survey, source: str) -> list[dict[str, Any]]:
    """Bodies of `ResponseIn`, none where neither a score nor a comment was given; raises Unreadable."""
    _check_refs(submission, settings)
    texts = _texts(submission, settings)
    score = _scored(submission, settings)
    if not score and not any(text for _, _, text in texts):
        return []
    given = [found for found in texts if found[2]] or texts[:1] or [(SCORE_ONLY, None, "")]
    base = _base(submission, settings, source)
    return [
        base | score | {"id": f"{submission.id}:{ref}", "text": text} | ({"question": title} if title else {})
        for ref, title, text in given
    ]


def moment(value: Any, zone: str, name: str) -> datetime | None:
    """A time as a tool writes it; one without an offset is of the connector's zone."""
    if value is None or value == "":
        return None
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value / 1000 if value >= MILLISECONDS_FROM else value, UTC)
        found = datetime.fromisoformat(value.strip().upper())
    except (ValueError, OverflowError, OSError, AttributeError, TypeError):
        raise Unreadable(f"{name} is no ISO 8601 date and time") from None
    return found if found.utcoffset() is not None else found.replace(tzinfo=ZoneInfo(zone))


def put(body: dict[str, Any], key: str, value: Any) -> None:
    """`respondent.id` goes into the object `respondent`."""
    parent, dot, name = key.partition(".")
    if dot:
        body[parent] = {**body.get(parent, {}), name: value}
    else:
        body[key] = value


def fill(body: dict[str, Any], key: str, value: Any, name: str, zone: str) -> None:
    """Puts a value that a tool gave as text, number or list where it belongs; raises Unreadable."""
    if isinstance(value, list):
        value = ", ".join(label(part) for part in value if part is not None)
    if key == "answered_at":
        found: Any = moment(value, zone, name)
    elif isinstance(value, dict):
        raise Unreadable(f"{name}, which fills {key}, is an object; name a value in it")
    else:
        try:
            found = read_cell(key, value, name)
        except ValueError as error:
            raise Unreadable(str(error)) from None
    if found is not None:
        put(body, key, found)


def part(data: Any, name: str, kind: type, where: str = "") -> Any:
    """What stands under a name; raises Unreadable where it is missing or of another kind."""
    found = data.get(name) if isinstance(data, dict) else None
    if not isinstance(found, kind) or (kind is str and not found):
        expected = {dict: "an object", list: "a list", str: "text"}[kind]
        raise Unreadable(f"{where}{name} should be {expected}")
    return found


def objects(data: Any) -> Iterator[dict[str, Any]]:
    """The objects of a list; what is none, or of another kind, is passed over."""
    yield from (item for item in data if isinstance(item, dict)) if isinstance(data, list) else ()


def word(value: Any) -> str | None:
    """A name or id, which some tools write as a number."""
    if isinstance(value, bool) or not isinstance(value, str | int | float) or value == "":
        return None
    return label(value)


def scalars(data: Any, prefix: str = "") -> dict[str, Any]:
    """The plain values of an object."""
    pairs = data.items() if isinstance(data, dict) else ()
    return {f"{prefix}{name}": value for name, value in pairs if isinstance(value, str | int | float | bool)}


def _check_refs(submission: Submission, settings: Survey) -> None:
    wanted = [*(settings.text or []), *([settings.score.ref] if settings.score else [])]
    if not submission.lists_all or not wanted or any(_known(submission, ref) for ref in wanted):
        return
    have = listed([answer.ref for answer in submission.answers])
    raise Unreadable(f"settings name the questions {listed(wanted)}; this survey has {have}")


def _known(submission: Submission, ref: str) -> bool:
    return submission.find(ref) is not None or ref in submission.variables


def _texts(submission: Submission, settings: Survey) -> list[tuple[str, str | None, str]]:
    """Reference, question and comment of each open question."""
    if settings.text is None:
        found: Sequence[tuple[str, Answer | None]] = [(a.ref, a) for a in submission.answers if a.is_open]
    else:
        found = [(ref, submission.find(ref)) for ref in settings.text]
    return [
        (ref, answer.title if answer else None, _text(answer.value if answer else submission.variables.get(ref)))
        for ref, answer in found
    ]


def _text(value: Any) -> str:
    if isinstance(value, list):
        value = "\n".join(label(part) for part in value if isinstance(part, str | int | float))
    return "" if value is None or isinstance(value, bool | dict) else label(value).strip()


def _scored(submission: Submission, settings: Survey) -> dict[str, Any]:
    """Score, metric and scale; nothing where no score was given."""
    if settings.score is None:
        return _found_score(submission)
    answer = submission.find(settings.score.ref)
    if answer is None and settings.score.ref in submission.variables:
        answer = Answer(settings.score.ref, submission.variables[settings.score.ref])
    score = _number(answer, settings.score) if answer else None
    if score is None:
        return {}
    given = settings.score.scale
    scale = {"scale": {"min": given.min, "max": given.max}} if given else {}
    return {"score": score, "metric": settings.score.metric, **scale}


def _found_score(submission: Submission) -> dict[str, Any]:
    for answer in submission.answers:
        number = isinstance(answer.value, int | float) and not isinstance(answer.value, bool)
        if answer.metric and number:
            scale = {"scale": {"min": answer.scale[0], "max": answer.scale[1]}} if answer.scale else {}
            return {"score": answer.value, "metric": answer.metric, **scale}
    return {}


def _number(answer: Answer, score: Score) -> float | None:
    told = [name for name in (*answer.choices, word(answer.value)) if name is not None]
    if not told:
        return None
    for name in told:
        if score.choices and name in score.choices:
            return score.choices[name]
    for name in (word(answer.value), *answer.choices):
        found = _NUMBER_FIRST.fullmatch(name or "")
        if found and _on_scale(number := float(found[1].replace(",", ".")), score):
            return number
    raise Unreadable(f"the answer to {answer.ref} is no score of {score.metric}; give settings.score.choices")


def _on_scale(number: float, score: Score) -> bool:
    scale = score.scale or METRIC_SCALES.get(score.metric)
    return scale is None or scale.min <= number <= scale.max


def _base(submission: Submission, settings: Survey, source: str) -> dict[str, Any]:
    body: dict[str, Any] = {"source": source, "attributes": {"submission": submission.id}}
    known = {"survey": submission.survey, "language": submission.language, "respondent.id": submission.respondent}
    for key, value in known.items():
        if value is not None:
            put(body, key, value)
    fill(body, "answered_at", submission.answered_at, "the time of the submission", settings.zone)
    names = submission.hidden - set(settings.fields.values()) if settings.attributes is None else settings.attributes
    for name in sorted(names):
        value = submission.value(name)
        if isinstance(value, str | int | float | bool | list):
            fill(body, f"attributes.{name}", value, name, settings.zone)
    for key, name in settings.fields.items():
        fill(body, key, submission.value(name), name, settings.zone)
    for key, value in settings.constants.items():
        fill(body, key, value, f"constants.{key}", settings.zone)
    return body
