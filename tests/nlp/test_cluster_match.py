"""Clusters keep their ids from run to run; what became of each is told."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_cluster import issues

from nlp.cluster import cluster
from nlp.match import Known, Lineage, match, same


def known(name, members, centroid=None):
    return Known(name, frozenset(members), None if centroid is None else np.array(centroid, np.float32))


A, B = known("a", range(0, 10)), known("b", range(10, 20))


@pytest.mark.parametrize(
    ("found", "ids", "lineage"),
    [
        ([known("x", range(0, 12)), known("y", range(12, 22))], ("a", "b"), []),
        ([known("x", range(10, 20)), known("y", range(0, 10))], ("b", "a"), []),
        (
            [known("x", range(0, 10)), known("y", range(10, 20)), known("z", range(30, 36))],
            ("a", "b", "z"),
            [Lineage("birth", None, "z")],
        ),
        ([known("x", range(0, 10))], ("a",), [Lineage("death", "b", None)]),
        ([known("x", range(0, 20))], ("a",), [Lineage("merge", "b", "a", 10)]),
        (
            [known("x", range(0, 6)), known("y", range(6, 10)), known("z", range(10, 20))],
            ("a", "y", "b"),
            [Lineage("split", "a", "y", 4)],
        ),
        (
            [known("x", [*range(0, 8), *range(30, 70)]), known("y", [8, 9, *range(10, 20)])],
            ("a", "b"),
            [],
        ),
        (
            [known("x", range(0, 8)), known("y", range(10, 20)), known("z", [8, 9, 40])],
            ("a", "b", "z"),
            [Lineage("split", "a", "z", 2)],
        ),
        (
            [known("x", range(0, 8)), known("y", range(10, 20)), known("z", [8, 9, *range(40, 60)])],
            ("a", "b", "z"),
            [Lineage("birth", None, "z")],
        ),
        ([], (), [Lineage("death", "a", None), Lineage("death", "b", None)]),
    ],
    ids=["grown", "renumbered", "born", "died", "merged", "split", "little", "piece", "mostly-new", "nothing"],
)
def test_what_becomes_of_two_clusters(found, ids, lineage):
    matching = match([A, B], found)
    assert matching.ids == ids
    assert list(matching.lineage) == lineage


def test_a_window_that_left_most_rows_behind_still_matches():
    old, new = known("a", range(100)), known("x", [*range(90, 100), *range(200, 290)])
    assert match([old], [new]).ids == ("a",)


def test_without_common_rows_the_nearest_centroid_decides_one_to_one():
    old = [known("a", [1], [1, 0]), known("b", [2], [0, 1])]
    new = [known("x", [3], [0.9, 0.1]), known("y", [4], [0.99, 0.01]), known("z", [5], [0.6, 0.6])]
    assert match(old, new).ids == ("x", "a", "z")


def test_common_rows_go_before_centroids():
    old = [known("a", range(5), [1, 0])]
    new = [known("x", range(50, 55), [1, 0]), known("y", range(5), [0, 1])]
    assert match(old, new).ids == ("x", "a")


def test_an_id_is_never_given_twice():
    with pytest.raises(ValueError, match="never used"):
        match([A], [known("x", range(10)), known("a", range(50, 60))])


def runs(labels, prefix):
    """The clusters of a run; rows labelled 5 are in none."""
    return [
        known(f"{prefix}{label}", [row for row, own in enumerate(labels) if own == label])
        for label in sorted(set(labels) - {5})
    ]


RUN = st.lists(st.integers(0, 5), max_size=40)


@given(RUN, RUN)
def test_a_cluster_that_holds_most_of_another_both_ways_is_that_one(before, after):
    old, new = runs(before, "o"), runs(after, "n")
    seen = frozenset().union(*(each.members for each in old))
    ids = match(old, new).ids
    for one in old:
        for id, other in zip(ids, new, strict=True):
            shared = len(one.members & other.members)
            if 2 * shared > len(one.members) and 2 * shared > len(other.members & seen):
                assert id == one.id


def test_clusters_of_two_levels_are_the_same_where_each_holds_most_of_the_other():
    whole, part, half = known("whole", range(20)), known("part", range(20, 30)), known("half", range(40, 50))
    found = [
        known("x", [*range(12), *range(60, 99)]),
        known("y", [*range(20, 28), *range(30, 38)]),
        known("z", range(40, 45)),
    ]
    # most of y was elsewhere before; z has half of what it is compared with, no more
    assert same([whole, part, half], found, range(50)) == {0: 0}
    assert same([whole, part, half], found, [*range(30), *range(40, 50)]) == {0: 0, 1: 1}


def test_an_id_that_a_cluster_has_from_elsewhere_is_no_birth_and_takes_nobodys_place():
    found = [known("x", range(0, 10)), known("y", range(10, 20)), known("z", range(50, 60))]
    matching = match([A, B], found, {0: "up", 2: "down"})
    assert matching.ids == ("up", "b", "down")
    assert list(matching.lineage) == [Lineage("merge", "a", "up", 10)]


@given(RUN, RUN)
def test_matching_is_one_to_one_and_accounts_for_every_cluster(before, after):
    old, new = runs(before, "o"), runs(after, "n")
    matching = match(old, new)
    assert len(set(matching.ids)) == len(new)
    kept = {name for name in matching.ids if name.startswith("o")}
    ended = {line.before for line in matching.lineage if line.kind in ("death", "merge")}
    assert {cluster.id for cluster in old} <= kept | ended


def test_a_refit_with_a_tenth_more_answers_keeps_the_ids():
    vectors, texts, _ = issues([44] * 25, noise=0.8)
    first = np.sort(np.random.default_rng(4).permutation(len(texts))[: len(texts) * 10 // 11])
    old = cluster(vectors[first], [texts[row] for row in first])
    new = cluster(vectors, texts)
    olds = [known(f"o{n}", first[old.labels == n].tolist()) for n in range(old.labels.max() + 1)]
    news = [known(f"n{n}", np.flatnonzero(new.labels == n).tolist()) for n in range(new.labels.max() + 1)]
    ids = match(olds, news).ids
    assert sum(name.startswith("o") for name in ids) >= 0.95 * len(olds)
