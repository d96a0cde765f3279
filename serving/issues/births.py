"""New issues between two full runs: among the answers of the last days that belong to none."""

from datetime import datetime, timedelta

import numpy as np
from scipy.cluster.hierarchy import average, fcluster
from scipy.spatial.distance import squareform

from nlp.cluster import fold
from serving.issues.describe import Placed, described
from serving.issues.identity import Line
from serving.issues.known import ACTIVE, Book
from serving.issues.spreads import Kept
from serving.issues.window import Window
from serving.issues.writing import Found
from serving.store.database import new_id

DAYS = timedelta(days=7)
"""What did not gather within a week is no birth; the next full run may still find it."""
MOST = 2000
"""Answers looked at, the newest: all pairs of them are compared."""


def born(window: Window, book: Book, kept: Kept | None, language: str | None, now: datetime, smallest: int) -> Found:
    """Groups of at least `smallest` different answers, as near to one another as those of known issues are."""
    nothing = Found((), {}, {}, {}, {}, ())
    rows = outside(window, book, now)
    if kept is None or len(rows) < smallest:
        return nothing
    points = kept.spread.apply(window.vectors, window.languages)
    groups = {
        new_id(): rows[group]
        for group in gathered(points[rows], kept.tight)
        if len({fold(window.texts[row]) for row in rows[group]}) >= smallest
    }
    if not groups:
        return nothing
    strength = np.zeros(len(window.uids), np.float32)
    placed = Placed(window, points, strength)
    columns = described(placed, groups, now, language)
    for id, own in groups.items():
        strength[own] = np.clip(points[own] @ np.frombuffer(columns[id]["centroid"], "<f4"), 0.01, 1.0)
    pairs = {(window.uids[row], id): round(float(strength[row]), 4) for id, own in groups.items() for row in own}
    read = [window.uids[row] for own in groups.values() for row in own]
    lines = tuple(Line("birth", None, id) for id in groups)
    return Found(read, pairs, columns, {}, dict.fromkeys(groups, ACTIVE), lines)


def outside(window: Window, book: Book, now: datetime) -> np.ndarray:
    """Rows of the last days that say something and are in no issue, oldest first, int64."""
    inside = {uid for issue in book.issues.values() for uid in issue.members}
    rows = [
        row
        for row, (uid, answer) in enumerate(zip(window.uids, window.answers, strict=True))
        if window.texts[row] and uid not in inside and answer.answered_at and answer.answered_at > now - DAYS
    ]
    return np.array(rows[-MOST:], np.int64)


def gathered(points: np.ndarray, tight: float) -> list[np.ndarray]:
    """Groups of rows whose mean cosine is at least `tight` (average linkage), largest first; points unit float32."""
    if len(points) < 2:
        return []
    distance = np.clip(1.0 - points.astype(np.float64) @ points.T.astype(np.float64), 0.0, 2.0)
    np.fill_diagonal(distance, 0.0)
    joined = average(squareform((distance + distance.T) / 2, checks=False))
    labels = fcluster(joined, max(1.0 - tight, 0.0), "distance")
    groups = [np.flatnonzero(labels == label) for label in range(1, int(labels.max()) + 1)]
    return sorted(groups, key=lambda rows: (-len(rows), rows[0]))
