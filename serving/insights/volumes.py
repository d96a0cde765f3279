"""How many responses there are, of what kind, and whether more than before: counted by the database."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Literal

import numpy as np
from sqlalchemy import Connection, case, func, literal_column, select

from serving.insights import frame
from serving.insights.intervals import Estimate, Share, rate_ratio, wilson
from serving.insights.window import Every, Period, Window, bucket, day_of
from serving.store.tables import responses

By = Literal[
    "survey", "touchpoint", "channel", "unit", "language", "source", "metric", "group", "sentiment", "priority"
]


@dataclass(frozen=True, slots=True)
class Count:
    """How many came in the day, week or month that starts there; those without any are left out."""

    start: date
    n: int


@dataclass(frozen=True, slots=True)
class Volume:
    """One group's responses; `name` is null for those that have nothing there, and for all together."""

    name: str | None
    n: int
    scored: int
    with_text: int
    negative: Share
    before: int
    ratio: Estimate
    """`n` over that of the period before."""
    trend: tuple[Count, ...]


@dataclass(frozen=True, slots=True)
class Volumes:
    """Volumes of a period; `groups` holds the largest, `left_out` counts the rest."""

    period: Period
    n: int
    by: By | None
    every: Every
    overall: Volume
    groups: tuple[Volume, ...]
    left_out: int


@dataclass(frozen=True, slots=True)
class _Cell:
    name: str | None
    day: str
    n: int
    scored: int
    with_text: int
    negative: int


def volumes(connection: Connection, workspace: str, window: Window, by: By | None, every: Every, limit: int) -> Volumes:
    """Counts by group and time, beside those of the period before."""
    cells = _cells(connection, workspace, window, by)
    total_before = frame.count(connection, workspace, window, window.period.before)
    overall = _volume(None, cells, total_before, every)
    if by is None:
        return Volumes(window.period, overall.n, by, every, overall, (), 0)
    groups: dict[str | None, list[_Cell]] = defaultdict(list)
    for cell in cells:
        groups[cell.name].append(cell)
    before = _before(connection, workspace, window, by)
    largest = sorted(groups, key=lambda name: (-sum(cell.n for cell in groups[name]), name or ""))
    shown = tuple(_volume(name, groups[name], before.get(name, 0), every) for name in largest[:limit])
    return Volumes(window.period, overall.n, by, every, overall, shown, len(largest) - len(shown))


def _cells(connection: Connection, workspace: str, window: Window, by: By | None) -> list[_Cell]:
    column = responses.c
    cut = select(
        (column[by] if by else literal_column("NULL")).label("name"),
        day_of(connection, column.answered_at).label("day"),
        case((column.score.is_not(None), 1), else_=0).label("scored"),
        case((column.text != "", 1), else_=0).label("with_text"),
        case((column.sentiment == "negative", 1), else_=0).label("negative"),
    )
    # inside, for the day has parameters, and a database cannot tell that those of a GROUP BY are the same
    inner = cut.where(window.conditions(workspace)).subquery()
    sums = [func.sum(inner.c[name]) for name in ("scored", "with_text", "negative")]
    keys = [inner.c.name, inner.c.day]
    rows = connection.execute(select(*keys, func.count(), *sums).group_by(*keys))
    return [_Cell(_name(row[0]), *row[1:]) for row in rows]


def _before(connection: Connection, workspace: str, window: Window, by: By) -> dict[str | None, int]:
    column = responses.c[by]
    condition = window.conditions(workspace, window.period.before)
    found = connection.execute(select(column, func.count()).where(condition).group_by(column))
    return {_name(name): n for name, n in found}


def _name(value: str | int | None) -> str | None:
    return None if value is None else str(value)


def _volume(name: str | None, cells: Iterable[_Cell], before: int, every: Every) -> Volume:
    cells = list(cells)
    n = sum(cell.n for cell in cells)
    return Volume(
        name=name,
        n=n,
        scored=sum(cell.scored for cell in cells),
        with_text=sum(cell.with_text for cell in cells),
        negative=wilson(sum(cell.negative for cell in cells), n),
        before=before,
        ratio=rate_ratio(n, before),
        trend=counts_over(np.array([cell.day for cell in cells], "datetime64[D]"), [cell.n for cell in cells], every),
    )


def counts_over(days: np.ndarray, counts: Iterable[int], every: Every) -> tuple[Count, ...]:
    """Counts of datetime64[D] days, added up by day, week or month, in order of time."""
    sums: Counter[date] = Counter()
    for start, n in zip(bucket(days, every).tolist(), counts, strict=True):
        sums[start] += n
    return tuple(Count(start, sums[start]) for start in sorted(sums))
