"""Figures against tables counted by hand, and against the scorer that stands beside the data sets."""

import importlib.util
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn import metrics

from nlp.types import MOODS, SIGNALS
from training.dataset import parse_row
from training.evaluate import Score, evaluate, figures
from training.intervals import Interval, wilson
from training.tally import MEDIUM_UP_TO, SHORT_UP_TO


def score(tp: int, fp: int, fn: int) -> Score:
    return Score(
        tp / (tp + fp) if tp + fp else 0.0, tp / (tp + fn) if tp + fn else 0.0, 2 * tp / (2 * tp + fp + fn), tp + fn
    )


@pytest.fixture
def pairs(row, said):
    return [
        (row(themes=frozenset("ab")), said(themes={"a": "negative", "c": "neutral"})),  # tp a, fp c, fn b
        (
            row(themes=frozenset("a"), themes_disputed=frozenset("c")),
            said(themes={"a": "neutral", "c": "neutral"}),
        ),  # tp a
        (row(themes=frozenset("ac"), themes_disputed=frozenset("c")), said(themes={})),  # fn a
        (row(themes=frozenset()), said(themes={})),
        (row(), said(themes={"a": "neutral"})),  # not labelled for themes
    ]


def test_themes_by_hand(pairs):
    out = figures(pairs)
    assert out.rows == 5 and out.themes == score(2, 1, 2)
    assert out.per_theme == {"a": score(2, 0, 1), "b": score(0, 0, 1), "c": Score(0.0, 0.0, 0.0, 0)}
    assert out.themes_macro_f1 == pytest.approx((0.8 + 0.0) / 2)  # c never occurs


def test_theme_sentiments_by_hand(row, said):
    pairs = [
        (
            row(themes=frozenset("abc"), theme_sentiments={"a": "negative", "b": "positive"}),  # c has no settled mood
            said(themes={"a": "negative", "b": "neutral", "c": "mixed", "d": "mixed"}),
        ),  # tp a, fp b neutral and d, fn b positive
        (
            row(themes=frozenset("a"), themes_disputed=frozenset("d"), theme_sentiments={"a": "mixed"}),
            said(themes={"d": "mixed"}),
        ),  # fn a; d does not count
    ]
    assert figures(pairs).theme_sentiments == score(1, 2, 2)


def test_sentiment_by_hand(row, said):
    table = [
        ("negative", "negative"),
        ("negative", "neutral"),
        ("positive", "positive"),
        ("mixed", "negative"),
        ("neutral", "mixed"),
        (None, "positive"),
    ]
    out = figures([(row(sentiment=gold), said(sentiment=found)) for gold, found in table])
    assert out.sentiment_accuracy == pytest.approx(2 / 5)
    assert out.sentiment3_accuracy == pytest.approx(2 / 4)
    assert out.sentiment_macro_f1 == pytest.approx((0.5 + 1.0 + 0.0 + 0.0) / 4)
    assert out.sentiment_confusion == {pair: 1 for pair in table if pair[0]}


def test_justified_signals_and_priority_by_hand(row, said):
    pairs = [
        (row(justified=True, signals=frozenset("x"), priority=1), said(justified=True, signals=("x", "y"), priority=1)),
        (row(justified=False, signals=frozenset("xy"), priority=2), said(justified=True, signals=("y",), priority=1)),
        (row(justified=True, signals=frozenset(), priority=None), said(justified=False)),
        (
            row(signals=frozenset("x"), signals_disputed=frozenset("xy"), priority=1),
            said(signals=("x", "y", "z"), priority=3),
        ),
        (row(), said(justified=True, signals=("x",), priority=1)),
    ]
    out = figures(pairs)
    assert out.justified == score(1, 1, 1)
    assert out.signals == score(2, 2, 1)
    assert out.priority_one == score(1, 1, 1)


def test_a_task_without_labels_has_no_figure(row, said):
    out = figures([(row(), said(themes={"a": "mixed"}, justified=True, signals=("x",), priority=1))])
    assert (out.rows, out.per_theme, out.sentiment_confusion) == (1, {}, {})
    names = ("themes", "themes_macro_f1", "theme_sentiments", "sentiment_accuracy", "sentiment_macro_f1")
    names += ("sentiment3_accuracy", "justified", "signals", "priority_one")
    assert [getattr(out, name) for name in names] == [None] * len(names)


def test_themes_alone_give_no_figure_for_theme_sentiments(row, said):
    assert figures([(row(themes=frozenset("a")), said(themes={"b": "mixed"}))]).theme_sentiments is None


def test_a_failed_item_misses_what_was_there_to_find(row, failed):
    out = figures([(row(themes=frozenset("a"), justified=True, signals=frozenset("x"), priority=1), failed)])
    assert {out.themes, out.justified, out.signals, out.priority_one} == {score(0, 0, 1)}


def test_a_failed_item_is_wrong_about_sentiment(row, said, failed):
    out = figures([(row(sentiment="negative"), said(sentiment="negative")), (row(sentiment="negative"), failed)])
    assert out.sentiment_accuracy == out.sentiment3_accuracy == 0.5
    assert out.sentiment_macro_f1 == pytest.approx(2 / 3)
    assert out.sentiment_confusion == {("negative", "negative"): 1, ("negative", "failed"): 1}


