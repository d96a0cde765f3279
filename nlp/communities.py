"""Groups of a weighted graph by modularity (Blondel et al. 2008), with every sweep a few sparse products."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

SWEEPS = 25
MOVING = 0.5  # share of the nodes that may move in one sweep: if all moved at once, neighbours would swap for ever
SETTLED = 0.001  # share of nodes still wanting to move at which a level is done
LEVELS = 12
GAIN = 1e-10


@dataclass(frozen=True, slots=True, eq=False)
class Partition:
    """Groups numbered from 0, int32 (n,), and the share of all link weight that stays inside groups, in [0, 1]."""

    labels: np.ndarray
    coverage: float


def communities(graph: sparse.csr_matrix, resolution: float, seed: int, degree: np.ndarray | None = None) -> np.ndarray:
    """Labels int32 (n,) of a symmetric graph; a higher resolution gives more and smaller groups.

    `degree` float64 (n,) where the diagonal does not hold all the weight within a node.
    """
    random = np.random.default_rng(seed)
    whole = degrees(graph) if degree is None else degree
    labels, small, weight = np.arange(graph.shape[0]), graph, whole
    for _ in range(LEVELS):
        moved = _settle(small, weight, resolution, random, np.arange(small.shape[0]))
        labels = moved[labels]
        if len(moved) == 0 or moved.max() + 1 == len(moved):
            break
        small, weight = merged(small, moved), np.bincount(moved, weight)
    return refined(graph, labels, resolution, seed, whole)


def refined(
    graph: sparse.csr_matrix, labels: np.ndarray, resolution: float, seed: int, degree: np.ndarray | None = None
) -> np.ndarray:
    """The labels after every node has been free to move once more."""
    whole = degrees(graph) if degree is None else degree
    return _settle(graph, whole, resolution, np.random.default_rng(seed), labels).astype(np.int32)


def merged(graph: sparse.csr_matrix, labels: np.ndarray) -> sparse.csr_matrix:
    """The graph whose nodes are the groups."""
    count = int(labels.max()) + 1 if len(labels) else 0
    member = _member(labels, count)
    return (member.T @ graph @ member).tocsr()


def degrees(graph: sparse.csr_matrix) -> np.ndarray:
    """float64 (n,): the weight of each node's links."""
    return np.asarray(graph.sum(axis=1)).ravel()


def coverage(graph: sparse.csr_matrix, labels: np.ndarray) -> float:
    """The share of link weight inside groups; 0 for a graph without links."""
    total = float(graph.sum())
    return float(merged(graph, labels).diagonal().sum()) / total if total else 0.0


def inside(graph: sparse.csr_matrix, labels: np.ndarray) -> np.ndarray:
    """float64 (n,): the share of each node's own links that stay in its group; 0 without links."""
    rows = np.repeat(np.arange(graph.shape[0]), np.diff(graph.indptr))
    same = labels[rows] == labels[graph.indices]
    return np.bincount(rows, graph.data * same, minlength=graph.shape[0]) / np.maximum(degrees(graph), GAIN)


def _member(labels: np.ndarray, count: int) -> sparse.csr_matrix:
    nodes = len(labels)
    return sparse.csr_matrix((np.ones(nodes), labels, np.arange(nodes + 1)), (nodes, count))


def _settle(
    graph: sparse.csr_matrix, degree: np.ndarray, resolution: float, random: np.random.Generator, labels: np.ndarray
) -> np.ndarray:
    """Labels after nodes, half of them at a time, have moved to where modularity gains most."""
    nodes, total = graph.shape[0], float(degree.sum())
    if not nodes or not total:
        return np.unique(labels, return_inverse=True)[1]
    links = (graph - sparse.diags(graph.diagonal())).tocsr()
    links.eliminate_zeros()
    labels = labels.copy()
    for _ in range(SWEEPS):
        best, better = _best_moves(links, degree, resolution / total, labels)
        if better.sum() <= SETTLED * nodes:
            labels[better] = best[better]
            break
        move = better & (random.random(nodes) < MOVING)
        labels[move] = best[move]
    return np.unique(labels, return_inverse=True)[1]


def _best_moves(
    links: sparse.csr_matrix, degree: np.ndarray, price: float, labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """For each node the group it gains most by, int64 (n,), and whether that beats staying, bool (n,)."""
    nodes = len(labels)
    held = np.bincount(labels, degree, minlength=nodes)
    to = (links @ _member(labels, nodes)).tocsr()
    to.sort_indices()
    rows = np.repeat(np.arange(nodes), np.diff(to.indptr))
    own = to.indices == labels[rows]
    gain = to.data - price * degree[rows] * (held[to.indices] - np.where(own, degree[rows], 0.0))
    stay = -price * degree * (held[labels] - degree)
    stay[rows[own]] = gain[own]
    linked = np.diff(to.indptr) > 0
    most = np.full(nodes, -np.inf)
    most[linked] = np.maximum.reduceat(gain, to.indptr[:-1][linked])
    best = labels.copy()
    winners = np.flatnonzero(gain >= most[rows])[::-1]  # backwards: of equals the first group stands
    best[rows[winners]] = to.indices[winners]
    return best, most > stay + GAIN
