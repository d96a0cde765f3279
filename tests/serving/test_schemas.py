"""The border: what a sender may give."""

import json
import math
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from nlp.types import Scale
from serving.schemas import MAX_ITEMS, MAX_TEXT, ClassifyRequest, ResponseIn, check, invalids

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def response(**fields):
    return ResponseIn.model_validate({"text": "Late again", **fields}).to_response(NOW)


def refusals(body) -> list[tuple[str, str]]:
    with pytest.raises(ValidationError) as caught:
        ResponseIn.model_validate(body)
    return [(found.path, found.code) for found in invalids(caught.value)]


def test_every_field_of_the_contract_reaches_the_response():
    found = response(
        id="r-1",
        question="Why?",
        metric="nps",
        score=2,
        scale={"min": 0, "max": 10},
        language="pl",
        answered_at="2026-02-03T04:05:06.789+02:00",
        source="app",
        survey="s",
        touchpoint="t",
        channel="web",
        unit="u",
        employee="e",
        respondent={
            "id": "c-1",
            "contact_consent": True,
            "segment": "gold",
            "value": 1200.5,
            "city": "Lviv",
            "vip": True,
        },
        attributes={"order": 17, "late": False, "note": None},
    )
    assert (found.id, found.metric, found.score, found.scale) == ("r-1", "nps", 2.0, Scale(0, 10))
    assert found.answered_at == datetime(2026, 2, 3, 4, 5, 6, 789000, tzinfo=timezone(timedelta(hours=2)))
    assert (found.respondent.id, found.respondent.contact_consent, found.respondent.value) == ("c-1", True, 1200.5)
    assert found.respondent.attributes == {"city": "Lviv", "vip": True}
    assert found.attributes == {"order": 17, "late": False, "note": None}
    assert (found.source, found.survey, found.touchpoint, found.channel) == ("app", "s", "t", "web")


@pytest.mark.parametrize(
    ("fields", "path", "code"),
    [
        ({"scor": 1}, "scor", "extra_forbidden"),
        ({"text": None}, "text", "string_type"),
        ({"text": 7}, "text", "string_type"),
        ({"id": 7}, "id", "string_type"),
        ({"score": True}, "score", "float_type"),
        ({"score": "9"}, "score", "float_type"),
        ({"metric": "NPS"}, "metric", "literal_error"),
        ({"scale": {"min": 1, "max": 1}}, "scale", "scale_order"),
        ({"scale": {"min": 1}}, "scale.max", "missing"),
        ({"scale": {"min": 0, "max": math.inf}}, "scale.max", "finite_number"),
        ({"answered_at": "2026-02-03T04:05:06"}, "answered_at", "datetime_offset"),
        ({"answered_at": "2026-02-03"}, "answered_at", "datetime_offset"),
        ({"answered_at": "2026-02-30T00:00:00Z"}, "answered_at", "datetime_parsing"),
        ({"answered_at": "0001-01-01T00:00:00+10:00"}, "answered_at", "datetime_parsing"),
        ({"answered_at": 1700000000}, "answered_at", "datetime_type"),
        ({"answered_at": datetime(2026, 1, 1)}, "answered_at", "datetime_offset"),
        ({"respondent": {"contact_consent": "yes"}}, "respondent.contact_consent", "bool_type"),
        ({"respondent": {"tags": ["a"]}}, "respondent.tags", "scalar_type"),
        ({"attributes": {"deep": {}}}, "attributes.deep", "scalar_type"),
        ({"attributes": []}, "attributes", "dict_type"),
    ],
)
def test_structural_errors_name_the_path(fields, path, code):
    assert refusals({"text": "x", **fields}) == [(path, code)]


def test_missing_text_is_an_error_and_an_empty_one_is_not():
    assert refusals({"id": "1"}) == [("text", "missing")]
    assert response(text="").text == ""


def test_paths_of_a_request_count_its_items():
    with pytest.raises(ValidationError) as caught:
        ClassifyRequest.model_validate({"items": [{"text": "a"}, {"text": "b", "scor": 1}]})
    assert [found.path for found in invalids(caught.value)] == ["items[1].scor"]


