"""Opening cases: one for each person at a time, placed by policy and rules, assigned, with its clock set."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection, RowMapping

from serving.cases import rows
from serving.cases.assignment import PERSON, Chosen, because_of, choose, main_theme
from serving.cases.clock import Times
from serving.cases.events import Assign, Reprioritise, Silence, Touch
from serving.cases.policy import CasePolicy
from serving.cases.state import ACTIVE, Case
from serving.cases.work import SYSTEM, Work
from serving.rules.decision import Decision
from serving.store.database import new_id


@dataclass(frozen=True, slots=True)
class Opened:
    """The case of a response, and how the response came to it."""

    case: str
    outcome: Literal["opened", "joined", "existing"]
    priority: int


@dataclass(frozen=True, slots=True)
class _Asked:
    """What one response asks for; no priority: nothing."""

    priority: int | None
    reason: str
    contact: bool


def open_or_join(
    connection: Connection,
    workspace: str,
    response: Mapping[str, Any],
    decision: Decision,
    policy: CasePolicy,
    now: datetime,
    by: str = SYSTEM,
) -> Opened | None:
    """The case of a stored response: a new one, or the open one of the same person; None where nothing calls for one.

    A response that has a case already is ranked anew in it, so asking twice opens nothing twice.
    """
    work, asked = Work(connection, workspace, policy, now, by), _asked(response, decision)
    existing = _reprioritise(work, response, decision)
    if existing is not None or asked.priority is None:
        return existing
    if response["respondent"] is not None:
        rows.lock_respondent(connection, workspace, response["respondent"])
        since = now - timedelta(days=policy.join_days)
        case = rows.open_case_of(connection, workspace, response["respondent"], since, asked.contact)
        if case is not None:
            return _join(work, case, response, decision)
    return _open(work, response, decision)


def reprioritise(
    connection: Connection,
    workspace: str,
    response: Mapping[str, Any],
    decision: Decision,
    policy: CasePolicy,
    now: datetime,
    by: str = SYSTEM,
) -> Opened | None:
    """Ranks the case of a response anew after a correction or changed rules; None where it has no case.

    Cases that are done stay as they are. What a person assigned stands; where a rule assigns, it is followed.
    """
    return _reprioritise(Work(connection, workspace, policy, now, by), response, decision)


def _reprioritise(work: Work, response: Mapping[str, Any], decision: Decision) -> Opened | None:
    id = rows.case_of_response(work.connection, work.workspace, response["uid"])
    if id is None:
        return None
    row = work.find(id)
    if row["state"] in ACTIVE:
        asked = _asked(response, decision)
        rows.link(work.connection, work.workspace, id, response["uid"], asked.priority, asked.reason, work.now)
        row = _rerank(work, row, decision, asked.contact)
    return Opened(id, "existing", row["priority"])


def _asked(response: Mapping[str, Any], decision: Decision) -> _Asked:
    contact = response["contact_consent"] is not False and not decision.no_contact
    if decision.priority is not None and decision.priority != response["priority"]:
        because = f"rule {', '.join(decision.matched)}" if decision.matched else "asked for by hand"
        return _Asked(decision.priority, because, contact)
    return _Asked(response["priority"], response["priority_reason"] or "", contact)


def _open(work: Work, response: Mapping[str, Any], decision: Decision) -> Opened:
    id, asked, theme = new_id(), _asked(response, decision), main_theme(response["effective"])
    assert asked.priority is not None
    chosen = choose(work.policy.assignment, decision, theme, response["employee"], response["unit"])
    case = _new_case(work, asked, chosen)
    named = {"response": response["uid"], "respondent": response["respondent"], "theme": theme}
    tags = list(dict.fromkeys(decision.tags))
    row = rows.insert_case(work.connection, work.workspace, id, case, {**named, "tags": tags})
    row |= {"unit": response["unit"], "employee": response["employee"]}
    rows.link(work.connection, work.workspace, id, response["uid"], asked.priority, asked.reason, work.now)
    work.note(id, "opened", {"response": response["uid"], "priority": asked.priority, "reason": asked.reason})
    work.audit(id, "open", {"response": response["uid"]})
    work.tell(row, "case.opened", {"text": response["text"]})
    if chosen.anybody:
        work.note(id, "assigned", {"team": chosen.team, "assignee": chosen.assignee, "because": chosen.because})
        work.tell(row, "case.assigned")
    return Opened(id, "opened", asked.priority)


def _new_case(work: Work, asked: _Asked, chosen: Chosen) -> Case:
    assert asked.priority is not None
    hours = work.policy.contact.due_hours[asked.priority]
    times = work.clock.start(work.now, hours) if asked.contact else Times()
    return Case(
        state="assigned" if chosen.anybody else "open",
        priority=asked.priority,
        reason=asked.reason,
        contact=asked.contact,
        opened_at=work.now,
        updated_at=work.now,
        team=chosen.team,
        assignee=chosen.assignee,
        assigned_by=chosen.because if chosen.anybody else None,
        due_at=times.due_at,
        warn_at=times.warn_at,
        escalate_at=times.escalate_at,
        next_attempt_at=times.next_attempt_at,
    )


def _join(work: Work, id: str, response: Mapping[str, Any], decision: Decision) -> Opened:
    before, asked = work.find(id), _asked(response, decision)
    rows.link(work.connection, work.workspace, id, response["uid"], asked.priority, asked.reason, work.now)
    # the new version tells whoever has the case on the screen that there is more to read
    row = work.step(before, Touch(), "joined", {"response": response["uid"], "priority": asked.priority})
    row = _rerank(work, row, decision, asked.contact)
    work.audit(id, "join", {"response": response["uid"]})
    if row["priority"] < before["priority"]:
        work.tell(row, "case.assigned", {"joined": response["uid"], "text": response["text"]})
    return Opened(id, "joined", row["priority"])


def _rerank(work: Work, row: RowMapping, decision: Decision, contact: bool) -> RowMapping:
    """The case after its responses or rules changed: the most urgent response decides, and every refusal counts."""
    if row["contact"] and not contact:
        row = work.step(row, Silence(), "silenced", {"rules": list(decision.matched)})
    found = rows.most_urgent(work.connection, work.workspace, row["id"])
    if found is not None and found["priority"] != row["priority"]:
        times = _retimed(work, rows.case_of_row(row), found["priority"])
        event = Reprioritise(found["priority"], found["reason"] or "", times)
        row = work.step(row, event, "reprioritised", {"from": row["priority"], "to": found["priority"]})
    if _reassigns(row, decision):
        because = because_of(decision)
        event = Assign(decision.team or row["team"], decision.assignee, because)
        row = work.step(row, event, "assigned", {"team": event.team, "assignee": event.assignee, "because": because})
        work.tell(row, "case.assigned")
    rows.add_tags(work.connection, work.workspace, row["id"], row["tags"], decision.tags)
    return row


def _retimed(work: Work, case: Case, priority: int) -> Times | None:
    """The times under another priority; None: they stay.

    A case that became more urgent gets the shorter time from now on: nobody could know before. One that became less
    urgent is as if it had been so from the start. What was met or missed already is history.
    """
    if case.due_at is None or case.first_contact_at or case.breached_at:
        return None
    hours, urgent = work.policy.contact.due_hours[priority], priority < case.priority
    # while the clock stands still, times are as of the pause, and move on when it ends
    new = work.clock.start((case.paused_at or work.now) if urgent else case.opened_at, hours)
    assert new.due_at is not None
    if (new.due_at < case.due_at) is not urgent:
        return None
    return Times(new.due_at, new.warn_at, new.escalate_at, case.next_attempt_at or new.next_attempt_at)


def _reassigns(row: RowMapping, decision: Decision) -> bool:
    wanted = (decision.team or row["team"], decision.assignee)
    named = decision.team is not None or decision.assignee is not None
    by_hand = (row["assigned_by"] or "").startswith((PERSON, "escalation"))
    return named and not by_hand and row["state"] in ("open", "assigned") and wanted != (row["team"], row["assignee"])
