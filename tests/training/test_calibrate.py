"""Calibration on made-up logits whose true probabilities are known."""

import numpy as np
import pytest

pytest.importorskip("scipy")

from nlp.heads import choose, sigmoid, softmax
from nlp.types import MOODS, SIGNALS
from training.calibrate import (
    GRID,
    SCORE_BINS,
    SCORE_WEIGHTS,
    SIGNAL_FLOOR,
    Scores,
    calibrate,
    expected_f1_thresholds,
    score_table,
)
from training.dataset import UNKNOWN, Targets

THEMES, ROWS = 3, 300


def drawn(seed: int, rows: int = ROWS, themes: int = THEMES) -> tuple[dict[str, np.ndarray], Targets]:
    """Labels drawn with probability sigmoid(x); the logits shown are 3 x + 1, that is, far too sure."""
    rng = np.random.default_rng(seed)

    def labels(shape, centre):
        x = rng.normal(centre, 1.5, shape)
        return (3 * x + 1).astype(np.float32), (rng.random(shape) < sigmoid(x)).astype(np.int8)

    def classes(shape):
        x = rng.normal(0, 1.5, (*shape, 4))
        pick = (softmax(x).cumsum(-1) > rng.random((*shape, 1))).argmax(-1)
        return (3 * x).astype(np.float32), pick.astype(np.int8)

    themes_, theme_labels = labels((rows, themes), -1.5)
    signals, signal_labels = labels((rows, len(SIGNALS)), -2)
    justified, justified_labels = labels((rows,), 0)
    sentiment, moods_of_text = classes((rows,))
    moods, theme_moods = classes((rows, themes))
    logits = {"themes": themes_, "signals": signals, "justified": justified, "sentiment": sentiment, "moods": moods}
    theme_moods = np.where(theme_labels == 1, theme_moods, UNKNOWN).astype(np.int8)
    return logits, Targets(theme_labels, theme_moods, moods_of_text, justified_labels, signal_labels)


def log_loss(probabilities: np.ndarray, labels: np.ndarray) -> float:
    p = np.clip(np.where(labels == 1, probabilities, 1 - probabilities), 1e-9, 1)
    return float(-np.log(p).mean())


@pytest.fixture(scope="module")
def data():
    return drawn(1)


@pytest.fixture(scope="module")
def fitted(data):
    return calibrate(*data, general=None)


def test_probabilities_hold_on_rows_that_were_not_fitted(fitted):
    logits, wanted = drawn(2, rows=3000)
    themes = sigmoid(fitted.theme_scale * logits["themes"] + fitted.theme_shift)
    assert log_loss(themes, wanted.themes) < 0.8 * log_loss(sigmoid(logits["themes"]), wanted.themes)
    signals = sigmoid(fitted.signal_scale * logits["signals"] + fitted.signal_shift)
    assert log_loss(signals, wanted.signals) < 0.8 * log_loss(sigmoid(logits["signals"]), wanted.signals)
    justified = sigmoid(fitted.justified_scale * logits["justified"] + fitted.justified_shift)
    assert log_loss(justified, wanted.justified) < 0.8 * log_loss(sigmoid(logits["justified"]), wanted.justified)
    for low in np.arange(0, 1, 0.2):  # among those called p, about p are true
        held = (themes >= low) & (themes < low + 0.2)
        assert wanted.themes[held].mean() == pytest.approx(themes[held].mean(), abs=0.08)


def test_the_fit_finds_what_the_data_were_made_with(fitted):
    assert fitted.justified_scale == pytest.approx(1 / 3, abs=0.08)
    assert fitted.justified_shift == pytest.approx(-1 / 3, abs=0.25)
    assert fitted.sentiment_temperature == pytest.approx(3, abs=0.5)
    assert fitted.mood_temperature == pytest.approx(3, abs=0.6)


def test_the_order_of_rows_is_kept(data, fitted):
    assert (fitted.theme_scale > 0).all() and (fitted.signal_scale > 0).all() and fitted.justified_scale > 0
    x = data[0]["themes"][:, 0]
    order = np.argsort(x)
    assert (np.diff(sigmoid(fitted.theme_scale[0] * x + fitted.theme_shift[0])[order]) >= 0).all()


def test_a_label_that_runs_against_its_logits_keeps_its_order_too(data):
    logits, wanted = data
    backwards = Targets(1 - wanted.themes, wanted.moods, wanted.sentiment, wanted.justified, wanted.signals)
    assert (calibrate(logits, backwards, None).theme_scale > 0).all()


def test_thresholds_and_fallback_are_probabilities(fitted):
    assert fitted.theme_threshold.shape == (THEMES,) and fitted.theme_threshold.dtype == np.float32
    assert ((fitted.theme_threshold > 0) & (fitted.theme_threshold < 1)).all() and 0 < fitted.fallback < 1
    assert (fitted.signal_threshold >= SIGNAL_FLOOR - 1e-6).all() and (fitted.signal_threshold < 1).all()


