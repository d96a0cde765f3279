"""Whether an improvement worked: how often an issue was told before and after, per 1,000 answers."""

import math
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal

from sqlalchemy import Connection, and_, func, select

from serving.insights.intervals import Interval, Z
from serving.store.issue_tables import cluster_members
from serving.store.tables import responses

DAYS = 56
"""Eight weeks on either side: each weekday as often, and long enough for a rare issue."""
PER = 1000
LEAST = 5
"""Answers about the issue, before and after together, below which nothing can be said."""
HALF = 0.5
"""Added to every count where one is 0, so that there is a ratio (Haldane 1956, Anscombe 1956)."""

Verdict = Literal["rarer", "more frequent", "no clear change", "too early"]


@dataclass(frozen=True, slots=True)
class Rate:
    """`count` answers about the issue out of `answers` in all."""

    count: int
    answers: int

    @property
    def per_1000(self) -> float | None:
        return self.count / self.answers * PER if self.answers else None


@dataclass(frozen=True, slots=True)
class Effect:
    """A rate after over the rate before, with its 95 % interval; None where nothing can be said."""

    before: Rate
    after: Rate
    ratio: float | None
    interval: Interval | None
    verdict: Verdict
    sentence: str


def effect(before: Rate, after: Rate) -> Effect:
    """Compares two rates by their ratio; normal approximation of its logarithm (Katz et al. 1978)."""
    if not before.answers or not after.answers or before.count + after.count < LEAST:
        return Effect(before, after, None, None, "too early", "Too few answers yet to compare before and after.")
    extra = HALF if not before.count or not after.count else 0.0
    a, b = after.count + extra, before.count + extra
    n, m = after.answers + 2 * extra, before.answers + 2 * extra
    ratio = (a / n) / (b / m)
    error = math.sqrt(max(1 / a - 1 / n + 1 / b - 1 / m, 0.0))
    interval = Interval(ratio * math.exp(-Z * error), ratio * math.exp(Z * error))
    verdict: Verdict = "no clear change"
    if interval.high < 1:
        verdict = "rarer"
    elif interval.low > 1:
        verdict = "more frequent"
    return Effect(before, after, ratio, interval, verdict, _sentence(before, after, verdict))


def rates(connection: Connection, workspace: str, id: str, on: date, now: datetime) -> tuple[Rate, Rate]:
    """The rates in the DAYS before the day of an action (midnight UTC) and from it on, DAYS or up to now."""
    start = datetime.combine(on, time(), UTC)
    end = min(start + timedelta(days=DAYS), max(now, start))
    return (
        _rate(connection, workspace, id, start - timedelta(days=DAYS), start),
        _rate(connection, workspace, id, start, end),
    )


def _rate(connection: Connection, workspace: str, id: str, since: datetime, until: datetime) -> Rate:
    answered, of = responses.c.answered_at, cluster_members.c
    here = (responses.c.workspace == workspace, answered >= since, answered < until)
    all_of = select(func.count()).select_from(responses).where(*here)
    joined = responses.join(
        cluster_members,
        and_(of.workspace == responses.c.workspace, of.response == responses.c.uid, of.cluster == id),
    )
    about = select(func.count()).select_from(joined).where(*here)
    return Rate(connection.execute(about).scalar_one(), connection.execute(all_of).scalar_one())


def _sentence(before: Rate, after: Rate, verdict: Verdict) -> str:
    said = {
        "rarer": "It is told less often since",
        "more frequent": "It is told more often since",
        "no clear change": "No clear change",
    }[verdict]
    return f"{said}: {before.per_1000:.1f} of 1,000 answers before, {after.per_1000:.1f} after."
