"""Where verbatims are cut: sentences as people type them, clauses set against each other, and what must stay whole."""

import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlp.segments import Segmenter

_LANGUAGES = ("pl", "uk", "ru", "en", "de", "und")
_MARKS = [
    *".!?…,;:()-–+•\n 1a",
    ", ale ",
    ", а ",
    " но ",
    "though",
    "Plusy: ",
    "😀",
    ":)",
    "np.",
    "грн.",
    "слово",
    "Word",
]
_SEGMENTER = Segmenter()


def _pieces(text: str, language: str) -> list[str]:
    return [span.of(text) for span in _SEGMENTER.segment(text, language)]


@pytest.mark.parametrize(
    ("language", "cut"),
    [
        # Sentences with capitals, without them, without the space, with runs of marks.
        ("pl", "Paczka dotarła. | Polecam sklep!"),
        ("pl", "szybko. | polecam"),
        ("uk", "Все прийшло вчасно… | Дякую!"),
        ("ru", "Никто не отвечает!!! | Почему? | Верните деньги"),
        ("en", "Great place. | would go again"),
        ("en", "never again... | but the soup was nice"),
        ("de", "Alles gut. | Gerne wieder, aber nicht am Montag."),
        # Smileys as full stops.
        ("ru", "Всё подошло)) | Рекомендую друзьям"),
        ("pl", "Bardzo miła obsługa 😀 | Wrócę tu na pewno"),
        ("uk", "Швидка доставка 👍 | дуже смачна піца"),
        ("en", "Loved the room :) | Breakfast was cold"),
        # Lines and lists.
        ("pl", "brudno w łazience\n|zimna woda"),
        ("uk", "- черга\n|- грубий касир"),
        ("ru", "1. Долго ждали | 2. Суп холодный"),
        ("en", "What I liked: | 1) the view | 2) the price"),
        ("pl", "Brakuje mi: | • filtra cen | • ciemnego motywu"),
        # Contrasted clauses.
        ("pl", "Obsługa bardzo miła, | ale ceny są wysokie"),
        ("pl", "dojazd jest dobry | natomiast parking za drogi"),
        ("pl", "Kurier spóźnił się trzy dni, | a na infolinii nikt nie odbiera."),
        ("pl", "Jedzenie było pyszne, | tylko czekaliśmy godzinę"),
        ("pl", "Choć pokój był mały, | łóżko bardzo wygodne"),
        ("uk", "Лікар уважний, | але в черзі сиділи годину"),
        ("uk", "Ціни низькі | проте вибору немає"),
        ("uk", "Кава смачна, | хоча десерти сухі"),
        ("uk", "Хоча зал маленький, | атмосфера чудова"),
        ("ru", "Товар хороший, | но упаковка порвана"),
        ("ru", "Ехали долго | зато водитель вежливый"),
        ("ru", "Номер чистый, | а кондиционер не работает"),
        ("ru", "Несмотря на очередь, | обслужили быстро"),
        ("en", "The staff were kind, | but the food was cold"),
        ("en", "nice app | although it crashes a lot"),
        ("en", "My room was great, | while the pool was closed"),
        ("en", "Although the queue was long, | it moved fast"),
        # Pros and cons.
        ("pl", "Plusy: cena i wygląd | Minusy: bateria"),
        ("uk", "Переваги: тихий | Недоліки: важкий"),
        ("ru", "Достоинства: экран. | Недостатки: звук. | Комментарий: беру ещё"),
        ("en", "Pros: light | Cons: short cable"),
        ("pl", "+ szybka wysyłka | - słaby karton"),
        ("en", "Fine phone; | poor battery life"),
    ],
)
def test_is_cut(language: str, cut: str) -> None:
    pieces = [piece.strip(" ") for piece in cut.split("|")]
    text = cut.replace(" | ", " ").replace("|", "")
    assert _pieces(text, language) == [piece.strip() for piece in pieces]


