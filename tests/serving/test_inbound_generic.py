"""The generic connector: JMESPath expressions over any JSON."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inbound_samples import SETTINGS, WORDS
from pydantic import ValidationError

from serving.inbound.expression import MAX_DEPTH
from serving.inbound.reading import Reading, read
from serving.inbound.settings import parse
from serving.schemas import MAX_ITEMS

Json = dict[str, Any]
AUTH: Json = {"kind": "token"}


def take(payload: Any, fields: Json, **settings: Any) -> Reading:
    return read("generic", payload, parse("generic", {"auth": AUTH, "fields": fields, **settings}))


def one(payload: Any, fields: Json, **settings: Any) -> Json:
    found = take(payload, {"id": "id", "text": "text", **fields}, **settings)
    assert not found.refused
    return found.items[0].model_dump(mode="json", exclude_none=True, exclude={"source", "id", "text"})


# expression or constant, what stands in the body, what it gives
MAPPED: list[tuple[str, Any, Json]] = [
    ("question", "Why?", {"question": "Why?"}),
    ("touchpoint", 17, {"touchpoint": "17"}),
    ("touchpoint", 17.0, {"touchpoint": "17"}),
    ("touchpoint", ["a", "b", None], {"touchpoint": "a, b"}),
    ("touchpoint", "", {}),
    ("touchpoint", None, {}),
    ("answered_at", "2026-11-01T10:00:00+01:00", {"answered_at": "2026-11-01T10:00:00+01:00"}),
    ("answered_at", "2026-11-01 10:00", {"answered_at": "2026-11-01T10:00:00+01:00"}),
    ("answered_at", 1793523600, {"answered_at": "2026-11-01T09:00:00Z"}),
    ("answered_at", 1793523600000, {"answered_at": "2026-11-01T09:00:00Z"}),
    ("respondent.id", 9007199254740993, {"respondent": {"id": "9007199254740993"}}),
    ("respondent.value", "1200,50", {"respondent": {"value": 1200.5}}),
    ("respondent.contact_consent", "так", {"respondent": {"contact_consent": True}}),
    ("respondent.contact_consent", "nie", {"respondent": {"contact_consent": False}}),
    ("respondent.phone", "+48 500", {"respondent": {"phone": "+48 500"}}),
    ("attributes.city", "Łódź", {"attributes": {"city": "Łódź"}}),
    ("attributes.vip", True, {"attributes": {"vip": True}}),
    ("language", "uk", {"language": "uk"}),
]


@pytest.mark.parametrize(("field", "value", "gives"), MAPPED)
def test_what_a_field_makes_of_a_value(field: str, value: Any, gives: Json) -> None:
    assert one({"id": "1", "text": "late", "v": value}, {field: "v"}, zone="Europe/Warsaw") == gives


# field, what stands in the body, what is said of it
WRONG: list[tuple[str, Any, str]] = [
    ("answered_at", "yesterday", "no ISO 8601"),
    ("answered_at", True, "no ISO 8601"),
    ("answered_at", 10**300, "no ISO 8601"),
    ("respondent.value", "a lot", "is not a number"),
    ("respondent.contact_consent", "maybe", "should be true or false"),
    ("question", {"en": "Why?"}, "is an object"),
    ("metric", "stars", "metric"),
    ("scale.min", "low", "is not a number"),
]


@pytest.mark.parametrize(("field", "value", "says"), WRONG)
def test_what_does_not_fit_is_said_without_the_value(field: str, value: Any, says: str) -> None:
    body = {"id": "1", "text": "late", "v": value, "s": 3}
    found = take(body, {"id": "id", "text": "text", "score": "s", field: "v"})
    assert says in found.refused[0].detail
    assert str(value) not in found.refused[0].detail


def test_a_list_of_answers_with_constants_and_a_scale() -> None:
    payload = {"data": [{"n": 1, "say": WORDS, "stars": "2"}, {"n": 2, "say": "ok"}, {"say": "nobody's"}]}
    settings: Json = {
        "items": "data",
        "fields": {"id": "n", "text": "say", "score": "stars"},
        "constants": {"metric": "rating", "scale.min": 1, "scale.max": 5, "touchpoint": "web"},
        "source": "shop",
    }
    found = take(payload, **settings)
    first, second = (item.model_dump(exclude_none=True) for item in found.items)
    assert (first["id"], first["text"], first["score"], first["metric"]) == ("1", WORDS, 2.0, "rating")
    assert (first["scale"], first["source"], first["touchpoint"]) == ({"min": 1.0, "max": 5.0}, "shop", "web")
    assert not {"score", "metric", "scale"} & set(second)
    assert take({"id": "1", "text": " "}, {"id": "id", "text": "text"}) == Reading(ignored=1)
    assert [refused.detail.partition(":")[0] for refused in found.refused] == ["answer 2"]


def test_no_more_answers_than_one_request_may_bring() -> None:
    payload = [{"id": str(n), "text": "late"} for n in range(MAX_ITEMS + 1)]
    fields = {"id": "id", "text": "text"}
    assert len(take(payload[:-1], fields).items) == MAX_ITEMS
    assert "1000 at most" in take(payload, fields).refused[0].detail


def test_an_expression_that_does_not_fit_the_body() -> None:
    found = take({"id": "1", "text": 7}, {"id": "id", "text": "join(',', text)"})
    assert (
        found.refused[0].detail
        == "answer 0: settings.fields.text: the expression fails on this body (JMESPathTypeError)"
    )
    assert "settings.items" in take({"a": 1}, {"id": "id", "text": "text"}, items="sort(a)").refused[0].detail


# settings, what is said
REFUSED: list[tuple[Json, str]] = [
    ({"fields": {"id": "a[", "text": "b"}}, "at character 3: it ends too early"),
    ({"fields": {"id": "a", "text": "b ? c"}}, "at character 3: a character that does not belong"),
    ({"fields": {"id": "a", "text": "b..c"}}, "at character 3"),
    ({"fields": {"id": "a", "text": "upper(b)"}}, "there is no function upper; there are abs, avg"),
    ({"fields": {"id": "a", "text": ""}}, "at least 1 character"),
    ({"fields": {"id": "a", "text": "a" * 501}}, "at most 500 characters"),
    ({"fields": {"id": "a", "text": "b || `{`"}}, "write text as 'text'"),
    ({"fields": {"id": "a", "text": "!" * (MAX_DEPTH + 1) + "a"}}, "nested too deeply"),
    ({"fields": {"id": "a", "text": "b"}, "items": "]"}, "at character 1"),
    ({"fields": {"text": "b"}}, "fields should have text, and id"),
    ({"fields": {"id": "b"}}, "fields should have text, and id"),
    ({"fields": {"id": "a", "text": "b", "stars": "c"}}, "fields.stars is no field of a response"),
    ({"fields": {"id": "a", "text": "b", "attributes.": "c"}}, "is no field of a response"),
    ({"fields": {"id": "a", "text": "b"}, "constants": {"shop": "x"}}, "constants.shop is no field"),
    ({"fields": {"id": "a", "text": "b"}, "constants": {"text": "x"}}, "text is both a field and a constant"),
    ({"fields": {"id": "a", "text": "b"}, "constants": {"metric": "stars"}}, "constants.metric"),
    ({"fields": {"id": "a", "text": "b"}, "zone": "Mars/Base"}, "should be a time zone"),
    ({"fields": {"id": "a", "text": "b"}, "zone": "../etc/passwd"}, "should be a time zone"),
    ({"fields": {"id": "a", "text": "b"}, "auth": {"kind": "none"}}, "'hmac', 'token'"),
    ({"fields": {"id": "a", "text": "b"}, "auth": {"kind": "hmac", "header": "X Sig"}}, "pattern"),
    (
        {"fields": {"id": "a", "text": "b"}, "auth": {"kind": "hmac", "algorithm": "md5"}},
        "'sha1', 'sha256' or 'sha512'",
    ),
    ({"fields": {"id": "a", "text": "b"}, "webhook": "x"}, "not permitted"),
]


@pytest.mark.parametrize(("settings", "says"), REFUSED)
def test_wrong_settings_are_refused_when_they_are_saved(settings: Json, says: str) -> None:
    with pytest.raises(ValidationError) as caught:
        parse("generic", {"auth": AUTH, **settings})
    assert says in str(caught.value)


@given(st.text(st.sampled_from("ab.[]{}()*?|&!@,:'`\"0-1 "), max_size=30))
def test_an_expression_is_refused_or_runs_without_a_crash(text: str) -> None:
    fields = {"id": "id", "text": text}
    try:
        parse("generic", {"auth": AUTH, "fields": fields})
    except ValidationError:
        return
    found = take({"id": "1", "a": {"b": [1, "x"]}, "b": None}, fields)
    assert found.items or found.refused or found.ignored


def test_settings_of_every_kind_survive_being_stored() -> None:
    for kind, settings in SETTINGS.items():
        found = parse(kind, settings)
        assert parse(kind, found.model_dump(mode="json", exclude_unset=True)) == found
