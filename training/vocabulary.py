"""Words whose share changed: log-odds with an informative Dirichlet prior (Monroe, Colaresi and Quinn 2008)."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from nlp.types import Classification

SUPPORT = 10  # texts of both sides together that must hold a word
SHARE = 0.01  # of one side's texts in the language: rarer words are anecdotes
TEXTS = 30  # of a language on each side for its words to be compared
PRIOR = 500.0  # texts' worth of belief that both sides speak alike
SHORTEST = 3  # letters: shorter words are mostly grammar
SHOWN = 20
_PLACEHOLDER = re.compile(r"<[A-Z_]+>")
_WORD = re.compile(r"[^\W\d_]+(?:['’ʼ-][^\W\d_]+)*")
_STOP_BEFORE = re.compile(r"(?:^|[.!?…\n:]['\"»”)\s]*)\s*\Z")
_REACH = 4  # characters before a word in which the end of a sentence is looked for


@dataclass(frozen=True, slots=True)
class Word:
    """Shares of a language's texts that hold the word; `z` is its log-odds over its standard error, > 0 for more."""

    text: str
    language: str
    before: float
    after: float
    z: float
    p: float


@dataclass(frozen=True, slots=True)
class Words:
    """All words that were compared, and the most changed ones."""

    tested: tuple[Word, ...]
    top: tuple[Word, ...]


def changed_words(before: Sequence[Classification], after: Sequence[Classification], alpha: float) -> Words:
    """Compares within each language, by texts that hold a word, however often; words of the redacted texts.

    What is written with a capital inside sentences may name somebody, and is left out.
    """
    sides = [_by_language(said) for said in (before, after)]
    tested = [
        word
        for language in sorted(sides[0].keys() & sides[1].keys())
        if min(len(side[language]) for side in sides) >= TEXTS
        for word in _compare(language, *(side[language] for side in sides))
    ]
    sure = [word for word in tested if word.p <= alpha]
    return Words(tuple(tested), tuple(sorted(sure, key=lambda word: (-abs(word.z), word.text))[:SHOWN]))


def _by_language(said: Iterable[Classification]) -> dict[str, list[str]]:
    out: dict[str, list[str]] = {}
    for each in said:
        if each.language and each.text:
            out.setdefault(each.language.code, []).append(_PLACEHOLDER.sub(" ", each.text))
    return out


def _compare(language: str, before: Sequence[str], after: Sequence[str]) -> list[Word]:
    from scipy.stats import norm

    names = _names([*before, *after])
    counts = [Counter(word for text in texts for word in words_of(text) - names) for texts in (before, after)]
    sizes = len(before), len(after)
    words = sorted(
        word
        for word in counts[0].keys() | counts[1].keys()
        if sum(count[word] for count in counts) >= SUPPORT
        and max(count[word] / size for count, size in zip(counts, sizes, strict=True)) >= SHARE
    )
    if not words:
        return []
    held = np.array([[count[word] for word in words] for count in counts], float)
    z = log_odds(held, np.array(sizes, float))
    p = 2 * norm.sf(np.abs(z))
    shares = held / np.array(sizes)[:, None]
    return [
        Word(word, language, *map(float, share), float(score), float(chance))
        for word, share, score, chance in zip(words, shares.T, z, p, strict=True)
    ]


def log_odds(held: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """z-scores (words,) of the second side's log-odds over the first's.

    held float64 (2, words): texts of each side with the word, of sizes float64 (2,).
    """
    weight = min(PRIOR, sizes.sum() / 2)  # never more belief than half of what was seen
    prior = weight * held.sum(axis=0) / sizes.sum()
    with_it = held + prior
    without = sizes[:, None] + weight - with_it
    gap = np.diff(np.log(with_it) - np.log(np.maximum(without, 0.5)), axis=0)[0]
    return gap / np.sqrt((1 / with_it).sum(axis=0))


def words_of(text: str) -> frozenset[str]:
    """The different words of a text in lower case, the shortest left out."""
    return frozenset(word.casefold() for word in _WORD.findall(text) if len(word) >= SHORTEST)


def _names(texts: Iterable[str]) -> frozenset[str]:
    """Words that inside sentences are mostly written with a capital (and not all in capitals)."""
    capital: Counter[str] = Counter()
    small: Counter[str] = Counter()
    for text in texts:
        for found in _WORD.finditer(text):
            word = found.group()
            if word[0].islower():
                small[word.casefold()] += 1
            elif not word.isupper() and not _STOP_BEFORE.search(text[max(0, found.start() - _REACH) : found.start()]):
                capital[word.casefold()] += 1
    return frozenset(word for word, count in capital.items() if count > small[word])
