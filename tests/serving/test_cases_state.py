"""The states of a case: the table of what leads where, and what no sequence of events can bring about."""

from dataclasses import fields, replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from loop import START

from serving.cases.clock import Times
from serving.cases.events import (
    Assign,
    Attempt,
    Breach,
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
from serving.cases.state import ACTIVE, STATES, TRANSITIONS, Case, NoContactError, WrongStateError, possible, transition

HOUR = timedelta(hours=1)
TIMES = Times(START + 24 * HOUR, START + 18 * HOUR, START + 30 * HOUR, START)
MISS = Attempt(contact=False, next_at=START + 24 * HOUR, most=3)
REACHED = Attempt(contact=True, next_at=None, most=3)
EVENTS = {
    "assign": Assign("team", None, "person ola"),
    "start": Start("ola"),
    "wait": Wait(),
    "resume": Resume(TIMES),
    "attempts": REACHED,
    "resolve": Resolve({"root_cause": "delivery.time"}),
    "close": Close(),
    "reopen": Reopen(TIMES),
}


def case(state: str = "open", contact: bool = True, **changed) -> Case:
    times = {field.name: getattr(TIMES, field.name) for field in fields(TIMES)} if contact else {}
    return Case(state, 1, "why", contact, START, START, **{**times, **changed})


TABLE = """
             open         assigned     in_progress  waiting      resolved     closed       unreachable  reopened
assign       assigned     assigned     in_progress  waiting      -            -            -            assigned
start        in_progress  in_progress  -            -            -            -            -            in_progress
wait         waiting      waiting      waiting      -            -            -            -            waiting
resume       -            -            -            in_progress  -            -            -            -
attempts     in_progress  in_progress  in_progress  -            -            -            -            in_progress
resolve      resolved     resolved     resolved     resolved     -            -            resolved     resolved
close        -            -            -            -            closed       -            closed       -
reopen       -            -            -            -            reopened     reopened     reopened     -
"""
LINES = [line.split() for line in TABLE.strip("\n").splitlines()]
CELLS = [(name, state, to) for name, *row in LINES[1:] for state, to in zip(LINES[0], row, strict=True)]


@pytest.mark.parametrize(("name", "state", "to"), CELLS)
def test_what_people_do_leads_where_the_table_says(name: str, state: str, to: str):
    if to == "-":
        with pytest.raises(WrongStateError, match=f"{name} is not possible while the case is {state}; possible: "):
            transition(case(state), EVENTS[name], START)
        assert name not in possible(state)
    else:
        after = transition(case(state), EVENTS[name], START + HOUR)
        assert (after.state, after.version, after.updated_at) == (to, 2, START + HOUR)
        assert name in possible(state)


def test_the_table_has_every_state_and_every_event_that_people_cause():
    assert sorted(LINES[0]) == sorted(STATES)
    assert {line[0] for line in LINES[1:]} == {event.name for event in TRANSITIONS if event.asked}


def test_reaching_the_person_is_remembered_once():
    first = transition(case("assigned"), REACHED, START + HOUR)
    second = transition(transition(first, MISS, START + 2 * HOUR), REACHED, START + 3 * HOUR)
    assert (first.first_contact_at, second.first_contact_at) == (START + HOUR, START + HOUR)
    assert (second.attempts, second.misses, second.escalate_at) == (3, 0, None)


def test_only_attempts_in_a_row_make_a_person_unreachable():
    found = case("assigned")
    for event in (MISS, MISS, REACHED, MISS, MISS):
        found = transition(found, event, START)
    assert (found.state, found.misses, found.attempts) == ("in_progress", 2, 5)
    assert transition(found, MISS, START).state == "unreachable"


def test_who_started_has_the_case_unless_somebody_had_it():
    assert transition(case(), Start("ola"), START).assignee == "ola"
    assert transition(case("assigned", assignee="jan"), Start("ola"), START).assignee == "jan"


def test_a_case_reopened_before_anybody_was_reached_gets_a_new_clock_unless_its_time_had_passed():
    done = transition(case(warned_at=START), Resolve({}), START)
    again = transition(done, Reopen(replace(TIMES, due_at=START + 99 * HOUR)), START)
    assert (again.due_at, again.warned_at) == (START + 99 * HOUR, None)
    late = transition(replace(done, breached_at=START), Reopen(replace(TIMES, due_at=START + 99 * HOUR)), START)
    assert (late.due_at, late.warned_at, late.breached_at) == (TIMES.due_at, START, START)


def test_escalation_gives_the_case_to_the_level():
    after = transition(case("assigned", team="logistics", assignee="ola"), Escalate(None, "boss", None), START)
    assert (after.team, after.assignee, after.escalation, after.escalate_at) == ("logistics", "boss", 1, None)
    assert after.assigned_by == "escalation level 1"


moments = st.integers(0, 500).map(lambda hours: START + hours * HOUR)
times = st.builds(Times, moments, moments, st.none() | moments, moments)
names = st.none() | st.sampled_from(["a", "b"])
attempts = st.builds(Attempt, st.booleans(), st.none() | moments, st.integers(1, 3), st.booleans(), st.booleans())
events = st.one_of(
    st.builds(Assign, names, names, st.just("person a")),
    st.builds(Start, st.just("a")),
    st.builds(Wait),
    st.builds(Resume, times),
    attempts,
    st.builds(Resolve, st.just({"satisfied": True})),
    st.builds(Close),
    st.builds(Reopen, times),
    st.builds(Reprioritise, st.integers(1, 4), st.just("why"), st.none() | times),
    st.builds(Silence),
    st.builds(Touch),
    st.builds(Warn),
    st.builds(Breach),
    st.builds(Escalate, names, names, st.none() | moments),
)


@given(st.booleans(), st.lists(st.tuples(events, st.integers(0, 48)), max_size=30))
def test_no_sequence_of_events_brings_about_what_cannot_be(contact: bool, sequence):
    found, now = case(contact=contact), START
    for event, hours in sequence:
        before, now = found, now + hours * HOUR
        try:
            found = transition(found, event, now)
        except (WrongStateError, NoContactError):
            assert found is before
            continue
        check(found)
        assert found.version == before.version + 1
        assert found.attempts >= before.attempts and found.escalation >= before.escalation
        assert before.first_contact_at in (None, found.first_contact_at)
        assert before.breached_at is None or found.breached_at is not None
        assert found.contact <= before.contact, "nobody is contacted who must not be"


def check(found: Case) -> None:
    assert found.state in STATES
    assert (found.paused_at is not None) == (found.state == "waiting")
    assert (found.closed_at is not None) == (found.state == "closed")
    assert (found.outcome is not None) == (found.resolved_at is not None)
    assert found.resolved_at is None if found.state not in ("resolved", "closed") else True
    assert found.resolved_at is not None if found.state == "resolved" else True
    if not found.contact or found.state not in ACTIVE:
        assert found.next_attempt_at is None
        assert not found.owes_contact
    if not found.contact and found.first_contact_at is None:
        assert found.times == Times()
