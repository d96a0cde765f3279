"""The worst errors: wrong answers only, the surest first, with redacted text beside them."""

from dataclasses import replace

import numpy as np
import pytest

from nlp.types import Sentiment, Span, ThemeTag
from training.mistakes import EXCERPT, FIRST, JUSTIFIED, MISSED, MOST, SENTIMENT, TOLD, mistakes
from training.truth import truth


def tag(theme: str, confidence: float, *spans: Span) -> ThemeTag:
    return ThemeTag(theme, theme, confidence, 0.5, Sentiment("neutral", 0.9), spans)


def test_themes_said_wrongly_come_surest_first_with_their_evidence(row, said):
    rows = [row("1", themes=frozenset("a"), themes_disputed=frozenset("d")), row("2")]
    tags = (
        tag("a", 0.99, Span(0, 4)),
        tag("b", 0.6, Span(5, 9)),
        tag("c", 0.8, Span(0, 4), Span(10, 14)),
        tag("d", 0.9),
    )
    found = [replace(said("1"), text="late rude <TEL>", themes=tags), replace(said("2"), themes=tags)]
    wrong = mistakes(rows, found)[TOLD]
    assert [(each.answered, each.confidence, each.evidence) for each in wrong] == [
        ("c", 0.8, ("late", "<TEL")),
        ("b", 0.6, ("rude",)),
    ]
    assert {each.labelled for each in wrong} == {"a"}


def test_missed_themes_are_as_sure_as_their_probability_is_low(row, said):
    rows = [row("1", themes=frozenset("ab")), row("2", themes=frozenset({"b", "new"}), themes_disputed=frozenset("a"))]
    found = [replace(said("1", {"a": "mixed"}), text="x" * 1000), said("2")]
    beside = truth(rows, ["a", "b"], np.array([[0.9, 0.4], [0.2, 0.1]]))
    missed = mistakes(rows, found, beside)[MISSED]
    assert [(each.id, each.labelled, each.confidence) for each in missed] == [
        ("2", "new", 1.0),
        ("2", "b", pytest.approx(0.9)),
        ("1", "b", pytest.approx(0.6)),
    ]
    assert missed[2].answered == "a" and len(missed[2].evidence[0]) == EXCERPT + 1
    assert MISSED not in mistakes(rows, found)


def test_sentiment_justification_and_priority(row, said):
    rows = [row("1", language="pl", sentiment="mixed", justified=False, priority=None)]
    wrong = mistakes(rows, [replace(said("1", justified=True, priority=1), text="text")])
    assert set(wrong) == {SENTIMENT, JUSTIFIED, FIRST}
    assert [(each.language, each.labelled, each.answered) for found in wrong.values() for each in found] == [
        ("pl", "mixed", "neutral"),
        ("pl", "not justified", "reason"),
        ("pl", "no case", "1: because"),
    ]
    assert all(each.evidence == ("text",) for found in wrong.values() for each in found)


def test_what_is_right_unlabelled_or_failed_is_no_mistake(row, said, failed):
    rows = [
        row("1", themes=frozenset("a"), sentiment="neutral", justified=False, priority=2),
        row("2"),
        row("3", themes=frozenset("a"), sentiment="neutral", justified=True, priority=1),
    ]
    found = [said("1", {"a": "mixed"}, priority=3), said("2", {"a": "mixed"}, priority=1), failed]
    assert mistakes(rows, found, truth(rows, ["a"], np.zeros((3, 1)))) == {}


def test_many_are_cut_to_the_surest(row, said):
    rows = [row(str(i), sentiment="mixed") for i in range(200)]
    found = [replace(said(str(i)), sentiment=Sentiment("neutral", i / 200, 0.0)) for i in range(200)]
    kept = mistakes(rows, found)[SENTIMENT]
    assert [each.id for each in kept] == [str(i) for i in range(199, 199 - MOST, -1)]
