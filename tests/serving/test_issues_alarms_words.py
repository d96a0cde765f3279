"""The sentences of alarms: numbers in the right form, times as people say them, and what dominates."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.issues.phrases import ABOUT, ANSWERS, COMPLAINTS, MONTHS, SHARES, WEEKDAYS, plural
from serving.issues.sentence import Dominance, Reason, dominant, rounded, sentence, since

NOW = datetime(2026, 11, 4, 22, 30, tzinfo=UTC)  # a Wednesday; in Kyiv it is Thursday
UTC_ZONE = ZoneInfo("UTC")
LANGUAGES = ("pl", "uk", "ru", "en")
CATEGORIES = {
    "pl": {"one": [1], "few": [2, 4, 22, 104], "many": [0, 5, 11, 12, 14, 21, 25, 101, 112]},
    "uk": {"one": [1, 21, 101], "few": [2, 4, 22, 104], "many": [0, 5, 11, 12, 14, 25, 111, 112]},
    "ru": {"one": [1, 21, 101], "few": [2, 4, 22, 104], "many": [0, 5, 11, 12, 14, 25, 111, 112]},
    "en": {"one": [1], "other": [0, 2, 11, 21, 101]},
}


def reason(**more) -> Reason:
    given = {"subject": "Delivery time", "kind": "theme", "complaints": False, "observed": 23, "expected": 4.2}
    return Reason(**{**given, "days": 2, "negative": 0.81, **more})


@pytest.mark.parametrize(
    ("language", "words"),
    [
        (
            "en",
            "23 answers about Delivery time since Monday, 4 expected; 81 % negative; "
            "70 % from mobile app; 60 % in Polish",
        ),
        (
            "pl",
            "23 odpowiedzi na temat „Delivery time” od poniedziałku, oczekiwano 4; 81% negatywnych; "
            "70% z punktu kontaktu „mobile app”; 60% po polsku",
        ),
        (
            "uk",
            "23 відповіді на тему «Delivery time» з понеділка, очікувалося 4; 81 % негативних; "
            "70 % з точки контакту «mobile app»; 60 % польською",
        ),
        (
            "ru",
            "23 ответа на тему «Delivery time» с понедельника, ожидалось 4; 81 % негативных; "
            "70 % из точки контакта «mobile app»; 60 % на польском",
        ),
    ],
)
def test_a_sentence_in_each_language(language: str, words: str) -> None:
    both = (Dominance("touchpoint", "mobile app", 0.7), Dominance("language", "pl", 0.6))
    assert sentence(reason(dominant=both), language, NOW, UTC_ZONE) == words


@pytest.mark.parametrize(
    ("language", "form", "number"),
    [
        (language, form, number)
        for language, forms in CATEGORIES.items()
        for form, numbers in forms.items()
        for number in numbers
    ],
)
def test_numbers_take_the_category_of_the_language(language: str, form: str, number: int) -> None:
    assert plural(number, language) == form


@given(st.integers(0, 10_000), st.sampled_from(LANGUAGES))
def test_every_number_has_a_word(number: int, language: str) -> None:
    assert ANSWERS[language][plural(number, language)] and COMPLAINTS[language][plural(number, language)]


def test_nothing_is_missing_in_any_language() -> None:
    assert {len(WEEKDAYS[language]) for language in LANGUAGES} == {7}
    assert {len(MONTHS[language]) for language in LANGUAGES} == {12}
    assert all(set(words) == set(LANGUAGES) for words in (*ABOUT.values(), *SHARES.values()))


@pytest.mark.parametrize(
    ("days", "language", "zone", "words"),
    [
        (1, "en", "UTC", "in the last 24 hours"),
        (2, "en", "UTC", "since Monday"),
        (2, "en", "Europe/Kyiv", "since Tuesday"),
        (3, "uk", "UTC", "з неділі"),
        (7, "en", "UTC", "since 28 October"),
        (7, "pl", "UTC", "od 28 października"),
        (14, "ru", "UTC", "с 21 октября"),
    ],
)
def test_the_window_begins_when_people_would_say(days: int, language: str, zone: str, words: str) -> None:
    assert since(days, language, NOW, ZoneInfo(zone)) == words


@pytest.mark.parametrize(
    ("expected", "shown"), [(0.4, 0), (0.6, 1), (4.4, 4), (99.4, 99), (123.4, 120), (4567.0, 4600)]
)
def test_what_was_expected_is_as_exact_as_it_is_known(expected: float, shown: int) -> None:
    assert rounded(expected) == shown


def test_a_returning_issue_says_how_long_it_was_away_and_complaints_are_not_called_negative() -> None:
    words = sentence(reason(complaints=True, negative=None, away=30, expected=0.2), "en", NOW, UTC_ZONE)
    assert words == (
        "23 complaints about Delivery time since Monday, fewer than one expected; none in the 30 days before"
    )


def objects(*values: str | None) -> np.ndarray:
    return np.array(values, dtype=object)


def test_only_what_is_clearly_over_represented_dominates() -> None:
    everywhere = {
        "touchpoint": objects(*["app"] * 200, *["shop"] * 800),
        "language": objects(*["pl"] * 950, *["uk"] * 50),
    }
    inside = {"touchpoint": objects(*["app"] * 14, *["shop"] * 6), "language": objects(*["pl"] * 20)}
    assert dominant(inside, everywhere) == (Dominance("touchpoint", "app", 0.7),)


def test_few_answers_dominate_nothing() -> None:
    everywhere = {"unit": objects(*["north"] * 40, *["south"] * 60)}
    assert dominant({"unit": objects("north", "north", "south", None)}, everywhere) == ()
    assert dominant({"unit": objects(None, None)}, everywhere) == ()
