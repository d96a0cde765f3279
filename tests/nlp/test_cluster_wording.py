"""How texts are worded: like words near, another language at no disadvantage."""

import numpy as np
import pytest

from nlp.neighbours import Neighbours, nearest
from nlp.spread import unit
from nlp.wording import reworded, wording

TEXTS = [
    "cancel my transfer",
    "cancelled transfers",
    "the card is lost",
    "my lost card",
    "cancel a transfer",
    "card lost",
]


def test_texts_of_the_same_word_parts_are_near_in_every_inflection():
    said = wording(TEXTS, 0)
    alike = said @ said.T
    np.testing.assert_allclose(np.linalg.norm(said, axis=1), 1, rtol=1e-5)
    assert alike[0, 1] > alike[0, [2, 3, 5]].max()
    assert alike[3, 5] > alike[3, [0, 1, 4]].max()


@pytest.mark.parametrize("texts", [[], ["alone"], ["", ""], ["one", "two words"]])
def test_texts_that_share_nothing_have_no_wording(texts):
    said = wording(texts, 0)
    assert said.shape[0] == len(texts)
    assert not said.any()


def test_wording_decides_between_texts_of_like_meaning():
    points = unit(np.array([[1, 0, 0], [1, 0.1, 0], [1, 0, 0.11], [0, 1, 0]], np.float32))
    near = nearest(points, 3)
    said = unit(np.array([[1, 0], [0, 1], [1, 0], [1, 0]], np.float32))
    assert near.index[0].tolist() == [1, 2, 3]
    assert reworded(near, said, None, 0.15, 2).index[0].tolist() == [2, 1]
    assert reworded(near, said, None, 0.0, 2).index[0].tolist() == [1, 2]


def test_another_language_is_taken_to_be_worded_as_alike_as_the_own_one():
    near = Neighbours(
        np.array([[1, 2, 3]], np.int32).repeat(4, 0), np.array([[0.9, 0.8, 0.7]], np.float32).repeat(4, 0)
    )
    said = unit(np.array([[1, 0], [0, 1], [1, 1], [1, 1]], np.float32))
    found = reworded(near, said, ["pl", "uk", "pl", "pl"], 0.5, 3)
    assert found.index[0].tolist() == [1, 2, 3]
    assert reworded(near, said, None, 0.5, 3).index[0].tolist() == [2, 3, 1]
    np.testing.assert_allclose(found.similarity[0, 0], 0.45 + 0.5 * np.sqrt(0.5), rtol=1e-5)


def test_places_without_a_neighbour_stay_last():
    near = Neighbours(np.array([[1, -1], [0, -1]], np.int32), np.array([[0.5, -1], [0.5, -1]], np.float32))
    found = reworded(near, np.ones((2, 1), np.float32), None, 0.15, 2)
    assert found.index.tolist() == [[1, -1], [0, -1]]
