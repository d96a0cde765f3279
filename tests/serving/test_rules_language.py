"""Conditions: what they say about a response, what they say of what is missing, and which are refused and where."""

import time
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rules_data import FRAME, facts, rules_of

from serving.rules.check import check_condition
from serving.rules.evaluation import Outcome
from serving.rules.language import MAX_CONDITION, compile_condition
from serving.rules.lineage import theme_ids
from serving.rules.rule import explain
from serving.rules.wrong import ConditionError, RulesError

THEMES = theme_ids(FRAME)
KNOWN: dict[str, Any] = {
    **{"score": 2.0, "metric": "nps", "band": "low", "group": "detractor", "priority": 1, "justified": True},
    **{"sentiment": "negative", "language": "pl", "signals": ["contact_request"], "unit": "Łódź", "segment": "vip"},
    **{"text": "Kurierka spóźniła się, PACZKA mokra", "contact_consent": False, "respondent": "c-1", "value": 900.0},
    **{"attributes": {"plan": "gold", "visits": 3, "plan type": "b2b", "new": True}, "corrected": True},
}
TAGGED = [("delivery.courier", "negative"), ("price.level", "positive")]
NIGHT = datetime(2026, 11, 14, 23, 30, tzinfo=UTC)  # a Saturday; in Warsaw it is Sunday, half past midnight


def outcome(condition: str, tagged: Any = TAGGED, at: datetime = NIGHT, **given: Any) -> Outcome:
    found = explain(rules_of({"when": condition}), facts(tagged, at, **given))
    return found.steps[0][1].outcome


HOLD = [
    "true",
    "score <= 3",
    "score == 2 && score in [1, 2, 3]",
    'band == "low" && group != "promoter"',
    "priority == 1 && justified",
    'sentiment == "negative" && language == "pl"',
    '"contact_request" in signals && signal("contact_request") && !signal("churn_intent")',
    'theme("delivery") && theme("delivery.courier") && theme("delivery", "negative")',
    '!theme("delivery", "positive") && theme("price", "positive") && !theme("delivery.time")',
    'size(themes) == 2 && "price.level" in themes',
    'mentions("kurier", "poczt") && mentions("paczk")',
    '!mentions("urier") && !mentions("hotel")',
    'text.contains("mokra") && text.startsWith("Kurier")',
    'unit == "Łódź" && segment in ["vip", "gold"]',
    "value >= 900 && consent == false && respondent_known && corrected && !needs_review",
    'attributes.plan == "gold" && attributes.visits > 2 && attributes["plan type"] == "b2b" && attributes.new',
    "attributes.unheard == null && survey == null",
    'hour("Europe/Warsaw") == 0 && weekday("Europe/Warsaw") == 7 && weekday("Europe/London") == 6',
    '!working("Europe/Warsaw") && !holiday("Europe/Warsaw", "PL")',
    'signals.exists(s, s.startsWith("contact")) && size(signals.filter(s, s != "churn_intent")) == 1',
    "age_hours == 0",
    'survey != "spring"',  # what is not known is not this
    'survey == "spring" || score < 5',
    "(score > 5 ? false : true) && !(score > 5)",
]


@pytest.mark.parametrize("condition", HOLD)
def test_conditions_that_hold(condition: str) -> None:
    assert outcome(condition, **KNOWN) is Outcome.HOLDS


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("score <= 3", Outcome.MISSING),
        ("!(score <= 3)", Outcome.MISSING),  # neither the condition nor its contrary
        ("justified", Outcome.MISSING),
        ("!justified", Outcome.MISSING),
        ('unit.startsWith("K")', Outcome.MISSING),
        ("attributes.visits > 3", Outcome.MISSING),
        ("score <= 3 && false", Outcome.FAILS),  # false whatever the score is
        ("score <= 3 || true", Outcome.HOLDS),
        ("score != null && score <= 3", Outcome.FAILS),
        ('score <= 3 || sentiment == "negative"', Outcome.MISSING),
        ("score == 3", Outcome.FAILS),
        ("score == null", Outcome.HOLDS),
        ('segment != "vip"', Outcome.HOLDS),
        ("justified == true", Outcome.FAILS),
        ("size(themes) == 0 && size(signals) == 0", Outcome.HOLDS),
        ('theme("delivery")', Outcome.FAILS),
        ('mentions("kurier")', Outcome.FAILS),
        ("respondent_known", Outcome.FAILS),
    ],
)
def test_what_is_missing(condition: str, expected: Outcome) -> None:
    assert outcome(condition, tagged=[]) is expected


