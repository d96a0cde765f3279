"""The report of the loop: a story counted by hand on both databases, and the rules of its figures one by one."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given as for_any
from hypothesis import strategies as st
from insight_rows import Rows, day

from serving.cases.state import STATES
from serving.insights.intervals import Share, wilson
from serving.insights.loop import Loop, Paid, closure, in_time, loop, overdue, root_causes
from serving.insights.loop_rows import CaseRow
from serving.insights.window import Window, period
from serving.store.database import Database

NOW = day(30)
MONTH = Window(period(day(0), NOW, NOW))


def ask(database: Database, by: str | None = None, window: Window = MONTH, now: datetime = NOW) -> Loop:
    with database.read() as connection:
        return loop(connection, "acme", window, by, now, 100)


def given(amount: object, currency: object = "EUR") -> dict[str, object]:
    return {"amount": amount, "currency": currency, "kind": "voucher"}


def story() -> Rows:
    """Eight cases of the month, one of the month before that is still open, one that is not, one of another house."""
    rows = Rows()
    north, south = {"unit": "north"}, {"unit": "south"}

    def case(place: Mapping[str, str], at: float, **more: Any) -> None:
        rows.case(rows.answer(2, day(at), **place), day(at), **more)

    reached = {"attempts": 1, "first_contact_at": day(1.5)}  # 12 hours after it was opened
    outcome = {
        "root_cause": "delivery.time",
        "compensation": {"amount": 50.0, "currency": "PLN", "kind": "refund"},
        "promise": None,
        "satisfied": True,
        "note": None,
    }
    case(north, 1, state="resolved", team="care", assignee="ewa", resolved_at=day(2), outcome=outcome, **reached)
    case(north, 1, state="closed", team="care", **reached, outcome=outcome | {"compensation": None, "satisfied": False})
    case(north, 1, state="in_progress", team="care", reopened=True, **reached | {"first_contact_at": day(4)})  # late
    case(south, 1, state="unreachable", team="care", attempts=3)
    case(
        south,
        1,
        state="resolved",
        contact=False,
        due_at=None,
        outcome={"root_cause": "price", "compensation": given(20)},
    )
    case(south, 5, state="assigned", priority=3, breached_at=day(6))  # overdue
    case(south, 29.5, priority=3)  # due in half a day
    # reached, and asked not to be called again
    case(south, 1, state="closed", contact=False, **reached, outcome={"root_cause": None})
    case(north, -5, state="waiting")
    case(north, -5, state="resolved", first_contact_at=day(-4.5))
    return rows


def test_the_story_counted_by_hand(database: Database) -> None:
    story().write(database)
    other = Rows("other")
    other.case(other.answer(1, day(1)), day(1))
    other.write(database)
    found = ask(database)
    overall = found.overall
    assert (found.n, overall.opened, overall.planned, overall.no_contact) == (8, 8, 7, 1)
    assert overall.contacted == wilson(4, 7)
    # of seven planned: three in time, one late, one unreachable, one overdue, one not due yet
    assert (overall.in_time, overall.pending) == (wilson(3, 6), 1)
    assert overall.median_hours == 12
    assert overall.p90_hours == pytest.approx(12 + 0.7 * 60)  # of 12, 12, 12 and 72: between the last two
    assert (overall.attempts, overall.attempts_per_case) == (7, 1)
    assert [item.cases for item in overall.attempted] == [2, 4, 0, 1, 0, 0]
    assert (overall.unreachable, overall.closed) == (wilson(1, 7), wilson(3, 7))
    # ended: two resolved, two closed, one unreachable, and the one reopened
    assert overall.reopened == wilson(1, 6)
    assert overall.satisfied == wilson(1, 2)
    # the one of the month before counts among those open now, not among those opened
    assert (overall.open_now, overall.overdue_now) == (4, 1)
    causes = [(item.cause, item.cases, item.compensation) for item in found.root_causes]
    euros = (Paid("EUR", 20.0, 1),)
    assert causes == [("delivery.time", 2, (Paid("PLN", 50.0, 1),)), (None, 1, ()), ("price", 1, euros)]
    assert found.root_causes[0].satisfied == wilson(1, 2)


def test_groups_add_up_to_all(database: Database) -> None:
    story().write(database)
    for by, names in (("unit", {"north", "south"}), ("team", {"care", None}), ("priority", {"1", "3"})):
        found = ask(database, by)
        assert {group.name for group in found.groups} == names
        for figure in ("opened", "planned", "pending", "attempts", "open_now", "overdue_now"):
            assert sum(getattr(group, figure) for group in found.groups) == getattr(found.overall, figure)
    north, south = ask(database, "unit").groups[1], ask(database, "unit").groups[0]
    assert (north.name, north.contacted, north.open_now) == ("north", wilson(3, 3), 2)
    assert (south.name, south.unreachable) == ("south", wilson(1, 4))
    assert [group.name for group in ask(database, "assignee").groups] == [None, "ewa"]


def test_filters_are_those_of_the_first_response(database: Database) -> None:
    story().write(database)
    found = ask(database, window=Window(MONTH.period, unit="south"))
    assert (found.n, found.overall.open_now) == (5, 2)
    assert ask(database, window=Window(MONTH.period, metric="csat")).n == 0
    before = ask(database, window=Window(period(day(-30), day(0), NOW)))
    assert (before.n, before.overall.closed) == (2, wilson(1, 2))


CASE = CaseRow(
    **{"id": "c", "of_period": True, "state": "open", "priority": 1, "team": None, "assignee": None, "unit": None},
    **{"contact": True, "opened_at": day(0), "due_at": day(1), "breached_at": None, "first_contact_at": None},
    **{"attempts": 0, "reopened": False, "has_outcome": False, "root_cause": None, "compensation": None},
    currency=None,
    satisfied=None,
)
REACHED = {"first_contact_at": day(1)}


@pytest.mark.parametrize(
    ("changes", "now", "expected"),
    [
        ({}, day(1), None),
        ({}, day(1) + timedelta(microseconds=1), False),
        ({"state": "waiting"}, day(9), None),  # the clock stands still
        (REACHED, day(9), True),
        ({"first_contact_at": day(1) + timedelta(microseconds=1)}, day(9), False),
        ({**REACHED, "breached_at": day(0.5)}, day(9), False),  # it was due earlier, before its priority fell
        ({**REACHED, "due_at": None}, day(9), True),
        ({"state": "unreachable"}, day(0.5), False),
        ({"state": "resolved"}, day(0.5), False),
        ({"due_at": None}, day(9), None),
    ],
)
def test_in_time(changes: Mapping[str, Any], now: datetime, expected: bool | None) -> None:
    assert in_time(replace(CASE, **changes), now) is expected


def test_overdue_is_what_owes_a_contact() -> None:
    late = day(2)
    assert overdue(CASE, late)
    for changes in ({"state": "waiting"}, {"contact": False}, REACHED, {"state": "resolved"}, {"due_at": day(3)}):
        assert not overdue(replace(CASE, **changes), late)


def test_sums_that_no_currency_has_are_no_compensation(database: Database) -> None:
    rows = Rows()
    sayings = [1e300, "10 zł", {"amount": 5}, given(True), given(1e300), given(1, None), given(2, "UAH")]
    for said in (*sayings, given(7), given(3)):
        rows.case(rows.answer(1, day(1)), day(1), state="resolved", outcome={"compensation": said})
    rows.write(database)
    [cause] = ask(database).root_causes
    assert (cause.cases, cause.compensation) == (9, (Paid("EUR", 10.0, 2), Paid("UAH", 2.0, 1)))


moments = st.none() | st.integers(0, 60).map(day)
rows_of_cases = st.builds(
    CaseRow,
    id=st.just("c"),
    of_period=st.booleans(),
    state=st.sampled_from(STATES),
    priority=st.integers(1, 4),
    team=st.none(),
    assignee=st.none(),
    unit=st.none(),
    contact=st.booleans(),
    opened_at=st.just(day(0)),
    due_at=moments,
    breached_at=moments,
    first_contact_at=moments,
    attempts=st.integers(0, 9),
    reopened=st.booleans(),
    has_outcome=st.booleans(),
    root_cause=st.sampled_from([None, "price"]),
    compensation=st.none() | st.floats(0, 1e6),
    currency=st.sampled_from([None, "PLN"]),
    satisfied=st.none() | st.booleans(),
)


@for_any(st.lists(rows_of_cases, max_size=12))
def test_any_cases_make_a_consistent_report(rows: list[CaseRow]) -> None:
    found = closure(None, rows, day(30))
    shares = [found.contacted, found.in_time, found.unreachable, found.closed, found.reopened, found.satisfied]
    assert all(isinstance(share, Share) and 0 <= share.count <= share.of for share in shares)
    assert found.planned + found.no_contact == found.opened
    assert found.in_time.of + found.pending == found.planned
    assert sum(item.cases for item in found.attempted) == found.planned
    assert found.overdue_now <= found.open_now
    assert sum(cause.cases for cause in root_causes(rows)) == sum(row.of_period and row.has_outcome for row in rows)
