"""Every theme's probability beside the same classifications as the pipeline alone gives, each text encoded once."""

from dataclasses import replace

import numpy as np
import pytest

from nlp.artifact import read_rules
from nlp.pipeline import Pipeline
from nlp.types import Response
from tests.nlp.test_pipeline import BROKEN, DATA, TAXONOMY, WordEncoder, heads
from training.readings import answer

TEXTS = (
    "The delivery was so slow because the van broke down.",
    "",
    "asdasdasd asdfgh",
    "The staff was rude to all of us",
    "n/a",
    "The delivery was so slow because the van broke down.",
)


class Fragile(WordEncoder):
    """Breaks on one word."""

    def encode(self, texts, spans, contexts):
        if any(BROKEN in text for text in texts):
            raise RuntimeError("it broke")
        return super().encode(texts, spans, contexts)


@pytest.fixture(scope="module")
def rules():
    return read_rules(DATA)


def pipeline(rules, encoder) -> Pipeline:
    return Pipeline(encoder, heads(), TAXONOMY, rules, "2026.1.1")


def responses(*texts: str) -> list[Response]:
    return [Response(id=str(index), text=text, metric="nps", score=2) for index, text in enumerate(texts)]


def test_answers_are_the_pipelines_own_with_every_theme_beside(rules):
    own = pipeline(rules, WordEncoder()).classify(responses(*TEXTS))
    found = answer(pipeline(rules, WordEncoder()), responses(*TEXTS))
    assert found.classifications == own
    assert found.themes == ("delivery", "staff", "general") and found.probabilities.shape == (len(TEXTS), 3)
    for said, line in zip(own, found.probabilities, strict=True):
        for tag in said.themes:
            assert line[found.themes.index(tag.id)] == pytest.approx(tag.confidence)
    assert 0 < found.probabilities[0, 1] < 0.5 < found.probabilities[0, 0]  # not tagged, and told all the same
    assert (found.probabilities[[1, 2]] == 0).all() and (found.probabilities[4] > 0).all()
    assert np.array_equal(found.probabilities[0], found.probabilities[5])


def test_a_text_is_encoded_once(rules):
    encoder = WordEncoder()
    answer(pipeline(rules, encoder), responses("The staff was rude", "The van was slow", ""))
    assert encoder.texts == ["The staff was rude", "The van was slow"]


def test_what_breaks_stays_alone(rules):
    found = answer(pipeline(rules, Fragile()), responses("The staff was rude", f"The {BROKEN} was slow", "The van"))
    assert [said.status for said in found.classifications] == ["ok", "error", "ok"]
    assert (found.probabilities.sum(axis=1) > 0).tolist() == [True, False, True]


def test_the_pipeline_reads_what_it_classifies(rules):
    asked = responses("The staff was rude", "", f"The {BROKEN}", "The van was slow")
    found = list(pipeline(rules, Fragile()).analyse(asked))
    assert [each.reading is None for each in found] == [each.vector is None for each in found]
    assert [each.reading is None for each in found] == [False, True, True, False]
    assert [each.classification for each in found] == pipeline(rules, Fragile()).classify(asked)
    assert found[0].reading.themes.shape == (3,) and found[3].reading.themes[0] > 0.5 > found[0].reading.themes[0]


def test_nothing_asked_nothing_answered(rules):
    found = answer(pipeline(rules, WordEncoder()), [])
    assert found.classifications == [] and found.probabilities.shape == (0, 3)


def test_a_frame_that_the_heads_do_not_know_is_refused(rules):
    frame = replace(TAXONOMY, themes=TAXONOMY.themes[:2])
    with pytest.raises(ValueError, match="the heads know 3 themes, the frame has 2"):
        answer(Pipeline(WordEncoder(), heads(), TAXONOMY, rules, "m", frame), [])
