"""Recurring issues among verbatims: copies folded, vectors spread, neighbours linked, groups found, leftovers placed.

The same rows in any order give the same groups: everything runs over the rows sorted by what they hold.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from nlp.communities import communities, coverage, inside, merged
from nlp.issue_vectors import bare
from nlp.neighbours import fuzzy_graph, nearest
from nlp.spread import TINY, Spread, fit_spread, unit
from nlp.wording import reworded, wording

NEIGHBOURS = 15
CANDIDATES = 45  # nearest rows among which the neighbours are chosen by meaning and wording together
WORDED = 0.15  # share of the wording in how near two texts are: at 0.1 and 0.2 no better, from a third on worse
WORDED_ROWS = 20_000  # rows up to which wording is read: with more of them it took four times as long
FINEST = 32.0  # resolution of the first grouping, from which coarser ones are made
RESOLUTIONS = (24.0, 20.0, 16.0, 12.0, 10.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.5, 1.0)
LEAK, LEAK_ROWS = 0.19, 3000
"""Link weight that may cross between issues, measured at so many rows; it falls with the root of their number, as
borders do against what they enclose. Rows that differ little by little leak more at any resolution: they get the
coarsest, few broad issues in place of many arbitrary ones."""
HALVES = 0.15  # share of a group's links that go to one other from which they are one issue
SUB_RESOLUTION = 1.0
SUB_COVERAGE = 0.75  # an issue has parts where three quarters of its links stay inside them
STRAY = 0.1  # a row with less of its links inside its issue belongs to none
PLACED = 0.25  # cosine to an issue's centre from which a leftover is placed there
DECIMALS = 4  # of the vectors: what differs beyond is arithmetic, not meaning
_WORD = re.compile(r"[^\W\d_]+(?:['’ʼ-][^\W\d_]+)*")


@dataclass(frozen=True, slots=True, eq=False)
class Clustering:
    """Groups of n rows.

    labels int32 (n,), -1 for a leftover; strength float32 (n,) in [0, 1], 0 for a leftover; parts int32 (n,), the
    number of a row's sub-issue within the whole clustering, -1 where its issue has none; centroids float32 (k, m), unit
    rows in the space of `spread`; part_centroids float32 (p, m); part_of int32 (p,), the issue of each sub-issue.
    Issues are numbered by size, largest first.
    """

    labels: np.ndarray
    strength: np.ndarray
    parts: np.ndarray
    centroids: np.ndarray
    part_centroids: np.ndarray
    part_of: np.ndarray
    spread: Spread

    @property
    def leftovers(self) -> np.ndarray:
        """Numbers of the rows in no issue, int64."""
        return np.flatnonzero(self.labels < 0)


def cluster(
    vectors: np.ndarray,
    texts: Sequence[str],
    languages: Sequence[str] | None = None,
    *,
    smallest: int = 5,
    seed: int = 0,
) -> Clustering:
    """vectors float32 (n, d) of as many texts -> issues of at least `smallest` rows.

    Rows whose vector is all zeros say nothing and are left over. `languages` lets one issue hold several languages.
    """
    rows = len(vectors)
    if len(texts) != rows or (languages is not None and len(languages) != rows):
        raise ValueError(f"{rows} vectors, {len(texts)} texts and {len(languages or texts)} languages")
    vectors = np.round(np.asarray(vectors, np.float32), DECIMALS)
    said = np.flatnonzero(np.abs(vectors).sum(axis=1) > 0)
    keys = [fold(texts[row]) or texts[row] for row in said]
    first, member = _folded(vectors[said], keys)
    chosen = said[first]
    spoken = [languages[row] for row in chosen] if languages is not None else None
    count = np.bincount(member, minlength=len(first))
    spread = fit_spread(vectors[chosen], spoken)
    points = spread.apply(vectors[chosen], spoken)
    if len(chosen) <= WORDED_ROWS:
        said_by = wording([bare(texts[row]) for row in chosen], seed)
        near = reworded(nearest(points, CANDIDATES, seed), said_by, spoken, WORDED, NEIGHBOURS)
    else:
        near = nearest(points, NEIGHBOURS, seed)
    found = _group(points, fuzzy_graph(near), count, smallest, seed)
    return _unfolded(found, spread, points, count, said, member, rows)


def fold(text: str) -> str:
    """What near copies have in common: their distinct words, without case, order, digits or marks."""
    return " ".join(sorted({word.casefold() for word in _WORD.findall(text)}))


def strength_in(points: np.ndarray, centroids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """points float32 (n, m), centroids float32 (k, m), unit rows -> nearest centroid int64 (n,) and cosine (n,)."""
    if not len(centroids):
        return np.full(len(points), -1), np.zeros(len(points), np.float32)
    cosine = points @ centroids.T
    best = cosine.argmax(axis=1)
    return best, np.clip(cosine[np.arange(len(points)), best], 0.0, 1.0)


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    labels: np.ndarray
    parts: np.ndarray
    inside: np.ndarray


def _folded(vectors: np.ndarray, keys: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Rows that stand for their copies, in the order of what they hold, and which of these each row belongs to."""
    holds = [hashlib.blake2b(vector.tobytes(), digest_size=16).digest() for vector in vectors]
    order = sorted(range(len(keys)), key=lambda row: (keys[row], holds[row]))
    stands: list[int] = []
    member = np.empty(len(keys), np.int64)
    for place, row in enumerate(order):
        if not place or keys[row] != keys[order[place - 1]]:
            stands.append(row)
        member[row] = len(stands) - 1
    return np.array(stands, np.int64), member


