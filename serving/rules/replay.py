"""What other rules would have done: two rule sets over the same stored responses, and where they differ."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import chain

from nlp.policy import PRIORITIES
from serving.rules.decision import Decision
from serving.rules.evaluation import FAILS, HOLDS, Evaluator, Outcome, Verdict
from serving.rules.facts import Facts
from serving.rules.rule import RuleSet, search, together

MAX_EXAMPLES = 100
MAX_NAMES = 100
"""Teams, people and tags told of, the most frequent first."""
NOBODY: RuleSet = RuleSet(-1, "all", (), "")
"""No rules: what the priority policy says alone."""

_ACTIONS = ("assign", "priority", "tag", "notify", "webhook", "thank", "suppress_contact")


@dataclass(frozen=True, slots=True)
class Change:
    """How many responses had something under the one rule set and under the other."""

    before: int
    after: int


@dataclass(frozen=True, slots=True)
class RuleChange:
    """What came of one rule; None where that rule set has no such rule."""

    id: str
    before: int | None
    after: int | None
    missing: int
    """Responses that lack what the rule (of the set after) compares, so that it did not match."""
    errors: int
    error: str | None


@dataclass(frozen=True, slots=True)
class Example:
    """One response that would be treated otherwise."""

    uid: str
    priority: tuple[int | None, int | None]
    before: Decision
    after: Decision


@dataclass(frozen=True, slots=True)
class Report:
    """What would change: counts of responses before and after."""

    responses: int
    changed: int
    cases: Change
    opens: int
    """Responses that call for a case after and did not before."""
    drops: int
    priorities: dict[str, Change]
    actions: dict[str, Change]
    teams: dict[str, Change]
    assignees: dict[str, Change]
    tags: dict[str, Change]
    rules: tuple[RuleChange, ...]
    examples: tuple[Example, ...]


@dataclass(slots=True)
class _Side:
    """One rule set at work. What it decides depends on which rules match alone, and is put together once for each."""

    rules: RuleSet
    evaluator: Evaluator
    decisions: dict[tuple[str, ...], Decision] = field(default_factory=dict)
    unknown: Counter[tuple[str, Outcome]] = field(default_factory=Counter)
    errors: dict[str, str | None] = field(default_factory=dict)

    def decide(self) -> Decision:
        matched, steps = search(self.rules, self.evaluator)
        for rule, verdict in steps:
            if verdict is not HOLDS and verdict is not FAILS:
                self._note(rule.id, verdict)
        ids = tuple([rule.id for rule in matched])
        if ids not in self.decisions:
            self.decisions[ids] = together(matched)
        return self.decisions[ids]

    def _note(self, rule: str, verdict: Verdict) -> None:
        self.unknown[rule, verdict.outcome] += 1
        if verdict.outcome is Outcome.ERROR:
            self.errors.setdefault(rule, verdict.why)


@dataclass(frozen=True, slots=True)
class _Totals:
    """What one rule set decided, added up."""

    priorities: Counter[str] = field(default_factory=Counter)
    actions: Counter[str] = field(default_factory=Counter)
    teams: Counter[str] = field(default_factory=Counter)
    assignees: Counter[str] = field(default_factory=Counter)
    tags: Counter[str] = field(default_factory=Counter)
    matched: Counter[str] = field(default_factory=Counter)

    def add(self, decision: Decision, policy: int | None, number: int) -> None:
        named = [(self.priorities, [str(decision.priority or policy or "none")]), (self.actions, taken(decision))]
        named += [(self.teams, [decision.team]), (self.assignees, [decision.assignee])]
        named += [(self.tags, decision.tags), (self.matched, decision.matched)]
        for counter, names in named:
            counter.update({name: number for name in names if name is not None})


def taken(decision: Decision) -> list[str]:
    """The kinds of actions in a decision, by the names that rules give them."""
    found = (
        decision.team or decision.assignee,
        decision.priority,
        decision.tags,
        decision.notices,
        decision.webhooks,
        decision.thank,
        decision.no_contact,
    )
    return [name for name, value in zip(_ACTIONS, found, strict=True) if value]


def replay(history: Iterable[Facts], before: RuleSet, after: RuleSet, examples: int) -> Report:
    """Both rule sets over the responses, which come in the order of their answers; `examples` at most are shown."""
    evaluator = Evaluator(rule.condition for rules in (before, after) for rule in rules.rules)
    old, new = _Side(before, evaluator), _Side(after, evaluator)
    tally: Counter[tuple[Decision, Decision, int | None]] = Counter()
    shown: list[Example] = []
    for facts in history:
        evaluator.look_at(facts)
        met = (old.decide(), new.decide(), facts.row["priority"])
        tally[met] += 1
        if len(shown) < examples and _differs(*met):
            shown.append(Example(facts.row["uid"], _priorities(*met), met[0], met[1]))
    return _report(old, new, tally, shown)


def _priorities(was: Decision, is_now: Decision, policy: int | None) -> tuple[int | None, int | None]:
    return was.priority or policy, is_now.priority or policy


def _differs(was: Decision, is_now: Decision, policy: int | None) -> bool:
    first, second = _priorities(was, is_now, policy)
    return was is not is_now and (first != second or effects(was) != effects(is_now))


def effects(decision: Decision) -> tuple[object, ...]:
    """What a decision does, whichever rules it came from and whatever priority it names."""
    return (
        decision.team,
        decision.assignee,
        decision.tags,
        decision.notices,
        decision.webhooks,
        decision.thank,
        decision.no_contact,
    )


def _report(
    old: _Side, new: _Side, tally: Counter[tuple[Decision, Decision, int | None]], shown: list[Example]
) -> Report:
    first, second = _Totals(), _Totals()
    for (was, is_now, policy), number in tally.items():
        first.add(was, policy, number)
        second.add(is_now, policy, number)
    number, none = tally.total(), "none"
    levels = [*map(str, PRIORITIES), none]
    moved = [(_priorities(*met), many) for met, many in tally.items()]
    return Report(
        responses=number,
        changed=sum(many for met, many in tally.items() if _differs(*met)),
        cases=Change(number - first.priorities[none], number - second.priorities[none]),
        opens=sum(many for (was, is_now), many in moved if was is None and is_now is not None),
        drops=sum(many for (was, is_now), many in moved if was is not None and is_now is None),
        priorities={level: Change(first.priorities[level], second.priorities[level]) for level in levels},
        actions={name: Change(first.actions[name], second.actions[name]) for name in _ACTIONS},
        teams=_named(first.teams, second.teams),
        assignees=_named(first.assignees, second.assignees),
        tags=_named(first.tags, second.tags),
        rules=_rules(old, new, first.matched, second.matched),
        examples=tuple(shown),
    )


def _named(old: Counter[str], new: Counter[str]) -> dict[str, Change]:
    frequent = sorted({*old, *new}, key=lambda name: (-max(old[name], new[name]), name))[:MAX_NAMES]
    return {name: Change(old[name], new[name]) for name in frequent}


def _rules(old: _Side, new: _Side, first: Counter[str], second: Counter[str]) -> tuple[RuleChange, ...]:
    had, has = ({rule.id for rule in side.rules.rules} for side in (old, new))
    return tuple(
        RuleChange(
            id,
            first[id] if id in had else None,
            second[id] if id in has else None,
            new.unknown[id, Outcome.MISSING],
            new.unknown[id, Outcome.ERROR],
            new.errors.get(id),
        )
        for id in dict.fromkeys(rule.id for rule in chain(new.rules.rules, old.rules.rules))
    )
