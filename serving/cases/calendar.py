"""Working time: when people who call customers are at work, across breaks, weekends, holidays and clock changes."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import holidays

MINUTES_OF_DAY = 24 * 60


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of a working day in minutes after midnight, local time; `end` is not worked any more."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time between two moments in UTC."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Calendar:
    """Windows of each weekday (Monday first) in order, in a time zone; no window: a day off, as holidays are."""

    zone: ZoneInfo
    week: tuple[tuple[Window, ...], ...]
    countries: tuple[str, ...] = ()
    days_off: frozenset[date] = field(default=frozenset())

    def windows(self, day: date) -> tuple[Window, ...]:
        """What is worked on a day; nothing on a holiday."""
        if day in self.days_off or any(day in _holidays(country, day.year) for country in self.countries):
            return ()
        return self.week[day.weekday()]

    def local_day(self, moment: datetime) -> date:
        return moment.astimezone(self.zone).date()


def add_working(calendar: Calendar, start: datetime, hours: float) -> datetime:
    """When so many working hours have passed since `start`; for 0 hours the first working moment from there on."""
    return _add(_worked(calendar, start), start, timedelta(hours=hours))


def working_between(calendar: Calendar, start: datetime, end: datetime) -> float:
    """Working hours between two moments; 0 where the end is not after the start."""
    return _between(_worked(calendar, start), start, end)


def add_on_working_days(calendar: Calendar, start: datetime, hours: float) -> datetime:
    """When so many hours have passed since `start`, round the clock, but on working days only."""
    return _add(_working_days(calendar, start), start, timedelta(hours=hours))


def between_on_working_days(calendar: Calendar, start: datetime, end: datetime) -> float:
    """Hours between two moments, round the clock, that lie on working days."""
    return _between(_working_days(calendar, start), start, end)


def next_working_day(calendar: Calendar, after: datetime, at: int = 0) -> datetime:
    """The next working day after the day of `after`, at so many minutes after midnight or when work next goes on.

    A day that is over by then is entered at its beginning, so that the day itself is never missed.
    """
    day = calendar.local_day(after) + timedelta(days=1)
    while not (spans := _spans_of(calendar, day)):
        day += timedelta(days=1)
    wanted = _moment(calendar, day, at)
    return next((max(span.start, wanted) for span in spans if wanted < span.end), spans[0].start)


def _add(spans: Iterator[Span], start: datetime, left: timedelta) -> datetime:
    for span in spans:
        begin = max(span.start, start)
        if begin < span.end and left <= span.end - begin:
            return (begin + left).astimezone(UTC)
        left -= max(span.end - begin, timedelta())
    raise AssertionError("a calendar has a working day, so its spans never end")


def _between(spans: Iterator[Span], start: datetime, end: datetime) -> float:
    total = timedelta()
    for span in spans:
        if span.start >= end:
            break
        total += max(min(span.end, end) - max(span.start, start), timedelta())
    return total / timedelta(hours=1)


def _worked(calendar: Calendar, start: datetime) -> Iterator[Span]:
    """Every stretch of work from the day of `start` on, in order, without end."""
    day = calendar.local_day(start)
    while True:
        yield from _spans_of(calendar, day)
        day += timedelta(days=1)


def _working_days(calendar: Calendar, start: datetime) -> Iterator[Span]:
    """Every working day from the day of `start` on, from midnight to midnight."""
    day = calendar.local_day(start)
    while True:
        if _spans_of(calendar, day):
            yield Span(_moment(calendar, day, 0), _moment(calendar, day, MINUTES_OF_DAY))
        day += timedelta(days=1)


def _spans_of(calendar: Calendar, day: date) -> list[Span]:
    spans: list[Span] = []
    for window in calendar.windows(day):
        start, end = _moment(calendar, day, window.start), _moment(calendar, day, window.end)
        # when the clocks go forward, a time that is skipped comes after those that follow it
        start = max(start, spans[-1].end) if spans else start
        if start < end:
            spans.append(Span(start, end))
    return spans


def _moment(calendar: Calendar, day: date, minutes: int) -> datetime:
    extra, minutes = divmod(minutes, MINUTES_OF_DAY)
    clock = time(minutes // 60, minutes % 60)
    return datetime.combine(day + timedelta(days=extra), clock, calendar.zone).astimezone(UTC)


@lru_cache(maxsize=512)
def _holidays(country: str, year: int) -> frozenset[date]:
    return frozenset(holidays.country_holidays(country, years=year))
