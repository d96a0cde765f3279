"""What people do to a case: each step checks the version they saw and leaves history, audit and events."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import RowMapping

from nlp.errors import InputError
from serving.cases.assignment import PERSON
from serving.cases.clock import Times
from serving.cases.events import Assign, Attempt, Close, Reopen, Resolve, Resume, Start, Wait
from serving.cases.rows import VersionChangedError, case_of_row
from serving.cases.work import Work
from serving.store.database import insert
from serving.store.loop_tables import attempts

CHANNELS = ("phone", "email", "sms", "chat", "visit", "other")
"""Every channel of an attempt."""
ASKED_AHEAD = timedelta(days=90)
"""A call later than that is a new matter."""


@dataclass(frozen=True, slots=True)
class Tried:
    """One attempt to reach the person; `call_at` is the time they named where the result asks for one."""

    channel: str
    result: str
    notes: str | None = None
    call_at: datetime | None = None


def assign(work: Work, id: str, seen: int | None, team: str | None, assignee: str | None) -> RowMapping:
    """Gives the case to a team, a person or both."""
    event = Assign(team, assignee, f"{PERSON} {work.by}")
    row = work.step(_seen(work, id, seen), event, "assigned", {"team": team, "assignee": assignee})
    work.audit(id, "assign", {"team": team, "assignee": assignee})
    work.tell(row, "case.assigned")
    return row


def start(work: Work, id: str, seen: int | None) -> RowMapping:
    """Begins the work; whoever begins an unassigned case has it."""
    row = work.step(_seen(work, id, seen), Start(work.by), "started", {})
    work.audit(id, "start", {})
    return row


def wait(work: Work, id: str, seen: int | None, reason: str | None) -> RowMapping:
    """Stops the clock."""
    row = work.step(_seen(work, id, seen), Wait(), "waiting", {"reason": reason})
    work.audit(id, "wait", {})
    return row


def resume(work: Work, id: str, seen: int | None) -> RowMapping:
    """Lets the clock go on: what is due moves by what was paused."""
    row = _seen(work, id, seen)
    case = case_of_row(row)
    times = work.clock.resumed(case.times, case.paused_at, work.now) if case.paused_at else case.times
    row = work.step(row, Resume(times), "resumed", {"due_at": times.due_at and times.due_at.isoformat()})
    work.audit(id, "resume", {})
    return row


def attempt(work: Work, id: str, seen: int | None, tried: Tried) -> RowMapping:
    """Takes down an attempt and plans the next one; after the policy's number of misses the case is unreachable."""
    row = _seen(work, id, seen)
    following = work.policy.attempts[tried.result]
    call_at = _asked_for(tried, following.next, work.now)
    next_at = work.policy.next_attempt(work.workspace, tried.result, call_at, work.now)
    event = Attempt(
        following.contact,
        next_at,
        work.policy.contact.attempts,
        give_up=following.next == "give_up",
        never_again=following.next == "never",
    )
    after = work.step(row, event, "attempt", {"channel": tried.channel, "result": tried.result})
    said = {"channel": tried.channel, "result": tried.result, "by": work.by, "notes": tried.notes}
    work.connection.execute(
        insert(work.connection, attempts).values(workspace=work.workspace, case=id, at=work.now, **said)
    )
    work.audit(id, "attempt", {"channel": tried.channel, "result": tried.result})
    if after["state"] == "unreachable":
        work.note(id, "unreachable", {"attempts": after["attempts"]})
        work.tell(after, "case.unreachable")
    return after


def resolve(work: Work, id: str, seen: int | None, outcome: Mapping[str, Any]) -> RowMapping:
    """Ends the work; `outcome` has root_cause, compensation, promise, satisfied and note."""
    row = work.step(_seen(work, id, seen), Resolve(outcome), "resolved", {"outcome": dict(outcome)})
    work.audit(id, "resolve", {"root_cause": outcome.get("root_cause")})
    work.tell(row, "case.resolved", {"outcome": dict(outcome)})
    return row


def close(work: Work, id: str, seen: int | None) -> RowMapping:
    """Puts the case away."""
    row = work.step(_seen(work, id, seen), Close(), "closed", {})
    work.audit(id, "close", {})
    return row


def reopen(work: Work, id: str, seen: int | None, reason: str | None) -> RowMapping:
    """Takes a case up again, with a new clock where nobody was reached and nothing was missed before."""
    row = _seen(work, id, seen)
    hours = work.policy.contact.due_hours[row["priority"]]
    times = work.clock.start(work.now, hours) if row["contact"] else Times()
    row = work.step(row, Reopen(times), "reopened", {"reason": reason, "outcome": row["outcome"]})
    work.audit(id, "reopen", {})
    work.tell(row, "case.reopened")
    return row


def _seen(work: Work, id: str, seen: int | None) -> RowMapping:
    """The case, at the version that the caller saw; None: any."""
    row = work.find(id)
    if seen is not None and row["version"] != seen:
        raise VersionChangedError(f"the case is at version {row['version']}, not {seen}; read it again and decide anew")
    return row


def _asked_for(tried: Tried, following: str, now: datetime) -> datetime | None:
    if (tried.call_at is not None) != (following == "asked"):
        wrong = "must be given" if following == "asked" else "must not be given"
        raise InputError(f"call_at {wrong} with the result {tried.result}")
    if tried.call_at is not None and not now < tried.call_at <= now + ASKED_AHEAD:
        raise InputError(f"call_at must be after now and within {ASKED_AHEAD.days} days")
    return tried.call_at
