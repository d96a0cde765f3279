"""Rules as they are applied: conditions, actions, and what several of them come to."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from serving.rules.decision import Decision, Notice
from serving.rules.evaluation import HOLDS, Evaluator, Verdict
from serving.rules.facts import Facts
from serving.rules.language import Condition

Mode = Literal["first", "all"]


@dataclass(frozen=True, slots=True)
class Actions:
    """What one rule does to a response that it matches."""

    team: str | None = None
    assignee: str | None = None
    priority: int | None = None
    tags: tuple[str, ...] = ()
    notices: tuple[Notice, ...] = ()
    webhooks: tuple[str, ...] = ()
    thank: bool = False
    suppress_contact: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """A condition and what follows from it; `stop` ends the search here where all matching rules count."""

    id: str
    condition: Condition
    actions: Actions
    stop: bool = False
    description: str | None = None


@dataclass(frozen=True, slots=True)
class RuleSet:
    """The rules in force in a workspace, in order; version 0 is the set that ships."""

    version: int
    mode: Mode
    rules: tuple[Rule, ...]
    source: str


@dataclass(frozen=True, slots=True)
class Trace:
    """A decision and what came of each rule that was looked at, in order."""

    decision: Decision
    steps: tuple[tuple[str, Verdict], ...]


def explain(rules: RuleSet, facts: Facts) -> Trace:
    """The decision with its reasons."""
    evaluator = Evaluator(rule.condition for rule in rules.rules)
    evaluator.look_at(facts)
    matched, steps = search(rules, evaluator)
    return Trace(together(matched), tuple((rule.id, verdict) for rule, verdict in steps))


def search(rules: RuleSet, evaluator: Evaluator) -> tuple[list[Rule], list[tuple[Rule, Verdict]]]:
    """The rules that match what the evaluator looks at, and what came of all that were tried."""
    matched: list[Rule] = []
    steps: list[tuple[Rule, Verdict]] = []
    for rule in rules.rules:
        verdict = evaluator.verdict(rule.condition)
        steps.append((rule, verdict))
        if verdict is HOLDS:
            matched.append(rule)
            if rules.mode == "first" or rule.stop:
                break
    return matched, steps


def together(matched: Sequence[Rule]) -> Decision:
    """The actions of rules as one decision; where two set one thing the earlier rule wins, lists are joined."""
    if not matched:
        return _NOTHING
    actions = [rule.actions for rule in matched]
    # a team and a person of another rule's team would contradict each other
    assigned = next((item for item in actions if item.team or item.assignee), _NO_ACTIONS)
    return Decision(
        priority=next((item.priority for item in actions if item.priority), None),
        team=assigned.team,
        assignee=assigned.assignee,
        tags=tuple(dict.fromkeys(tag for item in actions for tag in item.tags)),
        notices=tuple(dict.fromkeys(notice for item in actions for notice in item.notices)),
        webhooks=tuple(dict.fromkeys(id for item in actions for id in item.webhooks)),
        thank=any(item.thank for item in actions),
        no_contact=any(item.suppress_contact for item in actions),
        matched=tuple(rule.id for rule in matched),
    )


_NOTHING = Decision()
_NO_ACTIONS = Actions()
