"""Finds the name that a person gives as their own."""

import re
from collections.abc import Iterator

from nlp.patterns import NameRules
from nlp.types import Span

_WORD = re.compile(r"[^\W\d_]+(?:['’ʼ-][^\W\d_]+)*")
_GAP = re.compile(r"\s*[:,–-]?\s*")
_BETWEEN = re.compile(r"[ \t]+")
_BETWEEN_AFTER_SHORT = re.compile(r"\.?[ \t]*")
_NAME_OVER = re.compile(r"\s*(?:[.,!?;:()\n–-]|$)")
# After a signature: the end of the line, how to reach the person, or a pictograph.
_SIGNATURE_OVER = re.compile(
    r"[ .!,:;)|]*(?:\n|$|<[A-Z_]+>|(?:tel|тел|phone|e-?mail)\b|[+(]?\d[\d ()-]{5}|"
    r"[\u2600-\u27bf]|[\U0001f300-\U0001faff])",
    re.IGNORECASE,
)
_STOP = re.compile(r"[.!]")
_SENTENCE_HEAD = re.compile(r"(?:^|[.!?,\n(])\s*\Z")
_MOST_WORDS = 3
# How far back the head of a sentence may stand from the phrase: its last stop and the blanks after it.
_HEAD_REACH = 4


def find_names(rules: NameRules, text: str) -> Iterator[Span]:
    """The names in `text`, each after one of the phrases of the policy."""
    for phrase in rules.phrases.finditer(text):
        yield from _after(rules, text, phrase, any_case=True)
    for phrase in rules.capitalised.finditer(text):
        yield from _after(rules, text, phrase, any_case=False)
    for phrase in rules.openings.finditer(text):
        if _SENTENCE_HEAD.search(text[max(0, phrase.start() - _HEAD_REACH) : phrase.start()]):
            for name in _after(rules, text, phrase, any_case=False):
                if " " in name.of(text) or _NAME_OVER.match(text, name.end):
                    yield name
    for phrase in rules.signatures.finditer(text):
        stop = _STOP.match(text, phrase.end())
        for name in _after(rules, text, phrase, any_case=False, start=stop.end() if stop else None):
            # After a full stop one word alone may be a verdict: "Pozdrawiam. Dramat."
            if _SIGNATURE_OVER.match(text, name.end) and (not stop or " " in name.of(text)):
                yield name


def _after(
    rules: NameRules, text: str, phrase: re.Match[str], any_case: bool, start: int | None = None
) -> Iterator[Span]:
    start = phrase.end() if start is None else start
    # In a text all in capitals a capital says nothing.
    words = _capitalised(rules, text, start, allow_capitals=not phrase[0].isupper())
    if not words and any_case:
        words = _lower_case(rules, text, start)
    if words:
        yield Span(words[0].start(), words[-1].end())


def _words(rules: NameRules, text: str, start: int) -> Iterator[re.Match[str]]:
    """The words from `start` on that could be a name: titles, initials and whatever is not a stop word."""
    gap = _GAP.match(text, start)
    at = gap.end() if gap else start
    named = 0
    while named < _MOST_WORDS and (word := _WORD.match(text, at)):
        lowered = word[0].lower()
        if lowered in rules.stop and not (len(word[0]) == 1 and text[word.end() : word.end() + 1] == "."):
            return
        yield word
        short = len(word[0]) == 1 or lowered in rules.titles
        named += lowered not in rules.titles
        between = (_BETWEEN_AFTER_SHORT if short else _BETWEEN).match(text, word.end())
        if between is None:
            return
        at = between.end()


def _capitalised(rules: NameRules, text: str, start: int, allow_capitals: bool) -> list[re.Match[str]]:
    words: list[re.Match[str]] = []
    for word in _words(rules, text, start):
        shouted = len(word[0]) > 1 and word[0].isupper()
        if not (word[0][0].isupper() or word[0].lower() in rules.titles) or (shouted and not allow_capitals):
            break
        words.append(word)
    return words if any(word[0].lower() not in rules.titles for word in words) else []


def _lower_case(rules: NameRules, text: str, start: int) -> list[re.Match[str]]:
    """One word, and a second where its ending or what follows shows that it is a surname."""
    words = list(_words(rules, text, start))[:2]
    if len(words) == 2 and not (words[1][0].lower().endswith(rules.endings) or _is_over(rules, text, words[1].end())):
        words.pop()
    return words


def _is_over(rules: NameRules, text: str, at: int) -> bool:
    if _NAME_OVER.match(text, at):
        return True
    blank = _BETWEEN.match(text, at)
    following = _WORD.match(text, blank.end()) if blank else None
    return following is not None and following[0].lower() in rules.joins