def test_the_trace_says_what_is_missing_and_what_failed() -> None:
    rules = rules_of({"when": "score + double(attributes.visits) > 3.0"}, {"when": 'signals[3] == "suggestion"'})
    assert [verdict.why for _, verdict in explain(rules, facts()).steps] == [
        "score, attributes.visits not known",
        "a list is shorter than that",
    ]
    failing = explain(rules_of({"when": "double(attributes.visits) > 3.0"}), facts(attributes={"visits": "Zażółć"}))
    assert failing.steps[0][1].outcome is Outcome.ERROR
    assert "Zażółć" not in str(failing), "what a sender gave is repeated nowhere"
    assert failing.decision.matched == ()


@pytest.mark.parametrize(
    ("day", "hour", "expected"),
    [(13, 8, True), (13, 7, False), (13, 15, True), (13, 16, False), (14, 10, False)],
)
def test_working_time_has_its_end_excluded(day: int, hour: int, expected: bool) -> None:
    at = datetime(2026, 11, day, hour, 0, tzinfo=UTC)  # an hour later in Warsaw; the 13th is a Friday
    assert (outcome('working("Europe/Warsaw")', at=at) is Outcome.HOLDS) is expected


def test_hours_of_ones_own_and_holidays() -> None:
    late = datetime(2026, 11, 10, 22, 30, tzinfo=UTC)
    assert outcome('working("Europe/Warsaw", "08:00-24:00")', at=late) is Outcome.HOLDS
    assert outcome('!working("Europe/Warsaw", "08:00-18:00")', at=late) is Outcome.HOLDS
    independence = datetime(2026, 11, 10, 23, 30, tzinfo=UTC)  # the 11th in Warsaw already
    assert (
        outcome('holiday("Europe/Warsaw", "PL") && !holiday("Europe/London", "PL")', at=independence) is Outcome.HOLDS
    )


