"""Issues and their sub-issues: which found groups of either level are which known issues of either."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np

from nlp.cluster import Clustering
from serving.issues.identity import Line, Placement, identify
from serving.issues.known import ENDED, Book
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
    parts = identify(book, window, _within(found.parts, issues), points, lost, over, issues)
    return replace(issues, lineage=_lived_on(book, issues, parts)), parts


def parents(book: Book, issues: Placement, parts: Placement) -> dict[str, str | None]:
    """The issue that each sub-issue is in now, by most of its answers; None for those that are no longer in one.

    A sub-issue none of whose answers is in an issue stays where it was while that lives.
    """
    now: dict[str, str | None] = {id: _mostly(issues, rows) for id, rows in parts.rows().items()}
    return {**dict.fromkeys(issues.moved), **{id: into or _above(book, issues, id) for id, into in now.items()}}


def _mostly(issues: Placement, rows: Iterable[int]) -> str | None:
    """The issue that most of these rows are shown in, of those in one at all; None where none is."""
    shown = [issues.shown[row] for row in rows]
    return max(sorted({id for id in shown if id is not None}), key=shown.count, default=None)


def _above(book: Book, issues: Placement, id: str) -> str | None:
    """The issue that a sub-issue was in, or what that was merged into; None where it has ended or gone down itself."""
    parent = book.issues[id].parent if id in book.issues else None
    root = book.issues.get(book.root(parent)) if parent is not None else None
    if root is None or root.parent is not None or issues.states.get(root.id, root.state) == ENDED:
        return None
    return root.id


def _lived_on(book: Book, issues: Placement, parts: Placement) -> tuple[Line, ...]:
    """The lineage of the issues, in which one that lives on as a sub-issue has not ended.

    That it went down is told by its parent; what it lost to another issue than that is a piece split off it.
    """
    into = {id: _mostly(issues, rows) for id, rows in parts.rows().items() if id in parts.moved}
    ended = ("merge", "death")
    lines = (line for line in issues.lineage if line.before not in into or line.kind not in ended)
    pieces = (
        replace(line, kind="split")
        for line in issues.lineage
        if line.before in into and line.kind == "merge" and line.after and book.root(line.after) != into[line.before]
    )
    return (*lines, *pieces)


def _within(parts: np.ndarray, issues: Placement) -> np.ndarray:
    """The labels of sub-issues without the rows that are in another issue than most of their sub-issue."""
    parts = parts.copy()
    for part in range(int(parts.max()) + 1 if len(parts) else 0):
        rows = np.flatnonzero(parts == part)
        most = _mostly(issues, rows)
        parts[rows] = [part if most is not None and issues.shown[row] == most else -1 for row in rows]
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