def micro_f1(probabilities, labels, thresholds, fallback, general=None) -> float:
    tp = fp = fn = 0
    for row, truth in zip(probabilities, labels, strict=True):
        chosen, right = set(choose(row, thresholds, fallback, general)), set(np.flatnonzero(truth == 1).tolist())
        tp, fp, fn = tp + len(chosen & right), fp + len(chosen - right), fn + len(right - chosen)
    return 2 * tp / (2 * tp + fp + fn)


def test_thresholds_do_better_than_one_half(data, fitted):
    logits, wanted = data
    themes = sigmoid(fitted.theme_scale * logits["themes"] + fitted.theme_shift)
    got = micro_f1(themes, wanted.themes, fitted.theme_threshold, fitted.fallback)
    assert got > micro_f1(themes, wanted.themes, np.full(THEMES, 0.5), 1.1) + 0.02


def test_the_fallback_is_low_where_every_row_has_a_theme_and_high_where_many_have_none():
    logits, wanted = drawn(3)
    always = np.zeros_like(wanted.themes)
    always[np.arange(ROWS), logits["themes"].argmax(1)] = 1  # the best theme is always right
    low = calibrate(logits, Targets(always, wanted.moods, wanted.sentiment, wanted.justified, wanted.signals), None)
    probabilities = sigmoid(low.theme_scale * logits["themes"] + low.theme_shift)
    assert all(
        choose(row, low.theme_threshold, low.fallback, None) for row in probabilities[probabilities.max(1) > 0.15]
    )
    high = calibrate(logits, wanted, None)
    assert high.fallback > low.fallback or low.fallback == pytest.approx(GRID[0])


def test_unknown_labels_are_not_learnt_from(data, fitted):
    logits, wanted = data
    noise = {task: np.concatenate([values, -values[:200]]) for task, values in logits.items()}
    unknown = Targets(
        *(
            np.concatenate([values, np.full((200, *values.shape[1:]), UNKNOWN, np.int8)])
            for values in (wanted.themes, wanted.moods, wanted.sentiment, wanted.justified, wanted.signals)
        )
    )
    again = calibrate(noise, unknown, None)
    np.testing.assert_allclose(again.theme_scale, fitted.theme_scale, rtol=1e-3)
    np.testing.assert_allclose(again.theme_shift, fitted.theme_shift, atol=1e-3)
    np.testing.assert_allclose(again.signal_threshold, fitted.signal_threshold, atol=1e-6)
    assert again.sentiment_temperature == pytest.approx(fitted.sentiment_temperature, rel=1e-3)
    assert again.mood_weight == fitted.mood_weight


def unlabelled(wanted: Targets, *tasks: str) -> Targets:
    names = ("themes", "moods", "sentiment", "justified", "signals")
    return Targets(*(np.full_like(getattr(wanted, n), UNKNOWN) if n in tasks else getattr(wanted, n) for n in names))


def test_a_task_without_labels_is_left_as_it_is(data):
    logits, wanted = data
    out = calibrate(logits, unlabelled(wanted, "justified", "signals", "sentiment", "moods"), None)
    assert (out.justified_scale, out.justified_shift) == (1.0, 0.0)
    assert (out.signal_scale.tolist(), out.signal_shift.tolist()) == ([1.0] * len(SIGNALS), [0.0] * len(SIGNALS))
    np.testing.assert_allclose(out.signal_threshold, 0.5, atol=0.011)
    assert (out.sentiment_temperature, out.mood_temperature) == (1.0, 1.0)
    assert (out.mood_weight, out.mood_weight_many) == (0.0, 0.0)


def test_without_theme_labels_the_threshold_is_not_the_lowest_there_is(data):
    logits, wanted = data
    out = calibrate(logits, unlabelled(wanted, "themes"), None)
    assert (out.theme_threshold > 0.3).all() and out.fallback > 0.3


def test_a_code_frame_of_one_theme_can_be_calibrated():
    out = calibrate(*drawn(4, rows=80, themes=1), None)
    assert out.theme_threshold.shape == (1,)


def test_few_rows_hardly_move_a_label_from_the_others():
    logits, wanted = drawn(5)
    wanted.themes[4:, 2] = UNKNOWN
    out = calibrate(logits, wanted, None)
    assert out.theme_scale[2] == pytest.approx(out.theme_scale[:2].mean(), abs=0.15)
    assert out.theme_threshold[2] == pytest.approx(out.theme_threshold[:2].mean(), abs=0.15)


