"""Readings and vectors stand beside the classification they belong to, whatever happens to a neighbour."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from pools import saying

from nlp.heads import Reading
from nlp.pipeline import Analysis
from nlp.types import Failure
from training.dataset import LabelledRow
from training.pool import in_order, read_pool, row_key


class Pipeline:
    """Reads "0.3" as a token (0.3, 1); a text "empty" is settled without the model, one with "!" breaks."""

    heads = SimpleNamespace(calibration=SimpleNamespace(theme_threshold=np.array([0.5])))
    encoder = SimpleNamespace(dimension=2)
    taxonomy = SimpleNamespace(themes=(SimpleNamespace(label="Price"),), ids=("price",))

    def analyse(self, responses):
        return [self._one(response) for response in responses]

    def _one(self, response):
        row = LabelledRow(response.id, response.text)
        if response.text == "empty":
            return Analysis(saying(row, "neutral", kind="empty"))
        if "!" in response.text:
            return Analysis(replace(saying(row), status="error", error=Failure("internal_error", "x")))
        odds = float(response.text)
        reading = Reading(np.array([odds]), np.zeros((1, 4)), np.full(4, 0.25), odds, np.zeros(5), np.zeros((7, 0)))
        return Analysis(saying(row), reading, np.array([odds, 1.0], np.float32))


@pytest.mark.parametrize("texts", [("0.3", "empty", "0.9"), ("0.3", "0.5!", "empty", "0.9"), ("empty",), ()])
def test_what_was_heard_belongs_to_its_row(texts):
    pool = read_pool(Pipeline(), [LabelledRow(str(i), text) for i, text in enumerate(texts)])
    expected = [float(text) if text not in ("empty", "0.5!") else np.nan for text in texts]
    assert pool.justified == pytest.approx(expected, nan_ok=True)
    assert pool.themes[:, 0] == pytest.approx(expected, nan_ok=True)
    assert list(pool.read) == [not np.isnan(each) for each in expected]
    for text, vector in zip(texts, pool.vectors, strict=True):
        length = 0 if text in ("empty", "0.5!") else 1
        assert np.linalg.norm(vector) == pytest.approx(length) and (
            not length or vector[0] / vector[1] == pytest.approx(float(text))
        )


def test_a_part_keeps_rows_and_readings_together():
    pool = read_pool(Pipeline(), [LabelledRow(text, text) for text in ("0.1", "0.2", "0.3")])
    part = pool.part([2, 0])
    assert [row.id for row in part.rows] == ["0.3", "0.1"] and part.justified == pytest.approx([0.3, 0.1])


def test_the_same_words_to_another_question_are_another_answer():
    one, same, other = (
        LabelledRow("1", "Nothing."),
        LabelledRow("2", "nothing"),
        LabelledRow("3", "Nothing", question="Why?"),
    )
    assert row_key(one) == row_key(same) != row_key(other)
    assert in_order([other, same, one]) == in_order([one, other, same])
