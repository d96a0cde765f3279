"""Times of day in somebody's zone: quiet hours, and the schedule of digests."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Quiet:
    """Hours in which nobody is disturbed, as 20:00 to 08:00; over midnight where they end before they start."""

    start: time
    end: time
    zone: ZoneInfo

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], zone: str) -> "Quiet":
        return cls(time.fromisoformat(data["from"]), time.fromisoformat(data["to"]), ZoneInfo(zone))


@dataclass(frozen=True, slots=True)
class Schedule:
    """Times of day on days of the week."""

    at: tuple[time, ...]
    days: tuple[int, ...]
    """0 is Monday."""
    zone: ZoneInfo

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], zone: str) -> "Schedule":
        at = tuple(sorted(time.fromisoformat(word) for word in data["at"]))
        return cls(at, tuple(sorted(DAYS.index(day) for day in data["days"])), ZoneInfo(zone))


@dataclass(frozen=True, slots=True)
class Period:
    """From a moment up to, and without, another."""

    start: datetime
    end: datetime

    @property
    def before(self) -> "Period":
        """The one of equal length right before."""
        return Period(self.start - (self.end - self.start), self.start)


def quiet_until(quiet: Quiet | None, now: datetime) -> datetime | None:
    """When the quiet hours that `now` lies in end; None outside of them."""
    if quiet is None or quiet.start == quiet.end:
        return None
    today = now.astimezone(quiet.zone).date()
    for day in (today - _DAY, today):
        end_day = day if quiet.start < quiet.end else day + _DAY
        start, end = _moment(day, quiet.start, quiet.zone), _moment(end_day, quiet.end, quiet.zone)
        if start <= now < end:
            return end
    return None


def last_period(schedule: Schedule, now: datetime) -> Period:
    """What the digest is about that was due last: from the scheduled time before up to that time."""
    today = now.astimezone(schedule.zone).date()
    # two weeks back hold the last two scheduled times, even of one time a week
    days = [today - _DAY * back for back in range(15, -1, -1)]
    moments = [_moment(day, at, schedule.zone) for day in days if day.weekday() in schedule.days for at in schedule.at]
    past = sorted(moment for moment in moments if moment <= now)
    return Period(past[-2], past[-1])


def _moment(day: date, at: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, at, zone).astimezone(UTC)
