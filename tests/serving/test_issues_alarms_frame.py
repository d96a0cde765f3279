"""Alarms after people changed the code frame: they count by its tree, and tell what happened, not what was changed."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from insight_rows import Rows, day
from loop import Clock
from test_issues_alarms import settings, told

from nlp.taxonomy import Theme
from serving.frame import changing
from serving.frame.changing import Work
from serving.frame.own import Own
from serving.frame.progress import SEARCH, open_jobs
from serving.issues.series import COMPLAINTS, THEME, load_columns, rows_of
from serving.issues.watch import run_once
from serving.parts import Parts
from serving.store.database import Database
from serving.store.jobs import cancel

BEFORE, AFTER = 42, 30
"""Days of answers before the frame is changed, on the tests' Monday, and after."""
A_DAY = 24
LATE = 8
"""Answers a day, and how many of them are about late parcels."""
WATCHED = (1, 2, 3, 5, 8, 11, 15, 22, 29)
"""Days after the change on which alarms are looked for."""
LATE_PARCEL = Theme("late_parcel", "Late parcel", "A parcel that came late", None)


def steady(theme_of: Callable[[float], str | None]) -> Rows:
    """As many answers every day; those about late parcels have the theme of their day."""
    rows = Rows()
    for place in range((BEFORE + AFTER) * A_DAY):
        number = place / A_DAY - BEFORE
        late, courier = place % A_DAY < LATE, place % A_DAY == LATE
        theme = theme_of(number) if late else "delivery.courier" if courier else None
        themes = ((theme, "negative"),) if theme else ()
        rows.answer(at=day(number), themes=themes, sentiment="negative" if late else "neutral")
    return rows


def more(rows: Rows, theme: str, last: float, count: int) -> None:
    """Complaints about a theme in the day before that."""
    for place in range(count):
        rows.answer(at=day(last - (place + 0.5) / count), themes=((theme, "negative"),), sentiment="negative")


def change(parts: Parts, number: float, step: Callable[[Work], object]) -> None:
    with parts.database.write() as connection:
        step(Work(connection, parts, "acme", "ola", day(number)))


def searched(parts: Parts) -> None:
    """The search of stored answers is over."""
    with parts.database.write() as connection:
        for row in open_jobs(connection, "acme", SEARCH):
            assert cancel(connection, "acme", row["id"], parts.clock())


def split(work: Work) -> None:
    changing.split(work, "delivery.time", [LATE_PARCEL])


def retire(work: Work) -> None:
    changing.retire(work, "delivery.time")


def bring_back(work: Work) -> None:
    changing.put(work, Own(), None)


def watch(parts: Parts, clock: Clock, *days: float) -> list[tuple[str, str]]:
    """Subject and direction of all that is told up to the last of these days."""
    for number in days:
        clock.forward(seconds=(day(number) - clock.now) / timedelta(seconds=1))
        run_once(parts)
    return [(alarm["subject"], alarm["direction"]) for alarm in told(parts.database)]


def test_nothing_is_told_of_a_split_alone(parts: Parts, database: Database, clock: Clock) -> None:
    settings(database)
    steady(lambda number: "delivery.time" if number < 0 else "late_parcel").write(database)
    change(parts, 0, split)
    assert watch(parts, clock, *WATCHED) == []


def test_what_is_split_off_counts_for_what_it_was_split_from(parts: Parts, database: Database, clock: Clock) -> None:
    settings(database)
    rows = steady(lambda number: "delivery.time" if number < 0 else "late_parcel")
    more(rows, "late_parcel", 2, 60)
    rows.write(database)
    change(parts, 0, split)
    assert watch(parts, clock, 2) == [], "while history is searched its days do not compare"
    searched(parts)
    assert watch(parts, clock, 2) == [("delivery.time", "rising")]
    [alarm] = told(database)
    assert alarm["observed"] == 60 + alarm["days"] * LATE and alarm["expected"] > LATE / 2


def test_what_was_split_off_is_told_of_by_itself_once_it_has_a_history(
    parts: Parts, database: Database, clock: Clock
) -> None:
    settings(database)
    rows = steady(lambda number: "delivery.time" if number < 0 else "late_parcel")
    more(rows, "late_parcel", 22, 60)
    rows.write(database)
    change(parts, 0, split)
    assert watch(parts, clock, 22) == [("late_parcel", "rising")]
    [alarm] = told(database)
    usual = LATE * (A_DAY + 60) / A_DAY  # as many more as there are more answers that day
    assert (alarm["observed"], alarm["days"]) == (60 + LATE, 1)
    assert alarm["expected"] == pytest.approx(usual, rel=0.1), "the days before the split say nothing of it"


def test_what_is_retired_does_not_fall_and_what_lies_above_neither(
    parts: Parts, database: Database, clock: Clock
) -> None:
    settings(database)
    steady(lambda number: "delivery.time" if number < 0 else None).write(database)
    change(parts, 0, retire)
    assert watch(parts, clock, *WATCHED) == []


def test_the_same_falls_where_it_was_not_retired(parts: Parts, database: Database, clock: Clock) -> None:
    settings(database)
    steady(lambda number: "delivery.time" if number < 0 else None).write(database)
    assert ("delivery.time", "falling") in watch(parts, clock, *WATCHED)


def test_what_is_brought_back_into_use_does_not_rise_by_that(parts: Parts, database: Database, clock: Clock) -> None:
    settings(database)
    steady(lambda number: "delivery.time" if number < -10 or number >= 0 else None).write(database)
    change(parts, -10, retire)
    change(parts, 0, bring_back)
    assert watch(parts, clock, *WATCHED) == []


def test_an_own_theme_that_is_left_out_does_not_fall(parts: Parts, database: Database, clock: Clock) -> None:
    settings(database)
    steady(lambda number: "late_parcel" if number < 0 else None).write(database)
    change(parts, -BEFORE, lambda work: changing.put(work, Own((LATE_PARCEL,)), None))
    change(parts, 0, bring_back)
    assert watch(parts, clock, *WATCHED) == []


@pytest.mark.parametrize(("parent", "subjects"), [("place", {"place"}), (None, set())])
def test_what_is_moved_counts_in_its_new_place(
    parts: Parts, database: Database, clock: Clock, parent: str | None, subjects: set[str]
) -> None:
    settings(database)
    rows = steady(lambda number: None)
    moved = ("delivery.time", "price.level", "staff.attitude")
    for theme in moved:  # too few of each alone
        more(rows, theme, 0, 4)
    rows.write(database)
    for theme in moved:
        change(parts, -1, lambda work, theme=theme: changing.move(work, theme, parent))
    assert {subject for subject, _ in watch(parts, clock, 0)} == subjects
    with database.read() as connection:
        columns = load_columns(connection, "acme", parts.taxonomy(), clock.now)
    for kind in (THEME, COMPLAINTS):
        assert len(rows_of(columns, kind, "place")) == (12 if parent else 0)
        assert [len(rows_of(columns, kind, theme)) for theme in moved] == [4, 4, 4]
        assert not any(len(rows_of(columns, kind, group)) for group in ("price", "staff"))
