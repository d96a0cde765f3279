"""Calibration against a table by hand and against scikit-learn's curve."""

import numpy as np
import pytest
from sklearn.calibration import calibration_curve

from training.evaluate import evaluate
from training.reliability import BINS, EVERY_THEME, JUSTIFIED, SENTIMENT, TAGGED, reliability


def test_by_hand():
    found = reliability(np.array([0.9, 0.8, 0.3, 0.2]), np.array([True, False, False, False]), bins=2)
    assert [(each.count, each.confidence, each.right) for each in found.bins] == [
        (2, pytest.approx(0.25), 0.0),
        (2, pytest.approx(0.85), 0.5),
    ]
    assert found.error == pytest.approx((2 * 0.25 + 2 * 0.35) / 4) and found.count == 4


def test_bins_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    confidence = rng.random(1004)  # no value stands right on an edge
    right = rng.random(1004) < confidence**2
    found = reliability(confidence, right)
    share, mean = calibration_curve(right, confidence, n_bins=BINS, strategy="quantile")
    assert [each.right for each in found.bins] == pytest.approx(list(share))
    assert [each.confidence for each in found.bins] == pytest.approx(list(mean))
    assert {each.count for each in found.bins} <= {66, 67}


def test_honest_confidence_errs_little_and_boasting_much():
    rng = np.random.default_rng(1)
    honest = rng.random(4000)
    right = rng.random(4000) < honest
    assert reliability(honest, right).error < 0.03
    assert reliability(np.full(4000, 0.99), right).error == pytest.approx(0.49, abs=0.03)


def test_equal_confidences_share_a_bin_whatever_their_order():
    confidence, right = np.full(40, 0.7), np.arange(40) < 28
    found = reliability(confidence, right)
    assert len(found.bins) == 1 and found.error == pytest.approx(0.0)


def test_nothing_to_judge():
    assert reliability(np.zeros(0), np.zeros(0, bool)) is None


def test_what_is_judged(row, said, failed):
    rows = [
        row("1", themes=frozenset("a"), themes_disputed=frozenset("b"), sentiment="neutral", justified=False),
        row("2", themes=frozenset(), justified=True),
        row("3", themes=frozenset("a"), sentiment="neutral", justified=True),
    ]
    found = [said("1", {"a": "mixed", "b": "mixed"}), said("2", {"a": "mixed"}, justified=True), failed]
    sure = np.array([[0.9, 0.9], [0.9, 0.2], [0.0, 0.0]])
    out = evaluate(rows, found, ["a", "b"], sure).reliability
    assert list(out) == [EVERY_THEME, TAGGED, SENTIMENT, JUSTIFIED]
    assert {name: each.count for name, each in out.items()} == {EVERY_THEME: 5, TAGGED: 2, SENTIMENT: 1, JUSTIFIED: 2}
    assert out[TAGGED].error == pytest.approx(0.4)  # 0.9 said twice, right once
    assert [(each.confidence, each.right) for each in out[JUSTIFIED].bins] == [
        (pytest.approx(0.1), 0.0),
        (pytest.approx(0.9), 1.0),
    ]
    assert EVERY_THEME not in evaluate(rows, found).reliability
