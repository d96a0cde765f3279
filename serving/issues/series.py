"""Counts a day of everything that may rise or fall: themes and what lies above them, issues, touchpoints.

Days are 24 hours each, counted back from now: the last one is as full as the others.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from sqlalchemy import ColumnElement, Connection, and_, select

from nlp.emerging import Series
from nlp.taxonomy import Taxonomy
from serving.insights.frame import UNHAPPY
from serving.issues.tree import Tree, tree_of
from serving.store.issue_tables import cluster_members, clusters
from serving.store.tables import responses, tags

DAYS = 56
"""Eight weeks: each weekday is seen eight times, and what was usual a quarter ago is not expected now."""
THEME, CLUSTER, TOUCHPOINT = "theme", "cluster", "touchpoint"
COMPLAINTS = "complaints"
"""Kind of a series of a theme's negative mentions alone; it is told as the theme."""

Key = tuple[str, str]
"""Kind and id of a series."""
Mention = tuple[int, str, bool]
"""The row of an answer, a theme it has, whether it complains of it."""
ALL = Tree()
"""Where no frame says otherwise."""


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """n answers of the last DAYS days; `marks` says which of them belong to which series (row numbers)."""

    at: np.ndarray  # datetime64[us] (n,), UTC
    unhappy: np.ndarray  # bool (n,)
    touchpoint: np.ndarray  # object (n,), None where not said
    unit: np.ndarray
    language: np.ndarray
    marks: Mapping[Key, np.ndarray] = field(default_factory=dict)
    tree: Tree = ALL


@dataclass(frozen=True, slots=True, eq=False)
class Tally:
    """What `nlp.emerging.findings` asks for; `day` int (n,) is each answer's place among the days."""

    series: list[Series]
    totals: np.ndarray
    weekdays: np.ndarray
    day: np.ndarray


def tally(columns: Columns, now: datetime, zone: ZoneInfo) -> Tally:
    """Counts by day; days before the first answer are left out, for nobody was asked then.

    Of touchpoints the complaints are counted, against the answers given there: not how many were asked.
    """
    age = (np.datetime64(now.replace(tzinfo=None), "us") - columns.at) // np.timedelta64(1, "D")
    days = int(age.max()) + 1 if len(age) else 0
    day = days - 1 - age.astype(np.int64)

    def counts(rows: np.ndarray) -> np.ndarray:
        return np.bincount(day[rows], minlength=days)

    asked = _by_name(columns.touchpoint)
    marks = dict(columns.marks)
    marks |= {(TOUCHPOINT, name): rows[columns.unhappy[rows]] for name, rows in asked.items()}

    def series(kind: str, id: str, rows: np.ndarray) -> Series:
        if kind not in (THEME, COMPLAINTS):
            return Series(kind, id, counts(rows), counts(asked[id]) if kind == TOUCHPOINT else None)
        used = columns.tree.days(id, now)
        since = 0 if used is None else max(0, days - used)
        return Series(kind, id, counts(rows), None, since, columns.tree.stands(id))

    middle = [now - timedelta(days=days - 0.5 - place) for place in range(days)]
    weekdays = np.array([moment.astimezone(zone).weekday() for moment in middle], dtype=np.int64)
    every = [series(*key, rows) for key, rows in sorted(marks.items(), key=lambda item: item[0])]
    return Tally(every, np.bincount(day, minlength=days), weekdays, day)


def load_columns(connection: Connection, workspace: str, base: Taxonomy, now: datetime) -> Columns:
    """Answers of the last DAYS days, and whatever they belong to; `base`: the code frame of the model at work."""
    named = ("answered_at", "sentiment", "touchpoint", "unit", "language")
    asked = select(responses.c.uid, *(responses.c[name] for name in named)).where(_recent(workspace, now))
    found = connection.execute(asked.order_by(responses.c.answered_at, responses.c.uid)).all()
    uid, at, sentiment, touchpoint, unit, language = zip(*found, strict=True) if found else [()] * 6
    unhappy = np.isin(np.array(sentiment, dtype=object), UNHAPPY) if found else np.zeros(0, bool)
    place = {id: row for row, id in enumerate(uid)}
    tree = tree_of(connection, workspace, base, now - timedelta(days=DAYS))
    marks = theme_marks(_mentions(connection, workspace, now, place), tree)
    marks |= _cluster_marks(connection, workspace, now, place)
    moments = np.array([moment.replace(tzinfo=None) for moment in at], dtype="datetime64[us]")
    said = _objects(touchpoint), _objects(unit), _objects(language)
    return Columns(moments, unhappy, *said, marks, tree)


def theme_marks(mentions: Sequence[Mention], tree: Tree = ALL) -> dict[Key, np.ndarray]:
    """Rows of each theme and of all that lie above it, each row once."""
    rows: dict[Key, set[int]] = {}
    for row, theme, complains in mentions:
        for above in tree.levels(theme):
            rows.setdefault((THEME, above), set()).add(row)
            if complains:
                rows.setdefault((COMPLAINTS, above), set()).add(row)
    return {key: np.array(sorted(found), dtype=np.int64) for key, found in rows.items()}


def rows_of(columns: Columns, kind: str, id: str) -> np.ndarray:
    """Answers that belong to a theme, issue or touchpoint, int64; none for one that is not there now."""
    if kind == TOUCHPOINT:
        return np.flatnonzero((columns.touchpoint == id) & columns.unhappy)
    return columns.marks.get((kind, id), np.zeros(0, dtype=np.int64))


def _by_name(names: np.ndarray) -> dict[str, np.ndarray]:
    """Rows of each name; those without one are left out."""
    rows: dict[str, list[int]] = {}
    for row, name in enumerate(names):
        if name is not None:
            rows.setdefault(name, []).append(row)
    return {name: np.array(found, dtype=np.int64) for name, found in rows.items()}


def _recent(workspace: str, now: datetime) -> ColumnElement[bool]:
    answered = responses.c.answered_at
    return and_(responses.c.workspace == workspace, answered > now - timedelta(days=DAYS), answered <= now)


def _mentions(connection: Connection, workspace: str, now: datetime, place: Mapping[str, int]) -> list[Mention]:
    joined = tags.join(responses, and_(responses.c.workspace == tags.c.workspace, responses.c.uid == tags.c.response))
    asked = select(tags.c.response, tags.c.theme, tags.c.sentiment).select_from(joined)
    found = connection.execute(asked.where(tags.c.workspace == workspace, _recent(workspace, now)))
    return [(place[uid], theme, mood in UNHAPPY) for uid, theme, mood in found if uid in place]


def _cluster_marks(
    connection: Connection, workspace: str, now: datetime, place: Mapping[str, int]
) -> dict[Key, np.ndarray]:
    own, member = clusters.c, cluster_members.c
    joined = cluster_members.join(clusters, and_(own.workspace == member.workspace, own.id == member.cluster))
    joined = joined.join(responses, and_(responses.c.workspace == member.workspace, responses.c.uid == member.response))
    asked = select(member.cluster, member.response).select_from(joined)
    found = connection.execute(
        asked.where(member.workspace == workspace, own.state == "active", _recent(workspace, now))
    )
    rows: dict[Key, list[int]] = {}
    for cluster, uid in found:
        rows.setdefault((CLUSTER, cluster), []).append(place[uid])
    return {key: np.array(sorted(members), dtype=np.int64) for key, members in rows.items()}


def _objects(values: Sequence[str | None]) -> np.ndarray:
    found = np.empty(len(values), dtype=object)
    found[:] = values
    return found
