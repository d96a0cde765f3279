"""Looks for issues: every night among all answers of the window, every hour where complaints come up."""

import threading
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy import Connection, select

from nlp.cluster import cluster
from nlp.spread import Spread, unit
from serving.issues import spreads, turns, watch
from serving.issues.births import born
from serving.issues.describe import Placed, described, tightness
from serving.issues.identity import Placement
from serving.issues.known import MERGED, Book, edits, load_book, over
from serving.issues.levels import identified, parents
from serving.issues.names import Naming, naming_of
from serving.issues.window import SMALLEST, STRONGEST, Window, count, count_unread, decoded, enough_read, load_window
from serving.issues.writing import Found, write
from serving.logs import get_logger, where
from serving.memory import give_back
from serving.parts import Parts
from serving.store.database import new_id
from serving.store.issue_tables import cluster_members
from serving.store.tables import responses, vectors, workspaces

FEWEST = 20
"""Answers that say something below which nothing can be called recurring."""
BEHIND = 0.05
"""Share of the answers that say something without a vector yet from which a run waits: it would count half an import
as all there is, and find what the other half says only a night later."""
TRIES = 3
"""People may change issues while a run is at work; what they did stands, and the run is done again."""

WORKER = new_id()
"""This process, in leases."""


class _Overtaken(Exception):  # noqa: N818 - it is a state, not a fault
    """People changed issues, or the turn went to somebody else, while the run was at work."""


def run_once(parts: Parts) -> int:
    """Does what is due in every workspace; answers in how many something was done.

    A run that fails holds up no other workspace; its own is looked at again when the lease of its turn is over.
    """
    encoder = parts.issue_vectors.version
    with parts.database.read() as connection:
        now = parts.clock()
        names = connection.execute(select(workspaces.c.id).order_by(workspaces.c.id)).scalars().all()
        due = [name for name in names if turns.due(connection, name, encoder, now)]
        waiting = [name for name in due if _ready(connection, name, encoder, now)]
    return sum(_guarded(parts, workspace) for workspace in waiting)


def _guarded(parts: Parts, workspace: str) -> int:
    try:
        return _turn(parts, workspace)
    except Exception as error:
        get_logger().error("discovery_failed", workspace=workspace, **where(error))
        return 0


def _ready(connection: Connection, workspace: str, encoder: str, now: datetime) -> bool:
    """Whether there is enough to look at, and nearly all of it has its vector; what is not ready stays due."""
    if not enough_read(connection, workspace, encoder, now, FEWEST):
        return False  # scores without words are many, and the whole window would be loaded for nothing every minute
    return count_unread(connection, workspace, encoder, now) <= BEHIND * count(connection, workspace, now)


def _turn(parts: Parts, workspace: str) -> int:
    worker = f"{WORKER}-{threading.get_ident() % 1_000_000}"
    with parts.database.write() as connection:
        kind = turns.claim(connection, workspace, parts.issue_vectors.version, worker, parts.clock())
    if kind is None:
        return 0
    try:
        found = _tried(parts, workspace, worker, kind)
        # what failed would fail at once again: its turn is not given up, so that nobody tries until the lease is over
        with parts.database.write() as connection:
            turns.give_up(connection, workspace, worker)
    finally:
        give_back()  # a run holds every text and vector of the window, and is over for an hour at least
    if found is not None and kind == "births" and found.columns:
        watch.tell_now(parts, workspace)  # not up to an hour later, with the next round of alarms
    return int(found is not None)


def _tried(parts: Parts, workspace: str, worker: str, kind: turns.Kind) -> Found | None:
    """What a run found and wrote; None where there was too little to look at, or people were always quicker."""
    for _ in range(TRIES):
        try:
            return _run(parts, workspace, worker, kind)
        except _Overtaken:
            continue
    return None


