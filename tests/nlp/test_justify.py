"""Comments that say nothing, told by rule in four languages, and reasons that must never be taken for them."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from nlp.errors import PolicyError
from nlp.justify import parse_rules, rule_kind

_DATA = yaml.safe_load((Path(__file__).parents[2] / "data/policies/justification.yaml").read_text(encoding="utf-8"))
_RULES = parse_rules(_DATA, "justification.yaml")


def _kind(text: str, language: str = "pl", question: str | None = None) -> str | None:
    return rule_kind(_RULES, text, language, question)


@pytest.mark.parametrize("text", ["", " ", "\n", ".", "...", "?!", "…", "* * *"])
def test_empty(text: str) -> None:
    assert _kind(text) == "empty"


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("pl", "nic"),
        ("pl", "NIC!!!"),
        ("pl", "niccc"),
        ("pl", "Nie wiem."),
        ("pl", "nie mam zastrzezen"),
        ("pl", "brak"),
        ("pl", "Na razie brak uwag, dziękuję"),
        ("pl", "jw"),
        ("pl", "J.w."),
        ("pl", "n/d"),
        ("pl", "nie nie nie"),
        ("uk", "нічого"),
        ("uk", "ну, не знаю..."),
        ("uk", "Не пам'ятаю"),
        ("uk", "немає 🙂"),
        ("uk", "без коментарів"),
        ("uk", "дивись вище"),
        ("ru", "ничего"),
        ("ru", "Ничё"),
        ("ru", "НЕТ"),
        ("ru", "да не знаю даже"),
        ("ru", "затрудняюсь ответить"),
        ("ru", "я уже написал выше"),
        ("ru", "н/д"),
        ("en", "nothing"),
        ("en", "Nothing really, thanks"),
        ("en", "N/A"),
        ("en", "I don’t know"),
        ("en", "as above"),
        ("en", "honestly, no idea"),
        ("en", "no"),
        # One word is too little to tell a language by: every list counts whatever was detected.
        ("und", "brak"),
        ("de", "не знаю"),
        ("pl", "-"),
        ("en", "- / / -"),
    ],
)
def test_non_answers(language: str, text: str) -> None:
    assert _kind(text, language) == "non_answer"


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "asdfgh"),
        ("en", "qwerty uio uio"),
        ("pl", "qwerty"),
        ("pl", "asdasd"),
        ("pl", "qweqweqwe"),
        ("uk", "йцукен"),
        ("uk", "фівапролд"),
        ("ru", "фывапр"),
        ("ru", "лдорпавыф"),
        ("ru", "ффф"),
        ("en", "xxxxxxxx"),
        ("en", "x"),
        ("pl", "dfgkjhsdf"),
        ("en", "bla bla bla"),
        ("ru", "хахахаха"),
        ("uk", "тест"),
        ("en", "test 12345"),
        ("pl", "12345"),
        ("und", "asdf"),
    ],
)
def test_junk(language: str, text: str) -> None:
    assert _kind(text, language) == "junk"


@pytest.mark.parametrize(
    ("language", "text"),
    [
        # Reasons that begin, end or sound like a non-answer.
        ("pl", "nic nie działa"),
        ("pl", "brak ciepłej wody"),
        ("pl", "nie wiem, gdzie jest moja paczka"),
        ("pl", "bez kolejki"),
        ("pl", "drogo"),
        ("uk", "немає гарячої води"),
        ("uk", "нічого не працює"),
        ("uk", "не знаю, навіщо стільки довідок"),
        ("uk", "все дорого"),
        ("ru", "нет лифта"),
        ("ru", "все дорого"),
        ("ru", "ничего не объяснили"),
        ("ru", "не знаю номер заказа, смс не пришла"),
        ("en", "nothing works"),
        ("en", "no parking"),
        ("en", "not sure the repair was done"),
        ("en", "same driver was rude again"),
        # Bare verdicts are the model's to tell.
        ("pl", "ok"),
        ("pl", "nic, wszystko gra"),
        ("uk", "жах"),
        ("ru", "норм"),
        ("en", "meh"),
        ("en", "10/10"),
        ("en", "👍"),
        ("ru", "🤡🤡🤡"),
        ("en", ":)"),
        ("ru", ")))"),
        # Words that fingers find along a row of keys, or with few vowels.
        ("en", "were"),
        ("en", "crew"),
        ("en", "property"),
        ("ru", "просить"),
        ("uk", "пропав"),
        ("uk", "мить"),
        ("pl", "bezwzględny"),
        ("ru", "агентств"),
        ("pl", "mama"),
        ("de", "Rückstau"),
        ("cs", "čtvrthrst"),
    ],
)
def test_reasons_and_verdicts_are_left_to_the_model(language: str, text: str) -> None:
    assert _kind(text, language) is None


@pytest.mark.parametrize(
    ("language", "question", "text", "kind"),
    [
        # An open question makes a bare "no" a non-answer; a closed one makes it an answer.
        ("en", "Is there anything we could do better?", "no", "non_answer"),
        ("en", "Was your room clean?", "no", None),
        ("pl", "Co możemy poprawić?", "nie", "non_answer"),
        ("pl", "Czy pokój był czysty?", "nie", None),
        ("uk", "Чому саме така оцінка?", "так", "non_answer"),
        ("uk", "Чи вирішили вашу проблему?", "ні", None),
        ("ru", "Что ещё хотите добавить?", "нет", "non_answer"),
        ("ru", "Удалось решить вопрос?", "нет", None),
        # "Nothing" stays a non-answer: that it is praise here is the model's to say.
        ("en", "What could we improve?", "Nothing", "non_answer"),
        # A number answers a question for one.
        ("en", "How many days did you wait?", "14", None),
        ("uk", "Скільки днів ви чекали?", "14", None),
        ("en", "Why this score?", "14", "junk"),
    ],
)
def test_the_question_counts(language: str, question: str, text: str, kind: str | None) -> None:
    assert _kind(text, language, question) == kind


@given(
    phrase=st.sampled_from(sorted(_RULES.non_answers)),
    before=st.sampled_from(["", " ", "... ", "😀 "]),
    after=st.sampled_from(["", ".", "!!!", " 😡", "?", "\n"]),
    upper=st.booleans(),
)
def test_case_marks_and_emoji_do_not_matter(phrase: str, before: str, after: str, upper: bool) -> None:
    assert _kind(before + (phrase.upper() if upper else phrase) + after) == "non_answer"


@given(text=st.text(max_size=300), language=st.sampled_from(["pl", "uk", "ru", "en", "de", "und"]))
def test_any_text_gets_one_of_the_kinds(text: str, language: str) -> None:
    assert _kind(text, language) in ("empty", "non_answer", "junk", None)
    assert _kind(text + " kurier zgubił paczkę", language) is None


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("words",), [], "the file: unknown key words"),
        (("languages",), [], "languages: must map language codes"),
        (("languages", "pl", "slang"), [], "languages.pl: unknown key slang"),
        (("languages", "pl", "non_answers"), "nic", "languages.pl.non_answers: must be a list"),
        (("languages", "pl", "non_answers", 0), False, r"languages.pl.non_answers\[0\]: must be a text"),
        (("languages", "pl", "non_answers", 0), "--", r"languages.pl.non_answers\[0\]: has no letter"),
        (("keyboards",), [], "keyboards: must be a list that is not empty"),
        (("vowels",), 3, "vowels: must be a text"),
    ],
)
def test_broken_rules_are_refused_with_file_and_key(path: tuple[Any, ...], value: Any, message: str) -> None:
    data = copy.deepcopy(_DATA)
    place = data
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(PolicyError, match=rf"^own\.yaml: {message}"):
        parse_rules(data, "own.yaml")


@pytest.mark.parametrize(
    "text",
    [
        "Nie, dziękuję",
        "Ні, дякую",
        "Нет, спасибо",
        "Nie mam żadnych uwag, dziękuję",
        "Предложений нет",
        "Пропозицій немає",
    ],
)
def test_a_thankful_no_is_no_answer(text: str) -> None:
    assert _kind(text) == "non_answer"


@pytest.mark.parametrize("text", ["Dziękuję", "nie polecam", "nie, dziękuję, obsługa okropna", "tak, polecam"])
def test_thanks_and_verdicts_beside_a_no_are_left_to_the_model(text: str) -> None:
    assert _kind(text) is None


def test_a_thankful_yes_answers_a_question_of_yes_or_no() -> None:
    assert _kind("Tak, dziękuję", question="Czy pokój był czysty?") is None
    assert _kind("Tak, dziękuję", question="Co możemy poprawić?") == "non_answer"
