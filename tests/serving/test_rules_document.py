"""Rule sets as they are written: strict keys, places of mistakes, what several matching rules come to."""

from pathlib import Path

import pytest
from loop import ROOT
from rules_data import FRAME, facts

from serving.rules.decision import Decision, Notice
from serving.rules.document import ACTIONS, MAX_RULES, parse_rules
from serving.rules.rule import RuleSet, explain
from serving.rules.ruleset import SHIPPED, decide, shipped
from serving.rules.vocabulary import FACTS, FUNCTIONS
from serving.rules.wrong import RulesError

WHOLE = """
mode: all
rules:
  - id: late
    description: Late parcels
    when: theme("delivery", "negative")
    then:
      assign: {team: courier}
      tag: late
      notify: [manager, {to: ch_1, message: Late again}]
      webhook: [wh_1, wh_2]
  - id: low
    when: score <= 3
    then: {assign: {person: anna}, priority: 2, tag: [late, low], notify: manager}
  - id: lawyer
    when: signal("legal_threat")
    then: {priority: 1, suppress_contact: true}
    stop: true
  - id: happy
    when: true
    then: {thank: true, priority: 4}
"""


def parse(source: str) -> RuleSet:
    return parse_rules(source, "rules.yaml", FRAME)


def test_all_matching_rules_are_put_together_the_earlier_wins() -> None:
    known = facts([("delivery.time", "negative")], score=2.0)
    assert decide(parse(WHOLE), known) == Decision(
        priority=2,
        team="courier",  # and nobody of another rule's choice
        assignee=None,
        tags=("late", "low"),
        notices=(Notice("manager"), Notice("ch_1", "Late again")),
        webhooks=("wh_1", "wh_2"),
        thank=True,
        matched=("late", "low", "happy"),
    )


def test_stop_ends_the_search_and_first_takes_one() -> None:
    known = facts([("delivery.time", "negative")], score=2.0, signals=["legal_threat"])
    stopped = explain(parse(WHOLE), known)
    assert stopped.decision.matched == ("late", "low", "lawyer")
    assert stopped.decision.no_contact
    assert not stopped.decision.thank
    assert [rule for rule, _ in stopped.steps] == ["late", "low", "lawyer"]
    assert decide(parse(WHOLE.replace("mode: all", "mode: first")), known).matched == ("late",)


def test_no_rule_matches() -> None:
    assert decide(parse("mode: first\nrules: []"), facts()) == Decision()


@pytest.mark.parametrize(
    ("source", "line", "column", "reason"),
    [
        ("", 1, 1, "is empty"),
        ("- a", 1, 1, "must be a mapping of mode, rules"),
        ("mode: some\nrules: []", 1, 7, "must be one of first, all"),
        ("mode: all", 1, 1, "rules is missing"),
        ("mode: all\nrules: {}", 2, 8, "must be a list"),
        ("mode: all\nmode: all\nrules: []", 2, 1, "given once"),
        ("mode: all\nrules: [", 2, 9, "is no YAML"),
        ("a: &x [1]\nb: *x", 2, 4, "references"),
        ("mode: all\nrules:\n  - {id: a}", 3, 5, "when is missing"),
        ("mode: all\nrules:\n  - {id: A b, when: true}", 3, 10, "id must be made of"),
        ("mode: all\nrules:\n  - {id: a, when: true, if: 1}", 3, 29, "unknown key if"),
        ("mode: all\nrules:\n  - {id: a, when: true}\n  - {id: a, when: true}", 3, 3, "more than once"),
        ("mode: all\nrules:\n  - {id: a, when: 3}", 3, 19, "must be a condition"),
        ("mode: all\nrules:\n  - {id: a, when: true, then: {priority: 5}}", 3, 42, "must be one of 1, 2, 3, 4"),
        ("mode: all\nrules:\n  - {id: a, when: true, then: {priority: true}}", 3, 42, "must be one of"),
        ("mode: all\nrules:\n  - {id: a, when: true, then: {assign: {}}}", 3, 40, "needs a team"),
        ("mode: all\nrules:\n  - {id: a, when: true, then: {tag: 3}}", 3, 37, "must be a text"),
        ("mode: all\nrules:\n  - {id: a, when: true, then: {thank: 1}}", 3, 39, "must be true or false"),
        ("mode: all\nrules:\n  - id: a\n    when: score > 3 && scor > 3", 4, 24, "rule a: when, character 14: "),
        ("mode: all\nrules:\n  - id: a\n    when: 'scor > 3'", 4, 12, "did you mean score"),
        ("mode: all\nrules:\n  - id: a\n    when: |\n      score > 3\n        && scor > 3", 6, 12, "did you mean"),
        ("mode: all\nrules:\n  - id: a\n    when: |\n\n      scor > 3", 6, 7, "character 2"),
        ("mode: all\nrules:\n  - id: a\n    when: >-\n      score > 3\n      && scor > 3", 4, 11, "character 14"),
        ("mode: all\nrules:\n" + "  - {id: a, when: true}\n" * (MAX_RULES + 1), 3, 3, "200 at most"),
        ("[" * 3000, 1, 1, "is no YAML"),
        ("mode: all\nrules: " + "[" * 20 + "]" * 20, 2, 20, "nested too deeply"),
        ("x" * 300_000, 1, 1, "262144 at most"),
    ],
)
def test_mistakes_have_their_place(source: str, line: int, column: int, reason: str) -> None:
    with pytest.raises(RulesError) as raised:
        parse(source)
    fault = raised.value.faults[0]
    assert reason in str(fault)
    assert (fault.line, fault.column) == (line, column)
    assert str(raised.value).startswith(f"rules.yaml: line {line}, column {column}: ")


def test_the_rules_that_ship_are_right_and_do_what_they_say() -> None:
    parse_rules(SHIPPED.read_text("utf-8"), SHIPPED.name, FRAME)
    assert shipped().version == 0
    danger = decide(shipped(), facts(signals=["safety_risk"], sentiment="negative", group="promoter", respondent=None))
    assert danger.tags == ("danger",)
    assert danger.notices[0].to == "manager"
    happy = {"group": "promoter", "sentiment": "positive"}
    assert decide(shipped(), facts(**happy)).thank
    assert not decide(shipped(), facts(**happy, contact_consent=False)).thank
    assert not decide(shipped(), facts(**happy, priority=4)).thank
    leaving = facts(signals=["churn_intent"], segment="vip", sentiment="neutral")
    assert decide(shipped(), leaving).priority == 1


DOCS = ROOT / "docs" / "rules.md"


def examples(path: Path, kind: str) -> list[str]:
    parts = path.read_text("utf-8").split(f"```{kind}\n")[1:]
    return [part.split("```")[0] for part in parts]


def test_the_page_names_every_fact_function_and_action() -> None:
    page = DOCS.read_text("utf-8")
    assert [name for name in (*FACTS, *FUNCTIONS, *ACTIONS) if f"`{name}" not in page] == []


def test_the_examples_of_the_page_are_rules() -> None:
    found = examples(DOCS, "yaml")
    assert found
    for example in found:
        parse(example)


def test_the_conditions_of_the_page_are_conditions() -> None:
    lines = [line for block in examples(DOCS, "cel") for line in block.splitlines() if line.strip()]
    assert len(lines) > 10
    for number, line in enumerate(lines):
        parse(f"mode: all\nrules:\n  - id: a{number}\n    when: |\n      {line}\n")