def test_languages_are_scored_apart(row, said):
    rows = [row(language=lang, sentiment="positive") for lang in ("pl", "uk", "pl", None)]
    report = evaluate(rows, [said(sentiment=mood) for mood in ("positive", "neutral", "neutral", "positive")])
    assert report.overall.sentiment_accuracy == 0.5
    assert {lang: (f.rows, f.sentiment_accuracy) for lang, f in report.by_language.items()} == {
        "pl": (2, 0.5),
        "uk": (1, 0.0),
        "und": (1, 1.0),
    }


def test_rows_and_answers_must_agree_in_number(row, said):
    with pytest.raises(ValueError, match="zip"):
        evaluate([row()], [said(), said()])


@pytest.fixture(scope="module")
def scorer():
    datasets = os.environ.get("HOLOS_DATASETS")
    if not datasets:
        pytest.skip("HOLOS_DATASETS is not set")
    path = Path(datasets).resolve().parent / "eval" / "score.py"
    if not path.is_file():
        pytest.skip(f"there is no scorer at {path}")
    spec = importlib.util.spec_from_file_location("scorer_beside_the_data", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _gold(rng, index: int) -> dict:
    themes = [t for t in "abcdef" if rng.random() < 0.35]
    return {
        "id": str(index),
        "text": f"text {index}",
        "lang": "pl",
        "sentiment": None if rng.random() < 0.2 else MOODS[rng.integers(4)],
        "themes": themes,
        "themes_disputed": [t for t in "abcdef" if rng.random() < 0.1],
        "theme_sentiments": {t: MOODS[rng.integers(4)] for t in themes if rng.random() < 0.8},
        "justified": None if rng.random() < 0.2 else bool(rng.random() < 0.5),
        "signals": None if rng.random() < 0.1 else {s: bool(rng.random() < 0.3) for s in SIGNALS},
        "signals_disputed": [s for s in SIGNALS if rng.random() < 0.1],
        "priority": None if rng.random() < 0.3 else int(rng.integers(1, 5)),
    }


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_figures_are_those_of_the_scorer_beside_the_data(scorer, said, seed):
    rng = np.random.default_rng(seed)
    gold = [_gold(rng, index) for index in range(120)]
    for each in gold[::3]:
        del each["priority"]
    found = [
        said(
            each["id"],
            {t: MOODS[rng.integers(4)] for t in "abcdefg" if rng.random() < 0.35},
            MOODS[rng.integers(4)],
            bool(rng.random() < 0.5),
            tuple(s for s in SIGNALS if rng.random() < 0.3),
            None if rng.random() < 0.3 else int(rng.integers(1, 5)),
        )
        for each in gold
    ]
    written = {
        each.id: {
            "themes": [{"id": tag.id, "sentiment": {"label": tag.sentiment.label}} for tag in each.themes],
            "sentiment": {"label": each.sentiment.label},
            "justification": {"justified": each.justification.justified},
            "signals": list(each.signals),
            "priority": each.ranking.priority,
        }
        for each in found
    }
    theirs = scorer.report(gold, written)
    ours = evaluate([parse_row(each) for each in gold], found).overall
    for name, mine in (("themes", ours.themes), ("theme_sentiments", ours.theme_sentiments), ("signals", ours.signals)):
        other = theirs[name]
        assert (mine.f1, mine.precision, mine.recall) == pytest.approx(
            (other["micro_f1"], other["precision"], other["recall"])
        )
    for name, mine in (("justified", ours.justified), ("priority1", ours.priority_one)):
        other = theirs[name]
        assert (mine.f1, mine.precision, mine.recall, mine.support) == pytest.approx(
            (other["f1"], other["precision"], other["recall"], other["positives"])
        )
    assert ours.themes_macro_f1 == pytest.approx(theirs["themes"]["macro_f1"])
    assert ours.sentiment_accuracy == pytest.approx(theirs["sentiment"]["accuracy"])
    assert ours.sentiment_macro_f1 == pytest.approx(theirs["sentiment"]["macro_f1"])
    assert ours.sentiment3_accuracy == pytest.approx(theirs["sentiment3"]["accuracy"])


def test_a_failed_item_keeps_its_neighbours_figures(row, said, failed):
    rows = [row(themes=frozenset("a")), replace(row(themes=frozenset("a")), id="2")]
    assert evaluate(rows, [said(themes={"a": "mixed"}), failed]).overall.themes == score(1, 0, 1)


def test_priority_one_is_counted_in_a_table(row, said):
    gold, flagged = (1, 1, 1, 2, None, 1), (1, 1, 3, 1, None, None)
    rows = [row(str(i), priority=each) for i, each in enumerate(gold)] + [row("not labelled")]
    found = [said(str(i), priority=each) for i, each in enumerate(flagged)] + [said(priority=1)]
    table = evaluate(rows, found).overall.priority_table
    assert (table.flagged_right, table.flagged_wrong, table.missed, table.left_right) == (2, 1, 2, 1)
    assert (table.precision, table.recall) == (wilson(2, 3), wilson(2, 4))


def test_length_bands_are_by_characters(row, said):
    texts = ["x" * SHORT_UP_TO, "x" * (SHORT_UP_TO + 1), "x" * MEDIUM_UP_TO, "x" * (MEDIUM_UP_TO + 1)]
    rows = [row(text=text, sentiment="neutral") for text in texts]
    report = evaluate(rows, [said()] * 4)
    assert {band: found.rows for band, found in report.by_length.items()} == {"short": 1, "medium": 2, "long": 1}
    assert list(evaluate(rows[:1], [said()]).by_length) == ["short"]


def drawn(row, said, count: int, seed: int):
    """Rows and answers by chance, right more often than not, with probabilities."""
    rng = np.random.default_rng(seed)
    rows = [
        row(str(i), themes=frozenset(t for t in "abc" if rng.random() < 0.4), sentiment=MOODS[rng.integers(4)])
        for i in range(count)
    ]
    sure = np.array([[rng.beta(4, 2) if t in each.themes else rng.beta(2, 4) for t in "abc"] for each in rows])
    found = [
        said(
            each.id,
            {t: "neutral" for t, p in zip("abc", line, strict=True) if p >= 0.5},
            each.sentiment if rng.random() < 0.7 else MOODS[rng.integers(4)],
        )
        for each, line in zip(rows, sure, strict=True)
    ]
    return rows, found, sure


def as_matrix(sets) -> np.ndarray:
    return np.array([[t in each for t in "abc"] for each in sets])


def test_figures_are_those_of_scikit_learn(row, said):
    rows, found, sure = drawn(row, said, 200, 4)
    out = evaluate(rows, found, list("abc"), sure).overall
    gold, tagged = as_matrix(r.themes for r in rows), as_matrix({t.id for t in s.themes} for s in found)
    assert out.themes.f1 == pytest.approx(metrics.f1_score(gold, tagged, average="micro"))
    assert out.themes_macro_f1 == pytest.approx(metrics.f1_score(gold, tagged, average="macro"))
    assert out.themes_average_precision == pytest.approx(metrics.average_precision_score(gold, sure, average="micro"))
    one = metrics.average_precision_score(gold, sure, average=None)
    assert [out.average_precision[t] for t in "abc"] == pytest.approx(list(one))
    moods = metrics.f1_score(
        [r.sentiment for r in rows], [s.sentiment.label for s in found], average=None, labels=MOODS
    )
    assert [out.per_sentiment[mood].f1 for mood in MOODS] == pytest.approx(list(moods))


def test_average_precision_leaves_out_what_is_disputed_or_not_labelled(row, said):
    rows = [
        row("1", themes=frozenset("a")),
        row("2", themes=frozenset(), themes_disputed=frozenset("a")),
        row("3", themes=frozenset()),
        row("4"),
    ]
    sure = np.array([[0.6, 0.1], [0.9, 0.1], [0.5, 0.1], [0.8, 0.1]])
    out = evaluate(rows, [said()] * 4, ["a", "b"], sure).overall
    assert out.average_precision == {"a": 1.0}
    assert out.themes_average_precision == 1.0


def test_a_theme_the_model_does_not_know_weighs_on_average_precision(row, said):
    rows = [row("1", themes=frozenset({"a", "new"})), row("2", themes=frozenset())]
    out = evaluate(rows, [said()] * 2, ["a"], np.array([[0.9], [0.1]])).overall
    assert out.average_precision["new"] == 0.5  # one of two rows, in no order
    assert out.themes_average_precision < 1.0


def test_probabilities_of_another_shape_are_refused(row, said):
    with pytest.raises(ValueError, match="expected"):
        evaluate([row()], [said()], ["a", "b"], np.zeros((1, 1)))


def test_intervals_hold_the_figures_and_narrow_with_rows(row, said):
    widths = []
    for count in (50, 800):
        out = evaluate(*drawn(row, said, count, 5)[:2]).overall
        for each in (out.themes, *out.per_theme.values(), *out.per_sentiment.values()):
            for name in ("precision", "recall", "f1"):
                found = getattr(each.ranges, name)
                assert found.low <= getattr(each, name) <= found.high
        for name, found in out.ranges.items():
            assert found.low <= getattr(out, name) <= found.high
        widths.append(out.themes.ranges.f1.high - out.themes.ranges.f1.low)
    assert widths[1] < widths[0] / 2.5


def test_a_score_without_a_value_in_any_draw_has_no_interval(row, said):
    out = evaluate([row(themes=frozenset("a"))] * 3, [said()] * 3).overall.per_theme["a"]
    assert out.ranges.precision is None and out.ranges.recall == out.ranges.f1 == Interval(0.0, 0.0)


def test_what_could_not_be_classified_is_counted(row, said, failed):
    report = evaluate([row("1", sentiment="mixed"), row("2", sentiment="mixed")], [said("1"), failed])
    assert report.overall.failed == 1
    assert len(report.mistakes["sentiment"]) == 1
