"""A case on paper: what a careful clerk would note of it, who knows the working week and the policy by heart.

Nothing here comes from the product: the count by hand must not be able to make its mistakes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta

HOURS = {1: 24, 2: 48, 3: 120, 4: 240}
"""Hours to the first contact by priority: working days, by the clock."""
WARNED_AFTER = 0.75
ESCALATED_AFTER = (0, 24)
"""Hours after the due time at which a case goes one level up."""
MOST_MISSES = 3
OPENS, LUNCH, BACK, SHUTS = time(8), time(12, 30), time(13), time(18)
REACHED = {"reached", "callback_requested", "refused"}


def later(start: datetime, hours: float) -> datetime:
    """So many hours on, weekends left out, and then the first minute somebody is at work."""
    moment, left = start, timedelta(hours=hours)
    while True:
        moment = _working_day(moment)
        midnight = datetime.combine(moment + timedelta(days=1), time(), start.tzinfo)
        if left < midnight - moment:
            return _at_work(moment + left)
        left -= midnight - moment
        moment = midnight


def _working_day(moment: datetime) -> datetime:
    while moment.weekday() >= 5:
        moment = datetime.combine(moment + timedelta(days=1), time(), moment.tzinfo)
    return moment


def _at_work(moment: datetime) -> datetime:
    if moment.time() < OPENS:
        return datetime.combine(moment, OPENS, moment.tzinfo)
    if LUNCH <= moment.time() < BACK:
        return datetime.combine(moment, BACK, moment.tzinfo)
    if moment.time() >= SHUTS:
        return _at_work(_working_day(datetime.combine(moment + timedelta(days=1), time(), moment.tzinfo)))
    return moment


@dataclass(slots=True)
class Card:
    """`asked` holds what each of its answers asks for; `told` counts what was told of it, by type of event."""

    opened: datetime
    priority: int
    contact: bool
    respondent: str
    theme: str | None
    asked: dict[str, int | None]
    state: str = "open"
    plan: str | None = None
    due: datetime | None = None
    warn: datetime | None = None
    warned: bool = False
    breached: bool = False
    levels: int = 0
    paused: datetime | None = None
    attempts: int = 0
    misses: int = 0
    first: datetime | None = None
    reopened: bool = False
    outcome: Mapping[str, object] | None = None
    told: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.tell("opened")
        if self.contact:
            self.time(self.opened)

    @property
    def active(self) -> bool:
        return self.state in ("open", "waiting")

    @property
    def owes(self) -> bool:
        return self.contact and self.state == "open" and self.first is None

    @property
    def planned(self) -> bool:
        return self.contact or self.first is not None

    def tell(self, word: str) -> None:
        self.told[word] = self.told.get(word, 0) + 1

    def time(self, start: datetime) -> None:
        self.due = later(start, HOURS[self.priority])
        self.warn = min(later(start, HOURS[self.priority] * WARNED_AFTER), self.due)

    def rank(self, now: datetime) -> None:
        """Its answers ask for something else than before."""
        wanted = min((each for each in self.asked.values() if each), default=self.priority)
        urgent, self.priority = wanted < self.priority, wanted
        if self.due is None or self.first or self.breached:
            return
        due, warn = self.due, self.warn
        self.time((self.paused or now) if urgent else self.opened)
        if (self.due < due) is not urgent:  # what was promised stands
            self.due, self.warn = due, warn

    def pass_time(self, now: datetime) -> None:
        """Warned, overdue, one level up, and another."""
        if not self.owes or self.due is None or self.warn is None:
            return
        if self.due <= now and not self.breached:
            self.breached = True
            self.tell("breached")
        if self.warn <= now and not self.warned and not self.breached:
            self.warned = True
            self.tell("due_soon")
        while self.levels < len(ESCALATED_AFTER) and later(self.due, ESCALATED_AFTER[self.levels]) <= now:
            self.levels += 1
            self.tell("escalated")

    def attempt(self, result: str, now: datetime) -> None:
        self.attempts += 1
        if result in REACHED:
            self.first, self.misses = self.first or now, 0
            self.contact = self.contact and result != "refused"
            return
        self.misses += 1
        if result == "wrong_number" or self.misses == MOST_MISSES:
            self.state = "unreachable"
            self.tell("unreachable")

    def resume(self, now: datetime) -> None:
        """What was to come is as far away as it was when the clock stopped."""
        assert self.paused and self.due and self.warn
        if self.due > self.paused:
            self.due = later(now, (self.due - self.paused) / timedelta(hours=1))
        if self.warn > self.paused:
            self.warn = later(now, (self.warn - self.paused) / timedelta(hours=1))
        self.state, self.paused = "open", None

    def overdue(self, end: datetime) -> bool:
        return self.owes and self.due is not None and self.due < end

    def in_time(self, end: datetime) -> bool | None:
        """None where it is not decided yet."""
        if self.breached or self.overdue(end):
            return False
        if self.first:
            return self.due is None or self.first <= self.due
        return None if self.active else False
