"""The read-outs: the same numbers as in training, which themes are taken, and what counts as evidence."""

import numpy as np
import pytest

from nlp.errors import ModelError
from nlp.heads import (
    Calibration,
    Heads,
    HeadWeights,
    blend,
    choose,
    evidence_spans,
    gelu,
    joined_spans,
    membership,
    mood_of,
    score_bin,
    sigmoid,
    softmax,
    tip,
)
from nlp.types import SIGNALS, Span

THEMES, WIDTH, HIDDEN = 3, 8, 5
LABELS = THEMES + len(SIGNALS) + 1


def arrays(seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    shapes = {
        "query": (LABELS + 1, WIDTH),
        "weight": (LABELS, WIDTH),
        "bias": (LABELS,),
        "sentiment_weight": (4, WIDTH),
        "sentiment_bias": (4,),
        "mood_in_weight": (HIDDEN, WIDTH),
        "mood_in_bias": (HIDDEN,),
        "mood_out_weight": (4, HIDDEN),
        "mood_out_bias": (4,),
    }
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def calibration(**changes) -> Calibration:
    """The identity: probabilities are plain sigmoids and softmaxes."""
    values = {
        "theme_scale": np.ones(THEMES, np.float32),
        "theme_shift": np.zeros(THEMES, np.float32),
        "theme_threshold": np.full(THEMES, 0.5, np.float32),
        "signal_scale": np.ones(len(SIGNALS), np.float32),
        "signal_shift": np.zeros(len(SIGNALS), np.float32),
        "signal_threshold": np.full(len(SIGNALS), 0.5, np.float32),
        "justified_scale": 1.0,
        "justified_shift": 0.0,
        "sentiment_temperature": 1.0,
        "mood_temperature": 1.0,
        "mood_weight": 0.0,
        "mood_weight_many": 0.0,
        "fallback": 0.2,
    }
    return Calibration(**values | changes)


def read(tokens: np.ndarray, weights: dict[str, np.ndarray] | None = None, **changes):
    heads = Heads(HeadWeights.from_arrays(weights or arrays(), THEMES, WIDTH), calibration(**changes), THEMES)
    spans = np.ones((len(tokens), 1), np.float32)
    return heads.read(tokens, spans)


@pytest.mark.train
@pytest.mark.parametrize("pooling", ["attention", "mean"])
def test_serving_reads_the_same_numbers_as_training(pooling):
    torch = pytest.importorskip("torch")
    from training.default import head_weights
    from training.network import Heads as Trained

    torch.manual_seed(3)
    trained = Trained(WIDTH, THEMES, pooling).eval()
    with torch.no_grad():
        for parameter in trained.parameters():
            if parameter.requires_grad:
                parameter.normal_()
    rng = np.random.default_rng(4)
    texts = [rng.normal(size=(length, WIDTH)).astype(np.float32) for length in (1, 4, 9)]
    padded = np.full((3, 9, WIDTH), 7.0, np.float32)  # what stands in the padding must not matter
    mask = np.zeros((3, 9), bool)
    for row, text in enumerate(texts):
        padded[row, : len(text)], mask[row, : len(text)] = text, True
    with torch.no_grad():
        wanted = {task: out.numpy() for task, out in trained(torch.from_numpy(padded), torch.from_numpy(mask)).items()}

    served = Heads(head_weights(trained), calibration(), THEMES)
    for row, text in enumerate(texts):
        got = served.read(text, np.ones((len(text), 1), np.float32))
        np.testing.assert_allclose(got.themes, sigmoid(wanted["themes"][row]), atol=1e-5)
        np.testing.assert_allclose(got.signals, sigmoid(wanted["signals"][row]), atol=1e-5)
        np.testing.assert_allclose(got.justified, sigmoid(wanted["justified"][row]), atol=1e-5)
        np.testing.assert_allclose(got.sentiment, softmax(wanted["sentiment"][row]), atol=1e-5)
        np.testing.assert_allclose(got.moods, softmax(wanted["moods"][row]), atol=1e-5)
        np.testing.assert_allclose(got.evidence.sum(axis=1), 1.0, atol=1e-5)
        if pooling == "mean":
            plain = sigmoid(head_weights(trained).weight @ text.mean(axis=0) + head_weights(trained).bias)
            np.testing.assert_allclose(got.themes, plain[:THEMES], atol=1e-5)


def test_one_token_is_read_by_hand():
    weights = {name: np.zeros_like(values) for name, values in arrays().items()}
    weights["weight"][0, 2], weights["bias"][:2] = 3.0, (-1.0, 1.0)
    weights["weight"][THEMES, 2], weights["bias"][-1] = -4.0, 0.5
    weights["sentiment_bias"][:] = np.log([1, 2, 3, 4])
    token = np.zeros((1, WIDTH), np.float32)
    token[0, 2] = 2.0
    got = read(token, weights)
    np.testing.assert_allclose(got.themes, [1 / (1 + np.exp(-5)), 1 / (1 + np.exp(-1)), 0.5], rtol=1e-6)
    np.testing.assert_allclose(got.signals[0], 1 / (1 + np.exp(8)), rtol=1e-6)
    assert got.justified == pytest.approx(1 / (1 + np.exp(-0.5)))
    np.testing.assert_allclose(got.sentiment, [0.1, 0.2, 0.3, 0.4], rtol=1e-6)
    np.testing.assert_allclose(got.moods, 0.25, rtol=1e-6)


def test_calibration_moves_each_probability_by_its_own_scale_and_shift():
    tokens = np.random.default_rng(1).normal(size=(4, WIDTH)).astype(np.float32)
    plain = read(tokens)
    scale, shift = np.array([2.0, 1.0, 0.5], np.float32), np.array([0.0, -3.0, 1.0], np.float32)
    moved = read(tokens, theme_scale=scale, theme_shift=shift, sentiment_temperature=1e6, justified_shift=-40.0)
    logits = np.log(plain.themes / (1 - plain.themes))
    np.testing.assert_allclose(moved.themes, sigmoid(scale * logits + shift), rtol=1e-5)
    np.testing.assert_allclose(moved.sentiment, 0.25, atol=1e-4)
    np.testing.assert_allclose(moved.signals, plain.signals)
    assert moved.justified < 1e-6 < plain.justified


@pytest.mark.parametrize(
    ("probabilities", "general", "chosen"),
    [
        ((0.9, 0.8, 0.1), None, [0, 1]),
        ((0.1, 0.2, 0.6), None, [2]),
        ((0.5, 0.1, 0.1), None, [0]),  # the threshold itself clears
        ((0.1, 0.4, 0.3), None, [1]),  # none clears, the best is above the fallback
        ((0.3, 0.1, 0.1), None, [0]),  # the fallback itself is enough
        ((0.1, 0.2, 0.2), None, []),
        ((0.9, 0.8, 0.1), 0, [1]),  # the general theme gives way
        ((0.9, 0.1, 0.1), 0, [0]),  # and stands where it is alone
        ((0.4, 0.1, 0.1), 0, [0]),
        ((0.6, 0.7, 0.8), 1, [0, 2]),
        ((), None, []),
    ],
)
def test_which_themes_are_taken(probabilities, general, chosen):
    cuts = np.full(len(probabilities), 0.5)
    assert choose(np.array(probabilities), cuts, 0.3, general) == chosen


def test_a_single_theme_listens_to_the_verbatims_sentiment_as_told():
    reading = read(np.random.default_rng(5).normal(size=(3, WIDTH)).astype(np.float32))
    heads = Heads(
        HeadWeights.from_arrays(arrays(), THEMES, WIDTH), calibration(mood_weight=50.0, mood_weight_many=0.0), THEMES
    )
    alone = heads.theme_moods(reading, [1])
    assert alone.shape == (1, 4) and alone.argmax() == reading.sentiment.argmax()
    np.testing.assert_allclose(heads.theme_moods(reading, [0, 1]), reading.moods[[0, 1]], rtol=1e-5)
    assert heads.theme_moods(reading, []).shape == (0, 4)


def test_blending_is_a_product_that_sums_to_one():
    moods, sentiment = np.array([[0.5, 0.5, 0.0, 0.0]]), np.array([0.2, 0.8, 0.0, 0.0])
    np.testing.assert_allclose(blend(moods, sentiment, 1.0), [[0.2, 0.8, 0.0, 0.0]])
    np.testing.assert_allclose(blend(moods, sentiment, 0.0), moods)
    np.testing.assert_allclose(blend(moods, sentiment, 2.0)[0, :2], [0.04 / 0.68, 0.64 / 0.68])
    assert np.isfinite(blend(np.array([[0.0, 0.0, 1.0, 0.0]]), np.array([1.0, 0.0, 0.0, 0.0]), 2.0)).all()


@pytest.mark.parametrize(("position", "row"), [(0.0, 0), (0.19, 0), (0.2, 1), (0.5, 2), (0.99, 4), (1.0, 4)])
def test_a_score_has_its_row_in_the_table(position, row):
    assert score_bin(position, 5) == row


def test_a_score_tips_the_sentiment_by_the_table():
    table = np.log(np.array([[4.0, 1, 1, 1], [1, 1, 4, 1]], np.float32))
    even, weighed = np.full(4, 0.25), calibration(score_table=table, score_weight=0.5)
    np.testing.assert_allclose(tip(even, weighed, 0.1), [0.4, 0.2, 0.2, 0.2], rtol=1e-6)
    np.testing.assert_allclose(tip(even, weighed, 1.0), [0.2, 0.2, 0.4, 0.2], rtol=1e-6)
    for fit, position in ((weighed, None), (calibration(score_table=table), 0.1), (calibration(score_weight=0.5), 0.1)):
        assert tip(even, fit, position).tolist() == even.tolist()


def test_a_reading_takes_the_score_into_account():
    tokens = np.random.default_rng(6).normal(size=(3, WIDTH)).astype(np.float32)
    fit = calibration(score_table=np.log(np.array([[9.0, 1, 1, 1], [1, 1, 9, 1]], np.float32)), score_weight=1.0)
    heads = Heads(HeadWeights.from_arrays(arrays(), THEMES, WIDTH), fit, THEMES)
    low, plain, high = (heads.read(tokens, np.ones((3, 1), np.float32), position) for position in (0.0, None, 1.0))
    assert low.sentiment[0] > plain.sentiment[0] > high.sentiment[0]
    assert low.sentiment[2] < plain.sentiment[2] < high.sentiment[2]
    np.testing.assert_array_equal(low.themes, high.themes)


@pytest.mark.parametrize(
    ("spans", "joined"),
    [
        ([], []),
        ([(0, 5)], [(0, 5)]),
        ([(0, 5), (6, 9)], [(0, 9)]),
        ([(0, 5), (5, 9), (10, 12)], [(0, 12)]),
        ([(0, 5), (7, 9)], [(0, 5), (7, 9)]),
        ([(0, 2), (3, 5), (20, 22), (23, 30)], [(0, 5), (20, 30)]),
    ],
)
def test_neighbours_parted_by_a_blank_are_one_piece_of_evidence(spans, joined):
    assert joined_spans([Span(*span) for span in spans]) == tuple(Span(*span) for span in joined)


SPANS = (Span(0, 5), Span(6, 10), Span(11, 20))


@pytest.mark.parametrize(
    ("shares", "found"),
    [
        ((0.8, 0.1, 0.1), [0]),
        ((0.4, 0.2, 0.4), [0, 1, 2]),  # half of the strongest is enough
        ((0.1, 0.3, 0.6), [1, 2]),
        ((0.0, 0.0, 0.0), [0, 1, 2]),
    ],
)
def test_evidence_is_what_draws_half_of_the_strongest_attention(shares, found):
    assert evidence_spans(np.array(shares), SPANS) == tuple(SPANS[index] for index in found)


def test_without_spans_there_is_no_evidence():
    assert evidence_spans(np.zeros(0), ()) == ()


@pytest.mark.parametrize(
    ("offset", "owner"),
    [
        ((0, 5), 0),
        ((5, 6), 0),  # between two spans: the one before
        ((6, 7), 1),
        ((4, 8), 0),  # across a border: by the middle
        ((4, 9), 1),
        ((10, 11), 1),
        ((19, 25), 2),
        ((12, 12), 2),  # a token without width
    ],
)
def test_a_token_belongs_to_one_span(offset, owner):
    out = membership(np.array([offset], np.int32), SPANS)
    assert out.dtype == np.float32 and out.tolist() == [[float(index == owner) for index in range(3)]]


def test_a_token_before_all_spans_belongs_to_the_first():
    assert membership(np.array([(0, 1)]), (Span(3, 5), Span(6, 9))).tolist() == [[1.0, 0.0]]


def test_membership_of_nothing_is_empty():
    assert membership(np.empty((0, 2), np.int32), SPANS).shape == (0, 3)
    assert membership(np.array([(0, 1)]), ()).shape == (1, 0)


def test_the_functions_are_stable_far_out():
    assert sigmoid(np.array([-1e4, 0.0, 1e4])).tolist() == [0.0, 0.5, 1.0]
    np.testing.assert_allclose(softmax(np.array([1e4, 1e4, -1e4])), [0.5, 0.5, 0.0])
    np.testing.assert_allclose(gelu(np.array([0.0, 1.0, -1.0])), [0.0, 0.8412, -0.1588], atol=1e-4)
    assert mood_of(np.array([0.1, 0.2, 0.6, 0.1])) == ("positive", 0.6)


@pytest.mark.parametrize("name", sorted(arrays()))
def test_a_missing_array_is_named(name):
    with pytest.raises(ModelError, match=name):
        HeadWeights.from_arrays({key: values for key, values in arrays().items() if key != name}, THEMES, WIDTH)


@pytest.mark.parametrize("name", sorted(arrays()))
def test_an_array_of_another_shape_is_named(name):
    damaged = arrays() | {name: np.zeros((2, 2), np.float32)}
    with pytest.raises(ModelError, match=name):
        HeadWeights.from_arrays(damaged, THEMES, WIDTH)
