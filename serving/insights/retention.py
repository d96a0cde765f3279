"""Whether low scorers who were contacted come back and score better than those who were not: a comparison, no proof."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from serving.insights import frame
from serving.insights.followed import Followed, load_followed
from serving.insights.intervals import Difference, Estimate
from serving.insights.matched import Matched, Observed, compared
from serving.insights.window import Period, Window

ANSWERED_AGAIN, LATER_SCORE = "answered_again", "later_score"
SUMMED = frozenset({"spent"})
"""Kinds of outcomes that add up; of all others the last value counts."""
WARNING = (
    "This is not the effect of the contact: who is contacted is not chosen by lot. The matched difference holds "
    "priority and score equal and nothing else; only a contact withheld at random would show what contact does."
)

Observe = Callable[[Followed, datetime, datetime], float | None]


@dataclass(frozen=True, slots=True)
class OutcomeCompared:
    """One outcome of those contacted beside those who were not; `raw` and `matched` are contacted less not."""

    outcome: str
    n: int
    contacted: Estimate
    not_contacted: Estimate
    raw: Difference | None
    matched: Matched


@dataclass(frozen=True, slots=True)
class Retention:
    """Low scorers of a period, each once by their first low score; what followed is looked at after the landmark.

    Contacted are those reached within `landmark_days` of the answer; those reached later stand among the others and
    are counted in `contacted_later`. Left out are those who refuse contact and those whose landmark is still to come.
    """

    period: Period
    n: int
    metric: str | None
    left_aside: int
    landmark_days: int
    horizon_days: int
    contacted: int
    not_contacted: int
    contacted_later: int
    refuse_contact: int
    too_recent: int
    outcomes: tuple[OutcomeCompared, ...]
    warning: str


def retention(
    connection: Connection, workspace: str, window: Window, landmark_days: int, horizon_days: int, now: datetime
) -> Retention:
    """What became of the low scorers of a window, up to now."""
    of = frame.measure(connection, workspace, window)
    people = load_followed(connection, workspace, window, of, now)
    return report(window.period, people, of.metric, of.left_aside, landmark_days, horizon_days, now)


def report(
    period: Period,
    people: Sequence[Followed],
    metric: str | None,
    left_aside: int,
    landmark_days: int,
    horizon_days: int,
    now: datetime,
) -> Retention:
    """The comparison of people already followed."""
    landmark = timedelta(days=landmark_days)
    willing = [person for person in people if person.consent is not False]
    counted = [person for person in willing if person.at + landmark <= now]
    contacted = sum(_contacted(person, landmark) for person in counted)
    later = sum(person.reached_at is not None for person in counted) - contacted
    observers: dict[str, Observe] = {ANSWERED_AGAIN: _answered_again, LATER_SCORE: _later_score}
    observers |= {kind: _imported(kind) for kind in _kinds(counted)}
    found = (_outcome(name, see, counted, landmark, timedelta(days=horizon_days)) for name, see in observers.items())
    return Retention(
        period=period,
        n=len(people),
        metric=metric,
        left_aside=left_aside,
        landmark_days=landmark_days,
        horizon_days=horizon_days,
        contacted=contacted,
        not_contacted=len(counted) - contacted,
        contacted_later=later,
        refuse_contact=len(people) - len(willing),
        too_recent=len(willing) - len(counted),
        outcomes=tuple(found),
        warning=WARNING,
    )


def _contacted(person: Followed, landmark: timedelta) -> bool:
    return person.reached_at is not None and person.reached_at <= person.at + landmark


def _kinds(people: Iterable[Followed]) -> list[str]:
    return sorted({kind for person in people for kind in person.outcomes})


def _outcome(
    name: str, see: Observe, people: Iterable[Followed], landmark: timedelta, horizon: timedelta
) -> OutcomeCompared:
    rows = [
        Observed(_contacted(person, landmark), value, (person.priority, person.score))
        for person in people
        if (value := see(person, person.at + landmark, person.at + horizon)) is not None
    ]
    found = compared(rows)
    return OutcomeCompared(name, len(rows), found.treated, found.untreated, found.raw, found.matched)


def _answered_again(person: Followed, start: datetime, end: datetime) -> float:
    return float(any(start < at <= end for at, _ in person.later))


def _later_score(person: Followed, start: datetime, end: datetime) -> float | None:
    return next((score for at, score in person.later if start < at <= end), None)


def _imported(kind: str) -> Observe:
    def see(person: Followed, start: datetime, end: datetime) -> float | None:
        values = [value for at, value in person.outcomes.get(kind, ()) if start < at <= end]
        if not values:
            return None
        return sum(values) if kind in SUMMED else values[-1]

    return see
