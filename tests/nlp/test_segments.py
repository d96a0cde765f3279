"""Where verbatims are cut: sentences as people type them, clauses set against each other, and what must stay whole."""

import subprocess
import sys
import threading
import time
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlp.segments import Segmenter, trimmed
from nlp.types import Span

_LANGUAGES = ("pl", "uk", "ru", "en", "und")
_OTHER_LANGUAGES = ("de", "hy", "zh", "ja")
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
        # Contrasted single words: each is a judgement.
        ("pl", "smacznie, | ale drogo"),
        ("pl", "Było miło. | Smacznie, | choć drogo! | Wrócimy"),
        ("uk", "смачно, | але дорого"),
        ("ru", "вкусно | но дорого"),
        ("ru", "Дорого, | зато вкусно"),
        ("en", "tasty | but pricey"),
        ("en", "Tasty, | although pricey"),
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
        ("en", "pretty good though"),
        ("pl", "dobre, z drugiej strony"),
        ("en", "Fine; expensive"),
        # Single words that judge nothing, or are one statement with what follows.
        ("en", "Yes, but slowly"),
        ("pl", "Nie, ale prawie"),
        ("en", "Nobody but me"),
        ("pl", "Cyrk, a nie sklep"),
        ("ru", "Цирк, а не магазин"),
        ("uk", "Курка, правда, смачна"),
        ("uk", "Мікрофон зате гарний"),
        ("en", "Food though: crisps"),
        # Elsewhere a piece has two words at least.
        ("pl", "Drogo, ale bardzo smacznie"),
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


@pytest.mark.parametrize(
    ("language", "cut"),
    [
        ("de", "Alles gut. | Gerne wieder, aber nicht am Montag."),
        ("de", "Montage z. B. von Dr. Müller am 3. Mai für 3.5 Euro. | Danke!"),
        ("de", "Nie wieder! | „Kein Interesse“, sagte er. | (Bitte antworten.)"),
        ("de", "Alles super 😀 | Danke\n|Gerne wieder"),
        ("pt", "O Sr. Silva foi ótimo. | Por que tão caro? | Nunca mais"),
        ("es", "Muy caro. | ¿Por qué? | ¡Nunca más!"),
        ("it", "Tutto bene… | Grazie, ciao!"),
        ("el", "Γιατί; | Καλό φαγητό. | Θα ξανάρθω"),
        ("hy", "Ի՞նչ եղավ։ | Շատ թանկ էր: | Լավ էր"),
        ("hi", "खाना अच्छा था। | सेवा धीमी क्यों थी? | धन्यवाद"),
        ("ar", "الخدمة ممتازة. | لماذا التأخير؟ | شكرا"),
        ("am", "ምግቡ ጥሩ ነው። | ዋጋው ውድ ነው"),
        # A language that spaCy knows only with a dictionary, and one that it does not know.
        ("ko", "서비스가 좋았습니다. | 다시 올게요!"),
        ("ka", "კარგი იყო. | ძვირია"),
        ("pt-BR", "Ótimo. | Caro"),
    ],
)
def test_other_languages_are_cut_by_sentence(language: str, cut: str) -> None:
    text = cut.replace(" | ", " ").replace("|", "")
    assert _pieces(text, language) == [piece.strip() for piece in cut.split("|")]


@pytest.mark.parametrize(
    ("language", "cut"),
    [
        ("zh", "服务很好。|但是3.5元太贵了！|下次不来"),
        ("ja", "とても良い。|でも高い！！|また来ます"),
        ("hy", "Լավ էր։|Շատ թանկ"),
        ("de", "Alles gut!|Danke.|Gerne"),
    ],
)
def test_other_languages_need_no_blank_after_a_sentence(language: str, cut: str) -> None:
    assert _pieces(cut.replace("|", ""), language) == cut.split("|")


