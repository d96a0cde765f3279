"""What time brings: warnings, breaches, escalation and closing, once each, whoever looks."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from case_rows import ACME, kinds, shipped, store, told, types
from loop import START, Clock
from sqlalchemy import delete

from serving.cases import actions, rows
from serving.cases.book import open_or_join
from serving.cases.ticks import run_once
from serving.cases.work import Work
from serving.parts import Parts
from serving.rules.decision import Decision
from serving.store.database import Database
from serving.store.loop_tables import cases


def opened(database: Database, uid: str = "r1", workspace: str = ACME, **given: Any) -> str:
    with database.write() as connection:
        response = store(connection, uid, workspace=workspace, **given)
        return open_or_join(connection, workspace, response, Decision(), shipped(), START).case


def act(parts: Parts, action: Any, case: str, *given: Any) -> None:
    with parts.database.write() as connection:
        action(Work(connection, ACME, shipped(), parts.clock(), "ola"), case, None, *given)


def found(parts: Parts, case: str):
    with parts.database.read() as connection:
        return rows.find_case(connection, ACME, case)


def alerts(database: Database) -> list[str]:
    return [type for type in types(database) if type not in ("case.opened", "case.assigned")]


def test_a_case_nobody_calls_is_warned_of_breached_and_escalated_once_each(parts: Parts, clock: Clock):
    case = opened(parts.database)
    assert run_once(parts) == 0
    clock.forward(hours=22)  # Tuesday 8:00 in Warsaw: three quarters of a working day
    assert [run_once(parts), run_once(parts)] == [1, 0]
    assert alerts(parts.database) == ["case.due_soon"]
    clock.forward(hours=2)
    assert [run_once(parts), run_once(parts)] == [2, 0]
    assert alerts(parts.database)[1:] == ["case.breached", "case.escalated"]
    row = found(parts, case)
    assert (row["team"], row["escalation"], row["breached_at"]) == ("customer-care-leads", 1, clock())
    clock.forward(days=1)
    assert [run_once(parts), run_once(parts)] == [1, 0]
    assert (found(parts, case)["team"], found(parts, case)["escalate_at"]) == ("customer-care-managers", None)
    clock.forward(days=30)
    assert run_once(parts) == 0
    assert kinds(parts.database, case)[2:] == ["warned", "breached", "escalated", "escalated"]
    assert [data.get("level") for _, data in told(parts.database)][-2:] == [1, 2]


def test_after_a_long_stop_of_the_service_nothing_is_forgotten_or_told_twice(parts: Parts, clock: Clock):
    opened(parts.database)
    opened(parts.database, "r2", person="p2", workspace="other")
    clock.forward(days=10)
    assert [run_once(parts), run_once(parts)] == [6, 0]
    assert alerts(parts.database) == ["case.breached", "case.escalated", "case.escalated"]
    assert [type for type, _ in told(parts.database, "other")][2:] == alerts(parts.database)


@pytest.mark.parametrize("why", ["reached", "waiting", "no consent", "resolved", "unreachable"])
def test_who_is_not_owed_a_call_is_left_alone(parts: Parts, clock: Clock, why: str):
    case = opened(parts.database, contact_consent=False if why == "no consent" else None)
    if why == "reached":
        act(parts, actions.attempt, case, actions.Tried("phone", "reached"))
    elif why == "waiting":
        act(parts, actions.wait, case, None)
    elif why == "resolved":
        act(parts, actions.resolve, case, {})
    elif why == "unreachable":
        act(parts, actions.attempt, case, actions.Tried("phone", "wrong_number"))
    clock.forward(days=5)
    assert run_once(parts) == 0


def test_what_is_done_is_put_away_in_time(parts: Parts, clock: Clock):
    solved, lost = opened(parts.database), opened(parts.database, "r2", person="p2")
    act(parts, actions.resolve, solved, {"satisfied": True})
    act(parts, actions.attempt, lost, actions.Tried("phone", "wrong_number"))
    clock.forward(days=14, seconds=-1)
    assert run_once(parts) == 0
    clock.forward(seconds=1)
    assert run_once(parts) == 1
    clock.forward(days=16)
    assert run_once(parts) == 1
    assert [found(parts, case)["state"] for case in (solved, lost)] == ["closed", "closed"]
    assert found(parts, solved)["outcome"] == {"satisfied": True}


def test_a_pause_that_ends_gives_the_time_back(parts: Parts, clock: Clock):
    case = opened(parts.database)
    act(parts, actions.wait, case, "parts are on the way")
    clock.forward(days=3)
    act(parts, actions.resume, case)
    assert run_once(parts) == 0
    clock.forward(days=1)
    assert run_once(parts) == 2
    assert found(parts, case)["due_at"] == START + timedelta(days=4)


def test_many_processes_tell_once(parts: Parts, clock: Clock):
    ids = [opened(parts.database, f"r{n}", person=f"p{n}") for n in range(5)]
    clock.forward(days=1)
    with ThreadPoolExecutor(3) as pool:
        done = sum(pool.map(lambda _: run_once(parts), range(3)))
    assert done == 2 * len(ids)
    assert sorted(alerts(parts.database)) == ["case.breached"] * 5 + ["case.escalated"] * 5


def test_a_case_erased_meanwhile_stops_nobody(parts: Parts, clock: Clock, monkeypatch: pytest.MonkeyPatch):
    gone, left = opened(parts.database), opened(parts.database, "r2", person="p2")
    clock.forward(days=1)
    find = Work.find

    def erase_then_find(work: Work, id: str):
        work.connection.execute(delete(cases).where(cases.c.workspace == ACME, cases.c.id == gone))
        return find(work, id)

    monkeypatch.setattr(Work, "find", erase_then_find)
    assert run_once(parts) == 2
    assert found(parts, left)["breached_at"] == clock()
