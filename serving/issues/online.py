"""New answers join known issues in the transaction that stores their vectors; changed ones leave theirs when kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from weakref import WeakKeyDictionary

import numpy as np
from sqlalchemy import Connection, Engine, and_, case, delete, func, select, update

from nlp.spread import Spread
from serving.issues import spreads
from serving.issues.forgetting import forget_quotes
from serving.issues.known import ACTIVE, DISMISSED, MERGED, ONLINE
from serving.issues.window import within
from serving.issues.writing import Pair, put
from serving.store.issue_tables import cluster_members, clusters
from serving.store.tables import responses

JOINED = 0.4
"""Cosine to an issue's centre from which a new answer joins it: of real answers of a new day four in five lie so near.
A full run places what is farther too; until then it may be the beginning of something new, and is left to the births.
"""


@dataclass(frozen=True, slots=True)
class Newcomer:
    """An answer of the window that has its vector now."""

    uid: str
    language: str
    answered_at: datetime


@dataclass(frozen=True, slots=True, eq=False)
class _Centres:
    """The issues of a workspace as the last run spread them; centroids float32 (k, m); parents: "" for an issue."""

    at: datetime
    spread: Spread
    ids: tuple[str, ...]
    parents: np.ndarray
    centroids: np.ndarray
    roots: Mapping[str, str]


_SEEN: WeakKeyDictionary[Engine, dict[tuple[str, str], _Centres | None]] = WeakKeyDictionary()


def join(
    connection: Connection,
    workspace: str,
    encoder: str,
    new: Sequence[Newcomer],
    points: np.ndarray,
    now: datetime,
) -> dict[str, str]:
    """Puts answers that are in no issue into that which each is nearest to, if it is near enough: issues by uid.

    points float32 (n, d): their vectors of this encoder. Answers in an issue stay where they are.
    """
    centres = _centres(connection, workspace, encoder) if new else None
    if centres is None:
        return {}
    inside = _inside(connection, workspace, [each.uid for each in new])
    free = [place for place, each in enumerate(new) if each.uid not in inside]
    return _join(connection, workspace, centres, [new[place] for place in free], points[free], now) if free else {}


def leave(connection: Connection, workspace: str, uids: Sequence[str], now: datetime) -> None:
    """Takes answers whose text changed out of their issues, with their quotes, until they are placed anew."""
    if not uids:
        return
    of = cluster_members.c
    mine = and_(of.workspace == workspace, of.response.in_(uids))
    here = and_(responses.c.workspace == of.workspace, responses.c.uid == of.response)
    counted = select(of.cluster, func.count()).select_from(cluster_members.join(responses, here))
    left = connection.execute(counted.where(mine, within(workspace, now)).group_by(of.cluster)).all()
    forget_quotes(connection, workspace, uids)
    connection.execute(delete(cluster_members).where(mine))
    for id, count in sorted((id, count) for id, count in left):
        smaller = case((clusters.c.size > count, clusters.c.size - count), else_=0)
        this = (clusters.c.workspace == workspace, clusters.c.id == id)
        connection.execute(update(clusters).where(*this).values(size=smaller))


def nearest(
    points: np.ndarray, centroids: np.ndarray, ids: Sequence[str], parents: np.ndarray
) -> list[list[tuple[str, float]]]:
    """The issue that each point is near enough to, and its sub-issue where it is near to one: (id, cosine)."""
    cosine = points @ centroids.T
    whole = np.where(parents == "", cosine, -1.0)
    out: list[list[tuple[str, float]]] = []
    for row, best in enumerate(whole.argmax(axis=1)):
        found = [(ids[best], float(whole[row, best]))] if whole[row, best] >= JOINED else []
        if found:
            parts = np.where(parents == ids[best], cosine[row], -1.0)
            if parts.max() >= JOINED:
                found.append((ids[parts.argmax()], float(parts.max())))
        out.append(found)
    return out


def _join(
    connection: Connection,
    workspace: str,
    centres: _Centres,
    new: Sequence[Newcomer],
    points: np.ndarray,
    now: datetime,
) -> dict[str, str]:
    placed = centres.spread.apply(points, [each.language for each in new])
    pairs: dict[Pair, float] = {}
    joined = {}
    for each, found in zip(new, nearest(placed, centres.centroids, centres.ids, centres.parents), strict=True):
        for id, cosine in found:
            strength = round(min(cosine, 1.0), 4)
            for one in {id, centres.roots.get(id, id)}:
                pairs[each.uid, one] = strength
        if found:
            joined[each.uid] = centres.roots.get(found[0][0], found[0][0])
    put(connection, workspace, pairs.items(), ONLINE, now)
    _count(connection, workspace, pairs, {each.uid: each.answered_at for each in new})
    return joined


def _inside(connection: Connection, workspace: str, uids: Sequence[str]) -> set[str]:
    of = cluster_members.c
    asked = select(of.response).where(of.workspace == workspace, of.response.in_(uids))
    return set(connection.execute(asked).scalars())


def _count(
    connection: Connection, workspace: str, pairs: Mapping[Pair, float], answered: Mapping[str, datetime]
) -> None:
    """Lets the issues grow by their new answers; the other figures follow with the next full run."""
    grown: dict[str, list[datetime]] = {}
    for uid, id in pairs:
        grown.setdefault(id, []).append(answered[uid])
    for id, moments in sorted(grown.items()):
        last = max(moments)
        later = case((clusters.c.last_seen > last, clusters.c.last_seen), else_=last)
        mine = (clusters.c.workspace == workspace, clusters.c.id == id)
        new = {"size": clusters.c.size + len(moments), "last_seen": func.coalesce(later, last)}
        connection.execute(update(clusters).where(*mine).values(new))


def _centres(connection: Connection, workspace: str, encoder: str) -> _Centres | None:
    """Looked up again whenever a run or people changed them."""
    seen = _SEEN.setdefault(connection.engine, {})
    at = spreads.stamp(connection, workspace, encoder)
    known = seen.get((workspace, encoder))
    if known is None or known.at != at:
        known = seen[workspace, encoder] = None if at is None else _load(connection, workspace, encoder, at)
    return known


def _load(connection: Connection, workspace: str, encoder: str, at: datetime) -> _Centres | None:
    kept = spreads.kept(connection, workspace, encoder)
    of = clusters.c
    asked = select(of.id, of.parent, of.state, of.merged_into, of.centroid).where(
        of.workspace == workspace, of.encoder == encoder, of.state.in_((ACTIVE, DISMISSED, MERGED))
    )
    rows = connection.execute(asked.order_by(of.id)).all()
    width = 0 if kept is None else kept.spread.axes.shape[1]
    found = [(row, np.frombuffer(row.centroid, "<f4")) for row in rows]
    found = [(row, centroid) for row, centroid in found if len(centroid) == width]
    if kept is None or not found:
        return None
    into = {row.id: row.merged_into for row in rows}
    return _Centres(
        at,
        kept.spread,
        tuple(row.id for row, _ in found),
        np.array([row.parent or "" for row, _ in found], object),
        np.stack([centroid for _, centroid in found]),
        {id: _root(id, into) for id in into},
    )


def _root(id: str, into: Mapping[str, str | None]) -> str:
    seen = {id}
    while (above := into.get(id)) and above not in seen:
        seen.add(above)
        id = above
    return id
