"""From a vendor's payload to responses: what each kind of connector gives, what it refuses and why."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from serving.inbound import formbricks, generic, limesurvey, qualtrics, surveymonkey, typeform
from serving.inbound.settings import Formbricks, Generic, Settings
from serving.inbound.submission import Submission, Unreadable, responses
from serving.problems import Code, ProblemError
from serving.schemas import MAX_ITEMS, ResponseIn, invalids
from serving.store.columns import NAME

MAX_REFUSED = 100
"""Refusals that an answer lists; the first ones tell what to repair."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Something in a payload that gives no response, and why; never what was answered."""

    id: str | None
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Reading:
    """What a payload gives; `ignored` submissions hold neither score nor comment, or tell of nothing answered."""

    items: tuple[ResponseIn, ...] = ()
    refused: tuple[Refused, ...] = ()
    ignored: int = 0


SUBMISSIONS: Mapping[str, Callable[[Any], list[Submission]]] = {
    "typeform": typeform.read,
    "surveymonkey": surveymonkey.read,
    "qualtrics": qualtrics.read,
    "limesurvey": limesurvey.read,
}


def read(kind: str, payload: Any, settings: Settings) -> Reading:
    """What the payload gives, without reading or writing anything else; never raises for a payload."""
    source = settings.source or kind
    try:
        if isinstance(settings, Generic):
            return _put_together(_mapped(payload, settings, source))
        found = formbricks.read(payload, settings.partial) if isinstance(settings, Formbricks) else None
        submissions = SUBMISSIONS[kind](payload) if found is None else found
    except Unreadable as error:
        return Reading(refused=(Refused(None, "unreadable", str(error)),))
    if not submissions:
        return Reading(ignored=1)
    return _put_together(_answered(submissions, settings, source))


def whole(problem: ProblemError) -> Reading:
    """A body that cannot be read at all."""
    return Reading(refused=(Refused(None, Code.BAD_JSON.value, problem.problem.detail),))


_Bodies = Iterable[list[dict[str, Any]] | Refused]


def _mapped(payload: Any, settings: Generic, source: str) -> _Bodies:
    for index, item in enumerate(generic.items_of(payload, settings)):
        try:
            body = generic.response(item, settings, source)
            yield [body] if body["text"].strip() or "score" in body else []
        except Unreadable as error:
            yield Refused(None, "unreadable", f"answer {index}: {error}")


def _answered(submissions: Iterable[Submission], settings: Any, source: str) -> _Bodies:
    for submission in submissions:
        try:
            yield responses(submission, settings, source)
        except Unreadable as error:
            yield Refused(submission.id[:NAME], "unreadable", str(error))


def _put_together(bodies: _Bodies) -> Reading:
    items: list[ResponseIn] = []
    refused: list[Refused] = []
    ignored = 0
    for found in bodies:
        if isinstance(found, Refused):
            refused.append(found)
            continue
        ignored += not found
        for body in found:
            checked = _checked(body)
            (refused if isinstance(checked, Refused) else items).append(checked)  # type: ignore[arg-type]
    if len(items) > MAX_ITEMS:
        detail = f"the body gives {len(items)} responses; {MAX_ITEMS} at most in one request"
        return Reading(refused=(Refused(None, Code.TOO_MANY_ITEMS.value, detail),))
    nothing = not (items or refused or ignored)
    return Reading(tuple(items), tuple(refused[:MAX_REFUSED]), ignored or int(nothing))


def _checked(body: Mapping[str, Any]) -> ResponseIn | Refused:
    """The response at the border: what no sender may give, no connector gives either."""
    named = str(body.get("id"))[:NAME]
    try:
        return ResponseIn.model_validate(body)
    except ValidationError as error:
        wrong = "; ".join(f"{found.path}: {found.reason}" for found in invalids(error))
        return Refused(named, Code.VALIDATION_FAILED.value, wrong)
