"""How calendars are read from a policy file: times of day, windows, holidays and dates."""

import re
from datetime import date, datetime
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import holidays

from nlp.nodes import Node
from serving.cases.calendar import MINUTES_OF_DAY, Calendar, Window

WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_TIME = re.compile(r"(\d\d):(\d\d)", re.ASCII)


def parse_calendar(node: Node) -> Calendar:
    """A calendar from its node; PolicyError for a zone, country, date or window that is none."""
    node.check_keys(("zone", "hours"), optional=("holidays", "days_off"))
    hours = node.at("hours")
    hours.check_keys((), optional=WEEK)
    week = tuple(_windows(hours.at(day)) if hours.value.get(day) else () for day in WEEK)
    if not any(week):
        raise hours.wrong("at least one weekday must have a window")
    listed = node.at("holidays").items() if node.value.get("holidays") else ()
    off = node.at("days_off").items() if node.value.get("days_off") else ()
    countries = tuple(item.one_of(_countries()) for item in listed)
    return Calendar(_zone(node.at("zone")), week, countries, frozenset(_date(item) for item in off))


def parse_minutes(node: Node) -> int:
    """Minutes after midnight from a text such as "08:30"; "24:00" is the end of the day."""
    found = _TIME.fullmatch(node.value) if isinstance(node.value, str) else None
    minutes = int(found[1]) * 60 + int(found[2]) if found else -1
    if not found or int(found[2]) > 59 or minutes > MINUTES_OF_DAY:
        raise node.wrong(f'must be a time of day in quotes, such as "08:30", is {node.value!r}')
    return minutes


def _windows(node: Node) -> tuple[Window, ...]:
    windows = tuple(_window(item) for item in node.items())
    if any(earlier.end > later.start for earlier, later in pairwise(windows)):
        raise node.wrong("its windows must follow one another without overlap")
    return windows


def _window(node: Node) -> Window:
    parts = node.value.split("-") if isinstance(node.value, str) else []
    if len(parts) != 2:
        raise node.wrong(f'must be a stretch of the day in quotes, such as "08:00-12:30", is {node.value!r}')
    start, end = (parse_minutes(Node(part.strip(), node.source, node.path)) for part in parts)
    if start >= end:
        raise node.wrong(f"ends before it starts: {node.value}")
    return Window(start, end)


def _zone(node: Node) -> ZoneInfo:
    try:
        return ZoneInfo(node.text())
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise node.wrong(f"there is no time zone {node.value!r}; use a name such as Europe/Warsaw") from None


def _date(node: Node) -> date:
    if isinstance(node.value, date) and not isinstance(node.value, datetime):
        return node.value
    try:
        return date.fromisoformat(node.text())
    except ValueError:
        raise node.wrong(f"must be a date such as 2026-12-31, is {node.value!r}") from None


@cache
def _countries() -> tuple[str, ...]:
    return tuple(sorted(holidays.list_supported_countries(include_aliases=False)))