def test_a_request_holds_a_thousand_items_and_no_more():
    assert len(ClassifyRequest.model_validate({"items": [{"text": ""}] * MAX_ITEMS}).items) == MAX_ITEMS
    with pytest.raises(ValidationError):
        ClassifyRequest.model_validate({"items": [{"text": ""}] * (MAX_ITEMS + 1)})


def test_errors_never_carry_what_the_customer_wrote():
    with pytest.raises(ValidationError) as caught:
        ResponseIn.model_validate({"text": ["tel. 600100200"], "score": "600100200", "scale": {"min": "600100200"}})
    assert "600100200" not in str(caught.value)
    assert "600100200" not in repr(invalids(caught.value))


def test_made_id_is_stable_and_tells_source_person_text_and_day_apart():
    base = response(answered_at="2026-03-01T23:30:00Z")
    assert len(base.id) == 32
    assert int(base.id, 16) >= 0
    assert base.id == response(answered_at="2026-03-02T01:00:00+02:00").id, "the day is that of UTC"
    others = [
        response(answered_at="2026-03-02T00:30:00Z"),
        response(answered_at="2026-03-01T23:30:00Z", source="app"),
        response(answered_at="2026-03-01T23:30:00Z", respondent={"id": "app"}),
        response(answered_at="2026-03-01T23:30:00Z", text="Late"),
    ]
    assert len({base.id, *(other.id for other in others)}) == 5


def test_a_response_without_a_date_is_dated_now():
    assert response().answered_at == NOW
    assert response().id == response(answered_at=NOW.isoformat()).id
    with pytest.raises(ValueError, match="offset"):
        ResponseIn(text="x").to_response(datetime(2026, 1, 1))


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"text": "ы" * MAX_TEXT}, None),
        ({"text": "😀" * MAX_TEXT}, None),
        ({"text": "a" * (MAX_TEXT + 1)}, "text_too_long"),
        ({"text": "bad \ud83d half"}, "invalid_text"),
        ({"text": "nul \x00"}, "invalid_text"),
        ({"metric": "nps", "score": 0}, None),
        ({"metric": "nps", "score": 10}, None),
        ({"metric": "nps", "score": 11}, "invalid_score"),
        ({"metric": "nps", "score": -1}, "invalid_score"),
        ({"metric": "csat", "score": 0}, "invalid_score"),
        ({"metric": "ces", "score": 7}, None),
        ({"metric": "ces", "score": 8}, "invalid_score"),
        ({"metric": "csat", "score": 8, "scale": {"min": 1, "max": 10}}, None),
        ({"metric": "rating", "score": 4}, "scale_missing"),
        ({"metric": "custom", "score": 4}, "scale_missing"),
        ({"metric": "custom"}, None),
        ({"metric": "rating", "score": 4, "scale": {"min": 1, "max": 5}}, None),
        ({"metric": "rating", "score": 6, "scale": {"min": 1, "max": 5}}, "invalid_score"),
        ({"metric": "nps", "score": math.nan}, "invalid_score"),
        ({"metric": "nps", "score": math.inf}, "invalid_score"),
        ({"score": 10**400}, "invalid_score"),
        ({"score": 3}, None),
    ],
)
def test_content_problems_are_the_items_own(fields, code):
    failure = check(response(**fields))
    assert (failure.code if failure else None) == code


def test_lone_surrogates_in_other_strings_are_replaced():
    found = response(id="a\ud800", source="\udfff", attributes={"k\ud800": "v\ud800"}, respondent={"x\ud800": "\ud800"})
    assert (found.id, found.source) == ("a\ufffd", "\ufffd")
    assert found.attributes == {"k\ufffd": "v\ufffd"}
    assert found.respondent.attributes == {"x\ufffd": "\ufffd"}
    assert refusals({"text": "x", "y\ud800": 1}) == [("y\ufffd", "extra_forbidden")]


@given(
    st.dictionaries(
        st.sampled_from([*ResponseIn.model_fields, "other"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
            max_leaves=6,
        ),
    )
)
def test_any_json_is_refused_cleanly_or_gives_an_encodable_response(body):
    try:
        found = ResponseIn.model_validate(body)
    except ValidationError as error:
        assert invalids(error)
        json.dumps([(wrong.path, wrong.reason) for wrong in invalids(error)], ensure_ascii=False).encode()
        return
    made = found.to_response(NOW)
    check(made)
    assert made.id.encode()
