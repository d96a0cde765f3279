"""The part of a text that complains: told by the evidence of its themes, the whole text where it is one thing."""

import pytest

from nlp.complaint import Aspect, complaint_spans, said
from nlp.types import Span

TEXT = "The food was lovely, but the courier came late. And he was rude! Thank you."
PARTS = ("The food was lovely", "but the courier came late", "And he was rude!", "Thank you.")


def at(*parts: str, text: str = TEXT) -> tuple[Span, ...]:
    return tuple(Span(text.index(part), text.index(part) + len(part)) for part in parts)


GOOD, BAD = Aspect("positive", at(PARTS[0])), Aspect("negative", at(PARTS[1]))


@pytest.mark.parametrize(
    ("aspects", "words"),
    [
        pytest.param([GOOD, BAD], PARTS[1], id="a praise and a complaint"),
        pytest.param([BAD, GOOD], PARTS[1], id="in another order"),
        pytest.param([GOOD, Aspect("mixed", at(PARTS[1]))], PARTS[1], id="mixed is a complaint"),
        pytest.param([Aspect("neutral", ()), BAD], PARTS[1], id="beside something neutral without evidence"),
        pytest.param([GOOD, BAD, Aspect("negative", at(PARTS[2]))], f"{PARTS[1]} {PARTS[2]}", id="two, a mark apart"),
        pytest.param([GOOD, Aspect("negative", at(PARTS[2], PARTS[1]))], f"{PARTS[1]} {PARTS[2]}", id="in order"),
        pytest.param([GOOD, BAD, Aspect("negative", at("courier came late. And"))], f"{PARTS[1]}. And", id="overlap"),
        pytest.param([BAD], TEXT, id="one theme"),
        pytest.param([BAD, Aspect("mixed", at(PARTS[2]))], TEXT, id="complaints alone"),
        pytest.param([GOOD, Aspect("neutral", at(PARTS[3]))], TEXT, id="no complaint"),
        pytest.param([GOOD, Aspect("negative", ())], TEXT, id="no evidence"),
        pytest.param([GOOD, Aspect("negative", at("!"))], TEXT, id="evidence without a word"),
        pytest.param([], TEXT, id="no theme"),
        pytest.param([GOOD, Aspect("negative", (Span(60, 900), Span(-4, 3)))], "The ude! Thank you.", id="outside"),
    ],
)
def test_what_of_a_text_complains(aspects: list[Aspect], words: str) -> None:
    assert said(TEXT, complaint_spans(TEXT, aspects)) == words


def test_far_parts_are_joined_by_a_blank_and_offsets_are_code_points() -> None:
    text = "🙂 Їжа смачна. Кур’єр запізнився 🙂 ціни добрі, чек чужий 😡"
    parts = at("Кур’єр запізнився", "чек чужий 😡", text=text)
    spans = complaint_spans(text, [Aspect("positive", at("Їжа смачна", text=text)), Aspect("negative", parts)])
    assert spans == parts
    assert said(text, spans) == "Кур’єр запізнився чек чужий 😡"


def test_an_empty_text_is_whole() -> None:
    assert complaint_spans("", [GOOD, BAD]) == (Span(0, 0),)
    assert said("", (Span(0, 0),)) == ""
