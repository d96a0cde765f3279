"""What the documented payloads of survey tools give."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inbound_samples import (
    BODIES,
    KINDS,
    MORE,
    SETTINGS,
    WORDS,
    formbricks,
    limesurvey,
    monkey_details,
    monkey_event,
    qualtrics_answer,
    qualtrics_message,
    typeform,
)

from serving.inbound.reading import Reading, read
from serving.inbound.settings import parse

Json = dict[str, Any]


def take(kind: str, payload: Any, **settings: Any) -> Reading:
    return read(kind, payload, parse(kind, {**SETTINGS[kind], **settings}))


def given_by(kind: str, payload: Any, **settings: Any) -> list[Json]:
    found = take(kind, payload, **settings)
    assert not found.refused
    return [item.model_dump(mode="json", exclude_none=True) for item in found.items]


def refusal(kind: str, payload: Any, **settings: Any) -> str:
    found = take(kind, payload, **settings)
    assert not found.items
    return found.refused[0].detail


def test_typeform_without_settings() -> None:
    assert given_by("typeform", typeform()) == [
        {
            "id": "a3a12ec67a1365927098a606107fac15:why_ref",
            "text": WORDS,
            "question": "Why this score?",
            "metric": "nps",
            "score": 2.0,
            "answered_at": "2026-11-01T18:17:02Z",
            "source": "typeform",
            "survey": "lT4Z3j",
            "attributes": {
                "submission": "a3a12ec67a1365927098a606107fac15",
                "user_id": "u-17",
                "store": "Lviv 3",
                "consent": "tak",
            },
        }
    ]


def test_typeform_with_settings() -> None:
    settings: Json = {
        "source": "after-delivery",
        "score": {"ref": "plan_ref", "metric": "csat", "choices": {"Gold": 5, "Silver": 3}},
        "text": ["fWhy"],
        "fields": {"respondent.id": "user_id", "respondent.contact_consent": "consent", "unit": "store"},
        "constants": {"touchpoint": "delivery", "attributes.brand": 7},
        "attributes": ["plan_ref"],
    }
    (found,) = given_by("typeform", typeform(), **settings)
    assert (found["source"], found["metric"], found["score"]) == ("after-delivery", "csat", 5.0)
    assert found["id"].endswith(":fWhy")
    assert found["respondent"] == {"id": "u-17", "contact_consent": True}
    assert (found["unit"], found["touchpoint"]) == ("Lviv 3", "delivery")
    assert found["attributes"] == {"submission": found["attributes"]["submission"], "plan_ref": "Gold", "brand": 7}


def test_several_open_questions_give_several_responses_with_one_score() -> None:
    found = given_by("typeform", typeform(more=MORE))
    assert [(one["id"].partition(":")[2], one["text"], one["score"]) for one in found] == [
        ("why_ref", WORDS, 2.0),
        ("more_ref", MORE, 2.0),
    ]
    assert len({one["attributes"]["submission"] for one in found}) == 1


def test_an_email_is_never_taken_for_a_comment_or_an_attribute() -> None:
    assert "ola@example.org" not in json.dumps(given_by("typeform", typeform()))
    assert "ola@example.org" not in json.dumps(given_by("surveymonkey", monkey_details()))
    assert "ola@example.org" not in json.dumps(given_by("formbricks", formbricks()))
    assert "ola@example.org" not in json.dumps(given_by("limesurvey", limesurvey()))


@pytest.mark.parametrize(
    ("about", "expected"),
    [
        ({"type": "nps"}, ("nps", None)),
        ({"type": "opinion_scale", "title": "Czy polecisz nas znajomym?"}, ("nps", None)),
        ({"type": "opinion_scale", "title": "Чи порекомендуєте ви нас?"}, ("nps", None)),
        ({"type": "opinion_scale", "title": "Would you recommend us?", "properties": {"steps": 11}}, ("nps", None)),
        (
            {"type": "opinion_scale", "title": "Would you recommend us?", "properties": {"steps": 5}},
            ("rating", {"min": 0, "max": 4}),
        ),
        ({"type": "rating", "properties": {"steps": 5}}, ("rating", {"min": 1, "max": 5})),
        ({"type": "opinion_scale", "properties": {"steps": 7, "start_at_one": True}}, ("rating", {"min": 1, "max": 7})),
        ({"type": "rating"}, None),
        ({"type": "opinion_scale", "title": "How tall are you?"}, None),
        ({"type": "number", "title": "Would you recommend us?"}, None),
    ],
)
def test_typeform_scores_by_type(about: Json, expected: tuple[str, Json | None] | None) -> None:
    payload = typeform()
    field = payload["form_response"]["definition"]["fields"][0]
    field.update({"title": "", **about})
    (found,) = given_by("typeform", payload)
    assert (found.get("metric"), found.get("scale")) == (expected or (None, None))
    assert ("score" in found) is (expected is not None)


# kind, payload without score, payload without text
MISSING: list[tuple[str, Any, Any, Json]] = [
    ("typeform", typeform(score=None), typeform(text=None), {}),
    ("surveymonkey", monkey_details(choice=None), monkey_details(text=None), {"text": ["70"]}),
    ("qualtrics", {"responseId": "R_1", "QID2_TEXT": WORDS}, {"responseId": "R_1", "QID1": 2}, {}),
    ("formbricks", formbricks(answers={"q2": WORDS}), formbricks(answers={"q1": 2}), {}),
    ("limesurvey", limesurvey() | {"response": {"WHY": WORDS, "NPS": ""}}, limesurvey(text=""), {}),
]


@pytest.mark.parametrize(("kind", "no_score", "no_text", "settings"), MISSING)
def test_a_missing_score_or_comment(kind: str, no_score: Any, no_text: Any, settings: Json) -> None:
    (with_text,) = given_by(kind, no_score, **settings)
    assert with_text["text"] == WORDS
    assert not {"score", "metric", "scale"} & set(with_text)
    (with_score,) = given_by(kind, no_text, **settings)
    assert (with_score["text"], with_score["score"], with_score["metric"]) == ("", 2.0, "nps")
    assert with_score["id"].partition(":")[2] == with_text["id"].partition(":")[2], "a comment added later is an update"


def test_neither_score_nor_comment_is_ignored() -> None:
    assert take("typeform", typeform(score=None, text=None)) == Reading(ignored=1)
    assert take("formbricks", formbricks(answers={"store": "Lviv 3"})) == Reading(ignored=1)


def test_surveymonkey_details() -> None:
    assert given_by("surveymonkey", monkey_details()) == [
        {
            "id": "987654321:70",
            "text": WORDS,
            "question": "Why?",
            "metric": "nps",
            "score": 2.0,
            "answered_at": "2026-11-01T21:56:30Z",
            "source": "surveymonkey",
            "survey": "123456789",
            "attributes": {"submission": "987654321", "store": "Lviv 3"},
        }
    ]
    (found,) = given_by("surveymonkey", monkey_details(), fields={"respondent.email": "contact.email", "unit": "store"})
    assert (found["respondent"], found["unit"]) == ({"email": "ola@example.org"}, "Lviv 3")


@pytest.mark.parametrize(
    ("choice", "score", "expected"),
    [
        ({"choice_id": "1", "simple_text": "10"}, {"metric": "nps"}, 10),
        ({"choice_id": "77000001", "simple_text": "10 - very likely"}, {"metric": "nps"}, 10),
        ({"choice_id": "77000001", "simple_text": "Row | 7"}, {"metric": "nps"}, 7),
        ({"choice_id": "77000001", "choice_metadata": {"weight": "4"}}, {"metric": "csat"}, 4),
        ({"choice_id": "77000001", "simple_text": "Bad"}, {"metric": "csat", "choices": {"77000001": 1}}, 1),
        ({"choice_id": "77000001", "choice_metadata": {"weight": "-100"}}, {"metric": "nps"}, None),
        ({"choice_id": "77000001", "choice_metadata": {"weight": "0"}}, {"metric": "nps"}, None),
        ({"choice_id": "77000001", "simple_text": "Bad"}, {"metric": "csat"}, None),
    ],
)
def test_scores_of_choices(choice: Json, score: Json, expected: float | None) -> None:
    payload = monkey_details()
    payload["pages"][1]["questions"][0]["answers"] = [choice]
    settings = {"score": {"ref": "v60", **score}}
    if expected is not None:
        assert given_by("surveymonkey", payload, **settings)[0]["score"] == expected
    else:
        assert "give settings.score.choices" in refusal("surveymonkey", payload, **settings)


def test_qualtrics_api_answers_and_web_service_tasks() -> None:
    (asked,) = given_by("qualtrics", {**qualtrics_answer(), "SurveyID": "SV_1"}, attributes=["store"])
    assert asked["id"] == "R_suq806jn8LGzhx7:QID2_TEXT"
    assert (asked["text"], asked["score"], asked["language"]) == (WORDS, 2.0, "PL")
    assert asked["respondent"] == {"id": "u-17"}
    assert asked["attributes"] == {"submission": "R_suq806jn8LGzhx7", "store": "Lviv 3"}
    assert asked["answered_at"] == "2026-11-01T12:31:40.123000Z"
    task = {"ResponseID": "R_1", "SurveyID": "SV_1", "EndDate": "2026-11-01 12:31:40", "QID1": "2", "QID2_TEXT": WORDS}
    (sent,) = given_by("qualtrics", task, zone="Europe/Warsaw")
    assert (sent["id"], sent["score"], sent["survey"]) == ("R_1:QID2_TEXT", 2.0, "SV_1")
    assert sent["answered_at"] == "2026-11-01T12:31:40+01:00"


def test_formbricks_updates_keep_the_id_and_partial_responses_wait() -> None:
    partial = formbricks("responseUpdated", finished=False, answers={"q1": 2})
    assert take("formbricks", partial) == Reading(ignored=1)
    (early,) = given_by("formbricks", partial, partial=True)
    (late,) = given_by("formbricks", formbricks())
    assert early["id"] == late["id"] == "cm0response:q2"
    assert (early["text"], late["text"]) == ("", WORDS)
    assert late["respondent"] == {"id": "u-17"}
    assert "language" not in late
    both = take("formbricks", [*partial, *formbricks()])
    assert len(both.items) == 1
    assert given_by("formbricks", formbricks()[0]) == [late], "one event need not be in a list"


def test_limesurvey() -> None:
    (found,) = given_by("limesurvey", limesurvey(), zone="Europe/Kyiv", fields={"unit": "STORE"})
    assert found["id"] == "123456-42:WHY"
    assert (found["text"], found["score"], found["unit"]) == (WORDS, 2.0, "Lviv 3")
    assert found["answered_at"] == "2026-11-01T15:30:00+02:00"
    assert found["respondent"] == {"id": "tok123"}
    assert found["language"] == "pl"


OTHER_EVENTS: list[tuple[str, Any]] = [
    ("typeform", {"event_type": "form_response_partial", "form_response": {}}),
    ("surveymonkey", monkey_event("survey_updated")),
    ("qualtrics", {"Topic": "controlpanel.activateSurvey", "MSG": qualtrics_message()}),
    ("formbricks", {"event": "somethingElse", "data": {}}),
    ("limesurvey", {"event": "beforeSurveyPage"}),
]


@pytest.mark.parametrize(("kind", "payload"), OTHER_EVENTS)
def test_other_events_are_ignored(kind: str, payload: Any) -> None:
    assert take(kind, payload) == Reading(ignored=1)


def without(kind: str, *path: str | int) -> Any:
    payload = copy.deepcopy(BODIES[kind])
    at = payload
    for step in path[:-1]:
        at = at[step]
    del at[path[-1]]
    return payload


BROKEN: list[tuple[str, Any, str]] = [
    *((kind, payload, "should") for kind in KINDS[:5] for payload in ({}, [], None, "words", 7, [1])),
    ("typeform", without("typeform", "form_response", "token"), "form_response.token should be text"),
    ("surveymonkey", without("surveymonkey", "response", "id"), "id should be text"),
    ("qualtrics", without("qualtrics", "responseId"), "should have responseId"),
    ("formbricks", without("formbricks", 0, "data", "id"), "[0].data.id should be text"),
    ("formbricks", without("formbricks", 0, "data", "data"), "[0].data.data should be an object"),
    ("limesurvey", without("limesurvey", "response"), "response should be an object"),
    ("limesurvey", without("limesurvey", "survey"), "should have survey and respondId"),
]


@pytest.mark.parametrize(("kind", "payload", "says"), BROKEN)
def test_broken_payloads_are_refused_with_the_place(kind: str, payload: Any, says: str) -> None:
    found = take(kind, payload)
    if kind == "formbricks" and payload == []:
        assert found == Reading(ignored=1)
    else:
        assert says in found.refused[0].detail


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda r: r.update(submitted_at="yesterday"), "no ISO 8601 date"),
        (lambda r: r["hidden"].update(consent="perhaps"), "should be true or false"),
        (lambda r: r["definition"]["fields"].clear() or r["answers"].clear(), None),
    ],
)
def test_what_cannot_be_mapped_is_said_without_the_words(change: Callable[[Json], Any], says: str | None) -> None:
    payload = typeform()
    change(payload["form_response"])
    settings: Json = {"fields": {"respondent.contact_consent": "consent"}}
    found = take("typeform", payload, **settings)
    if says is None:
        assert found.ignored == 1
    else:
        assert says in found.refused[0].detail
        assert WORDS not in found.refused[0].detail


def test_settings_that_name_no_question_of_the_form_are_told() -> None:
    said = refusal("typeform", typeform(), text=["why"], score={"ref": "nps", "metric": "nps"})
    assert said.startswith("settings name the questions 'why', 'nps'; this survey has 'nps_ref', 'why_ref'")
    assert given_by("typeform", typeform(), text=["why", "why_ref"]), "one that is there will do"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@st.composite
def bent(draw: st.DrawFn, kind: str) -> Any:
    """A documented payload with one place of it replaced by something else."""
    payload = copy.deepcopy(BODIES[kind])
    at, steps = payload, 0
    while isinstance(at, dict | list) and at and steps < 8:
        key = draw(st.sampled_from(list(at) if isinstance(at, dict) else range(len(at))))
        if not isinstance(at[key], dict | list) or not at[key] or draw(st.integers(0, 3)) == 0:
            at[key] = draw(JSON)
            break
        at, steps = at[key], steps + 1
    return payload


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_no_payload_is_a_crash(kind: str, data: st.DataObject) -> None:
    found = take(kind, data.draw(bent(kind)))
    assert found.items or found.refused or found.ignored
    found = take(kind, data.draw(JSON))
    assert not found.items or kind == "generic"