REFUSED = [
    ("scor <= 3", 0, "there is no fact scor; did you mean score?"),
    ("score <=", 8, "mismatched input the end"),
    ("score <= 3 && (true", 19, "missing ')' at the end"),
    ("score\n  & true", 8, "token recognition error"),
    ('theme("delivry")', 6, "there is no theme delivry"),
    ('theme("delivery", "bad")', 18, "there is no sentiment bad"),
    ("theme(unit)", 6, "must be a text in quotes"),
    ("theme()", 0, "theme takes 1 to 2 texts, not 0"),
    ('theme("delivery" + ".time")', 17, "expected a comma"),
    ('signal("churn")', 7, "there is no signal churn"),
    ('"churn" in signals', 0, "there is no signals churn"),
    ('band == "lov"', 8, "there is no band lov"),
    ('group in ["detractor", "hater"]', 23, "there is no group hater"),
    ('"3" == score', 0, "score is a number and never"),
    ("unit == 3", 8, "unit is a text and never 3"),
    ("justified == 1", 13, "justified is a flag and never 1"),
    ("false && text > 3", 9, "two values do not go together"),
    ('true || score <= "3"', 8, "two values do not go together"),
    ("score + 1 > 3", 0, "two values do not go together"),
    ("score", 0, "must be true or false, is a number"),
    ("true && size(themes)", 8, "must be true or false, is a number"),
    ("attributes", 0, "name the attribute"),
    ('"plan" in attributes', 10, "name the attribute"),
    ("attributes[unit] == null", 11, "must be a text in quotes"),
    ("has(attributes.plan)", 0, "has is not needed"),
    ("score.value > 1", 6, "only attributes has fields"),
    ('text.matches("a")', 5, "patterns are not supported"),
    ("signals.map(s, s + s) == []", 8, "map is not supported"),
    ("signals.exists(s, signals.all(t, s == t))", 26, "inside another loop"),
    ("signals.exists(score, true)", 15, "needs a new name"),
    ("exists(signals, true)", 0, "follows a list"),
    ("score.theme()", 6, "there is no method theme"),
    ("lower(text) == text", 0, "there is no function lower"),
    ('hour("Warsaw") > 3', 5, "there is no time zone Warsaw"),
    ('working("Europe/Warsaw", "9-17")', 25, "the hours must be like"),
    ('working("Europe/Warsaw", "17:00-09:00")', 25, "the hours must be like"),
    ('holiday("Europe/Warsaw", "Poland")', 25, "no holidays are known"),
    ('mentions("")', 9, "must not be empty"),
    ('mentions("a\\n")', 9, "without backslashes"),
    ('count("delivery", "7d") > 1', 0, "write count("),
    ('count({"theme": "delivery"}, 7) > 1', 29, "must be a text in quotes"),
    ('count({"theme": "delivery"}, "7 days") > 1', 29, "the time must be like"),
    ('count({"theme": "delivery"}, "400d") > 1', 29, "366 days at most"),
    ('count({"theme": "delivry"}, "7d") > 1', 16, "there is no theme delivry"),
    ('count({"sentiment": "bad"}, "7d") > 1', 20, "there is no sentiment bad"),
    ('count({"colour": "red"}, "7d") > 1', 7, "count by each of these once"),
    ('count({"unit": employee}, "7d") > 1', 15, "or unit for the response's own"),
    ('count({"unit": unit "x": 1}, "7d") > 1', 20, "mismatched input"),
    ('count({"theme": "delivery", "sentiment": sentiment}, "7d") > 1', 41, "must be a text in quotes"),
    ('count({"unit": unit}, "7d")', 0, "must be true or false"),
    ("(" * 300 + "true" + ")" * 300, 96, "nested too deeply"),
    ("true" + " || true" * 300, MAX_CONDITION, "2000 at most"),
]


@pytest.mark.parametrize(("condition", "offset", "reason"), REFUSED)
def test_conditions_that_are_refused(condition: str, offset: int, reason: str) -> None:
    with pytest.raises(ConditionError) as raised:
        check_condition(compile_condition(condition), THEMES)
    assert reason in raised.value.reason
    assert raised.value.offset == offset


PIECES = ["score", "unit", "theme", '"delivery"', "(", ")", "[", "]", "{", "}", "<=", "==", "&&", "||", "!", "?", ":"]
PIECES += [
    "signals",
    ".exists(s,",
    "count({",
    '"theme":',
    '}, "7d")',
    "attributes",
    ".plan",
    "3",
    "null",
    ",",
    "-",
    "in",
]


@settings(deadline=None, max_examples=300)
@given(st.lists(st.sampled_from(PIECES), max_size=30).map(" ".join) | st.text(max_size=60))
def test_any_condition_is_refused_or_comes_to_a_verdict(condition: str) -> None:
    try:
        found = compile_condition(condition)
        check_condition(found, THEMES)
    except ConditionError as error:
        assert 0 <= error.offset <= len(condition)
        assert error.reason
        return
    assert outcome(condition, **KNOWN) in Outcome


def test_the_dearest_conditions_take_milliseconds() -> None:
    numbers = ",".join(["1"] * 600)
    condition = f"[{numbers}].all(n, score > 0.5 || n == 2 || score > 0.6)"
    assert len(condition) < MAX_CONDITION
    rules, known = rules_of({"when": condition}), facts(**KNOWN)
    started = time.process_time()
    assert explain(rules, known).decision.matched
    assert time.process_time() - started < 0.5


def test_an_error_of_a_rule_leaves_the_others_alone() -> None:
    rules = rules_of({"when": 'signals[5] == "suggestion"'}, {"when": "score <= 3"})
    assert explain(rules, facts(**KNOWN)).decision.matched == ("r1",)


def test_all_mistakes_of_a_set_are_told_at_once() -> None:
    with pytest.raises(RulesError) as raised:
        rules_of({"when": "scor > 3"}, {"when": "true"}, {"when": 'band == "lov"'})
    assert [fault.rule for fault in raised.value.faults] == ["r0", "r2"]