def _run(parts: Parts, workspace: str, worker: str, kind: turns.Kind) -> Found | None:
    now = parts.clock()
    with parts.database.read() as connection:
        window = load_window(connection, workspace, parts.issue_vectors.version, now)
        book = load_book(connection, workspace, now)
        naming = naming_of(connection, parts, workspace)
        lost = _lost_vectors(connection, workspace, window, book) if kind == "full" else {}
        kept = spreads.kept(connection, workspace, window.encoder)
    spread: spreads.Kept | None = None
    if kind == "births":
        found = born(window, book, kept, naming, now, SMALLEST)
    else:
        found, spread = look(window, book, lost, naming, now) if len(window.heard) >= FEWEST else (None, None)
    if found is None:
        return None  # too little to look at; it stays due
    with parts.database.write() as connection:
        if not turns.held(connection, workspace, worker) or edits(connection, workspace) != book.edits:
            raise _Overtaken
        write(connection, workspace, book, found, now)
        if spread is not None:
            spreads.keep(connection, workspace, window.encoder, spread, len(window.uids), now)
        elif found.columns:
            spreads.changed(connection, workspace, now)
        turns.finish(connection, workspace, kind, len(window.uids), now)
    return found


def look(
    window: Window, book: Book, lost: Mapping[str, tuple[np.ndarray, list[str]]], naming: Naming, now: datetime
) -> tuple[Found, spreads.Kept]:
    """A full run: groups, who they are, what is told of them. `lost`: vectors of issues without an answer in the window
    and the languages of these."""
    found = cluster(window.vectors, window.texts, window.languages, smallest=SMALLEST)
    points = found.spread.apply(window.vectors, window.languages)
    centroids = {id: _centroid(found.spread, *each) for id, each in lost.items()}
    gone = frozenset(id for id, issue in book.issues.items() if over(issue, now))
    issues, parts = identified(book, window, found, points, centroids, gone)
    placed = Placed(window, points, found.strength)
    groups, subgroups = issues.rows(), parts.rows()
    columns = described(placed, [groups, subgroups], now, naming)
    columns |= _tracked(placed, book, issues)
    strengths = _strengths(issues, window, found.strength) | _strengths(parts, window, found.strength)
    result = Found(
        window.read(window.heard),
        window.encoder,
        strengths,
        columns,
        parents(book, issues, parts),
        {**issues.states, **parts.states},
        (*issues.lineage, *parts.lineage),
    )
    return result, spreads.Kept(found.spread, tightness(points, list(groups.values())))


def _strengths(placement: Placement, window: Window, strength: np.ndarray) -> dict[tuple[str, str], float]:
    """Memberships in the issues that track answers and, where these were merged, in those that show them."""
    found = {}
    for row, (own, shown) in enumerate(zip(placement.own, placement.shown, strict=True)):
        for id in {own, shown, *placement.also.get(row, ())} - {None}:
            found[window.uids[row], id] = round(max(float(strength[row]), 0.01), 4)
    return found


def _tracked(placed: Placed, book: Book, issues: Placement) -> dict[str, dict[str, Any]]:
    """New centroids of issues that were merged into others: new answers are still placed by them."""
    out = {}
    for id in sorted({own for own in issues.own if own in book.issues and book.issues[own].state == MERGED}):
        rows = np.flatnonzero(np.array(issues.own, object) == id)
        centroid = unit(placed.points[rows].sum(axis=0, keepdims=True))[0]
        size = {"size": len(rows), "encoder": placed.window.encoder, "quotes": []}
        out[id] = {**size, "centroid": centroid.astype("<f4").tobytes()}
    return out


def _lost_vectors(
    connection: Connection, workspace: str, window: Window, book: Book
) -> dict[str, tuple[np.ndarray, list[str]]]:
    """Vectors and languages of the strongest members of issues that have none in the window."""
    out = {}
    for id, issue in book.issues.items():
        if issue.state == MERGED or not window.heard.isdisjoint(issue.members):
            continue
        asked = _strongest(workspace, id, window.encoder)
        rows = connection.execute(asked).all()
        if rows:
            out[id] = decoded([row.data for row in rows]), [row.language or "und" for row in rows]
    return out


def _strongest(workspace: str, id: str, encoder: str):
    of = cluster_members.c
    joined = cluster_members.join(
        vectors, (vectors.c.workspace == of.workspace) & (vectors.c.response == of.response)
    ).join(responses, (responses.c.workspace == of.workspace) & (responses.c.uid == of.response))
    mine = (of.workspace == workspace, of.cluster == id, vectors.c.encoder == encoder, vectors.c.part == 0)
    asked = select(vectors.c.data, responses.c.language).select_from(joined).where(*mine)
    return asked.order_by(of.strength.desc(), of.response).limit(STRONGEST)


def _centroid(spread: Spread, found: np.ndarray, languages: list[str]) -> np.ndarray:
    return unit(spread.apply(found, languages).mean(axis=0, keepdims=True))[0]
