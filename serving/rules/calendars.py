"""What time it is where the customer is: hours, weekdays, working time and public holidays in a zone."""

import re
from datetime import date, datetime, time
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

import holidays

WORKING = "09:00-17:00"
FRIDAY = 5
_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-(?:([01]\d|2[0-3]):([0-5]\d)|24:00)", re.ASCII)


def is_zone(name: str) -> bool:
    return name in _zones()


def is_country(code: str) -> bool:
    return code in _countries()


def hours(text: str) -> tuple[time, time] | None:
    """The beginning and the end (excluded; midnight for 24:00) of `09:00-17:00`; None where it is none."""
    found = _HOURS.fullmatch(text)
    if found is None:
        return None
    start, end = time(int(found[1]), int(found[2])), time(int(found[3] or 0), int(found[4] or 0))
    return (start, end) if end == time.min or start < end else None


def local(now: datetime, zone: str) -> datetime:
    return now.astimezone(_zone(zone))


def is_working(now: datetime, zone: str, span: str = WORKING) -> bool:
    """Whether it is Monday to Friday, between these hours; holidays are asked for by `is_holiday`."""
    there = local(now, zone)
    start, end = _parsed(span)
    return there.isoweekday() <= FRIDAY and start <= there.time() and (end == time.min or there.time() < end)


def is_holiday(now: datetime, zone: str, country: str) -> bool:
    there = local(now, zone)
    return _holiday(country, there.date())


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


@lru_cache(maxsize=1)
def _countries() -> frozenset[str]:
    return frozenset(holidays.list_supported_countries())


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


@lru_cache(maxsize=64)
def _parsed(span: str) -> tuple[time, time]:
    found = hours(span)
    assert found is not None, "checked when the rules were saved"
    return found


@lru_cache(maxsize=4096)
def _holiday(country: str, day: date) -> bool:
    return day in holidays.country_holidays(country, years=day.year)