def test_other_languages_may_be_cut_from_several_threads() -> None:
    texts = [("de", "Alles gut. Danke."), ("es", "Muy caro. ¿Por qué?"), ("hi", "खाना अच्छा था। धन्यवाद")] * 20
    segmenter, found = Segmenter(), {}

    def work(offset: int) -> None:
        for at in range(offset, len(texts), 4):
            found[at] = segmenter.segment(texts[at][1], texts[at][0])

    threads = [threading.Thread(target=work, args=(offset,)) for offset in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {at: _SEGMENTER.segment(text, language) for at, (language, text) in enumerate(texts)}


def test_the_four_languages_load_neither_spacy_nor_torch() -> None:
    script = """
import sys
from nlp.segments import Segmenter
for language in ("pl", "uk", "ru", "en", "und", "en-GB"):
    assert len(Segmenter().segment("Super. Wrócę tu!", language)) == 2
print([name for name in ("spacy", "torch", "thinc") if name in sys.modules])
assert len(Segmenter().segment("Alles gut. Danke.", "de")) == 2
print("spacy" in sys.modules)
"""
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["[]", "True"]


@pytest.mark.parametrize(
    ("whole", "kept"),
    [
        ("Kurier spóźnił się trzy dni,", "Kurier spóźnił się trzy dni"),
        ("a na infolinii nikt nie odbiera.", "a na infolinii nikt nie odbiera"),
        ("Plusy: cena;", "Plusy: cena"),
        ("drogo...", "drogo"),
        ("дорого… ", "дорого"),
        ("Minusy:", "Minusy"),
        ("Too slow -", "Too slow"),
        ("- słaby karton", "słaby karton"),
        ("+ szybka wysyłka,", "szybka wysyłka"),
        ("• темна тема", "темна тема"),
        (", ale drogo", "ale drogo"),
        ("...ale drogo", "ale drogo"),
        # What carries meaning stays.
        ("Polecam!", "Polecam!"),
        ("Polecam!.", "Polecam!"),
        ("why?!", "why?!"),
        ('"nie da się".', '"nie da się"'),
        ("(nikt nie odbiera).", "(nikt nie odbiera)"),
        ("Rewelacja :)", "Rewelacja :)"),
        (":) rewelacja", ":) rewelacja"),
        ("ok 👍", "ok 👍"),
        ("-5 stopni w pokoju", "-5 stopni w pokoju"),
        ("solid C+", "solid C+"),
        ("Tel. <PHONE>", "Tel. <PHONE>"),
        # Nothing else is in it.
        ("...", "..."),
        ("- ,", "- ,"),
    ],
)
def test_evidence_is_shown_without_the_marks_around_it(whole: str, kept: str) -> None:
    text = f"Abc.{whole}Xyz"
    assert trimmed(text, Span(4, 4 + len(whole))).of(text) == kept


def test_the_contract_example_has_the_contract_offsets() -> None:
    text = "Kurier spóźnił się trzy dni, a na infolinii nikt nie odbiera. Tel. <PHONE>"
    spans = _SEGMENTER.segment(text, "pl")
    assert [trimmed(text, span) for span in spans] == [Span(0, 27), Span(29, 60), Span(62, 74)]
    assert trimmed(text, Span(spans[0].start, spans[1].end)) == Span(0, 60)


@given(
    text=st.one_of(st.text(max_size=60), st.lists(st.sampled_from(_MARKS), max_size=12).map("".join)),
    ends=st.tuples(st.integers(0, 60), st.integers(0, 60)),
)
def test_a_trimmed_span_lies_inside_and_is_never_empty(text: str, ends: tuple[int, int]) -> None:
    start, end = sorted(min(place, len(text)) for place in ends)
    inner = trimmed(text, Span(start, end))
    assert start <= inner.start <= inner.end <= end
    assert (inner.start < inner.end) == (start < end)
    assert trimmed(text, inner) == inner


@settings(max_examples=300, deadline=None)
@given(
    text=st.one_of(st.text(max_size=200), st.lists(st.sampled_from(_MARKS), max_size=60).map("".join)),
    language=st.sampled_from((*_LANGUAGES, *_OTHER_LANGUAGES)),
)
def test_spans_are_ordered_trimmed_and_cover_all_that_is_not_blank(text: str, language: str) -> None:
    spans = _SEGMENTER.segment(text, language)
    covered = {at for span in spans for at in range(span.start, span.end)}
    assert all(0 <= span.start < span.end <= len(text) for span in spans)
    assert all(left.end <= right.start for left, right in pairwise(spans))
    assert all(span.of(text) == span.of(text).strip() for span in spans)
    assert all(character.isspace() or at in covered for at, character in enumerate(text))
    assert spans == _SEGMENTER.segment(text, language)


@pytest.mark.parametrize("language", ["pl", "de", "ja"])
@pytest.mark.parametrize(
    "unit",
    [
        *("a", "a.", ".", "((", "😀", " - +", "no, a ", "choć a,", " 1) (", "www.", "nie a, a "),
        "Zupa zimna, ale tania. ",
        *("。", "'", ":-)", "http://a.", ", "),
    ],
)
def test_ten_thousand_characters_of_anything_take_a_blink(unit: str, language: str) -> None:
    text = (unit * 10_000)[:10_000]
    _SEGMENTER.segment("Warm.", language)
    started = time.thread_time()  # of this thread alone: a busy machine makes nothing slower
    for span in _SEGMENTER.segment(text, language):
        trimmed(text, span)
    assert time.thread_time() - started < 1.0
