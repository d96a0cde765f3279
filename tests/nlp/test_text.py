"""What normalise leaves of a text, and which texts can be written at all."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlp.text import is_well_formed, normalise


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("", ""),
        (" \t\n ", ""),
        ("  Kurier   nie\tprzyjechał  ", "Kurier nie przyjechał"),
        ("jeden\r\ndwa\rtrzy\u2028cztery\x0bpięć", "jeden\ndwa\ntrzy\ncztery\npięć"),
        ("jeden \n  dwa", "jeden\ndwa"),
        ("akapit\n\nakapit", "akapit\n\nakapit"),
        ("за\u00a0три\u202fдні\u3000тут", "за три дні тут"),
        ("до\u00adстав\u200bка", "доставка"),
        ("\ufeffдзвонили +48\u200d600", "дзвонили +48600"),
        ("\u202eabc\u202c\x00\x07", "abc"),
        ("zazo\u0301\u0142c\u0301", "zazółć"),
        ("e\u200b\u0301", "é"),
        ("и\u0306 і\u0308", "й ї"),
        ("super 👍🏽❤️", "super 👍🏽❤️"),
        ("<PHONE> 10/10", "<PHONE> 10/10"),
    ],
)
def test_normalise(raw: str, clean: str) -> None:
    assert normalise(raw) == clean


@given(st.text())
def test_normalised_text_is_stable_and_composed(text: str) -> None:
    once = normalise(text)
    assert normalise(once) == once
    assert once == once.strip()
    assert unicodedata.is_normalized("NFC", once)
    assert "  " not in once
    assert not any(unicodedata.category(char) == "Cc" and char != "\n" for char in once)


@pytest.mark.parametrize(
    ("text", "well_formed"),
    [("", True), ("zażółć 😀", True), ("\ud800", False), ("a\udc00b", False), ("\ud83d\ude00", False)],
)
def test_is_well_formed(text: str, well_formed: bool) -> None:
    assert is_well_formed(text) is well_formed
