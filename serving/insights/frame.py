"""Responses of a window as columns: what every figure about scores, themes and values is computed from."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from sqlalchemy import ColumnElement, Connection, and_, func, literal, or_, select

from serving.frame.covering import under
from serving.insights.window import Period, Window, as_days, day_of
from serving.rules.lineage import DOTS, Lineage
from serving.schemas import METRIC_SCALES
from serving.store.tables import responses, tags

Dimension = Literal["survey", "touchpoint", "channel", "unit", "employee", "language"]

BOUND = 1e12
"""Scores and values beyond it are taken as not given: no scale and no customer has them, and their squares overflow."""
UNHAPPY = ("negative", "mixed")
"""Sentiments of a theme that complain of it; a mixed one praises as well."""
HAPPY = ("positive", "mixed")


@dataclass(frozen=True, slots=True)
class Measure:
    """The one kind of score that figures are about: NPS and a five-point rating have no common mean."""

    metric: str | None
    low: float | None
    high: float | None
    n: int
    left_aside: int
    """Scores of the window on other metrics or scales."""
    scales: tuple[tuple[float | None, float | None], ...] = ()
    """The scale as rows have it; those that leave it out mean the metric's own."""

    def condition(self) -> ColumnElement[bool]:
        """What a row of `responses` must fulfil to be of this measure; with no score at all, nothing is."""
        column = responses.c
        if not self.n:
            return literal(False)
        scale = or_(*(and_(_same(column.scale_min, low), _same(column.scale_max, high)) for low, high in self.scales))
        return and_(column.score.between(-BOUND, BOUND), _same(column.metric, self.metric), scale)


@dataclass(frozen=True, slots=True)
class Frame:
    """Columns of n responses in the order they were answered; `score` and `value` are NaN where there is none."""

    uid: list[str]
    person: np.ndarray  # object (n,): the respondent, or the response itself where nobody is named
    day: np.ndarray  # datetime64[D] (n,), UTC
    score: np.ndarray  # float64 (n,)
    value: np.ndarray  # float64 (n,)
    group: np.ndarray  # object (n,): detractor, passive, promoter or None
    sentiment: np.ndarray  # object (n,)
    dimension: np.ndarray  # object (n,): of the column asked for, None where it has nothing

    @property
    def n(self) -> int:
        return len(self.uid)

    def persons(self, rows: np.ndarray | None = None) -> int:
        """How many different people answered (in these rows)."""
        return len(set(self.person if rows is None else self.person[rows]))


@dataclass(frozen=True, slots=True)
class Mentions:
    """Tags of a frame's responses: m pairs of a row and a theme."""

    row: np.ndarray  # int64 (m,) into the frame
    theme: np.ndarray  # int64 (m,) into `themes`
    sentiment: np.ndarray  # object (m,)
    themes: tuple[str, ...]

    @property
    def unhappy(self) -> np.ndarray:
        """bool (m,): it complains of the theme."""
        return np.isin(self.sentiment, UNHAPPY)

    @property
    def happy(self) -> np.ndarray:
        """bool (m,): it praises the theme."""
        return np.isin(self.sentiment, HAPPY)


def measure(connection: Connection, workspace: str, window: Window) -> Measure:
    """The metric and scale that most scores of the window are on."""
    column = responses.c
    names = (column.metric, column.scale_min, column.scale_max)
    scored = and_(window.conditions(workspace), column.score.between(-BOUND, BOUND))
    counts: dict[tuple[str | None, float | None, float | None], int] = {}
    raw: dict[tuple[str | None, float | None, float | None], list[tuple[float | None, float | None]]] = {}
    for metric, low, high, n in connection.execute(select(*names, func.count()).where(scored).group_by(*names)):
        scale = METRIC_SCALES.get(metric or "")
        key = (metric, low, high) if low is not None or scale is None else (metric, float(scale.min), float(scale.max))
        counts[key] = counts.get(key, 0) + n
        raw.setdefault(key, []).append((low, high))
    if not counts:
        return Measure(window.metric, None, None, 0, 0)
    # of two as frequent ones the same is taken every time
    key = max(counts, key=lambda found: (counts[found], repr(found)))
    return Measure(*key, n=counts[key], left_aside=sum(counts.values()) - counts[key], scales=tuple(raw[key]))


def load(
    connection: Connection,
    workspace: str,
    window: Window,
    of: Measure | None = None,
    dimension: Dimension | None = None,
) -> Frame:
    """The responses of a window; with a measure those that have a score of it."""
    column = responses.c
    condition = window.conditions(workspace)
    asked = [column.uid, column.respondent, day_of(connection, column.answered_at), column.score, column.value]
    asked += [column.group, column.sentiment, column[dimension] if dimension else literal(None)]
    statement = select(*asked).where(condition if of is None else and_(condition, of.condition()))
    rows = connection.execute(statement.order_by(column.answered_at, column.uid)).all()
    uid, respondent, day, score, value, group, sentiment, named = zip(*rows, strict=True) if rows else [()] * 8
    persons = [f"r:{who}" if who is not None else f"u:{id}" for who, id in zip(respondent, uid, strict=True)]
    return Frame(
        uid=list(uid),
        person=_objects(persons),
        day=as_days(list(day)),
        score=_numbers(score),
        value=_numbers(value),
        group=_objects(group),
        sentiment=_objects(sentiment),
        dimension=_objects(named),
    )


def load_mentions(connection: Connection, workspace: str, window: Window, frame: Frame) -> Mentions:
    """The tags of a frame's responses, in a steady order."""
    condition = and_(tags.c.workspace == workspace, window.conditions(workspace))
    joined = tags.join(responses, and_(responses.c.workspace == tags.c.workspace, responses.c.uid == tags.c.response))
    statement = select(tags.c.response, tags.c.theme, tags.c.sentiment).select_from(joined).where(condition)
    place = {uid: row for row, uid in enumerate(frame.uid)}
    found = [row for row in connection.execute(statement).all() if row[0] in place]
    themes = tuple(sorted({row[1] for row in found}))
    number = {name: index for index, name in enumerate(themes)}
    rows = np.array([place[row[0]] for row in found], dtype=np.int64)
    codes = np.array([number[row[1]] for row in found], dtype=np.int64)
    order = np.lexsort((codes, rows))
    return Mentions(rows[order], codes[order], _objects([row[2] for row in found])[order], themes)


def covers(theme: str, lineage: Lineage = DOTS) -> ColumnElement[bool]:
    """What a row of `tags` must fulfil to be of a theme or of what lies under it: `delivery` covers `delivery.time`."""
    return under(tags.c.theme, (theme,), lineage)


def known_theme(connection: Connection, workspace: str, theme: str, lineage: Lineage = DOTS) -> bool:
    """Whether any response of the workspace was ever tagged with it."""
    statement = select(tags.c.theme).where(tags.c.workspace == workspace, covers(theme, lineage)).limit(1)
    return connection.execute(statement).first() is not None


def count(connection: Connection, workspace: str, window: Window, period: Period) -> int:
    """How many responses a period has under the window's filters."""
    statement = select(func.count()).select_from(responses).where(window.conditions(workspace, period))
    return connection.execute(statement).scalar_one()


def _same(column: ColumnElement, value: object) -> ColumnElement[bool]:
    return column.is_(None) if value is None else column == value


def _numbers(values: tuple[float | None, ...]) -> np.ndarray:
    found = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    found[np.abs(found) > BOUND] = np.nan
    return found


def _objects(values: list | tuple) -> np.ndarray:
    found = np.empty(len(values), dtype=object)
    found[:] = values
    return found
