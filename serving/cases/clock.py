"""When a case is due, warned of and escalated: times computed ahead, from hours counted the way the policy says."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from serving.cases.calendar import (
    Calendar,
    add_on_working_days,
    add_working,
    between_on_working_days,
    working_between,
)

Counts = Literal["working_days", "working_hours", "elapsed"]
COUNTS: tuple[Counts, ...] = ("working_days", "working_hours", "elapsed")


@dataclass(frozen=True, slots=True)
class Times:
    """What the clock of a case is set to; None: nothing to wait for."""

    due_at: datetime | None = None
    warn_at: datetime | None = None
    escalate_at: datetime | None = None
    next_attempt_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Clock:
    """How hours are counted, on which calendar; when to warn (a share of the time given) and when to escalate.

    `escalate_after` are hours after the due time, one for each level of the chain, rising.
    """

    calendar: Calendar
    counts: Counts
    warn_share: float
    escalate_after: tuple[float, ...] = ()

    def after(self, start: datetime, hours: float) -> datetime:
        """When so many hours have passed; within working time unless hours are just elapsed."""
        if self.counts == "elapsed":
            return start + timedelta(hours=hours)
        if self.counts == "working_hours":
            return add_working(self.calendar, start, hours)
        return add_working(self.calendar, add_on_working_days(self.calendar, start, hours), 0)

    def between(self, start: datetime, end: datetime) -> float:
        """Hours from one moment to a later one, counted the same way."""
        if self.counts == "elapsed":
            return max((end - start) / timedelta(hours=1), 0.0)
        if self.counts == "working_hours":
            return working_between(self.calendar, start, end)
        return between_on_working_days(self.calendar, start, end)

    def first(self, now: datetime) -> datetime:
        """The first moment from now on at which somebody can call."""
        return now if self.counts == "elapsed" else add_working(self.calendar, now, 0)

    def start(self, now: datetime, hours: float) -> Times:
        """The times of a case whose first contact is due so many hours from now."""
        due = self.after(now, hours)
        warn = min(self.after(now, hours * self.warn_share), due)
        return Times(due, warn, self.escalation(due, 0), self.first(now))

    def escalation(self, due: datetime, level: int) -> datetime | None:
        """When the level after `level` of the chain is asked; None: the chain ends."""
        return self.after(due, self.escalate_after[level]) if level < len(self.escalate_after) else None

    def resumed(self, times: Times, paused_at: datetime, now: datetime) -> Times:
        """The times after a pause: each later by what was paused; those that had passed before it stay."""
        moved = [self._moved(each, paused_at, now) for each in (times.due_at, times.warn_at, times.escalate_at)]
        again = times.next_attempt_at
        return Times(moved[0], moved[1], moved[2], again and max(again, self.first(now)))

    def _moved(self, moment: datetime | None, paused_at: datetime, now: datetime) -> datetime | None:
        if moment is None or moment <= paused_at:
            return moment
        return max(moment, self.after(now, self.between(paused_at, moment)))
