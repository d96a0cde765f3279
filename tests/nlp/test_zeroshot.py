"""Themes found by their description, over an encoder whose words point along known axes."""

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from nlp import zeroshot
from nlp.artifact import load_pipeline, read_rules, read_taxonomy
from nlp.encoder import Encoded
from nlp.heads import Calibration, Heads, HeadWeights, membership
from nlp.pipeline import Pipeline
from nlp.taxonomy import Taxonomy, Theme
from nlp.types import MOODS, SIGNALS, Response, Span
from nlp.zeroshot import THRESHOLD, ZeroShot, cohort_of, theme_vectors, views, zero_shot

DATA = Path(__file__).parents[2] / "data"
WIDTH = 64
SUBJECTS = (
    ("parking", "park", "garage"),
    ("parcel", "courier", "box"),
    ("soup", "menu", "taste"),
    ("price", "expensive", "cheap"),
    ("phone", "hotline", "operator"),
)
AXES = {word: axis for axis, words in enumerate(SUBJECTS) for word in words}
GENERAL = Theme("general", "General", "")


class SubjectEncoder:
    """Tokens are words; words on one subject share an axis, and every word has a faint direction of its own."""

    version = "subjects"
    dimension = WIDTH

    def encode(
        self, texts: Sequence[str], spans: Sequence[Sequence[Span]], contexts: Sequence[str | None]
    ) -> list[Encoded]:
        return [self._one(text) for text in texts]

    def _one(self, text: str) -> Encoded:
        words = list(re.finditer(r"\w+", text))
        states = np.array([_vector(word.group().casefold()) for word in words], np.float32).reshape(-1, WIDTH)
        return Encoded(states, np.array([word.span() for word in words], np.int32).reshape(-1, 2))


def _vector(word: str) -> np.ndarray:
    seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:4], "big")
    out = np.random.default_rng(seed).normal(size=WIDTH) * 0.1
    out[-1] += 1.0  # what all vectors share, as those of real encoders do
    if word in AXES:
        out[AXES[word]] += 3.0
    return out.astype(np.float32)


def theme(axis: int) -> Theme:
    first, *rest = SUBJECTS[axis]
    return Theme(first, first.title(), f"Everything about the {' and the '.join(rest)}. Not what else there is")


KNOWN = Taxonomy("model-1", (*(theme(axis) for axis in range(1, len(SUBJECTS))), GENERAL))
FRAME = Taxonomy("own-2", (theme(0), Theme("parcel", "Shipments", ""), GENERAL))


def heads() -> Heads:
    """Heads that tag parcels and, always, `general`; of the mood they know that a garage is bad."""
    themes = len(KNOWN.themes)
    labels = themes + len(SIGNALS) + 1
    weight, bias = np.zeros((labels, WIDTH), np.float32), np.full(labels, -4.0, np.float32)
    parcel = KNOWN.ids.index("parcel")
    weight[parcel, AXES["parcel"]] = 8.0
    bias[themes - 1] = 1.0
    query = np.zeros((labels + 1, WIDTH), np.float32)
    query[parcel, AXES["parcel"]] = 3.0
    mood_out = np.zeros((len(MOODS), WIDTH), np.float32)
    mood_out[0, AXES["garage"]] = 20.0
    weights = HeadWeights(
        query=query,
        weight=weight,
        bias=bias,
        sentiment_weight=np.zeros((len(MOODS), WIDTH), np.float32),
        sentiment_bias=np.array([0, 1, 0, 0], np.float32),
        mood_in_weight=np.eye(WIDTH, dtype=np.float32),
        mood_in_bias=np.zeros(WIDTH, np.float32),
        mood_out_weight=mood_out,
        mood_out_bias=np.array([0, 0, 1, 0], np.float32),
    )
    ones, zeros = np.ones(themes, np.float32), np.zeros(themes, np.float32)
    signals = np.ones(len(SIGNALS), np.float32)
    numbers = dict.fromkeys(("sentiment_temperature", "mood_temperature", "justified_scale"), 1.0)
    numbers |= dict.fromkeys(("justified_shift", "mood_weight", "mood_weight_many"), 0.0)
    return Heads(
        weights, Calibration(ones, zeros, ones / 2, signals, signals * 0, signals / 2, fallback=0.4, **numbers), themes
    )


@pytest.fixture(scope="module")
def rules():
    return read_rules(DATA)


@pytest.fixture
def pipeline(rules) -> Pipeline:
    return Pipeline(SubjectEncoder(), heads(), KNOWN, rules, "m", FRAME)


def only(pipeline: Pipeline, text: str):
    (said,) = pipeline.classify([Response("r", text)])
    return said


TEXT = "The courier was here at noon. There is no garage near the shop at all."


def test_a_theme_without_an_example_is_found_where_its_description_fits(pipeline):
    said = only(pipeline, TEXT)
    found = {tag.id: tag for tag in said.themes}
    assert set(found) == {"parcel", "parking"}  # and `general` gives way
    new = found["parking"]
    assert (new.label, new.threshold, new.zero_shot) == ("Parking", THRESHOLD, True)
    assert THRESHOLD <= new.confidence <= 1
    assert [span.of(said.text) for span in new.spans] == ["There is no garage near the shop at all"]
    assert new.sentiment.label == "negative"


def test_the_output_marks_it_and_nothing_else(pipeline):
    told = {each["id"]: each for each in only(pipeline, TEXT).to_dict()["themes"]}
    assert told["parking"]["zero_shot"] is True
    assert "zero_shot" not in told["parcel"]


