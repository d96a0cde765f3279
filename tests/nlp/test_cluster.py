"""Issues found among vectors: which, whatever the order, and with what is left over said."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from nlp.cluster import cluster, fold
from nlp.communities import communities, coverage, degrees, inside, merged
from nlp.neighbours import fuzzy_graph, nearest
from nlp.spread import fit_spread, unit

WIDTH = 32
FIRST_SIGN = 0x4E00  # of 20,000 letters that are words of their own


def letters(number: int) -> str:
    """A word for a number: no two texts are near copies or share a part of a word."""
    return chr(FIRST_SIGN + number)


def issues(sizes, seed=0, noise=0.35, common=3.0):
    """Vectors float32 around one direction each, all drawn to a common one as sentence vectors are, and their issue."""
    random = np.random.default_rng(seed)
    centres = unit(random.normal(size=(len(sizes), WIDTH)))
    towards = unit(random.normal(size=(1, WIDTH)))
    gold = np.repeat(np.arange(len(sizes)), sizes)
    spread = random.normal(size=(len(gold), WIDTH)) * noise / np.sqrt(WIDTH)
    vectors = unit(centres[gold] + spread + common * towards)
    return vectors, [letters(number) for number in range(len(gold))], gold


def pairs(labels):
    """Which rows are together: the same for two numberings of one grouping."""
    return {tuple(np.flatnonzero(labels == label)) for label in np.unique(labels[labels >= 0])}


def test_each_issue_is_one_cluster_and_the_largest_comes_first():
    vectors, texts, gold = issues([30, 60, 45, 25])
    found = cluster(vectors, texts)
    assert pairs(found.labels) == pairs(gold)
    assert (np.diff(np.bincount(found.labels)) <= 0).all()
    assert len(found.leftovers) == 0
    assert ((found.strength > 0) & (found.strength <= 1)).all()
    np.testing.assert_allclose(np.linalg.norm(found.centroids, axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_shuffled_rows_and_repeated_runs_give_identical_clusters(seed):
    vectors, texts, _ = issues([40, 50, 30, 20, 15], noise=0.9)
    texts[7] = texts[3]  # copies, whose vectors differ by their questions
    order = np.random.default_rng(seed).permutation(len(texts))
    whole, again = cluster(vectors, texts), cluster(vectors, texts)
    shuffled = cluster(vectors[order], [texts[row] for row in order])
    for name in ("labels", "parts", "strength"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(again, name))
        np.testing.assert_array_equal(getattr(whole, name)[order], getattr(shuffled, name))


def test_rounding_of_another_batch_size_changes_nothing():
    vectors, texts, _ = issues([40, 30, 20])
    rounded = np.round(vectors, 4)
    other = rounded + np.random.default_rng(0).uniform(-2e-5, 2e-5, vectors.shape).astype(np.float32)
    np.testing.assert_array_equal(cluster(rounded, texts).labels, cluster(other, texts).labels)


def test_copies_count_as_members_but_do_not_pull():
    vectors, texts, gold = issues([30, 30, 30])
    copied = np.concatenate([vectors, np.repeat(vectors[:1], 200, axis=0)])
    said = texts + [f"{texts[0].upper()}, {number}!" for number in range(200)]
    found = cluster(copied, said)
    assert pairs(found.labels[: len(gold)]) == pairs(gold)
    assert (found.labels[len(gold) :] == found.labels[0]).all()
    assert np.bincount(found.labels)[0] == 230


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Late delivery!!", "delivery LATE", True),
        ("Paid 20 euros", "paid 35 euros", True),
        ("late", "not late", False),
        ("Кур'єр спізнився", "кур'єр спізнився.", True),
    ],
)
def test_what_counts_as_a_near_copy(one, other, same):
    assert (fold(one) == fold(other)) is same


def test_rows_that_say_nothing_are_left_over():
    vectors, texts, _ = issues([20, 20])
    vectors[3] = 0
    found = cluster(vectors, texts)
    assert found.leftovers.tolist() == [3]
    assert found.strength[3] == 0
    assert found.parts[3] == -1


def test_languages_about_one_problem_are_one_cluster():
    vectors, texts, gold = issues([40, 40, 40])
    shift = unit(np.random.default_rng(9).normal(size=(1, WIDTH)))
    both = unit(np.concatenate([vectors, vectors + 1.5 * shift]))
    said = texts + [letters(number + 5000) for number in range(len(texts))]
    found = cluster(both, said, ["pl"] * len(texts) + ["uk"] * len(texts))
    np.testing.assert_array_equal(found.labels[: len(texts)], found.labels[len(texts) :])
    assert pairs(found.labels[: len(texts)]) == pairs(gold)


def test_sub_issues_lie_within_their_issue():
    vectors, texts, _ = issues([60] * 6, noise=1.2)
    found = cluster(vectors, texts)
    for part in range(len(found.part_of)):
        owners = np.unique(found.labels[found.parts == part])
        assert owners.tolist() == [found.part_of[part]]
    assert len(found.part_centroids) == len(found.part_of)


@pytest.mark.parametrize("rows", [0, 1, 2, 4])
def test_few_rows_make_no_issue(rows):
    vectors, texts, _ = issues([max(rows, 1)])
    found = cluster(vectors[:rows], texts[:rows])
    assert found.labels.tolist() == [-1] * rows
    assert found.centroids.shape[0] == 0


def test_lengths_must_agree():
    with pytest.raises(ValueError, match="2 vectors, 1 texts"):
        cluster(np.ones((2, 4), np.float32), ["a"])


@given(st.integers(0, 10_000), st.integers(2, 60))
@settings(max_examples=25, deadline=None)
def test_any_vectors_give_labels_in_range(seed, rows):
    vectors = np.random.default_rng(seed).normal(size=(rows, 8)).astype(np.float32)
    found = cluster(vectors, [letters(row) for row in range(rows)], smallest=3)
    assert found.labels.max() + 1 == len(found.centroids)
    assert all(np.sum(found.labels == label) >= 3 for label in range(len(found.centroids)))


def test_neighbours_by_cells_are_nearly_those_of_all_pairs(monkeypatch):
    vectors, _, _ = issues([40] * 50, noise=1.0, common=0.5)
    exact = nearest(vectors, 10)
    monkeypatch.setattr("nlp.neighbours.EXACT", 100)
    near = nearest(vectors, 10)
    shared = [len(set(one) & set(other)) / 10 for one, other in zip(exact.index, near.index, strict=True)]
    assert np.mean(shared) > 0.9
    assert (near.index != np.arange(len(vectors))[:, None]).all()


def test_a_graph_is_symmetric_and_its_nearest_link_is_whole():
    vectors, _, _ = issues([20, 20])
    graph = fuzzy_graph(nearest(vectors, 5)).toarray()
    np.testing.assert_allclose(graph, graph.T)
    np.testing.assert_allclose(graph.max(axis=1), 1.0)
    assert (graph.diagonal() == 0).all()


def test_communities_of_two_cliques():
    block = np.ones((6, 6)) - np.eye(6)
    links = np.block([[block, np.zeros((6, 6))], [np.zeros((6, 6)), block]])
    links[5, 6] = links[6, 5] = 1.0
    graph = sparse.csr_matrix(links)
    labels = communities(graph, 1.0, 0)
    assert pairs(labels) == {tuple(range(6)), tuple(range(6, 12))}
    assert coverage(graph, labels) == pytest.approx(60 / 62)
    np.testing.assert_allclose(inside(graph, labels)[[0, 5]], [1.0, 5 / 6])
    np.testing.assert_allclose(merged(graph, labels).sum(), degrees(graph).sum())


def test_a_spread_moves_languages_onto_one_centre():
    vectors, _, _ = issues([100])
    shift = np.zeros(WIDTH, np.float32)
    shift[0] = 2.0
    both = np.concatenate([vectors, vectors + shift])
    names = ["pl"] * 100 + ["ru"] * 100
    spread = fit_spread(both, names)
    means = [spread.apply(both, names)[rows].mean(axis=0) for rows in (slice(0, 100), slice(100, 200))]
    assert np.abs(means[0] - means[1]).max() < 0.15
    assert np.abs(spread.apply(both)[:100].mean(axis=0) - spread.apply(both)[100:].mean(axis=0)).max() > 0.3