def _group(points: np.ndarray, graph: sparse.csr_matrix, count: np.ndarray, smallest: int, seed: int) -> _Found:
    labels = _issues(graph, seed)
    held = inside(graph, labels)
    labels = np.where(held < STRAY, -1, labels)
    labels = _numbered(labels, count, smallest)
    labels = _numbered(_placed(points, labels, count), count, smallest)
    parts = _parts(graph, labels, count, smallest, seed)
    return _Found(labels, parts, held)


def _issues(graph: sparse.csr_matrix, seed: int) -> np.ndarray:
    """Labels at the finest resolution at which issues do not leak into one another, else at the coarsest."""
    rows = graph.shape[0]
    if rows < 2 or not graph.nnz:
        return np.arange(rows)
    allowed = LEAK * min(1.0, float(np.sqrt(LEAK_ROWS / rows)))
    fine = communities(graph, FINEST, seed)
    small, weight = merged(graph, fine), np.bincount(fine, np.asarray(graph.sum(axis=1)).ravel())
    chosen = next(
        (at for at in RESOLUTIONS if coverage(small, communities(small, at, seed, weight)) >= 1.0 - allowed),
        RESOLUTIONS[-1],
    )
    return _joined(graph, communities(graph, chosen, seed))


def _joined(graph: sparse.csr_matrix, labels: np.ndarray) -> np.ndarray:
    """The labels with groups made one while one of two has too much of its links to the other: halves of one issue."""
    between = merged(graph, labels).toarray()
    weight, owner = between.sum(axis=1), np.arange(len(between))
    while True:
        shared = between / np.maximum(np.minimum.outer(weight, weight), TINY)
        np.fill_diagonal(shared, 0.0)
        one, other = np.unravel_index(shared.argmax(), shared.shape)
        if shared[one, other] < HALVES:
            return np.unique(owner[labels], return_inverse=True)[1]
        for side in (between, between.T):
            side[one] += side[other]
            side[other] = 0.0
        weight[one], weight[other] = weight[one] + weight[other], 0.0
        owner[owner == other] = one


def _numbered(labels: np.ndarray, count: np.ndarray, smallest: int) -> np.ndarray:
    """Groups renumbered by the rows in them, largest first; groups of fewer than `smallest` rows become -1."""
    kept = labels >= 0
    size = np.bincount(labels[kept], count[kept]) if kept.any() else np.zeros(0)
    order = [group for group in np.argsort(-size, kind="stable") if size[group] >= smallest]
    number = np.full(len(size) + 1, -1)
    number[order] = np.arange(len(order))
    return np.where(kept, number[labels], -1)


def _placed(points: np.ndarray, labels: np.ndarray, count: np.ndarray) -> np.ndarray:
    """The labels with each leftover in the issue whose centre is nearest, if it is near enough."""
    centroids = _centroids(points, labels, count)
    best, cosine = strength_in(points, centroids)
    return np.where((labels < 0) & (cosine >= PLACED), best, labels)


def _centroids(points: np.ndarray, labels: np.ndarray, count: np.ndarray) -> np.ndarray:
    groups = int(labels.max()) + 1 if len(labels) else 0
    sums = np.zeros((groups, points.shape[1]), np.float32)
    held = labels >= 0
    np.add.at(sums, labels[held], points[held] * count[held, None].astype(np.float32))
    return unit(sums)


def _parts(graph: sparse.csr_matrix, labels: np.ndarray, count: np.ndarray, smallest: int, seed: int) -> np.ndarray:
    """Sub-issues, numbered through all issues; -1 for rows of an issue without, or outside its sub-issues."""
    parts, made = np.full(len(labels), -1), 0
    for issue in range(int(labels.max()) + 1 if len(labels) else 0):
        rows = np.flatnonzero(labels == issue)
        own = graph[rows][:, rows].tocsr()
        if count[rows].sum() < 2 * smallest or not own.nnz:
            continue
        found = communities(own, SUB_RESOLUTION, seed)
        if found.max() == 0 or coverage(own, found) < SUB_COVERAGE:
            continue
        numbered = _numbered(found, count[rows], smallest)
        if numbered.max() < 1:
            continue
        parts[rows] = np.where(numbered >= 0, numbered + made, -1)
        made += int(numbered.max()) + 1
    return parts


def _unfolded(
    found: _Found,
    spread: Spread,
    points: np.ndarray,
    count: np.ndarray,
    said: np.ndarray,
    member: np.ndarray,
    rows: int,
) -> Clustering:
    """What was found of the rows that stand for others, given to every row."""
    centroids = _centroids(points, found.labels, count)
    groups = int(found.parts.max()) + 1 if len(found.parts) else 0
    part_of = np.zeros(groups, np.int32)
    within = found.parts >= 0
    part_of[found.parts[within]] = found.labels[within]
    labels, parts, strength = np.full(rows, -1, np.int32), np.full(rows, -1, np.int32), np.zeros(rows, np.float32)
    labels[said], parts[said] = found.labels[member], found.parts[member]
    strength[said] = _strength(points, found, centroids)[member]
    return Clustering(labels, strength, parts, centroids, _centroids(points, found.parts, count), part_of, spread)


def _strength(points: np.ndarray, found: _Found, centroids: np.ndarray) -> np.ndarray:
    """The mean of how near a row is to its issue's centre and how many of its links stay there; 0 for a leftover."""
    held = found.labels >= 0
    out = np.zeros(len(points), np.float32)
    cosine = np.einsum("ij,ij->i", points[held], centroids[found.labels[held]])
    out[held] = np.clip((cosine + found.inside[held]) / 2, 0.01, 1.0)
    return out
