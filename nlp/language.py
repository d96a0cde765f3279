"""Which language a text is in: letter statistics, the letters and words that decide, and the survey's hint."""

import math
import re
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nlp.frequent_words import ENDINGS, FREQUENT
from nlp.types import Language

UNDETERMINED = "und"
_NO_LANGUAGE = "zxx"

# Placeholders, addresses and the handles of social networks are in no language.
_NO_PROSE = re.compile(r"<[A-Z_]+>|https?://\S+|www\.\S+|\S*@\S+")
_WORD = re.compile(r"[^\W\d_]+(?:['’ʼ][^\W\d_]+)*")
_APOSTROPHES = str.maketrans("’ʼ", "''")
# First and last letter of the blocks; letters come in lower case.
_LATIN = ("a", "\u024f")
_CYRILLIC = ("\u0400", "\u052f")
_SCRIPTS = {"pl": _LATIN, "en": _LATIN, "uk": _CYRILLIC, "ru": _CYRILLIC}

# Letters that only one of the supported languages of a script has (Bulgarian has ъ as well as Russian).
_LETTERS = {"pl": frozenset("ąćęłńśźż"), "uk": frozenset("іїєґ"), "ru": frozenset("ыэё")}
# Letters that none of them has: a text with one is not theirs, unless a foreign name brought it in.
_FOREIGN_LETTERS = frozenset("äöüßàâçèêëîïôûùœæøåñíìòõãúýčďěňřšťůžľĺŕőűășțğışđʼўћђљњџјѓќѕқңғүұһәөҥ")

# Weights in nats, beside the logarithm of py3langid's normalised score, which tells two languages of one script about
# three nats apart in a phrase and about six in a sentence. Set on labelled survey answers.
_FLOOR = 1e-4
_WORD_WEIGHT = 2.0
_ENDING_WEIGHT = 1.0
_LETTER_WEIGHT = 2.5
_MOST_LETTERS = 3
_HINT_WEIGHT = 1.5
_WRONG_SCRIPT = 12.0
# More words add time and no certainty.
_MOST_WORDS = 60
# Fewer words than this say too little to set a text outside the supported languages, unless its letters do.
_ENOUGH_WORDS = 4
_ENOUGH_WORDS_WITH_LETTERS = 2
_FOREIGN_MARGIN = 1.0


@dataclass(frozen=True, slots=True)
class _Evidence:
    """What a text shows: its words in lower case and how many of its letters are of which sort."""

    words: Sequence[str]
    letters: int
    latin: int
    cyrillic: int
    foreign: int
    decisive: Mapping[str, int]

    @classmethod
    def of(cls, words: Sequence[str]) -> "_Evidence":
        letters = Counter("".join(words))
        present = letters.keys()
        return cls(
            words=words,
            letters=letters.total(),
            latin=_in_script(letters, _LATIN),
            cyrillic=_in_script(letters, _CYRILLIC),
            foreign=sum(letters[letter] for letter in present & _FOREIGN_LETTERS),
            decisive={code: sum(letters[letter] for letter in present & own) for code, own in _LETTERS.items()},
        )

    def in_script_of(self, language: str) -> bool:
        script = _SCRIPTS.get(language)
        return script is None or 2 * (self.latin if script is _LATIN else self.cyrillic) >= self.letters

    def letters_for(self, language: str) -> int:
        """Decisive letters less those of other languages: і beside ы is Belarusian, or a mix, and decides nothing."""
        if language not in self.decisive:
            return 0
        net = 2 * self.decisive[language] - sum(self.decisive.values())
        return min(_MOST_LETTERS, max(0, net))


def _in_script(letters: Counter[str], script: tuple[str, str]) -> int:
    first, last = script
    return sum(count for letter, count in letters.items() if first <= letter <= last)


class LanguageDetector:
    """Tells the supported languages apart and says so when a text is in none; the model loads on first use."""

    def __init__(self, languages: Sequence[str] = ("pl", "uk", "ru", "en")) -> None:
        self._languages = tuple(languages)
        self._identifier: Any = None
        self._lock = threading.Lock()

    def detect(self, text: str, hint: str | None = None) -> Language:
        """The most likely language, confidence in [0, 1]; `hint` is a BCP 47 tag and only a prior."""
        prior = re.split("[-_]", hint.strip().lower())[0] if hint else None
        words = _WORD.findall(_NO_PROSE.sub(" ", text).lower().translate(_APOSTROPHES))[:_MOST_WORDS]
        if not words:
            return self._without_letters(prior)
        ranked = dict(self._model().rank(" ".join(words)))
        seen = _Evidence.of(words)
        scores = {code: _score(code, ranked, seen) for code in self._languages}
        if foreign := _foreign(self._languages, ranked, seen):
            scores[foreign[0]] = foreign[1]
        if prior in scores:
            scores[prior] += _HINT_WEIGHT
        best = max(scores, key=scores.__getitem__)
        confidence = 1.0 / sum(math.exp(score - scores[best]) for score in scores.values())
        return Language(best, confidence, best in self._languages)

    def _without_letters(self, prior: str | None) -> Language:
        return Language(prior if prior in self._languages else UNDETERMINED, 0.0, True)

    def _model(self) -> Any:
        if self._identifier is None:
            with self._lock:
                if self._identifier is None:
                    from py3langid.langid import MODEL_FILE, LanguageIdentifier

                    self._identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
        return self._identifier


def _score(language: str, ranked: Mapping[str, float], seen: _Evidence) -> float:
    """Nats for a supported language; frequent words count as their number over the root of all, as py3langid's do."""
    frequent, endings = FREQUENT.get(language, frozenset()), ENDINGS.get(language, ())
    votes = _WORD_WEIGHT * sum(word in frequent for word in seen.words)
    votes += _ENDING_WEIGHT * sum(word.endswith(endings) for word in seen.words) if endings else 0.0
    score = math.log(max(ranked.get(language, 0.0), _FLOOR)) + votes / math.sqrt(len(seen.words))
    score += _LETTER_WEIGHT * seen.letters_for(language)
    return score if seen.in_script_of(language) else score - _WRONG_SCRIPT


def _foreign(languages: Sequence[str], ranked: Mapping[str, float], seen: _Evidence) -> tuple[str, float] | None:
    """The likeliest language that is not supported and its nats; None where the text is too short to tell."""
    other_script = 2 * (seen.latin + seen.cyrillic) < seen.letters
    enough = _ENOUGH_WORDS_WITH_LETTERS if seen.foreign else _ENOUGH_WORDS
    if not other_script and len(seen.words) < enough:
        return None
    # py3langid ranks the likeliest first.
    code = next(code for code in ranked if code not in languages and code != _NO_LANGUAGE)
    letters = _LETTER_WEIGHT * min(_MOST_LETTERS, seen.foreign)
    return code, math.log(max(ranked[code], _FLOOR)) + letters - _FOREIGN_MARGIN