def test_a_theme_that_both_frames_have_is_read_by_the_model_under_the_users_name(pipeline):
    (tag,) = only(pipeline, "The courier was here at noon with my box").themes
    assert (tag.id, tag.label, tag.zero_shot) == ("parcel", "Shipments", False)


def test_a_theme_that_the_frame_leaves_out_is_not_tagged(rules):
    frame = Taxonomy("own-3", (theme(0),))
    said = only(Pipeline(SubjectEncoder(), heads(), KNOWN, rules, "m", frame), TEXT)
    assert [tag.id for tag in said.themes] == ["parking"]


def test_what_fits_no_description_gets_no_new_theme(pipeline):
    assert [tag.id for tag in only(pipeline, "My aunt sings in the evening on Sundays").themes] == ["general"]


def test_the_frame_in_use_is_the_users(pipeline):
    assert pipeline.taxonomy is FRAME and pipeline.versions.taxonomy == "own-2"


def test_without_a_frame_or_without_a_new_theme_nothing_is_read_by_similarity(rules):
    assert zero_shot(KNOWN, KNOWN, SubjectEncoder()) is None
    plain = Pipeline(SubjectEncoder(), heads(), KNOWN, rules, "m")
    assert not any(tag.zero_shot for tag in only(plain, TEXT).themes)
    same = Pipeline(SubjectEncoder(), heads(), KNOWN, rules, "m", KNOWN)
    assert only(same, TEXT).themes == only(plain, TEXT).themes


def test_an_answer_does_not_depend_on_its_neighbours(pipeline):
    texts = [TEXT, "The soup was cold", "", "n/a", "Where to park my car in this town?"]
    together = pipeline.classify([Response("r", text) for text in texts])
    assert together == [only(pipeline, text) for text in texts]


def test_the_first_sentence_of_a_description_is_a_view_of_its_own():
    assert views(theme(0)) == (
        "Parking",
        "Parking: Everything about the park and the garage",
        "Parking. Everything about the park and the garage. Not what else there is",
    )
    assert views(Theme("x", "Toys", ""))[:2] == ("Toys", "Toys")


def test_small_frames_are_held_against_built_in_names_and_sentences():
    cohort = cohort_of(Taxonomy("t", (theme(1),)), SubjectEncoder())
    assert len(cohort.themes) == 1 + len(zeroshot.NAMES) and len(cohort.sentences) == len(zeroshot.SENTENCES)
    np.testing.assert_allclose(np.linalg.norm(cohort.themes, axis=-1), 1, rtol=1e-5)


def test_a_span_without_tokens_and_a_text_without_spans_are_near_to_nothing():
    encoder = SubjectEncoder()
    reader = ZeroShot([theme(0)], theme_vectors(encoder, [theme(0)]), cohort_of(KNOWN, encoder))
    tokens = encoder._one("garage park parking").tokens
    similar = reader.read(tokens, np.array([[1, 0]] * 3, np.float32))
    assert similar.spans[0, 0] > 0.9 and similar.spans[0, 1] == 0.0
    assert similar.chosen == [0]
    assert reader.read(tokens, np.zeros((3, 0), np.float32)).chosen == []


def test_the_shipped_model_finds_a_theme_it_never_saw(tmp_path):
    from serving.settings import load_settings

    frame = tmp_path / "tax.yaml"
    frame.write_text(
        "themes:\n  - {id: pets, label: Dogs and cats,"
        " description: Whether pets are welcome and how animals are treated.}\n",
        encoding="utf-8",
    )
    pipeline = load_pipeline(DATA / "models" / "default", DATA, load_settings().cache_dir, taxonomy=frame)
    assert pipeline.taxonomy.ids == read_taxonomy(frame).ids
    about_pets = (
        "Wszystko pięknie, tylko psa nie pozwolili zabrać do pokoju.",
        "Нас не пустили з котом, хоча на сайті написано інакше.",
        "Собаку накормили и выгуляли, спасибо.",
        "They would not let my dog in.",
    )
    about_others = ("Dostawa trwała dwa tygodnie.", "The invoice was wrong twice.", "Дуже дорого.")
    said = pipeline.classify([Response(str(n), text) for n, text in enumerate((*about_pets, *about_others))])
    found = [[tag.id for tag in each.themes] for each in said]
    assert found[len(about_pets) :] == [[], [], []]
    assert sum(themes == ["pets"] for themes in found[: len(about_pets)]) >= 2


def test_an_analysis_keeps_the_spans_by_which_a_theme_can_be_read_afterwards(pipeline):
    texts = ("The garage was full. The soup had no taste", "Parking was expensive", "Parcel", "")
    responses = [Response(str(index), text) for index, text in enumerate(texts)]
    encoder, known = SubjectEncoder(), pipeline.taxonomy
    reader = ZeroShot([theme(0)], theme_vectors(encoder, [theme(0)]), cohort_of(known, encoder))
    for response, analysis in zip(responses, pipeline.analyse(responses), strict=True):
        if not response.text:
            assert analysis.pieces is None
            continue
        pieces, (encoded,) = analysis.pieces, encoder.encode([response.text], [()], [None])
        whole = reader.read(encoded.tokens, membership(encoded.offsets, pieces.spans))
        after = reader.read(pieces.points, np.eye(len(pieces.spans), dtype=np.float32))
        assert np.allclose(whole.spans, after.spans, atol=1e-5)
        assert pieces.moods.shape == (len(pieces.spans), len(MOODS)) and np.allclose(pieces.moods.sum(axis=1), 1)
