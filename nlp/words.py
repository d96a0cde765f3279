"""Words of a verbatim for naming what it speaks of: lemmas, stop words, and what looks like a name."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import simplemma
from stopwordsiso import has_lang, stopwords

WORD = re.compile(r"<[A-Z_]+>|[@#]?[^\W_]+(?:['’ʼ-][^\W\d_]+)*|[.!?,;:()\n–—]")
_NAMED = 0.5  # share of a word's places within sentences at which it is capitalised from which it is a name
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
"""
_ENGLISH = "doesnt dont im ive didnt wont cant isnt wasnt please amp"


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
    """Words, in lower case, that stand capitalised within sentences more often than not: names of people and firms."""
    capital: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    for text in texts:
        inside = False
        for found in WORD.findall(text):
            if inside and found[0].isalpha():
                seen[found.casefold()] += 1
                capital[found.casefold()] += found[0].isupper() and not found.isupper()
            inside = found[0].isalnum() or found in ",;:"
    return frozenset(word for word, count in capital.items() if count > _NAMED * seen[word])


def _word(found: str, language: str) -> Word:
    if not found[0].isalpha() or any(sign.isdigit() for sign in found):
        return Word("", "")
    form = found.casefold().replace("’", "'").replace("ʼ", "'")
    return Word(form, _lemma(form, language))


@lru_cache(_LEMMAS)
def _lemma(form: str, language: str) -> str:
    try:
        return simplemma.lemmatize(form, lang=language).casefold()
    except ValueError:  # a language without a dictionary
        return form


@lru_cache
def _stops(language: str) -> frozenset[str]:
    listed = frozenset(word.casefold() for word in stopwords(language)) if has_lang(language) else frozenset()
    extra = {"uk": _UKRAINIAN, "en": _ENGLISH}.get(language, "")
    return listed.union(extra.split())
