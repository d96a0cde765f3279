"""Comments that give no reason and can be told by rule: empty, a non-answer, or keyboard mash."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nlp.nodes import Node

# Fewest neighbouring keys that count as a run of the fingers; fewest letters of a word made of runs ("мить" is a word).
_RUN = 3
_MASH_LENGTH = 5
# By the longest run of a word, the part of it that must lie in runs: "crew", "просить" and "некую" hold runs, too, but
# no word holds five keys in a row. With runs of three, all must be the same one ("asdasd"): "пропав" is a word.
_SHARE_BY_LONGEST_RUN = {3: 1.0, 4: 0.9, 5: 0.6}
# No non-answer is longer, fillers included.
_LONGEST_NON_ANSWER = 12
# "bzdrgl" has no vowel; abbreviations without one ("tbh", "zł/szt") are shorter.
_VOWELLESS_LENGTH = 5
# Longer than any cluster of consonants in the languages of the rules ("przestępstw" has four, "агентств" five).
_CONSONANTS = 7
_LANGUAGE_UNKNOWN = "und"
_PHRASE_LISTS = ("non_answers", "fillers", "yes_no", "counting", "open_questions")

_EMOTICON = re.compile(r"[:;=xX8]['-]?[)(\]\[DPpOo3*/|]+|\)+|\(+|<3|\^_*\^")
_APOSTROPHES = re.compile(r"(?<=\w)['’ʼ`](?=\w)")
_NOT_WORD = re.compile(r"[\W_]+")
_DRAWN_OUT = re.compile(r"(.)\1{2,}")
_REPEATED_UNIT = re.compile(r"([^\W\d_]{2,5})\1{2,}[^\W\d_]{0,2}")
_REPEATED_WORD = re.compile(r"\b(\w+)(?: \1\b)+")
_UNACCENTED = str.maketrans({"ł": "l", "ø": "o", "đ": "d"})


@dataclass(frozen=True, slots=True)
class JustifyRules:
    """What the rules know; phrases are evened out as the comments are, words joined by one blank."""

    languages: frozenset[str]
    non_answers: frozenset[str]
    fillers: frozenset[str]
    yes_no: frozenset[str]
    counting: frozenset[str]
    open_questions: frozenset[str]
    marks: frozenset[str]
    junk: frozenset[str]
    keyboards: tuple[str, ...]
    vowels: frozenset[str]


def rule_kind(rules: JustifyRules, text: str, language: str, question: str | None) -> str | None:
    """`empty`, `non_answer` or `junk`; None where it may say something (a bare emoji does: it is a verdict)."""
    words = text.split()
    if len(words) > _LONGEST_NON_ANSWER and any(map(str.isalpha, text)):
        return "junk" if _is_mash(rules, text, language) else None
    bare = "".join(words)
    if bare in rules.marks:
        return "non_answer"
    phrase = _even(text)
    if not phrase:
        return None if _EMOTICON.fullmatch(bare) or _has_symbol(bare) else "empty"
    if bare.isdecimal():
        return None if _has_any(rules.counting, question) else "junk"
    says_yes_or_no = bool(question) and not _has_any(rules.open_questions, question)
    if phrase in rules.yes_no:
        return None if says_yes_or_no else "non_answer"
    if _is_non_answer(rules, phrase, says_yes_or_no):
        return "non_answer"
    if _without_numbers(phrase) in rules.junk or _is_mash(rules, text, language):
        return "junk"
    return None


def parse_rules(data: Mapping[str, Any], source: str) -> JustifyRules:
    """Rules from loaded YAML; PolicyError names `source` and the key that is wrong."""
    root = Node(data, source)
    root.check_keys(("languages", "marks", "junk", "keyboards", "vowels"))
    languages = root.at("languages")
    if not isinstance(languages.value, Mapping) or not languages.value:
        raise languages.wrong("must map language codes to their lists")
    lists: dict[str, list[str]] = {key: [] for key in _PHRASE_LISTS}
    for code in languages.value:
        entry = languages.at(code)
        entry.check_keys(_PHRASE_LISTS)
        for key, phrases in lists.items():
            phrases += [_phrase(item) for item in entry.at(key).items()]
    return JustifyRules(
        languages=frozenset(str(code) for code in languages.value),
        **{key: frozenset(phrases) for key, phrases in lists.items()},
        marks=frozenset("".join(item.text().split()) for item in root.at("marks").items()),
        junk=frozenset(_phrase(item) for item in root.at("junk").items()),
        keyboards=tuple(item.text() for item in root.at("keyboards").items()),
        vowels=frozenset(root.at("vowels").text()),
    )


def _phrase(node: Node) -> str:
    phrase = _even(node.text())
    if not phrase:
        raise node.wrong("has no letter or digit in it; such marks go under `marks`")
    return phrase


def _even(text: str) -> str:
    """Lower case without accents, marks and emoji; drawn-out letters and repeated words once, one blank between."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    letters = "".join(c for c in decomposed if not unicodedata.combining(c)).translate(_UNACCENTED)
    words = _NOT_WORD.sub(" ", _APOSTROPHES.sub("", letters)).strip()
    return _REPEATED_WORD.sub(r"\1", _DRAWN_OUT.sub(r"\1", words))