def test_a_missing_space_after_a_full_stop_still_cuts() -> None:
    assert _pieces("szybko i tanio.polecam", "pl") == ["szybko i tanio.", "polecam"]
    assert _pieces("Все добре.Дякую", "uk") == ["Все добре.", "Дякую"]
    assert _pieces("всё ок!советую", "ru") == ["всё ок!", "советую"]


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("pl", "Sklep przy ul. Długiej, m.in. z pieczywem, np. z chlebem"),
        ("pl", "Tel. <PHONE> proszę o kontakt z dr. Nowakiem"),
        ("pl", "Umowa nr 12.3/2024 z 12.05.2024 na kwotę 3.50 zł o 12.30"),
        ("pl", "Pan J. Nowak mieszka na 3. piętrze"),
        ("uk", "Заплатив 250 грн. за доставку на вул. Садову, 5 хв. пішки"),
        ("uk", "Офіс у м. Київ біля метро"),
        ("ru", "Стоит 300 руб. за штуку, скидки, акции и т.д. не работают"),
        ("ru", "Мастер А. Б. Петров приехал в г. Минск"),
        ("en", "I spoke to Mr. Smith, e.g. about the fee of 3.5 percent"),
        ("en", "See https://shop.example.com/a.b?c=1 or mail <EMAIL>"),
        ("en", "I ordered on allegro.pl and got faktura.pdf"),
        # Words that look like a contrast and are none.
        ("pl", "Zapłaciłem za to tylko dwa złote"),
        ("pl", "Podano nie ciepłą, tylko zimną zupę"),
        ("uk", "Дайте хоча б маленьку знижку постійним клієнтам"),
        ("uk", "Привезли не синій, а чорний диван"),
        ("ru", "Привезли шкаф, а также стол и стулья"),
        ("ru", "Хотя бы один оператор взял трубку"),
        ("en", "There was nothing but trouble with this thing"),
        # A piece of one word stays with its neighbour.
        ("pl", "smacznie, ale drogo"),
        ("en", "pretty good though"),
        # Signs that are dashes or sums.
        ("pl", "telefon + etui za 100 zł"),
        ("ru", "Цена - просто космос"),
        # No punctuation at all.
        ("pl", "czekałem dwie godziny i nikt nie przyszedł"),
    ],
)
def test_stays_whole(language: str, text: str) -> None:
    assert _pieces(text, language) == [text]


@pytest.mark.parametrize("text", ["", " ", "\n\n"])
def test_a_blank_text_has_no_spans(text: str) -> None:
    assert _pieces(text, "pl") == []


def test_language_tags_with_a_region_are_understood() -> None:
    assert _pieces("Good food, but slow service", "en-GB") == ["Good food,", "but slow service"]


@settings(max_examples=300, deadline=None)
@given(
    text=st.one_of(st.text(max_size=200), st.lists(st.sampled_from(_MARKS), max_size=60).map("".join)),
    language=st.sampled_from(_LANGUAGES),
)
def test_spans_are_ordered_trimmed_and_cover_all_that_is_not_blank(text: str, language: str) -> None:
    spans = _SEGMENTER.segment(text, language)
    covered = {at for span in spans for at in range(span.start, span.end)}
    assert all(0 <= span.start < span.end <= len(text) for span in spans)
    assert all(left.end <= right.start for left, right in pairwise(spans))
    assert all(span.of(text) == span.of(text).strip() for span in spans)
    assert all(character.isspace() or at in covered for at, character in enumerate(text))
    assert spans == Segmenter().segment(text, language)


@pytest.mark.parametrize(
    "unit",
    ["a", "a.", ".", "((", "😀", " - +", "no, a ", "choć a,", " 1) (", "www.", "nie a, a ", "Zupa zimna, ale tania. "],
)
def test_ten_thousand_characters_of_anything_take_a_blink(unit: str) -> None:
    text = (unit * 10_000)[:10_000]
    started = time.perf_counter()
    _SEGMENTER.segment(text, "pl")
    assert time.perf_counter() - started < 1.0
