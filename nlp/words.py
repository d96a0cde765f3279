"""Words of a verbatim for naming what it speaks of: lemmas, stop words, and what looks like a name."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from simplemma import Lemmatizer
from simplemma.strategies import DefaultStrategy
from simplemma.strategies.dictionaries.stream_dictionary_factory import StreamDictionaryFactory
from stopwordsiso import has_lang, stopwords

WORD = re.compile(r"<[A-Z_]+>|[@#]?[^\W_]+(?:['’ʼ-][^\W\d_]+)*|[.!?,;:()\n–—]")
_NAMED = 0.5  # share of a word's places within sentences at which it is capitalised from which it is a name
_TOWARDS, _CODE = frozenset(("to", "from", "at", "in", "into")), 3  # "from LHR to JFK"
_PLACED = 0.4  # share of a code's places after such a word from which it is one
_LEMMAS = 200_000  # words kept between calls
# The published Ukrainian list has 73 words; these complete it.
_UKRAINIAN = """
    а або адже але аж б без би бо був була були було бути в вас ваш ваша ваше ваші ви від він вона вони воно все всі
    всього втім всіх да де для до дуже є ж же з за завжди зараз зі знову й його йому і із інший інша інше інші її їй їм
    їх їхній коли краще крім куди лише майже мене мені ми мій моя моє мої може можна на навіть над нам нас наш наша наше
    наші не нема немає неї ні ніби ніж ніколи нічого ну о об однак от оце по поки потім при про проте під після разом
    сам сама самі свій своя своє свої себе собі та так така таке такий такі там твій те тебе тепер ти тим тих то тобі
    тобто тоді той тому ту тут тільки у усе усі хай хоча хто це цей цим цих ця ці цього цьому через чи чого чому що щоб
    щось як яка яке який які якщо вже ще раз дякую будь ласка треба
    могти говорити казати сказати хотіти робити зробити один два три чотири п'ять десять хвилина година
"""
_ENGLISH = (
    "doesnt dont im ive didnt wont cant isnt wasnt please amp guy guys literally fuck fucking suck sucks minute hour"
)
# Verbs and numbers that stand in any complaint and name none.
_POLISH = """
    móc mówić powiedzieć mieć musieć chcieć robić zrobić jeden dwa trzy cztery pięć dziesięć minuta godzina
"""
_RUSSIAN = "мочь говорить сказать хотеть делать сделать выполнить пить два три четыре пять десять минута"


@dataclass(frozen=True, slots=True)
class Word:
    """A word as written in lower case, and its lemma; both empty for a mark, at which no phrase goes on."""

    form: str
    lemma: str


def words(text: str, language: str) -> list[Word]:
    """The words and marks of a text; placeholders, handles and numbers count as marks."""
    return [_word(found, language) for found in WORD.findall(text)]


def is_stop(word: Word, language: str) -> bool:
    """Whether a word says nothing by itself."""
    stops = _stops(language)
    return not word.lemma or len(word.lemma) < 2 or word.form in stops or word.lemma in stops


def name_like(texts: Iterable[str]) -> frozenset[str]:
    """Words, in lower case, that look like names of people, firms and places.

    They stand capitalised within sentences more often than not, or are codes of three capitals said of where to go.
    """
    capital: Counter[str] = Counter()
    places: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    for text in texts:
        inside, before = False, ""
        for found in WORD.findall(text):
            word = found.casefold()
            if found[0].isalpha() and (inside or found.isupper()):
                seen[word] += 1
                capital[word] += inside and found[0].isupper() and not found.isupper()
                places[word] += before in _TOWARDS and len(found) == _CODE and found.isupper()
            inside, before = found[0].isalnum() or found in ",;:", word
    named = {word for word, count in capital.items() if count > _NAMED * seen[word]}
    return frozenset(named | {word for word, count in places.items() if count > _PLACED * seen[word]})


def _word(found: str, language: str) -> Word:
    if not found[0].isalpha() or any(sign.isdigit() for sign in found):
        return Word("", "")
    form = found.casefold().replace("’", "'").replace("ʼ", "'")
    return Word(form, _lemma(form, language))


@lru_cache(_LEMMAS)
def _lemma(form: str, language: str) -> str:
    try:
        return _lemmatizer().lemmatize(form, lang=language).casefold()
    except ValueError:  # a language without a dictionary
        return form


@lru_cache
def _lemmatizer() -> Lemmatizer:
    """Dictionaries stay compressed in memory: 80 MB for four languages, where plain ones take 610 MB."""
    return Lemmatizer(lemmatization_strategy=DefaultStrategy(dictionary_factory=StreamDictionaryFactory()))


@lru_cache
def _stops(language: str) -> frozenset[str]:
    listed = frozenset(word.casefold() for word in stopwords(language)) if has_lang(language) else frozenset()
    extra = {"uk": _UKRAINIAN, "en": _ENGLISH, "pl": _POLISH, "ru": _RUSSIAN}.get(language, "")
    return listed.union(extra.split())
