"""Two models on the same rows: the right difference, an interval around it, and no verdict on noise."""

import tracemalloc

import numpy as np
import pytest

from training.compare import LEVEL, Difference, compare


@pytest.fixture
def rows(row):
    return [
        row(str(i), language="pl" if i % 2 else "en", themes=frozenset("a" if i % 3 else "ab"), sentiment="negative")
        for i in range(120)
    ]


def answers(said, rows, right: float, seed: int):
    """The right answer with probability `right`, else no theme and another mood."""
    rng = np.random.default_rng(seed)
    return [
        said(row.id, dict.fromkeys(row.themes or (), "neutral"), "negative")
        if rng.random() < right
        else said(row.id, {}, "mixed")
        for row in rows
    ]


def by_name(differences) -> dict[tuple[str, str], Difference]:
    return {(each.figure, each.group): each for each in differences}


def test_a_model_against_itself_differs_by_nothing(rows, said):
    same = answers(said, rows, 0.7, 1)
    for each in compare(rows, same, same):
        assert each.low == each.high == 0.0 and each.baseline == each.candidate
        assert each.verdict == "no clear difference"


def test_a_better_model_is_called_better_and_the_other_worse(rows, said):
    weak, strong = answers(said, rows, 0.5, 1), answers(said, rows, 0.95, 2)
    there, back = by_name(compare(rows, weak, strong)), by_name(compare(rows, strong, weak))
    pooled = {(f, g) for f in ("themes micro-F1", "sentiment accuracy") for g in ("all", "pl", "en", "length: short")}
    assert set(there) == pooled | {("theme F1", "a"), ("theme F1", "b")}
    for key, each in there.items():
        assert each.verdict == "better" and back[key].verdict == "worse"
        assert each.low <= each.candidate - each.baseline <= each.high
        assert (back[key].low, back[key].high) == pytest.approx((-each.high, -each.low))


def test_figures_by_hand(row, said):
    rows = [
        row("1", themes=frozenset("ab"), sentiment="negative"),
        row("2", themes=frozenset("a"), themes_disputed=frozenset("c"), sentiment="positive"),
        row("3"),
    ]
    baseline = [
        said("1", {"a": "neutral"}, "negative"),
        said("2", {"b": "neutral"}, "negative"),
        said("3", {"z": "mixed"}),
    ]
    candidate = [said("1", {"a": "neutral", "b": "neutral"}, "negative"), said("2", {"c": "neutral"}), said("3")]
    found = by_name(compare(rows, baseline, candidate))
    themes, mood = found["themes micro-F1", "all"], found["sentiment accuracy", "all"]
    assert (themes.baseline, themes.candidate) == pytest.approx((2 * 1 / (2 * 1 + 1 + 2), 2 * 2 / (2 * 2 + 0 + 1)))
    assert (mood.baseline, mood.candidate) == (0.5, 0.5)
    assert ("themes micro-F1", "und") in found


def test_a_small_change_on_few_rows_is_no_clear_difference(rows, said):
    few = rows[:12]
    changed = answers(said, few, 1.0, 1)
    changed[3] = said(few[3].id, {}, "mixed")
    verdicts = {each.verdict for each in compare(few, answers(said, few, 1.0, 1), changed)}
    assert verdicts == {"no clear difference"}


def test_the_interval_holds_the_true_difference_about_as_often_as_it_says(row, said):
    rng = np.random.default_rng(3)
    held = 0
    for _ in range(30):
        rows = [row(str(i), sentiment="negative") for i in range(80)]
        one, two = answers(said, rows, 0.6, int(rng.integers(1e9))), answers(said, rows, 0.8, int(rng.integers(1e9)))
        overall = by_name(compare(rows, one, two))["sentiment accuracy", "all"]
        held += overall.low <= 0.2 <= overall.high
    assert abs(held / 30 - LEVEL) < 0.09


def test_a_failed_item_counts_as_wrong(row, said, failed):
    rows = [row("1", themes=frozenset("a"), sentiment="neutral"), row("2", themes=frozenset("a"), sentiment="neutral")]
    good = [said("1", {"a": "neutral"}), said("2", {"a": "neutral"})]
    found = by_name(compare(rows, good, [good[0], failed]))
    assert found["sentiment accuracy", "all"].candidate == 0.5
    assert found["themes micro-F1", "all"].candidate == pytest.approx(2 / 3)


def test_the_same_comparison_gives_the_same_numbers(rows, said):
    one, two = answers(said, rows, 0.6, 1), answers(said, rows, 0.7, 2)
    assert compare(rows, one, two) == compare(rows, one, two)


def test_many_rows_are_compared_in_little_memory(row, said):
    rows, answer = [row("1", sentiment="neutral")] * 10_000, said("1")
    tracemalloc.start()
    try:
        compare(rows, [answer] * len(rows), [answer] * len(rows))
        assert tracemalloc.get_traced_memory()[1] < 10e6  # all draws at once take 160 MB
    finally:
        tracemalloc.stop()


def test_rows_without_labels_give_no_figures(row, said):
    assert compare([row("1")], [said("1")], [said("1")]) == []


def test_every_task_is_compared_in_every_part(row, said):
    labels = {"themes": frozenset("a"), "theme_sentiments": {"a": "negative"}, "sentiment": "negative"}
    labels |= {"justified": True, "signals": frozenset({"churn_intent"}), "priority": 1}
    rows = [row(str(i), text="long " * (10 if i else 100), language="pl", **labels) for i in range(6)]
    right = [said(each.id, {"a": "negative"}, "negative", True, ("churn_intent",), 1) for each in rows]
    wrong = [said(each.id, {"a": "positive"}, "negative", False, (), 2) for each in rows]
    found = by_name(compare(rows, right, wrong))
    figures = ("themes micro-F1", "theme+sentiment micro-F1", "sentiment accuracy", "justified F1")
    figures += ("signals micro-F1", "priority one F1")
    parts = ("all", "pl", "length: short", "length: long")
    assert set(found) == {(figure, part) for figure in figures for part in parts} | {("theme F1", "a")}
    same = {"themes micro-F1", "sentiment accuracy", "theme F1"}
    for (figure, _), each in found.items():
        assert (each.baseline, each.candidate) == ((1.0, 1.0) if figure in same else (1.0, 0.0))
        assert each.verdict == ("no clear difference" if figure in same else "worse")


def test_a_theme_is_compared_from_five_labelled_rows_on(row, said):
    rows = [row(str(i), themes=frozenset("ab" if i < 4 else "a")) for i in range(5)]
    some = [said(each.id, {"a": "neutral", "c": "neutral"}) for each in rows]
    assert [key for key in by_name(compare(rows, some, some)) if key[0] == "theme F1"] == [("theme F1", "a")]


def test_a_mood_in_dispute_is_a_pair_neither_wins(row, said):
    rows = [row(themes=frozenset("ab"), theme_sentiments={"a": "mixed"})]
    one, two = [said(themes={"a": "mixed", "b": "negative"})], [said(themes={"a": "mixed"})]
    pairs = by_name(compare(rows, one, two))["theme+sentiment micro-F1", "all"]
    assert pairs.baseline == pairs.candidate == 1.0
