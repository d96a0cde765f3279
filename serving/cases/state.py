"""The states of a case and what leads from one to another: values in, values out; the store only keeps them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from nlp.errors import InputError
from serving.cases.clock import Times
from serving.cases.events import (
    Assign,
    Attempt,
    Breach,
    CaseEvent,
    Close,
    Escalate,
    Reopen,
    Reprioritise,
    Resolve,
    Resume,
    Silence,
    Start,
    Touch,
    Wait,
    Warn,
)

ACTIVE = ("open", "assigned", "in_progress", "waiting", "reopened")
"""States in which somebody has work to do, or waits for something before going on."""
STATES = (*ACTIVE, "resolved", "closed", "unreachable")


class WrongStateError(InputError):
    """What was asked for is not possible in the state the case is in."""


class NoContactError(InputError):
    """The person must not be contacted."""


@dataclass(frozen=True, slots=True)
class Case:
    """What changes about a case; times are aware. `misses` counts attempts in a row that reached nobody."""

    state: str
    priority: int
    reason: str
    contact: bool
    opened_at: datetime
    updated_at: datetime
    team: str | None = None
    assignee: str | None = None
    assigned_by: str | None = None
    due_at: datetime | None = None
    warn_at: datetime | None = None
    escalate_at: datetime | None = None
    next_attempt_at: datetime | None = None
    attempts: int = 0
    misses: int = 0
    first_contact_at: datetime | None = None
    paused_at: datetime | None = None
    warned_at: datetime | None = None
    breached_at: datetime | None = None
    escalation: int = 0
    resolved_at: datetime | None = None
    closed_at: datetime | None = None
    outcome: Mapping[str, Any] | None = None
    version: int = 1

    @property
    def times(self) -> Times:
        return Times(self.due_at, self.warn_at, self.escalate_at, self.next_attempt_at)

    @property
    def owes_contact(self) -> bool:
        """Whether the clock to the first contact runs."""
        return self.contact and self.state in ACTIVE and self.state != "waiting" and self.first_contact_at is None


_SAME = {state: state for state in ACTIVE}
_RUNNING = {state: state for state in ACTIVE if state != "waiting"}

TRANSITIONS: Mapping[type[CaseEvent], Mapping[str, str]] = {
    Assign: {**_SAME, "open": "assigned", "reopened": "assigned"},
    Start: {"open": "in_progress", "assigned": "in_progress", "reopened": "in_progress"},
    Wait: dict.fromkeys(_RUNNING, "waiting"),
    Resume: {"waiting": "in_progress"},
    Attempt: dict.fromkeys(_RUNNING, "in_progress"),
    Resolve: dict.fromkeys((*ACTIVE, "unreachable"), "resolved"),
    Close: {"resolved": "closed", "unreachable": "closed"},
    Reopen: dict.fromkeys(("resolved", "closed", "unreachable"), "reopened"),
    Reprioritise: _SAME,
    Silence: _SAME,
    Touch: _SAME,
    Warn: _RUNNING,
    Breach: _RUNNING,
    Escalate: {**_RUNNING, "open": "assigned", "reopened": "assigned"},
}
"""From which states an event is allowed, and where it leads; attempts may lead to `unreachable` instead."""


def possible(state: str) -> tuple[str, ...]:
    """What a person can do to a case in this state."""
    return tuple(sorted(event.name for event, leads in TRANSITIONS.items() if event.asked and state in leads))


def transition(case: Case, event: CaseEvent, now: datetime) -> Case:
    """The case after the event. WrongStateError where its state does not allow it, NoContactError for an attempt
    to reach somebody who must not be contacted."""
    leads = TRANSITIONS[type(event)]
    if case.state not in leads:
        can = ", ".join(possible(case.state))
        raise WrongStateError(f"{event.name} is not possible while the case is {case.state}; possible: {can}")
    if isinstance(event, Warn | Breach | Escalate) and not case.owes_contact:
        raise NoContactError(f"{event.name} is not possible: no first contact is owed")
    moved = replace(case, state=leads[case.state], updated_at=now, version=case.version + 1)
    return _APPLY[type(event)](moved, event, now)


def _assign(case: Case, event: Assign, _: datetime) -> Case:
    return replace(case, team=event.team, assignee=event.assignee, assigned_by=event.because)


def _start(case: Case, event: Start, _: datetime) -> Case:
    return case if case.assignee else replace(case, assignee=event.by, assigned_by=f"person {event.by} started")


def _wait(case: Case, _: Wait, now: datetime) -> Case:
    return replace(case, paused_at=now)


def _resume(case: Case, event: Resume, _: datetime) -> Case:
    case = replace(case, paused_at=None)
    return _set(case, event.times) if case.contact else case


def _attempt(case: Case, event: Attempt, now: datetime) -> Case:
    if not case.contact:
        raise NoContactError("this person must not be contacted, so no attempt is taken; resolve the case without one")
    case = replace(case, attempts=case.attempts + 1, next_attempt_at=event.next_at)
    if event.contact:
        first = case.first_contact_at or now
        quiet = {"contact": False, "next_attempt_at": None} if event.never_again else {}
        return replace(case, misses=0, first_contact_at=first, escalate_at=None, **quiet)
    case = replace(case, misses=case.misses + 1)
    if event.give_up or case.misses >= event.most:
        return replace(case, state="unreachable", next_attempt_at=None, escalate_at=None)
    return case


def _resolve(case: Case, event: Resolve, now: datetime) -> Case:
    case = replace(case, resolved_at=now, outcome=dict(event.outcome), paused_at=None)
    return replace(case, next_attempt_at=None, escalate_at=None)


def _close(case: Case, _: Close, now: datetime) -> Case:
    return replace(case, closed_at=now)


def _reopen(case: Case, event: Reopen, _: datetime) -> Case:
    """Work begins anew; what was found out about the first contact stays, and so does a breach."""
    case = replace(case, resolved_at=None, closed_at=None, outcome=None, misses=0)
    if not case.contact:
        return case
    if case.first_contact_at or case.breached_at:
        return replace(case, next_attempt_at=event.times.next_attempt_at)
    return _set(replace(case, warned_at=None), event.times)


def _reprioritise(case: Case, event: Reprioritise, _: datetime) -> Case:
    case = replace(case, priority=event.priority, reason=event.reason)
    return _set(case, event.times) if event.times and case.contact else case


def _silence(case: Case, _: Silence, __: datetime) -> Case:
    case = replace(case, contact=False, next_attempt_at=None, escalate_at=None)
    return case if case.first_contact_at else replace(case, due_at=None, warn_at=None)


def _touch(case: Case, _: Touch, __: datetime) -> Case:
    return case


def _warn(case: Case, _: Warn, now: datetime) -> Case:
    return replace(case, warned_at=now)


def _breach(case: Case, _: Breach, now: datetime) -> Case:
    return replace(case, breached_at=now)


def _escalate(case: Case, event: Escalate, _: datetime) -> Case:
    case = replace(case, escalation=case.escalation + 1, escalate_at=event.next_at, team=event.team or case.team)
    return replace(case, assignee=event.assignee, assigned_by=f"escalation level {case.escalation}")


def _set(case: Case, times: Times) -> Case:
    return replace(
        case,
        due_at=times.due_at,
        warn_at=times.warn_at,
        escalate_at=times.escalate_at,
        next_attempt_at=times.next_attempt_at,
    )


_APPLY: Mapping[type[CaseEvent], Any] = {
    Assign: _assign,
    Start: _start,
    Wait: _wait,
    Resume: _resume,
    Attempt: _attempt,
    Resolve: _resolve,
    Close: _close,
    Reopen: _reopen,
    Reprioritise: _reprioritise,
    Silence: _silence,
    Touch: _touch,
    Warn: _warn,
    Breach: _breach,
    Escalate: _escalate,
}
