"""LimeSurvey: what its webhook plugin sends after a survey is completed."""

from typing import Any

from serving.inbound.submission import Answer, Submission, Unreadable, part, scalars, word

EVENT = "afterSurveyComplete"
OWN = frozenset({"id", "submitdate", "lastpage", "startlanguage", "seed", "token", "startdate", "datestamp", "ipaddr"})
"""Columns of the response table that answer no question."""


def read(payload: Any) -> list[Submission]:
    """The completed response; none for another event. Raises Unreadable."""
    if isinstance(payload, dict) and payload.get("event") not in (None, EVENT):
        return []
    columns = part(payload, "response", dict)
    survey = word(payload.get("survey"))
    number = word(payload.get("respondId")) or word(columns.get("id"))
    if survey is None or number is None:
        raise Unreadable("the body should have survey and respondId")
    answers = tuple(Answer(name, value) for name, value in columns.items() if name not in OWN)
    return [
        Submission(
            id=f"{survey}-{number}",  # numbers of responses start anew in each survey
            answers=answers,
            variables={**scalars(columns), **scalars(payload.get("participant"), "participant.")},
            answered_at=word(payload.get("submitDate")) or word(columns.get("submitdate")),
            survey=survey,
            language=word(columns.get("startlanguage")),
            respondent=word(payload.get("token")) or word(columns.get("token")),
            lists_all=bool(answers),
        )
    ]
