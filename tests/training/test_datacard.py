"""The data card: what rows hold, counted by hand, and how it is printed."""

import io

import pytest
from rich.console import Console

from nlp.types import SIGNALS
from training.datacard import RARE, SHOWN, data_card, show
from training.dataset import LabelledRow
from training.prepare import Conflict, prepare

A = frozenset({"a"})


def rows() -> list[LabelledRow]:
    """Nine of theme a, three of none, one of b; one duplicate, one contradiction, one without labels."""
    out = [LabelledRow(f"a{n}", f"short {n}", language="pl", themes=A, sentiment="positive") for n in range(9)]
    out += [
        LabelledRow(f"n{n}", f"{n} " + "long " * 60, language="en", themes=frozenset(), justified=n > 0)
        for n in range(3)
    ]
    out += [
        LabelledRow(
            "b1", "Дуже довго чекав на лікаря у черзі", themes=frozenset({"b"}), signals=frozenset({SIGNALS[0]})
        )
    ]
    out += [LabelledRow("a0-again", "Short 0!", language="pl", sentiment="positive")]
    out += [LabelledRow("a1-other", "Short 1!", language="pl", sentiment="negative", theme_sentiments={"a": "mixed"})]
    return [*out, LabelledRow("u", "nothing")]


def printed(card) -> str:
    out = io.StringIO()
    show(card, Console(file=out, width=120))
    return out.getvalue()


def test_a_card_by_hand():
    card = data_card(prepare(rows(), "x.jsonl", ["b", "a", "never"]))
    assert (card.rows, card.duplicates, card.unlabelled) == (13, 2, 1)
    assert card.conflicts == (Conflict(("a1", "a1-other"), ("sentiment",)),)
    assert list(card.languages.items()) == [("pl", 9), ("en", 3), ("uk", 1)]
    assert list(card.lengths.items()) == [("short", 10), ("long", 3)]
    assert card.tasks == {"themes": 13, "theme_sentiments": 1, "sentiment": 8, "justified": 3, "signals": 1}
    assert list(card.themes.items()) == [("a", 9), ("b", 1), ("never", 0)]
    assert card.sentiment == {"positive": 8} and list(card.justified.items()) == [("true", 2), ("false", 1)]
    assert card.signals == {SIGNALS[0]: 1}
    assert card.rare == {"b": 1, "never": 0, SIGNALS[0]: 1} | dict.fromkeys(SIGNALS[1:], 0)
    assert len(card.warnings) == 3  # the sentiment, the mood and the signal are the same wherever they are labelled


def test_a_frame_that_was_not_given_misses_no_theme():
    assert data_card(prepare(rows(), "x.jsonl")).themes == {"a": 9, "b": 1}


@pytest.mark.parametrize("count", [RARE - 1, RARE])
def test_eight_rows_are_enough_to_learn_a_theme(count):
    some = [LabelledRow(str(n), f"text {n}", themes=A if n < count else frozenset({"b"})) for n in range(40)]
    assert ("a" in data_card(prepare(some, "x")).rare) == (count < RARE)


def test_the_printed_card():
    text = printed(data_card(prepare(rows(), "x.jsonl", ["a", "b", "never"])))
    assert text.startswith("13 labelled rows; 2 duplicates merged, 1 contradictory texts, 1 without labels left out\n")
    for line in (
        "up to 60 characters",
        "rows a1, a1-other",
        "a         9  69.2%",
        "never     0   0.0%  too rare to learn",
    ):
        assert line in text
    assert "warning: sentiment is positive wherever it is labelled" in text
    assert "fewer than 8 rows: b (1), never (0), contact_request (1)" in text
    assert "short 0" not in text.lower() and "чекав" not in text


def test_a_card_without_complaints_gives_no_advice():
    fine = [LabelledRow(str(n), f"text {n}", "en", themes=A if n % 2 else frozenset({"b"})) for n in range(40)]
    text = printed(data_card(prepare(fine, "x")))
    assert "warning" not in text and "contradictory rows" not in text


def test_names_with_brackets_are_printed_as_they_are():
    odd = [LabelledRow(str(n), f"text {n}", "en", themes=frozenset({"[red]x" if n % 2 else "[/b]"})) for n in range(40)]
    assert "[red]x" in printed(data_card(prepare(odd, "x"))) and "[/b]" in printed(data_card(prepare(odd, "x")))


def test_many_conflicts_are_cut_and_counted():
    torn = [LabelledRow(f"t{n}", f"text {n // 2}", "en", justified=n % 2 == 0, themes=A) for n in range(60)]
    good = [LabelledRow(f"g{n}", f"good {n}", "en", justified=n % 3 == 0, themes=frozenset({"b"})) for n in range(20)]
    text = printed(data_card(prepare(torn + good, "x")))
    assert f"and {30 - SHOWN} more" in text and "30 contradictory texts" in text


def test_the_languages_of_many_texts_are_estimated(monkeypatch):
    monkeypatch.setattr("training.datacard.SAMPLE", 20)
    polish = [LabelledRow(f"p{n}", f"Kurier spóźnił się {n} dni i był niemiły", themes=A) for n in range(90)]
    english = [LabelledRow(f"e{n}", f"The courier was {n} days late", themes=frozenset({"b"})) for n in range(30)]
    given = [LabelledRow("g", "ok", "uk", themes=A)]
    assert data_card(prepare([*polish, *english, *given], "x")).languages == {"pl": 90, "en": 30, "uk": 1}
