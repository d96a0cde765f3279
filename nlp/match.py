"""Identity over time: which cluster of this run is which of the last, by members first and centroid second."""

from collections import Counter
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np

OVERLAP = 0.3  # share of the smaller one's common rows that makes two clusters one
PART = 0.3  # share of a cluster's common rows that went elsewhere from which it is told as a split or a merge
ALIKE = 0.8  # cosine of centroids from which clusters without common rows are one

NONE: Mapping[int, str] = MappingProxyType({})
Kind = Literal["birth", "death", "split", "merge"]


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """A cluster as a run left it: its id, the ids of its rows, and its centroid float32 (m,) or None."""

    id: str
    members: frozenset[Hashable]
    centroid: np.ndarray | None = None


@dataclass(frozen=True, slots=True)
class Lineage:
    """What became of clusters: `before` turned into `after`, with so many rows in common."""

    kind: Kind
    before: str | None
    after: str | None
    shared: int = 0


@dataclass(frozen=True, slots=True)
class Matching:
    """The id of each new cluster, in order, and every birth, death, split and merge."""

    ids: tuple[str, ...]
    lineage: tuple[Lineage, ...]


def match(known: Sequence[Known], found: Sequence[Known], given: Mapping[int, str] = NONE) -> Matching:
    """Gives found clusters the ids of known ones, one to one; the `id` of a found one stands if it is new.

    `given`: ids that found ones have from elsewhere, whatever is known here; they are no births. A found or given id
    that a known cluster holds already must not be given for a new one: ValueError.
    """
    shared = _shared(known, found)
    pairs = _by_members(known, found, shared, given)
    pairs |= _by_centroid(known, found, pairs, given)
    own = (given.get(new, cluster.id) for new, cluster in enumerate(found))
    ids = tuple(known[pairs[new]].id if new in pairs else id for new, id in enumerate(own))
    if len(set(ids)) != len(ids):
        raise ValueError("a new cluster's id is that of a known one; give ids that were never used")
    return Matching(ids, tuple(_lineage(known, found, shared, pairs, ids, given)))


def by_members(known: Sequence[Known], found: Sequence[Known]) -> dict[int, int]:
    """Found clusters to the known ones whose ids they have for their members."""
    return _by_members(known, found, _shared(known, found), NONE)


def same(known: Sequence[Known], found: Sequence[Known], placed: Collection[Hashable]) -> dict[int, int]:
    """Found clusters to known ones of another level that hold most of the same rows, both ways: so one to one.

    `placed`: rows that the earlier run had in any cluster; of a found cluster only these count.
    """
    sizes = [len(cluster.members.intersection(placed)) for cluster in found]
    return {
        new: old
        for (old, new), count in _shared(known, found).items()
        if 2 * count > len(known[old].members) and 2 * count > sizes[new]
    }


def _shared(known: Sequence[Known], found: Sequence[Known]) -> Mapping[tuple[int, int], int]:
    """How many rows each known and each found cluster have in common, where any."""
    owner = {member: number for number, cluster in enumerate(known) for member in cluster.members}
    return Counter(
        (owner[member], number) for number, cluster in enumerate(found) for member in cluster.members if member in owner
    )


def _by_members(
    known: Sequence[Known], found: Sequence[Known], shared: Mapping[tuple[int, int], int], given: Collection[int]
) -> dict[int, int]:
    """Found to known, those with most rows in common first; rows that only one of the runs saw do not count."""
    before, after = _totals(shared)
    ranked = sorted(shared.items(), key=lambda item: (-item[1], known[item[0][0]].id, found[item[0][1]].id))
    pairs: dict[int, int] = {}
    taken: set[int] = set()
    for (old, new), count in ranked:
        free = new not in pairs and new not in given and old not in taken
        if free and count >= OVERLAP * min(before[old], after[new]):
            pairs[new] = old
            taken.add(old)
    return pairs


def _by_centroid(
    known: Sequence[Known], found: Sequence[Known], pairs: Mapping[int, int], given: Collection[int]
) -> dict[int, int]:
    """The same for clusters left over, nearest centroids first."""
    olds = [old for old in range(len(known)) if old not in pairs.values() and known[old].centroid is not None]
    news = [new for new in range(len(found)) if new not in {*pairs, *given} and found[new].centroid is not None]
    near = [
        (float(np.dot(known[old].centroid, found[new].centroid)), old, new)
        for old in olds
        for new in news
        if len(known[old].centroid) == len(found[new].centroid)
    ]
    more: dict[int, int] = {}
    for cosine, old, new in sorted(near, key=lambda item: (-item[0], known[item[1]].id, found[item[2]].id)):
        if cosine >= ALIKE and new not in more and old not in more.values():
            more[new] = old
    return more


def _lineage(
    known: Sequence[Known],
    found: Sequence[Known],
    shared: Mapping[tuple[int, int], int],
    pairs: Mapping[int, int],
    ids: Sequence[str],
    given: Collection[int],
) -> list[Lineage]:
    before, after = _totals(shared)
    told: list[Lineage] = []
    for (old, new), count in sorted(shared.items()):
        if pairs.get(new) == old:
            continue
        made = count >= PART * after[new] if new in pairs or new in given else 2 * count > len(found[new].members)
        if made or count >= PART * before[old]:
            # what lives on gave a piece away, what does not went into the other
            told.append(Lineage("split" if old in pairs.values() else "merge", known[old].id, ids[new], count))
    fed = {line.after for line in told}
    gone = {line.before for line in told if line.kind == "merge"}
    new = [new for new in range(len(found)) if new not in pairs and new not in given]
    told += [Lineage("birth", None, ids[each]) for each in new if ids[each] not in fed]
    told += [
        Lineage("death", known[old].id, None)
        for old in range(len(known))
        if old not in pairs.values() and known[old].id not in gone
    ]
    return told


def _totals(shared: Mapping[tuple[int, int], int]) -> tuple[Counter[int], Counter[int]]:
    """Rows of each known and each found cluster that both runs placed."""
    before: Counter[int] = Counter()
    after: Counter[int] = Counter()
    for (old, new), count in shared.items():
        before[old] += count
        after[new] += count
    return before, after
