"""Cases as they are opened, joined and ranked anew: one for each person at a time."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest
from case_rows import ACME, TEXT, found, kinds, policy_with, shipped, store, theme, told, types
from loop import START
from sqlalchemy import func, select, update

from serving.cases import rows
from serving.cases.book import open_or_join, reprioritise
from serving.cases.events import Attempt, Resolve, Wait
from serving.cases.work import Work
from serving.rules.decision import Decision
from serving.store.database import Database
from serving.store.loop_tables import cases
from serving.store.tables import responses

NOTHING = Decision()
DAY = timedelta(days=1)


def row_of(database: Database, case: str):
    with database.read() as connection:
        return rows.find_case(connection, ACME, case)


def test_a_case_says_who_why_and_until_when(database: Database):
    with database.write() as connection:
        response = store(connection, "r1", unit="Warszawa 3", employee="e-9")
        opened = open_or_join(connection, ACME, response, NOTHING, shipped(), START)
    assert (opened.outcome, opened.priority) == ("opened", 1)
    row = row_of(database, opened.case)
    assert (row["state"], row["team"], row["assignee"]) == ("assigned", "logistics", None)
    assert (row["theme"], row["reason"], row["assigned_by"]) == (
        *("delivery.time", "policy: 1"),
        "model team: theme delivery.time",
    )
    # Monday 9:00 UTC: 24 hours later somebody is at work too
    assert (row["due_at"], row["next_attempt_at"]) == (START + DAY, START)
    assert row["warn_at"] == datetime(2026, 11, 3, 7, 0, tzinfo=UTC), "18 hours later is night: the next opening"
    assert kinds(database, opened.case) == ["opened", "assigned"]
    (first, data), (second, _) = told(database)
    assert (first, second) == ("case.opened", "case.assigned")
    assert (data["case"], data["text"], data["unit"], data["employee"]) == (opened.case, TEXT, "Warszawa 3", "e-9")


def test_without_a_priority_there_is_no_case(database: Database):
    with database.write() as connection:
        response = store(connection, "r1", priority=None)
        assert open_or_join(connection, ACME, response, NOTHING, shipped(), START) is None
        opened = open_or_join(connection, ACME, response, Decision(priority=3, matched=("vip",)), shipped(), START)
    assert (row_of(database, opened.case)["priority"], row_of(database, opened.case)["reason"]) == (3, "rule vip")


@pytest.mark.parametrize(("consent", "decision"), [(False, NOTHING), (None, Decision(no_contact=True))])
def test_who_must_not_be_contacted_gets_a_case_without_a_clock(database: Database, consent, decision):
    with database.write() as connection:
        response = store(connection, "r1", contact_consent=consent)
        opened = open_or_join(connection, ACME, response, decision, shipped(), START)
    row = row_of(database, opened.case)
    assert row["contact"] is False
    assert [row[name] for name in ("due_at", "warn_at", "escalate_at", "next_attempt_at")] == [None] * 4
    assert types(database) == ["case.opened", "case.assigned"], "it is routed and counted all the same"


def test_a_second_answer_of_a_person_joins_the_open_case_and_can_make_it_urgent(database: Database):
    later = START + 2 * DAY
    with database.write() as connection:
        first = open_or_join(connection, ACME, store(connection, "r1", priority=3), NOTHING, shipped(), START)
        calm = open_or_join(connection, ACME, store(connection, "r2", priority=4), NOTHING, shipped(), START)
        urgent = open_or_join(connection, ACME, store(connection, "r3", priority=1), NOTHING, shipped(), later)
    assert [(each.case, each.outcome, each.priority) for each in (calm, urgent)] == [
        (first.case, "joined", 3),
        (first.case, "joined", 1),
    ]
    row = row_of(database, first.case)
    assert (row["priority"], row["due_at"], row["response"]) == (1, later + DAY, "r1")
    assert kinds(database, first.case) == ["opened", "assigned", "joined", "joined", "reprioritised"]
    assert [data.get("joined") for type, data in told(database) if type == "case.assigned"] == [None, "r3"]


def test_what_does_not_join(database: Database):
    """Other people, nobody in particular, other workspaces, too long ago, or a case that is done."""
    policy = shipped()
    with database.write() as connection:
        first = open_or_join(connection, ACME, store(connection, "r1"), NOTHING, policy, START)
        others = [
            open_or_join(connection, ACME, store(connection, "r2", person="p2"), NOTHING, policy, START),
            open_or_join(connection, ACME, store(connection, "r3", person=None), NOTHING, policy, START),
            open_or_join(connection, ACME, store(connection, "r4", person=None), NOTHING, policy, START),
            open_or_join(connection, "b", store(connection, "r5", workspace="b"), NOTHING, policy, START),
        ]
        after = START + timedelta(days=policy.join_days, seconds=1)
        late = open_or_join(connection, ACME, store(connection, "r6"), NOTHING, policy, after)
        work = Work(connection, ACME, policy, after)
        work.step(work.find(late.case), Resolve({}), "resolved", {})
        done = open_or_join(connection, ACME, store(connection, "r7"), NOTHING, policy, after)
    found = [first, *others, late, done]
    assert {each.outcome for each in found} == {"opened"}
    assert len({each.case for each in found}) == len(found)


def test_a_silent_case_takes_no_answer_that_may_lead_to_a_call_but_a_refusal_silences_an_open_one(database: Database):
    with database.write() as connection:
        silent = open_or_join(
            connection, ACME, store(connection, "r1", contact_consent=False), NOTHING, shipped(), START
        )
        again = open_or_join(connection, ACME, store(connection, "r2", contact_consent=True), NOTHING, shipped(), START)
        refusal = store(connection, "r3", contact_consent=False)
        joined = open_or_join(connection, ACME, refusal, NOTHING, shipped(), START + timedelta(hours=1))
    assert again.case != silent.case and again.outcome == "opened"
    assert (joined.case, joined.outcome) == (again.case, "joined")
    row = row_of(database, again.case)
    assert (row["contact"], row["due_at"], row["next_attempt_at"]) == (False, None, None)


def test_the_same_response_twice_opens_one_case(database: Database):
    with database.write() as connection:
        response = store(connection, "r1")
        first = open_or_join(connection, ACME, response, NOTHING, shipped(), START)
        second = open_or_join(connection, ACME, response, NOTHING, shipped(), START + DAY)
    assert (second.case, second.outcome) == (first.case, "existing")
    assert types(database) == ["case.opened", "case.assigned"]


def change(connection, uid: str, **to):
    connection.execute(update(responses).where(responses.c.workspace == ACME, responses.c.uid == uid).values(**to))
    return found(connection, uid)


@pytest.mark.parametrize(
    ("before", "after", "hours_later", "due_hours"),
    [
        (3, 1, 2, 26),  # more urgent: its 24 hours begin when that became known
        (1, 2, 2, 48),  # less urgent: as if it had been so from the start
        (3, 2, 119, 120),  # more urgent, but the end is nearer already: it stays
    ],
)
def test_a_correction_ranks_the_case_anew(database: Database, before, after, hours_later, due_hours):
    policy = policy_with(clock={"counts": "elapsed", "warn_share": 0.5})
    now = START + timedelta(hours=hours_later)
    with database.write() as connection:
        opened = open_or_join(connection, ACME, store(connection, "r1", priority=before), NOTHING, policy, START)
        changed = change(connection, "r1", priority=after, priority_reason="corrected")
        assert reprioritise(connection, ACME, changed, NOTHING, policy, now).priority == after
    row = row_of(database, opened.case)
    assert (row["due_at"], row["reason"]) == (START + timedelta(hours=due_hours), "corrected")


def test_the_most_urgent_of_all_its_responses_ranks_a_case(database: Database):
    policy = shipped()
    with database.write() as connection:
        open_or_join(connection, ACME, store(connection, "r1", priority=3), NOTHING, policy, START)
        case = open_or_join(connection, ACME, store(connection, "r2", priority=1), NOTHING, policy, START).case
        reprioritise(connection, ACME, change(connection, "r2", priority=None), NOTHING, policy, START)
        assert rows.find_case(connection, ACME, case)["priority"] == 3
        reprioritise(connection, ACME, change(connection, "r1", priority=None), NOTHING, policy, START)
    assert row_of(database, case)["priority"] == 3, "a person decides what becomes of a case nothing calls for now"


def test_what_was_reached_or_is_over_is_not_put_back(database: Database):
    policy = shipped()
    with database.write() as connection:
        opened = open_or_join(connection, ACME, store(connection, "r1", priority=2), NOTHING, policy, START)
        work = Work(connection, ACME, policy, START)
        reached = work.step(work.find(opened.case), Attempt(True, None, 3), "attempt", {})
        changed = change(connection, "r1", priority=1)
        reprioritise(connection, ACME, changed, NOTHING, policy, START + DAY)
        urgent = work.find(opened.case)
        assert (urgent["priority"], urgent["due_at"]) == (1, reached["due_at"])
        work.step(urgent, Resolve({}), "resolved", {})
        reprioritise(connection, ACME, change(connection, "r1", priority=4), NOTHING, policy, START + DAY)
    assert (row_of(database, opened.case)["priority"], row_of(database, opened.case)["state"]) == (1, "resolved")


def test_rules_reassign_and_tag_but_do_not_overrule_people(database: Database):
    policy, vip = shipped(), Decision(team="vip", tags=("vip", "loud"), matched=("r9",))
    with database.write() as connection:
        response = store(connection, "r1")
        case = open_or_join(connection, ACME, response, Decision(tags=("loud",)), policy, START).case
        reprioritise(connection, ACME, response, vip, policy, START)
        row = rows.find_case(connection, ACME, case)
        assert (row["team"], row["assigned_by"], row["tags"]) == ("vip", "rule r9", ["loud", "vip"])
        connection.execute(update(cases).where(cases.c.workspace == ACME).values(assigned_by="person key:ola"))
        reprioritise(connection, ACME, response, replace(vip, team="other"), policy, START)
    assert row_of(database, case)["team"] == "vip"
    assert types(database) == ["case.opened", "case.assigned", "case.assigned"]


def test_a_paused_case_that_becomes_urgent_is_due_as_of_the_pause(database: Database):
    policy = policy_with(clock={"counts": "elapsed", "warn_share": 0.5})
    with database.write() as connection:
        case = open_or_join(connection, ACME, store(connection, "r1", priority=3), NOTHING, policy, START).case
        work = Work(connection, ACME, policy, START + DAY)
        work.step(work.find(case), Wait(), "waiting", {})
        reprioritise(connection, ACME, change(connection, "r1", priority=1), NOTHING, policy, START + 2 * DAY)
    assert row_of(database, case)["due_at"] == START + 2 * DAY, "24 hours are left when the pause ends"


def test_workers_that_meet_over_one_person_open_one_case(database: Database):
    people, workers = 4, 4
    with database.write() as connection:
        for person in range(people):
            for worker in range(workers):
                store(connection, f"r{person}-{worker}", person=f"p{person}", themes=(theme("delivery.time"),))
    barrier = Barrier(workers)

    def work(worker: int) -> list[str]:
        outcomes = []
        for person in range(people):
            barrier.wait()
            with database.write() as connection:
                response = found(connection, f"r{person}-{worker}")
                outcomes.append(open_or_join(connection, ACME, response, NOTHING, shipped(), START).outcome)
        return outcomes

    with ThreadPoolExecutor(workers) as pool:
        outcomes = sorted(outcome for each in pool.map(work, range(workers)) for outcome in each)
    assert outcomes == ["joined"] * people * (workers - 1) + ["opened"] * people
    with database.read() as connection:
        assert connection.execute(select(func.count()).select_from(cases)).scalar() == people
