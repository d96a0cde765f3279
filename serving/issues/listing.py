"""Issues as they are listed: filtered, sorted and paged; and what stands around one of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, Row, RowMapping, and_, exists, func, or_, select, tuple_

from serving.issues.known import ENDED, MERGED
from serving.issues.window import within
from serving.problems import Code, problem
from serving.store.issue_tables import alarms, cluster_lineage, cluster_members, clusters, improvements
from serving.store.tables import responses

Sort = Literal["size", "trend", "impact", "last_seen"]
NOTED = 0.1
"""Share of an issue's answers from which it counts as one of a language or touchpoint."""
RECENT = 20
"""Alarms shown of an issue, the newest."""
_NEVER = -1.0
"""Stands for a figure that there is none of: sizes, trends, impacts and times are all above, so these come last."""
_MOST = 1e15
"""No figure is beyond: the largest are points in time, in seconds."""
_COLUMNS = tuple(column for column in clusters.c if column.name not in ("workspace", "centroid"))


@dataclass(frozen=True, slots=True)
class Filter:
    """Which issues; None asks for nothing. Without `parent` sub-issues are left out."""

    state: str = "active"
    themes: tuple[str, ...] | None = None
    """One of them is enough."""
    language: str | None = None
    touchpoint: str | None = None
    parent: str | None = None


def listed(
    connection: Connection, workspace: str, wanted: Filter, sort: Sort, limit: int, after: Sequence[Any] | None
) -> list[RowMapping]:
    """Issues, those with most of what is sorted by first; a workspace has hundreds, so they are sorted here."""
    mine = (clusters.c.workspace == workspace, clusters.c.state == wanted.state, clusters.c.parent == wanted.parent)
    rows = connection.execute(select(*_COLUMNS).where(*mine)).mappings().all()
    found = sorted((row for row in rows if _fits(row, wanted)), key=lambda row: _place(row, sort))
    if after is not None:
        found = [row for row in found if _place(row, sort) > (-after[0], after[1])]
    return found[:limit]


def key_of(row: Mapping[str, Any], sort: Sort) -> list[Any]:
    """Where a row stands in the list, as JSON values."""
    return [_figure(row, sort), row["id"]]


def key_in(values: Sequence[Any]) -> list[Any]:
    """The key behind the values of a cursor; a 400 where they are none that `key_of` made."""
    figure, id = values
    number = isinstance(figure, int | float) and not isinstance(figure, bool) and abs(figure) < _MOST
    if not number or not isinstance(id, str) or "\x00" in id:
        raise problem(Code.BAD_CURSOR, "the cursor is none that this list gave; start again without one")
    return [float(figure), id]


def members_of(
    connection: Connection, workspace: str, id: str, limit: int, after: Sequence[Any] | None
) -> Sequence[Row[Any]]:
    """The answers of an issue, the strongest first."""
    of = cluster_members.c
    joined = cluster_members.join(
        responses, and_(responses.c.workspace == of.workspace, responses.c.uid == of.response)
    )
    asked = select(*_ANSWER, of.strength, of.by, of.since).select_from(joined)
    asked = asked.where(of.workspace == workspace, of.cluster == id)
    if after is not None:
        strength, uid = key_in(after)
        asked = asked.where(or_(of.strength < strength, and_(of.strength == strength, of.response > uid)))
    return connection.execute(asked.order_by(of.strength.desc(), of.response).limit(limit)).all()


def count_unclustered(connection: Connection, workspace: str, now: datetime) -> int:
    """Answers of the window that say something and are in no issue."""
    asked = select(func.count()).select_from(responses).where(*_outside(workspace, now))
    return connection.execute(asked).scalar_one()


def unclustered(
    connection: Connection, workspace: str, now: datetime, limit: int, after: tuple[datetime, str] | None
) -> Sequence[Row[Any]]:
    """These answers, the newest first."""
    kind = responses.c.effective["justification"]["kind"].as_string().label("kind")
    asked = select(*_ANSWER, kind).where(*_outside(workspace, now))
    place = tuple_(responses.c.answered_at, responses.c.uid)
    if after is not None:
        asked = asked.where(place < tuple_(*after, types=[responses.c.answered_at.type, responses.c.uid.type]))
    return connection.execute(asked.order_by(responses.c.answered_at.desc(), responses.c.uid.desc()).limit(limit)).all()


def parts_of(connection: Connection, workspace: str, id: str) -> Sequence[RowMapping]:
    """The sub-issues of an issue, the largest first."""
    mine = (clusters.c.workspace == workspace, clusters.c.parent == id, clusters.c.state.not_in((ENDED, MERGED)))
    asked = select(*_COLUMNS).where(*mine).order_by(clusters.c.size.desc(), clusters.c.id)
    return connection.execute(asked).mappings().all()


def lineage_of(connection: Connection, workspace: str, id: str) -> Sequence[RowMapping]:
    """What became of an issue and what it came of, oldest first."""
    of = cluster_lineage.c
    mine = (of.workspace == workspace, or_(of["from"] == id, of.to == id))
    return connection.execute(select(cluster_lineage).where(*mine).order_by(of.id)).mappings().all()


def improvements_of(connection: Connection, workspace: str, id: str) -> Sequence[RowMapping]:
    """The improvements of an issue, in the order of their days."""
    of = improvements.c
    mine = (of.workspace == workspace, of.cluster == id)
    return connection.execute(select(improvements).where(*mine).order_by(of.on, of.id)).mappings().all()


def alarms_of(connection: Connection, workspace: str, id: str) -> Sequence[RowMapping]:
    """What was told of an issue, the newest first."""
    of = alarms.c
    mine = (of.workspace == workspace, of.kind == "cluster", of.subject == id)
    return connection.execute(select(alarms).where(*mine).order_by(of.id.desc()).limit(RECENT)).mappings().all()


_ANSWER = tuple(
    responses.c[name]
    for name in ("uid", "id", "text", "language", "sentiment", "score", "touchpoint", "unit", "answered_at")
)


def _fits(row: Mapping[str, Any], wanted: Filter) -> bool:
    facts = row["facts"]
    if wanted.themes is not None and not {*wanted.themes} & {row["theme"], *facts.get("themes", {})}:
        return False
    asked = (("languages", wanted.language), ("touchpoints", wanted.touchpoint))
    return all(value is None or facts.get(name, {}).get(value, 0.0) >= NOTED for name, value in asked)


def _figure(row: Mapping[str, Any], sort: Sort) -> float:
    value = row[sort]
    if value is None:
        return _NEVER
    return value.timestamp() if isinstance(value, datetime) else value


def _place(row: Mapping[str, Any], sort: Sort) -> tuple[float, str]:
    return -_figure(row, sort), row["id"]


def _outside(workspace: str, now: datetime) -> tuple[Any, ...]:
    of = cluster_members.c
    inside = exists().where(of.workspace == workspace, of.response == responses.c.uid)
    return within(workspace, now), responses.c.text != "", ~inside
