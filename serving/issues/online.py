"""New answers join known issues as they come in, in the transaction that keeps them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from sqlalchemy import Connection, Engine, and_, case, delete, func, select, update

from nlp.spread import Spread
from serving.issues import spreads
from serving.issues.forgetting import forget_quotes
from serving.issues.known import ACTIVE, DISMISSED, MERGED, ONLINE
from serving.issues.window import SPOKEN, decoded
from serving.issues.writing import Pair, put
from serving.store.issue_tables import cluster_members, clusters
from serving.store.saving import Saved, Vector

JOINED = 0.4
"""Cosine to an issue's centre from which a new answer joins it: of real answers of a new day four in five lie so near.
A full run places what is farther too; until then it may be the beginning of something new, and is left to the births.
"""


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
    connection: Connection, workspace: str, kept: Sequence[tuple[Saved, Vector | None]], now: datetime
) -> dict[str, str]:
    """Puts new and changed answers into the issue that each is nearest to, if it is near enough: issues by uid."""
    _leave(connection, workspace, [saved.uid for saved, _ in kept if saved.outcome == "updated"])
    spoken = [(saved, vector) for saved, vector in kept if vector is not None and _speaks(saved)]
    joined: dict[str, str] = {}
    for encoder in sorted({vector.encoder for _, vector in spoken}):
        centres = _centres(connection, workspace, encoder)
        if centres is not None:
            own = [(saved, vector) for saved, vector in spoken if vector.encoder == encoder]
            joined |= _join(connection, workspace, centres, own, now)
    return joined


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
    own: Sequence[tuple[Saved, Vector]],
    now: datetime,
) -> dict[str, str]:
    languages = [saved.row["language"] or "und" for saved, _ in own]
    points = centres.spread.apply(decoded([vector.data for _, vector in own]), languages)
    pairs: dict[Pair, float] = {}
    joined = {}
    for (saved, _), found in zip(own, nearest(points, centres.centroids, centres.ids, centres.parents), strict=True):
        for id, cosine in found:
            strength = round(min(cosine, 1.0), 4)
            for each in {id, centres.roots.get(id, id)}:
                pairs[saved.uid, each] = strength
        if found:
            joined[saved.uid] = centres.roots.get(found[0][0], found[0][0])
    put(connection, workspace, pairs.items(), ONLINE, now)
    _count(connection, workspace, pairs, {saved.uid: saved.row["answered_at"] for saved, _ in own})
    return joined


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


def _speaks(saved: Saved) -> bool:
    effective: Mapping[str, Any] = saved.row["effective"]
    kind = (effective.get("justification") or {}).get("kind")
    return saved.outcome != "duplicate" and kind in SPOKEN and bool(saved.row["text"])


def _leave(connection: Connection, workspace: str, uids: Sequence[str]) -> None:
    """A text that changed is in no issue until it is placed anew."""
    if not uids:
        return
    of = cluster_members.c
    mine = and_(of.workspace == workspace, of.response.in_(uids))
    forget_quotes(connection, workspace, uids)
    connection.execute(delete(cluster_members).where(mine))


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