def test_the_general_theme_counts_only_where_it_stands_alone():
    logits, wanted = drawn(6)
    wanted.themes[:, 0] = wanted.themes[:, 1:].max(axis=1) == 0  # "general" exactly where there is nothing else
    out = calibrate(logits, wanted, general=0)
    probabilities = sigmoid(out.theme_scale * logits["themes"] + out.theme_shift)
    assert all(
        chosen == [0] or 0 not in chosen
        for chosen in (choose(row, out.theme_threshold, out.fallback, 0) for row in probabilities)
    )


def test_the_verbatims_mood_weighs_where_it_helps():
    logits, wanted = drawn(7)
    wanted.themes[:] = 0
    wanted.themes[:, 0] = 1
    wanted.moods[:] = UNKNOWN
    wanted.moods[:, 0] = wanted.sentiment  # a single theme is always spoken of as the whole is
    logits["moods"] *= 0.01
    out = calibrate(logits, wanted, None)
    assert out.mood_weight > 0 == out.mood_weight_many


def test_a_score_table_by_hand():
    positions = [0.0, 0.1, 1.0, None, 0.5]
    table = score_table(positions, ["negative", "negative", "positive", "negative", None])
    assert table.shape == (SCORE_BINS, len(MOODS))
    rows = np.full((SCORE_BINS, 4), 2.0)
    rows[0, 0] += 2
    rows[4, MOODS.index("positive")] += 1
    share = rows.sum(0) / rows.sum()
    np.testing.assert_allclose(table[0], np.log(rows[0] / 10 / share))
    np.testing.assert_allclose(table[2], np.log(0.25 / share))
    assert table[0].argmax() == 0 and np.isfinite(table).all()


@pytest.mark.parametrize("telling", [True, False])
def test_scores_weigh_as_far_as_they_help(telling):
    logits, wanted = drawn(8)
    rng = np.random.default_rng(8)
    truth = wanted.sentiment if telling else rng.integers(0, 4, ROWS)
    positions = [None if index % 5 == 0 else float(mood) / 3 for index, mood in enumerate(truth)]
    table = score_table(positions, [MOODS[mood] for mood in truth])
    out = calibrate(logits, wanted, None, Scores(table, positions))
    assert out.score_table.dtype == np.float32 and out.score_weight in SCORE_WEIGHTS
    assert (out.score_weight > 0.25) is telling
    assert calibrate(logits, wanted, None).score_table is None


def test_scores_without_sentiment_labels_weigh_nothing(data):
    logits, wanted = data
    scores = Scores(np.zeros((SCORE_BINS, 4)), [0.5] * ROWS)
    assert calibrate(logits, unlabelled(wanted, "sentiment"), None, scores).score_weight == 0.0


def test_the_expected_f1_is_highest_at_half_of_it():
    """Lipton et al. 2014: for probabilities that hold, the best threshold is half the best F1."""
    rng = np.random.default_rng(3)
    sure, hard = rng.beta(0.2, 0.4, 20_000), rng.beta(0.6, 6.0, 20_000)
    probabilities = np.stack([sure, hard], axis=1)
    cuts = expected_f1_thresholds(probabilities, np.zeros((20_000, 2), np.int8))
    for column, cut in zip(probabilities.T, cuts, strict=True):
        above = column >= cut
        best = 2 * column[above].sum() / (above.sum() + column.sum())
        assert cut == pytest.approx(best / 2, abs=0.02)
    assert cuts[1] < cuts[0]


def test_rows_that_are_not_labelled_do_not_move_a_threshold():
    probabilities = np.array([[0.9], [0.1], [0.2], [0.8]])
    labels = np.array([[1], [0], [-1], [-1]], np.int8)
    assert expected_f1_thresholds(probabilities, labels) == expected_f1_thresholds(probabilities[:2], labels[:2])


@pytest.mark.parametrize("task", ["themes", "signals"])
@pytest.mark.parametrize("label", [UNKNOWN, 0])
@pytest.mark.parametrize("column", [slice(None), slice(1, 2)])
def test_labels_without_positives_get_a_neutral_threshold(task, label, column):
    logits, wanted = drawn(9)
    getattr(wanted, task)[:, column] = label
    out = calibrate(logits, wanted, None, each_theme=True)
    cuts = out.theme_threshold if task == "themes" else out.signal_threshold
    np.testing.assert_allclose(cuts[column], 0.5, atol=1e-6)


def test_moods_without_the_list_of_themes_still_say_how_far_the_verbatims_mood_weighs():
    logits, wanted = drawn(7)
    wanted.themes[:] = UNKNOWN
    wanted.moods[:] = UNKNOWN
    wanted.moods[:, 0] = wanted.sentiment
    logits["moods"] *= 0.01
    out = calibrate(logits, wanted, None)
    assert out.mood_weight > 0 == out.mood_weight_many
