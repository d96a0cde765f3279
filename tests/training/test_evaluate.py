"""Figures against tables counted by hand, and against the scorer that stands beside the data sets."""

import importlib.util
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nlp.types import MOODS, SIGNALS
from training.dataset import parse_row
from training.evaluate import Score, evaluate, figures


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
