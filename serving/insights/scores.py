"""Scores by theme, touchpoint, unit, employee, survey or language: means and net scores, over time, and set beside each
other with care for how many there are."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

import numpy as np
from sqlalchemy import Connection

from serving.insights import frame
from serving.insights.compare import adjusted, pooled
from serving.insights.fits import slope
from serving.insights.frame import Dimension, Frame, Measure
from serving.insights.held import HeldBack, hold_back
from serving.insights.intervals import Difference, Estimate, Interval, Sample, Z, from_sums, mean_of, net, welch
from serving.insights.window import Every, Period, Window, bucket

By = Literal["theme", "survey", "touchpoint", "channel", "unit", "employee", "language"]

COMPARED_FROM = 10
"""Scores a group needs to be compared: below, the interval of a skewed score of eleven points is often too narrow."""
DAYS_OF_SLOPE = 30.0


@dataclass(frozen=True, slots=True)
class Point:
    """The scores of the day, week or month that starts there."""

    start: date
    mean: Estimate
    net: Estimate


@dataclass(frozen=True, slots=True)
class Group:
    """One group's scores; `name` is null for those that have nothing there, and for all together."""

    name: str | None
    n: int
    respondents: int
    mean: Estimate
    net: Estimate
    pooled: Estimate | None
    """The mean drawn towards that of all groups: what to rank by."""
    against_rest: Difference | None
    """The mean less that of all other responses; none below ten scores on either side."""
    q: float | None
    """Benjamini and Hochberg's: call groups different where it is at most 0.05, and one in twenty of them is not."""
    per_30_days: Estimate
    """How much the score rises in 30 days, by a straight line."""
    trend: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of a period, all on one metric and scale; `left_aside` counts those on others."""

    period: Period
    n: int
    metric: str | None
    left_aside: int
    by: By | None
    every: Every
    overall: Group
    groups: tuple[Group, ...]
    left_out: int
    held_back: HeldBack | None


@dataclass(frozen=True, slots=True)
class _Cut:
    """Pairs of a response and a group it belongs to; a response can be in several (themes) or none."""

    row: np.ndarray  # int64 (m,)
    code: np.ndarray  # int64 (m,)
    names: tuple[str | None, ...]


def scores(connection: Connection, workspace: str, window: Window, by: By | None, every: Every, limit: int) -> Scores:
    """The scores of a window on the metric most of them are on."""
    of = frame.measure(connection, workspace, window)
    dimension: Dimension | None = None if by in (None, "theme") else by
    found = frame.load(connection, workspace, window, of, dimension)
    if by == "theme":
        mentions = frame.load_mentions(connection, workspace, window, found)
        cut = _Cut(mentions.row, mentions.theme, mentions.themes)
    else:
        cut = _by_dimension(found) if by else _Cut(np.zeros(0, np.int64), np.zeros(0, np.int64), ())
    held = None
    if by == "employee":
        cut, held = _held_back(found, cut)
    groups = compared(found, cut.row, cut.code, cut.names, every)
    groups = sorted(groups, key=lambda group: (-group.n, group.name or ""))
    return _report(window, of, found, by, every, tuple(groups[:limit]), max(0, len(groups) - limit), held)


def _report(
    window: Window,
    of: Measure,
    found: Frame,
    by: By | None,
    every: Every,
    groups: tuple[Group, ...],
    left_out: int,
    held: HeldBack | None,
) -> Scores:
    everything = np.arange(found.n)
    overall = compared(found, everything, np.zeros(found.n, np.int64), (None,), every)[0]
    metric = of.metric
    return Scores(window.period, found.n, metric, of.left_aside, by, every, overall, groups, left_out, held)


def _by_dimension(found: Frame) -> _Cut:
    names: tuple[str | None, ...] = tuple(sorted(set(found.dimension), key=lambda name: (name is None, name or "")))
    number = {name: code for code, name in enumerate(names)}
    codes = np.array([number[name] for name in found.dimension], dtype=np.int64)
    return _Cut(np.arange(found.n), codes, names)


def _held_back(found: Frame, cut: _Cut) -> tuple[_Cut, HeldBack | None]:
    """The groups of enough people."""
    people = {code: found.persons(cut.row[cut.code == code]) for code, name in enumerate(cut.names) if name is not None}
    answers = dict(enumerate(np.bincount(cut.code, minlength=len(cut.names)).tolist()))
    held = hold_back(people, answers, cut.names.index(None) if None in cut.names else None)
    if held is None:
        return cut, None
    keep = ~np.isin(cut.code, held.keys)
    names = [name for code, name in enumerate(cut.names) if code not in held.keys]
    number = {name: code for code, name in enumerate(names)}
    codes = np.array([number[cut.names[code]] for code in cut.code[keep]], dtype=np.int64)
    return _Cut(cut.row[keep], codes, tuple(names)), held.answer


def compared(found: Frame, row: np.ndarray, code: np.ndarray, names: Sequence[str | None], every: Every) -> list[Group]:
    """The groups that pairs of a row and a code (both int64 (m,)) make, each against all responses outside it."""
    k = len(names)
    centre = float(found.score.mean()) if found.n else 0.0
    score = found.score - centre  # sums of squares of small numbers keep their digits
    samples = _samples(score[row], code, k)
    total = from_sums(found.n, score.sum(), (score**2).sum())
    against = [_against(group, total) for group in samples]
    drawn = pooled(samples) if k > 1 else [None] * k
    q = adjusted([item.p if item else None for item in against])
    order = np.argsort(code, kind="stable")
    members = np.split(row[order], np.cumsum(np.bincount(code, minlength=k))[:-1]) if k else []
    return [
        _group(found, names[place], members[place], every, against[place], q[place], _shifted(drawn[place], centre))
        for place in range(k)
    ]


def _samples(score: np.ndarray, code: np.ndarray, k: int) -> list[Sample]:
    n = np.bincount(code, minlength=k)
    totals = np.bincount(code, score, minlength=k)
    squares = np.bincount(code, score**2, minlength=k)
    return [from_sums(*sums) for sums in zip(n, totals, squares, strict=True)]


def _against(group: Sample, total: Sample) -> Difference | None:
    """A group's mean less that of the rest, from the moments of the group and of all."""
    n = total.n - group.n
    if min(n, group.n) < COMPARED_FROM:
        return None
    squares = _squares(total) - _squares(group)
    return welch(group, from_sums(n, total.n * total.mean - group.n * group.mean, squares))


