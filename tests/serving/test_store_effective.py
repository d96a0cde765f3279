"""Corrections laid over an analysis: people's words stand, the rest stays the model's, the policy ranks the whole."""

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from loop import ROOT

from nlp.errors import InputError
from nlp.policy import Policy, parse_policy
from nlp.taxonomy import Taxonomy, Theme
from nlp.types import MOODS, SIGNALS, Respondent, Response
from serving.store.effective import CERTAIN, by_people, check_fields, overlaid, ranked

FRAME = Taxonomy("t-1", tuple(Theme(id, id.title(), "") for id in ("delivery", "price", "staff")))
NAMES = st.sampled_from(FRAME.ids)


def result(**over: Any) -> dict[str, Any]:
    tag = {
        "id": "delivery",
        "label": "Delivery",
        "confidence": 0.9,
        "threshold": 0.4,
        "spans": [{"start": 0, "end": 4}],
    }
    found = {
        "id": "r-1",
        "status": "ok",
        "language": {"code": "en", "confidence": 0.99, "supported": True},
        "text": "Late",
        "themes": [{**tag, "sentiment": {"label": "negative", "confidence": 0.8}}],
        "sentiment": {"label": "negative", "confidence": 0.9, "score": -0.8},
        "justification": {"justified": True, "confidence": 0.9, "kind": "reason", "spans": [{"start": 0, "end": 4}]},
        "signals": ["churn_intent"],
        "group": None,
        "priority": None,
        "priority_reason": "",
        "needs_review": True,
        "redactions": [],
        "versions": {"model": "m", "taxonomy": "t-1", "policy": "p"},
    }
    return {**found, **over}


@st.composite
def corrections(draw: st.DrawFn) -> dict[str, Any]:
    themes = draw(st.none() | st.lists(NAMES, unique=True))
    moods = draw(st.dictionaries(st.sampled_from(themes) if themes else NAMES, st.sampled_from(MOODS)))
    if themes == []:
        moods = {}
    fields = {
        "themes": themes,
        "theme_sentiments": moods or None,
        "sentiment": draw(st.none() | st.sampled_from(MOODS)),
        "justified": draw(st.none() | st.booleans()),
        "signals": draw(st.none() | st.lists(st.sampled_from(SIGNALS), unique=True)),
    }
    return {name: value for name, value in fields.items() if value is not None}


@given(st.lists(corrections(), max_size=4))
def test_the_last_word_on_each_field_stands_and_what_nobody_touched_is_the_models(said: list[dict[str, Any]]) -> None:
    before = result()
    found = overlaid(before, said, FRAME)
    last = {name: value for fields in said for name, value in fields.items()}
    assert found["sentiment"]["label"] == last.get("sentiment", "negative")
    assert found["justification"]["justified"] == last.get("justified", True)
    assert set(found["signals"]) == set(last.get("signals", ["churn_intent"]))
    assert before == result(), "what the model said is not touched"
    moods = {tag["id"]: tag["sentiment"]["label"] for tag in found["themes"]}
    if said:
        assert found["needs_review"] is False
        for theme, mood in said[-1].get("theme_sentiments", {}).items():
            assert moods[theme] == mood
    if said and "themes" in said[-1]:
        assert set(moods) == set(said[-1]["themes"]) == by_people(found, said)


@given(corrections().filter(bool))
def test_the_same_word_twice_says_no_more(fields: dict[str, Any]) -> None:
    once = overlaid(result(), [fields], FRAME)
    assert overlaid(result(), [fields, fields], FRAME) == once


def test_a_theme_of_the_model_keeps_its_evidence_and_one_that_a_person_adds_is_certain() -> None:
    said = {"themes": ["delivery", "price"], "theme_sentiments": {"price": "positive"}}
    delivery, price = overlaid(result(), [said], FRAME)["themes"]
    assert delivery == result()["themes"][0]
    assert (price["label"], price["confidence"], price["spans"]) == ("Price", CERTAIN, [])
    assert price["sentiment"] == {"label": "positive", "confidence": CERTAIN}


def test_a_reason_that_is_taken_away_leaves_a_bare_verdict_without_evidence() -> None:
    found = overlaid(result(), [{"justified": False}], FRAME)["justification"]
    assert found == {"justified": False, "confidence": CERTAIN, "kind": "verdict_only", "spans": []}


@pytest.fixture(scope="module")
def policy() -> Policy:
    source = ROOT / "data" / "policies" / "priority.yaml"
    return parse_policy(yaml.safe_load(source.read_text("utf-8")), str(source))


@pytest.mark.parametrize(
    ("score", "consent", "said", "priority"),
    [
        (2, None, {}, 1),
        (2, None, {"justified": False}, 2),
        (5, None, {}, 3),
        (5, None, {"signals": []}, 3),
        (5, None, {"signals": [], "justified": False}, 4),
        (9, None, {"signals": []}, 4),
        (9, None, {"signals": [], "theme_sentiments": {"delivery": "positive"}}, None),
        (9, None, {"signals": ["safety_risk"]}, 1),
        (5, True, {"signals": []}, 2),
    ],
)
def test_the_policy_ranks_what_people_said(
    policy: Policy, score: float, consent: bool | None, said: dict[str, Any], priority: int | None
) -> None:
    response = Response("r-1", "Late", metric="nps", score=score, respondent=Respondent(contact_consent=consent))
    found = ranked(overlaid(result(), [said] if said else [], FRAME), response, policy)
    assert found["priority"] == priority
    assert f"NPS {score} is in the" in found["priority_reason"]


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({}, "says nothing"),
        ({"themes": None}, "says nothing"),
        ({"themes": ["wait", "delivery", "noise"]}, "unknown theme: noise, wait"),
        ({"theme_sentiments": {"noise": "negative"}}, "unknown theme: noise"),
        ({"themes": ["price"], "theme_sentiments": {"staff": "negative"}}, "does not list: staff"),
        ({"sentiment": "angry"}, "unknown sentiment: angry"),
        ({"signals": ["shout"]}, "unknown signal: shout"),
        ({"mood": "negative"}, "unknown field: mood"),
    ],
)
def test_a_correction_that_cannot_stand_is_refused_by_name(fields: dict[str, Any], word: str) -> None:
    with pytest.raises(InputError, match=word):
        check_fields(fields, FRAME)
