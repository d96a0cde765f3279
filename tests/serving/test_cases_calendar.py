"""Working time: breaks, weekends, holidays and nights when the clocks change."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from case_rows import shipped
from hypothesis import assume, given
from hypothesis import strategies as st

from serving.cases.calendar import (
    Calendar,
    Window,
    add_on_working_days,
    add_working,
    between_on_working_days,
    next_working_day,
    working_between,
)
from serving.cases.clock import COUNTS, Clock, Times

CALENDARS = shipped().calendars
WARSAW = CALENDARS["warsaw"]
ROUND_THE_CLOCK = Calendar(ZoneInfo("Europe/Warsaw"), ((Window(0, 1440),),) * 7)
NIGHTS = Calendar(ZoneInfo("Europe/Warsaw"), ((Window(90, 150), Window(165, 240)),) * 7)
"""01:30-02:30 and 02:45-04:00, so that the hour that is skipped or comes twice lies in both windows."""


def at(calendar: Calendar, text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=calendar.zone)


def local(calendar: Calendar, moment: datetime) -> str:
    return moment.astimezone(calendar.zone).strftime("%Y-%m-%d %H:%M")


@pytest.mark.parametrize(
    ("start", "hours", "end"),
    [
        ("2026-11-02 08:00", 0, "2026-11-02 08:00"),
        ("2026-11-02 08:00", 4.5, "2026-11-02 12:30"),
        ("2026-11-02 12:00", 1, "2026-11-02 13:30"),  # half an hour of lunch
        ("2026-11-02 12:40", 1, "2026-11-02 14:00"),
        ("2026-11-02 17:00", 2, "2026-11-03 09:00"),
        ("2026-11-06 17:00", 2, "2026-11-09 09:00"),  # a weekend
        ("2026-11-10 17:30", 1, "2026-11-12 08:30"),  # 11 November is a holiday
        ("2026-12-23 17:00", 2, "2026-12-28 09:00"),  # Christmas Eve, Christmas and a weekend
        ("2026-11-07 12:00", 0, "2026-11-09 08:00"),
    ],
)
def test_working_hours_in_warsaw(start: str, hours: float, end: str):
    assert local(WARSAW, add_working(WARSAW, at(WARSAW, start), hours)) == end


@pytest.mark.parametrize(
    ("name", "day", "worked"),
    [
        ("warsaw", date(2026, 6, 4), False),  # Corpus Christi moves with Easter
        ("warsaw", date(2026, 6, 5), True),
        ("moscow", date(2026, 11, 4), False),
        ("moscow", date(2026, 1, 8), False),
        ("kyiv", date(2026, 8, 24), True),  # under martial law holidays are worked
        ("kyiv", date(2020, 8, 24), False),
    ],
)
def test_holidays_of_the_countries(name: str, day: date, worked: bool):
    assert bool(CALENDARS[name].windows(day)) is worked


@pytest.mark.parametrize(
    ("calendar", "start", "end", "hours"),
    [
        (ROUND_THE_CLOCK, "2026-03-29 00:00", "2026-03-30 00:00", 23),  # the clocks go forward
        (ROUND_THE_CLOCK, "2026-10-25 00:00", "2026-10-26 00:00", 25),  # and back
        (NIGHTS, "2026-03-28 00:00", "2026-03-29 00:00", 2.25),
        # 01:30-02:00 and 03:00-04:00 are left, of which what 02:30 and 02:45 stand for takes its part
        (NIGHTS, "2026-03-29 00:00", "2026-03-30 00:00", 1.25),
        # windows end and start at the first 02:30 and 02:45: the hour that comes twice is in the second one
        (NIGHTS, "2026-10-25 00:00", "2026-10-26 00:00", 3.25),
    ],
)
def test_nights_when_the_clocks_change(calendar: Calendar, start: str, end: str, hours: float):
    assert working_between(calendar, at(calendar, start), at(calendar, end)) == hours


@pytest.mark.parametrize(
    ("after", "minutes", "then"),
    [
        ("2026-11-02 09:00", 600, "2026-11-03 10:00"),
        ("2026-11-02 23:59", 600, "2026-11-03 10:00"),
        ("2026-11-06 09:00", 600, "2026-11-09 10:00"),
        ("2026-11-02 09:00", 0, "2026-11-03 08:00"),
        ("2026-11-02 09:00", 12 * 60 + 45, "2026-11-03 13:00"),  # not at lunch
        ("2026-11-02 09:00", 20 * 60, "2026-11-03 08:00"),  # nobody is there at 20:00; the day is not missed for that
        ("2026-11-10 09:00", 600, "2026-11-12 10:00"),
    ],
)
def test_the_next_working_day(after: str, minutes: int, then: str):
    assert local(WARSAW, next_working_day(WARSAW, at(WARSAW, after), minutes)) == then


@pytest.mark.parametrize(
    ("counts", "start", "due"),
    [
        ("working_days", "2026-11-02 15:00", "2026-11-03 15:00"),
        ("working_days", "2026-11-06 15:00", "2026-11-09 15:00"),  # Friday to Monday
        ("working_days", "2026-11-02 22:00", "2026-11-04 08:00"),  # the whole of Tuesday is there to call
        ("working_days", "2026-11-07 12:00", "2026-11-10 08:00"),  # a Saturday's answer has the whole of Monday
        ("working_days", "2026-11-10 15:00", "2026-11-12 15:00"),  # a holiday between
        ("working_hours", "2026-11-02 08:00", "2026-11-04 13:30"),  # 9.5 a day
        ("elapsed", "2026-11-06 15:00", "2026-11-07 15:00"),
    ],
)
def test_what_24_hours_come_to(counts, start: str, due: str):
    assert local(WARSAW, Clock(WARSAW, counts, 0.75).after(at(WARSAW, start), 24)) == due


def test_a_pause_moves_what_is_to_come_and_not_what_was():
    clock = Clock(WARSAW, "working_hours", 0.5, (4,))
    opened = at(WARSAW, "2026-11-02 08:00")
    times = clock.start(opened, 8)
    assert [local(WARSAW, moment)[8:] for moment in (times.warn_at, times.due_at, times.escalate_at)] == [
        *("02 12:00", "02 16:30", "03 10:30")
    ]
    moved = clock.resumed(times, at(WARSAW, "2026-11-02 14:30"), at(WARSAW, "2026-11-03 08:00"))
    assert [local(WARSAW, moment)[8:] for moment in (moved.warn_at, moved.due_at, moved.escalate_at)] == [
        *("02 12:00", "03 10:00", "03 14:30")
    ]
    assert moved.next_attempt_at == at(WARSAW, "2026-11-03 08:00")
    assert clock.resumed(Times(), opened, opened) == Times()


minutes = st.integers(0, 1440)
windows = st.lists(minutes, max_size=6, unique=True).map(sorted)
weeks = st.lists(
    windows.map(lambda cuts: tuple(Window(a, b) for a, b in zip(cuts[::2], cuts[1::2], strict=False))),
    min_size=7,
    max_size=7,
)
zones = st.sampled_from(["Europe/Warsaw", "Europe/Kyiv", "Europe/Moscow", "America/New_York", "Africa/Cairo"])
days_off = st.frozensets(st.dates(date(2026, 3, 20), date(2026, 4, 5)), max_size=5)
calendars = st.builds(
    Calendar, zones.map(ZoneInfo), weeks.map(tuple), st.sampled_from([(), ("PL",), ("UA", "RU")]), days_off
).filter(lambda calendar: any(calendar.week))
moments = st.datetimes(datetime(2026, 3, 20), datetime(2026, 11, 20)).map(lambda moment: moment.replace(tzinfo=UTC))
hours = st.integers(0, 60 * 40).map(lambda minutes: minutes / 60)
SLACK = 1e-6  # hours: a float's minutes against microseconds


def inside(calendar: Calendar, moment: datetime) -> bool:
    """Whether a moment lies in a window or at its end."""
    return working_between(calendar, moment - timedelta(microseconds=1), moment + timedelta(microseconds=1)) > 0


@given(calendars, moments, hours)
def test_what_is_added_lies_between_and_ends_in_working_time(calendar: Calendar, start: datetime, added: float):
    end = add_working(calendar, start, added)
    assert end >= start and end.tzinfo is UTC
    assert abs(working_between(calendar, start, end) - added) < SLACK
    assert inside(calendar, end)
    assume(added > 0)
    days = add_on_working_days(calendar, start, added)
    assert abs(between_on_working_days(calendar, start, days) - added) < SLACK


@given(calendars, st.tuples(moments, moments), st.tuples(hours, hours), st.sampled_from(COUNTS))
def test_later_starts_and_more_hours_never_end_earlier(calendar: Calendar, starts, added, counts):
    clock = Clock(calendar, counts, 0.5)
    (early, late), (less, more) = sorted(starts), sorted(added)
    assert clock.after(early, less) <= clock.after(late, less)
    assert clock.after(early, less) <= clock.after(early, more)
    assert counts == "elapsed" or inside(calendar, clock.after(early, less))
    times = clock.start(early, more)
    assert early <= times.warn_at <= times.due_at


@given(calendars, moments, hours, hours, hours, st.sampled_from(["working_hours", "elapsed"]))
def test_a_pause_leaves_as_much_time_as_there_was(calendar: Calendar, start, given_hours, until, paused, counts):
    clock = Clock(calendar, counts, 0.5)
    times = clock.start(start, given_hours)
    stop = start + timedelta(hours=until)
    on = stop + timedelta(hours=paused)
    assume(stop < times.due_at)
    moved = clock.resumed(times, stop, on)
    assert moved.due_at >= times.due_at
    assert abs(clock.between(on, moved.due_at) - clock.between(stop, times.due_at)) < SLACK


@given(calendars, moments, minutes)
def test_the_next_working_day_is_a_later_day_and_working_time(calendar: Calendar, after: datetime, wanted: int):
    found = next_working_day(calendar, after, wanted)
    assert calendar.local_day(found) > calendar.local_day(after) and inside(calendar, found)
