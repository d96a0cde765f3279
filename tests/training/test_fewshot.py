"""Read-outs from a handful of examples, on clouds of points whose themes are known."""

import numpy as np
import pytest

from nlp.heads import HeadWeights
from nlp.taxonomy import Theme
from nlp.types import SIGNALS
from training.fewshot import SPREAD, known, name_texts, pooled, prototypes, with_prototypes

WIDTH = 48
THEMES = 6
SHOTS = 8


class Clouds:
    """Themes are points far from the origin; verbatims scatter about them, most along a few axes that mean nothing."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.shared = self.rng.normal(size=WIDTH) * 10
        self.centres = self.rng.normal(size=(THEMES, WIDTH)) * 0.5
        self.noise = np.where(np.arange(WIDTH) < 4, 3.0, 0.5)

    def rows(self, each: int) -> tuple[np.ndarray, np.ndarray]:
        labels = np.repeat(np.arange(THEMES), each)
        scatter = self.rng.normal(size=(len(labels), WIDTH)) * self.noise
        return (self.shared + self.centres[labels] + scatter).astype(np.float32), labels

    def names(self) -> np.ndarray:
        """Names stand elsewhere and closer together, as short texts do, but in the same directions."""
        near = self.centres + self.rng.normal(size=self.centres.shape) * 0.3
        return (-self.shared + near * 0.2).astype(np.float32)


def right(made, vectors: np.ndarray, labels: np.ndarray) -> float:
    return float((made.logits(vectors).argmax(axis=1) == labels).mean())


def flags(labels: np.ndarray) -> np.ndarray:
    return np.eye(THEMES, dtype=bool)[labels]


@pytest.fixture(params=[1, 2, 3])
def clouds(request) -> Clouds:
    return Clouds(request.param)


def test_eight_examples_a_theme_tell_the_themes_apart(clouds):
    vectors, labels = clouds.rows(SHOTS)
    unseen, theirs = clouds.rows(100)
    nearest = np.stack([vectors[labels == theme].mean(axis=0) for theme in range(THEMES)])
    distance = np.linalg.norm(unseen[:, None] - nearest, axis=2)
    found = right(prototypes(vectors, flags(labels)), unseen, theirs)
    assert found > 0.7
    assert found > (distance.argmin(axis=1) == theirs).mean() + 0.05  # what the spread about the means is for


def test_names_help_where_examples_are_few(clouds):
    vectors, labels = clouds.rows(2)
    unseen, theirs = clouds.rows(100)
    named = right(prototypes(vectors, flags(labels), clouds.names()), unseen, theirs)
    assert named > right(prototypes(vectors, flags(labels)), unseen, theirs)


def test_a_theme_without_an_example_is_known_by_its_name(clouds):
    vectors, labels = clouds.rows(SHOTS)
    seen = labels != 0
    made = prototypes(vectors[seen], flags(labels[seen]), clouds.names())
    unseen, theirs = clouds.rows(100)
    said = made.logits(unseen).argmax(axis=1)
    assert (said[theirs == 0] == 0).mean() > 0.5


def test_without_example_and_name_a_theme_has_no_say(clouds):
    vectors, labels = clouds.rows(SHOTS)
    seen = labels != 0
    made = prototypes(vectors[seen], flags(labels[seen]))
    assert np.isfinite(made.weight).all() and not made.weight[0].any()


def test_a_verbatim_may_be_about_two_themes_or_none(clouds):
    vectors, labels = clouds.rows(SHOTS)
    both = vectors[labels == 0] + clouds.centres[1].astype(np.float32)
    none = (clouds.shared + clouds.rng.normal(size=(SHOTS, WIDTH)) * clouds.noise).astype(np.float32)
    two = np.zeros((SHOTS, THEMES), bool)
    two[:, :2] = True
    made = prototypes(
        np.concatenate([vectors, both, none]), np.concatenate([flags(labels), two, np.zeros((SHOTS, THEMES), bool)])
    )
    unseen, theirs = clouds.rows(100)
    assert right(made, unseen, theirs) > 0.7


def test_the_logits_start_in_the_range_that_calibration_expects(clouds):
    vectors, labels = clouds.rows(SHOTS)
    assert prototypes(vectors * 1000, flags(labels)).logits(vectors * 1000).std() == pytest.approx(SPREAD, rel=0.02)


def test_one_example_alone_is_no_error():
    made = prototypes(np.ones((1, WIDTH), np.float32), np.ones((1, 1), bool))
    assert np.isfinite(made.weight).all() and np.isfinite(made.bias).all()


def test_the_same_rows_give_the_same_read_outs_in_any_order(clouds):
    vectors, labels = clouds.rows(SHOTS)
    order = clouds.rng.permutation(len(labels))
    made, again = prototypes(vectors, flags(labels)), prototypes(vectors[order], flags(labels[order]))
    np.testing.assert_allclose(made.weight, again.weight, rtol=1e-3, atol=1e-5)


def test_only_the_themes_named_are_replaced_in_the_heads(clouds):
    vectors, labels = clouds.rows(SHOTS)
    made = prototypes(vectors, flags(labels))
    labels_of_heads = THEMES + len(SIGNALS) + 1
    shapes = {
        "query": (labels_of_heads + 1, WIDTH),
        "weight": (labels_of_heads, WIDTH),
        "bias": (labels_of_heads,),
        "sentiment_weight": (4, WIDTH),
        "sentiment_bias": (4,),
        "mood_in_weight": (8, WIDTH),
        "mood_in_bias": (8,),
        "mood_out_weight": (4, 8),
        "mood_out_bias": (4,),
    }
    arrays = {name: np.ones(shape, np.float32) for name, shape in shapes.items()}
    before = HeadWeights.from_arrays(arrays, THEMES, WIDTH)
    after = with_prototypes(before, made, [1, 4])
    for name in ("query", "weight", "bias"):
        changed = (getattr(after, name) != 1).reshape(len(getattr(after, name)), -1).any(axis=1)
        assert np.flatnonzero(changed).tolist() == [1, 4]
    assert not after.query[[1, 4]].any() and (before.weight == 1).all()
    tokens = vectors[:5]
    attention = np.exp(tokens @ after.query[4])
    read = (attention / attention.sum()) @ tokens @ after.weight[4] + after.bias[4]
    assert read == pytest.approx(made.logits(pooled([tokens]))[0, 4], rel=1e-3)


def test_rows_without_theme_labels_are_told_apart():
    wanted = np.zeros((9, 4), np.int8)
    wanted[3:, 3] = -1
    wanted[7] = -1
    assert np.flatnonzero(~known(wanted)).tolist() == [7]


def test_a_row_without_tokens_pools_to_nothing():
    found = pooled([np.full((2, 3), 0.5, np.float16), np.empty((0, 3), np.float16)])
    assert found.dtype == np.float32 and found.tolist() == [[0.5] * 3, [0.0] * 3]


def test_ids_and_descriptions_become_words():
    themes = [
        Theme("card_arrival", "card_arrival", ""),
        Theme("x", "Waiting", "Queues on the spot. Not on the phone."),
    ]
    assert name_texts(themes) == ["card arrival", "Waiting: Queues on the spot"]
