"""Who gets a case: what a rule says, else the team of the theme or the front line the answer is about."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from serving.cases.policy import Assignment
from serving.frame.effective import Frame
from serving.rules.decision import Decision
from serving.rules.lineage import lineage_of

Value = TypeVar("Value")
PERSON = "person"
"""How `assigned_by` begins where a person decided; rules do not overrule people."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """A team, a person or both, and who or what decided."""

    team: str | None
    assignee: str | None
    because: str

    @property
    def anybody(self) -> bool:
        return self.team is not None or self.assignee is not None


def main_theme(classification: Mapping[str, Any]) -> str | None:
    """What a case is about: the surest theme the customer is unhappy with, else the surest theme."""
    themes = classification.get("themes") or []
    # what a person tagged comes without a probability, and is sure
    ranked = sorted(themes, key=lambda tag: (not is_negative(tag), -(tag.get("confidence") or 1.0)))
    return ranked[0]["id"] if ranked else None


def is_negative(tag: Mapping[str, Any]) -> bool:
    """Whether the customer is unhappy with the theme of this tag."""
    return (tag.get("sentiment") or {}).get("label") == "negative"


def choose(
    assignment: Assignment, decision: Decision, theme: str | None, employee: str | None, unit: str | None
) -> Chosen:
    """Who gets the case; nobody where the policy has no default team and nothing else fits."""
    if decision.team or decision.assignee:
        return Chosen(decision.team, decision.assignee, because_of(decision))
    kind, frame = assignment.model, assignment.frame
    if kind == "mixed":
        kind = _nearest(assignment.mixed, theme, frame, assignment.otherwise)
    if kind == "owner" and (employee or unit):
        return Chosen(unit, employee, f"model owner: {'employee' if employee else 'unit'} of the response")
    team = _nearest(assignment.teams, theme, frame, None)
    if team:
        return Chosen(team, None, f"model team: theme {theme}")
    return Chosen(assignment.default_team, None, "model team: default team")


def because_of(decision: Decision) -> str:
    """Who stands behind a decision: the rules that matched, or the person who asked for a case by hand."""
    return f"rule {', '.join(decision.matched)}" if decision.matched else PERSON


def _nearest(named: Mapping[str, Value], theme: str | None, frame: Frame, otherwise: Value) -> Value:
    """The entry of the theme or of the nearest above it: `delivery` stands for `delivery.time` while that is there.

    What is said of a theme that was merged holds for what it became, unless that has an entry of its own.
    """
    if theme is None:
        return otherwise
    # of several that became one theme the first in the policy counts
    entries = {**{frame.named(id): named[id] for id in reversed(list(named))}, **named}
    return next((entries[id] for id in lineage_of(frame).levels(frame.named(theme)) if id in entries), otherwise)