def _squares(found: Sample) -> float:
    return (found.n - 1) * found.variance + found.n * found.mean**2


def _shifted(drawn: Estimate | None, centre: float) -> Estimate | None:
    if drawn is None or drawn.value is None or drawn.interval is None:
        return None
    return Estimate(drawn.n, drawn.value + centre, Interval(drawn.interval.low + centre, drawn.interval.high + centre))


def _group(
    found: Frame,
    name: str | None,
    rows: np.ndarray,
    every: Every,
    against: Difference | None,
    q: float | None,
    drawn: Estimate | None,
) -> Group:
    score, group = found.score[rows], found.group[rows]
    return Group(
        name=name,
        n=len(rows),
        respondents=found.persons(rows),
        mean=mean_of(_sample(score)),
        net=_net(group),
        pooled=drawn,
        against_rest=against,
        q=q,
        per_30_days=rise(found.day[rows], score),
        trend=_trend(found.day[rows], score, group, every),
    )


def _trend(days: np.ndarray, score: np.ndarray, group: np.ndarray, every: Every) -> tuple[Point, ...]:
    starts, code = np.unique(bucket(days, every), return_inverse=True)
    order = np.argsort(code, kind="stable")
    members = np.split(order, np.cumsum(np.bincount(code, minlength=len(starts)))[:-1]) if len(starts) else []
    return tuple(
        Point(start, mean_of(_sample(score[rows])), _net(group[rows]))
        for start, rows in zip(starts.tolist(), members, strict=True)
    )


def rise(days: np.ndarray, score: np.ndarray) -> Estimate:
    """How much a score rises in 30 days, by least squares over the responses themselves."""
    found = slope(days.astype(np.int64) / DAYS_OF_SLOPE, score)
    if found is None:
        return Estimate(len(score), None, None)
    value, error = found
    return Estimate(len(score), value, Interval(value - Z * error, value + Z * error))


def _sample(score: np.ndarray) -> Sample:
    return from_sums(len(score), score.sum(), (score**2).sum())


def _net(group: np.ndarray) -> Estimate:
    """The net score of those whose group is known."""
    promoters, detractors = int((group == "promoter").sum()), int((group == "detractor").sum())
    return net(promoters, detractors, promoters + detractors + int((group == "passive").sum()))
