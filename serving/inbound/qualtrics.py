"""Qualtrics: event subscriptions (a signed form with ids), the response API, and web service tasks of workflows."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from serving.inbound.submission import Answer, Submission, Unreadable, part, scalars, word

TOPIC = "surveyengine.completedResponse"
IDS = ("responseId", "ResponseID", "ResponseId", "_recordId")
SURVEYS = ("surveyId", "SurveyID", "SurveyId")
TIMES = ("recordedDate", "RecordedDate", "endDate", "EndDate", "CompletedDate")
LANGUAGES = ("userLanguage", "UserLanguage", "Q_Language")
PEOPLE = ("externalDataReference", "ExternalReference", "ExternalDataReference")

_SURVEY_ID = re.compile(r"SV_[A-Za-z0-9]{1,40}", re.ASCII)
_RESPONSE_ID = re.compile(r"R_[A-Za-z0-9]{1,40}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A response whose answers must be asked for."""

    survey: str
    response: str


def from_form(form: Mapping[str, str]) -> dict[str, Any]:
    """The event in a form; raises Unreadable where its message is encrypted or broken."""
    try:
        message = json.loads(form.get("MSG", ""))
    except (ValueError, RecursionError):
        raise Unreadable("MSG is not JSON; subscribe with encrypt set to false") from None
    return {"Topic": form.get("Topic", ""), "MSG": message}


def wanted(payload: Any) -> Wanted | None:
    """Which response an event tells of; None for other events and for payloads that bring the answers."""
    if not isinstance(payload, dict) or TOPIC not in str(payload.get("Topic", "")):
        return None
    message = part(payload, "MSG", dict)
    survey, response = message.get("SurveyID"), message.get("ResponseID")
    # both become part of an address
    if not (isinstance(survey, str) and isinstance(response, str)):
        raise Unreadable("MSG should have SurveyID and ResponseID")
    if not (_SURVEY_ID.fullmatch(survey) and _RESPONSE_ID.fullmatch(response)):
        raise Unreadable("MSG.SurveyID should read SV_... and MSG.ResponseID R_...")
    return Wanted(survey, response)


def read(payload: Any) -> list[Submission]:
    """The submission in an API answer or in the body of a web service task. Raises Unreadable."""
    if isinstance(payload, dict) and "Topic" in payload:
        return []
    result = payload.get("result") if isinstance(payload, dict) else None
    body = result if isinstance(result, dict) else payload
    values = body.get("values") if isinstance(body, dict) else None
    values = values if isinstance(values, dict) else body
    if not isinstance(values, dict):
        raise Unreadable("the body should be an object with responseId and the answers")
    everything = {**scalars(payload), **scalars(body), **scalars(values)}
    found = _first(everything, IDS)
    if found is None:
        raise Unreadable("the body should have responseId; pipe the response id into it")
    labels = body.get("labels")
    labels = labels if isinstance(labels, dict) else {}
    return [
        Submission(
            id=found,
            answers=tuple(_answer(name, value, labels.get(name)) for name, value in values.items()),
            variables=everything,
            answered_at=_first(everything, TIMES),
            survey=_first(everything, SURVEYS),
            language=_first(everything, LANGUAGES),
            respondent=_first(everything, PEOPLE),
        )
    ]


def _first(values: Mapping[str, Any], names: tuple[str, ...]) -> str | None:
    return next((found for name in names if (found := word(values.get(name)))), None)


def _answer(name: str, value: Any, label: Any) -> Answer:
    told = word(label)
    return Answer(ref=name, value=value, choices=(told,) if told else ())
