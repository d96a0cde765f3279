"""Typeform: the body of a `form_response` webhook."""

import re
from collections.abc import Mapping
from typing import Any

from serving.inbound.submission import Answer, Submission, objects, part, scalars, word

EVENT = "form_response"
OPEN_TYPES = frozenset({"short_text", "long_text"})
RECOMMENDS = re.compile(r"recommend|polec|рекоменд|порад|посовет", re.IGNORECASE)
"""How the question of the Net Promoter Score is put: recommend, polecisz, порекомендуєте, порадите, посоветуете."""
NPS_STEPS = 11


def read(payload: Any) -> list[Submission]:
    """The submission of the form; none for another event. Raises Unreadable."""
    if isinstance(payload, dict) and payload.get("event_type") not in (None, EVENT):
        return []
    response = part(payload, "form_response", dict)
    token = part(response, "token", str, "form_response.")
    definition = response.get("definition")
    fields = list(objects(definition.get("fields") if isinstance(definition, dict) else None))
    given = {_ref(answer.get("field")): answer for answer in objects(response.get("answers"))}
    answers = [_answer(one, given.pop(_ref(one), None)) for one in fields if _ref(one)]
    # without a definition the answers still tell their fields
    answers += [_answer(answer["field"], answer) for ref, answer in given.items() if ref]
    hidden = scalars(response.get("hidden"))
    return [
        Submission(
            id=token,
            answers=tuple(answers),
            variables={**scalars(response), **_variables(response), **hidden},
            hidden=frozenset(hidden),
            answered_at=response.get("submitted_at"),
            survey=word(response.get("form_id")),
            lists_all=bool(fields),
        )
    ]


def _ref(one: Any) -> str:
    return (word(one.get("ref")) or word(one.get("id")) or "") if isinstance(one, dict) else ""


def _answer(about: Mapping[str, Any], given: Mapping[str, Any] | None) -> Answer:
    kind, title = word(about.get("type")), about.get("title")
    value, choices = _value(given) if given else (None, ())
    metric, scale = _metric(about)
    return Answer(
        ref=_ref(about),
        value=value,
        names=tuple(name for name in (word(about.get("id")),) if name),
        choices=choices,
        title=title if isinstance(title, str) else None,
        is_open=kind in OPEN_TYPES,
        metric=metric,
        scale=scale,
    )


def _value(answer: Mapping[str, Any]) -> tuple[Any, tuple[str, ...]]:
    value = answer.get(str(answer.get("type")))
    if not isinstance(value, dict):
        return value, ()
    labels = value.get("labels")
    names = [word(value.get(name)) for name in ("id", "ref", "label", "other")]
    return labels if isinstance(labels, list) else value.get("label", value.get("other")), tuple(filter(None, names))


def _metric(about: Mapping[str, Any]) -> tuple[str | None, tuple[float, float] | None]:
    """What a question measures, where its type, title and steps leave no doubt."""
    kind, properties = about.get("type"), about.get("properties")
    steps = properties.get("steps") if isinstance(properties, dict) else None
    if kind == "nps":
        return "nps", None
    if kind == "opinion_scale" and RECOMMENDS.search(str(about.get("title"))) and steps in (None, NPS_STEPS):
        return "nps", None
    if kind not in ("rating", "opinion_scale") or not isinstance(steps, int) or steps < 2:
        return None, None
    first = 1 if kind == "rating" or properties.get("start_at_one") else 0
    return "rating", (first, first + steps - 1)


def _variables(response: Mapping[str, Any]) -> dict[str, Any]:
    found = objects(response.get("variables"))
    return {str(one.get("key")): one.get(str(one.get("type"))) for one in found if one.get("key")}
