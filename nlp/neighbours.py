"""Who lies near whom: nearest neighbours of unit vectors, exact for thousands of rows and by cells for more."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

BLOCK = 1024  # rows compared at a time: 1,024 times 20,000 similarities are 80 MB
EXACT = 12_000  # rows up to which all pairs are compared: seconds on one core
CELL_ROWS = 200  # rows in a cell of the approximate search, about
PROBED = 12  # cells searched for each row: nine in ten true neighbours of sentence vectors are found there
CELL_ROUNDS = 4
CELL_SAMPLE = 64  # rows for each cell from which the cells are fitted
BANDWIDTH_ROUNDS = 30
WIDEST = 10.0  # no distance of unit vectors is greater than 2


@dataclass(frozen=True, slots=True, eq=False)
class Neighbours:
    """The nearest rows of each row, nearest first: index int32 (n, k) and similarity float32 (n, k); never itself."""

    index: np.ndarray
    similarity: np.ndarray


def nearest(vectors: np.ndarray, count: int, seed: int = 0) -> Neighbours:
    """vectors float32 (n, d), unit rows -> the `count` nearest of each, fewer where there are fewer rows."""
    count = min(count, len(vectors) - 1)
    if count < 1:
        return Neighbours(np.empty((len(vectors), 0), np.int32), np.empty((len(vectors), 0), np.float32))
    return _all_pairs(vectors, count) if len(vectors) <= EXACT else _by_cells(vectors, count, seed)


def fuzzy_graph(near: Neighbours) -> sparse.csr_matrix:
    """A symmetric graph (n, n) whose links fade with distance at each row's own scale (McInnes et al. 2018)."""
    rows, count = near.index.shape
    if not count:
        return sparse.csr_matrix((rows, rows))
    distance = np.sqrt(np.maximum(2.0 - 2.0 * near.similarity.astype(np.float64), 0.0))
    beyond = np.maximum(distance - distance[:, :1], 0.0)
    weights = np.exp(-beyond / _bandwidth(beyond))
    start = np.repeat(np.arange(rows), count)
    present = near.index.ravel() >= 0
    ends = (start[present], near.index.ravel()[present])
    there = sparse.csr_matrix((weights.ravel()[present], ends), (rows, rows))
    back = there.T.tocsr()
    return (there + back - there.multiply(back)).tocsr()


def _bandwidth(beyond: np.ndarray) -> np.ndarray:
    """float64 (n, 1): the scale at which a row's links sum to log2 of their number."""
    low, high = np.full((len(beyond), 1), 1e-4), np.full((len(beyond), 1), WIDEST)
    wanted = np.log2(max(2, beyond.shape[1]))
    for _ in range(BANDWIDTH_ROUNDS):
        middle = (low + high) / 2
        wide = np.exp(-beyond / middle).sum(axis=1, keepdims=True) > wanted
        low, high = np.where(wide, low, middle), np.where(wide, middle, high)
    return (low + high) / 2


def _all_pairs(vectors: np.ndarray, count: int) -> Neighbours:
    index = np.empty((len(vectors), count), np.int32)
    similarity = np.empty((len(vectors), count), np.float32)
    for start in range(0, len(vectors), BLOCK):
        found = vectors[start : start + BLOCK] @ vectors.T
        own = np.arange(len(found))
        found[own, start + own] = -np.inf
        rows = slice(start, start + len(found))
        index[rows], similarity[rows] = top(found, count)
    return Neighbours(index, similarity)


def top(found: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Columns and values of the `count` largest of each row, largest first."""
    kept = np.argpartition(found, -count, axis=1)[:, -count:]
    values = np.take_along_axis(found, kept, axis=1)
    order = np.lexsort((kept, -values), axis=1)
    return np.take_along_axis(kept, order, axis=1), np.take_along_axis(values, order, axis=1)


def _by_cells(vectors: np.ndarray, count: int, seed: int) -> Neighbours:
    """Each row is compared with the rows of the cells nearest to its own; an index of -1 where those hold too few."""
    centres = _cells(vectors, max(PROBED, len(vectors) // CELL_ROWS), seed)
    cell = np.concatenate([np.argmax(block @ centres.T, axis=1) for block in _blocks(vectors)])
    members = np.split(np.argsort(cell, kind="stable"), np.cumsum(np.bincount(cell, minlength=len(centres)))[:-1])
    probed = np.argsort(-(centres @ centres.T), axis=1, kind="stable")[:, :PROBED]
    index = np.full((len(vectors), count), -1, np.int32)
    similarity = np.full((len(vectors), count), -1.0, np.float32)
    for number, own in enumerate(members):
        others = np.concatenate([members[other] for other in probed[number]])
        for start in range(0, len(own), BLOCK):
            rows = own[start : start + BLOCK]
            found = vectors[rows] @ vectors[others].T
            found[rows[:, None] == others[None, :]] = -np.inf
            kept = min(count, len(others) - 1)
            if kept > 0:
                columns, similarity[rows, :kept] = top(found, kept)
                index[rows, :kept] = others[columns]
    return Neighbours(index, similarity)


def _cells(vectors: np.ndarray, cells: int, seed: int) -> np.ndarray:
    """Centres float32 (cells, d) of a spherical k-means over a sample."""
    random = np.random.default_rng(seed)
    sample = vectors[np.sort(random.permutation(len(vectors))[: cells * CELL_SAMPLE])]
    centres = sample[np.sort(random.permutation(len(sample))[:cells])]
    for _ in range(CELL_ROUNDS):
        owner = np.concatenate([np.argmax(block @ centres.T, axis=1) for block in _blocks(sample)])
        held = sparse.csr_matrix(
            (np.ones(len(sample), np.float32), (owner, np.arange(len(sample)))), (cells, len(sample))
        )
        sums = held @ sample
        filled = np.linalg.norm(sums, axis=1) > 0
        centres[filled] = sums[filled] / np.linalg.norm(sums[filled], axis=1, keepdims=True)
    return centres


def _blocks(vectors: np.ndarray) -> list[np.ndarray]:
    return [vectors[start : start + BLOCK] for start in range(0, len(vectors), BLOCK)]