def _without_numbers(phrase: str) -> str:
    return " ".join(word for word in phrase.split() if not word.isdecimal())


def _has_symbol(bare: str) -> bool:
    """Whether a text without letters holds a pictograph, which is a verdict and not nothing."""
    return any(unicodedata.category(character) == "So" for character in bare)


def _has_any(phrases: frozenset[str], question: str | None) -> bool:
    asked = f" {_even(question or '')} "
    return any(f" {phrase} " in asked for phrase in phrases)


def _is_non_answer(rules: JustifyRules, phrase: str, says_yes_or_no: bool) -> bool:
    """Whether fillers at both ends leave a non-answer, or leave nothing of a yes or a no ("nie, dziękuję")."""
    words = phrase.split()
    if len(words) > _LONGEST_NON_ANSWER:
        return False
    found = rules.non_answers if says_yes_or_no else rules.non_answers | rules.yes_no
    answered = not says_yes_or_no and not rules.yes_no.isdisjoint(words)
    waiting, seen = [(0, len(words))], set()
    while waiting:
        start, end = place = waiting.pop()
        rest = " ".join(words[start:end])
        if rest in found or (not rest and answered):
            return True
        if rest and place not in seen:
            seen.add(place)
            head, tail = (_filler_length(rules, words[start:end], from_end=at_end) for at_end in (False, True))
            waiting += [(start + head, end)] * bool(head) + [(start, end - tail)] * bool(tail)
    return False


def _filler_length(rules: JustifyRules, words: list[str], from_end: bool) -> int:
    """How many words at one end are a filler, the longest first; 0 for none."""
    for length in (3, 2, 1):
        taken = words[-length:] if from_end else words[:length]
        if len(taken) == length and " ".join(taken) in rules.fillers:
            return length
    return 0


def _is_mash(rules: JustifyRules, text: str, language: str) -> bool:
    words = [word for word in _NOT_WORD.sub(" ", text.casefold()).split() if not word.isdecimal()]
    if len(set("".join(words))) == 1:
        return True
    known = language.split("-")[0].lower() in (*rules.languages, _LANGUAGE_UNKNOWN)
    # "qwerty uio uio": runs too short to tell on their own are told by their company.
    longer = [word for word in words if len(word) > _RUN]
    return bool(longer) and all(
        _is_mashed_word(rules, word, known) if len(word) > _RUN else _runs(rules, word) == [len(word)] for word in words
    )


def _is_mashed_word(rules: JustifyRules, word: str, known: bool) -> bool:
    if not word.isalpha():
        return False
    if len(set(word)) == 1 or _REPEATED_UNIT.fullmatch(word) or _is_run_over_keys(_runs(rules, word), word):
        return True
    # Other languages do without vowels (Czech "čtvrt") or without letters that are vowels at all (Chinese).
    if not known or not all("a" <= c <= "z" or c in "ąćęłńóśźż" or "а" <= c <= "ґ" for c in word):
        return False
    longest = max(map(len, "".join(" " if c in rules.vowels else c for c in word).split()), default=0)
    return longest >= _CONSONANTS or (longest == len(word) and len(word) >= _VOWELLESS_LENGTH)


def _is_run_over_keys(runs: list[int], word: str) -> bool:
    if not runs or len(word) < _MASH_LENGTH:
        return False
    longest = min(max(runs), max(_SHARE_BY_LONGEST_RUN))
    return sum(runs) >= _SHARE_BY_LONGEST_RUN[longest] * len(word) and (longest > _RUN or len(set(word)) == _RUN)


def _runs(rules: JustifyRules, word: str) -> list[int]:
    """The lengths of the runs along a row of keys, either way, from left to right."""
    found, at = [], 0
    while at <= len(word) - _RUN:
        length = max(_run_length(row, word, at) for row in rules.keyboards)
        if length >= _RUN:
            found.append(length)
        at += length if length >= _RUN else 1
    return found


def _run_length(row: str, word: str, at: int) -> int:
    longest = 1
    for direction in (row, row[::-1]):
        length = 1
        while at + length < len(word) and word[at + length - 1 : at + length + 1] in direction:
            length += 1
        longest = max(longest, length)
    return longest
