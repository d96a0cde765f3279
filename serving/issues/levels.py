"""Issues and their sub-issues: which found groups of either level are which known issues of either."""

from collections import Counter
from collections.abc import Mapping

import numpy as np

from nlp.cluster import Clustering
from serving.issues.identity import Placement, identify
from serving.issues.known import Book
from serving.issues.window import SMALLEST, Window


def identified(
    book: Book,
    window: Window,
    found: Clustering,
    points: np.ndarray,
    lost: Mapping[str, np.ndarray],
    over: frozenset[str],
) -> tuple[Placement, Placement]:
    """The issues that the answers of a window belong to, and the sub-issues; `points`, `lost`, `over`: see `identify`.

    An issue that a larger one swallowed is, where it is found within that, a sub-issue under its id; a sub-issue found
    outside an issue is one itself.
    """
    issues = identify(book, window, found.labels, points, lost, over)
    return issues, identify(book, window, _within(found.parts, issues), points, lost, over, issues)


def parents(issues: Placement, parts: Placement) -> dict[str, str | None]:
    """The issue that each sub-issue is in now; None for those that are no longer in one."""
    return {**dict.fromkeys(issues.moved), **{id: issues.shown[rows[0]] for id, rows in parts.rows().items()}}


def _within(parts: np.ndarray, issues: Placement) -> np.ndarray:
    """The labels of sub-issues without the rows that are in another issue than most of their sub-issue."""
    parts = parts.copy()
    for part in range(int(parts.max()) + 1 if len(parts) else 0):
        rows = np.flatnonzero(parts == part)
        shown = [issues.shown[row] for row in rows]
        most = max(sorted({id for id in shown if id is not None}), key=shown.count, default=None)
        parts[rows] = [part if id is not None and id == most else -1 for id in shown]
    return _renumbered(_several(parts, issues))


def _several(parts: np.ndarray, issues: Placement) -> np.ndarray:
    """The labels without those of a part that is alone in its issue, for it was found in a group since divided."""
    of = {part: issues.shown[row] for row, part in enumerate(parts.tolist()) if part >= 0}
    parts_in = Counter(of.values())
    return np.array([part if part >= 0 and parts_in[of[part]] > 1 else -1 for part in parts.tolist()], np.int64)


def _renumbered(labels: np.ndarray) -> np.ndarray:
    """Groups numbered without gaps; what has become too small for a group is in none."""
    sizes = np.bincount(labels[labels >= 0], minlength=1)
    kept = np.flatnonzero(sizes >= SMALLEST)
    number = np.full(len(sizes) + 1, -1)
    number[kept] = np.arange(len(kept))
    return number[labels]
