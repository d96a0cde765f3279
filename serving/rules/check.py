"""What is found wrong with a condition before it is kept: unknown themes, values that can never be, wrong kinds."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import cel

from nlp.types import MOODS, SIGNALS
from serving.rules import calendars
from serving.rules.language import Condition
from serving.rules.reading import arguments, counts_in, text_at
from serving.rules.tokens import Token, atoms, closing, tokens
from serving.rules.vocabulary import CLOCKS, FACTS
from serving.rules.wrong import ConditionError

_EQUAL = ("==", "!=")
_KINDS = {"number": "number", "string": "text"}

_FULL: Mapping[str, Any] = {
    **{"score": 2.0, "metric": "nps", "band": "low", "group": "detractor", "priority": 1, "justified": True},
    **{"sentiment": "negative", "language": "pl", "signals": ["contact_request"], "themes": ["delivery.time"]},
    **{"text": "a comment", "source": "a", "survey": "a", "touchpoint": "a", "channel": "a", "unit": "a"},
    **{"employee": "a", "segment": "a", "value": 900.0, "consent": True, "respondent_known": True},
    **{"age_hours": 1.5, "corrected": False, "needs_review": False, "respondent": "a"},
}
"""A response that has everything: what cannot be evaluated on it never can be."""
_ATTRIBUTES = ("a", "1", 1, 1.5, True)
"""An attribute may be any of these; one that a condition can work with is enough."""


def check_condition(condition: Condition, themes: frozenset[str]) -> None:
    """Raises ConditionError at the first thing that is wrong; `themes` are the ids that may be asked for."""
    words = tokens(condition.source)
    for place, word in enumerate(words):
        called = place + 1 < len(words) and words[place + 1].text == "(" and words[place - 1].text != "."
        if word.kind == "word" and called and word.text in _ARGUMENTS:
            _ARGUMENTS[word.text](word, arguments(words, place), themes)
    for (first, last), _ in counts_in(words):
        _check_count(words[first:last], themes)
    for fact, literal in _comparisons(words):
        _check_comparison(fact, literal)
    for part in atoms(words):
        _check_part(condition, part)


def _check_theme(word: Token, given: Sequence[Token], themes: frozenset[str]) -> None:
    _number_of(word, given, 1, 2)
    _known_theme(given[0], themes)
    if len(given) == 2:
        _one_of(given[1], "sentiment", MOODS)


def _check_signal(word: Token, given: Sequence[Token], _: frozenset[str]) -> None:
    _number_of(word, given, 1, 1)
    _one_of(given[0], "signal", SIGNALS)


def _check_mentions(word: Token, given: Sequence[Token], _: frozenset[str]) -> None:
    _number_of(word, given, 1, 50)
    for item in given:
        if not text_at(item).strip():
            raise ConditionError(item.start, "must not be empty: every comment would have it")


def _check_clock(word: Token, given: Sequence[Token], _: frozenset[str]) -> None:
    most = {"working": 2, "holiday": 2}.get(word.text, 1)
    _number_of(word, given, 2 if word.text == "holiday" else 1, most)
    if not calendars.is_zone(text_at(given[0])):
        raise ConditionError(given[0].start, f"there is no time zone {text_at(given[0])}; name one like Europe/Warsaw")
    if word.text == "working" and len(given) == 2 and calendars.hours(text_at(given[1])) is None:
        raise ConditionError(given[1].start, "the hours must be like 09:00-17:00, the beginning first")
    if word.text == "holiday" and not calendars.is_country(text_at(given[1])):
        raise ConditionError(given[1].start, f"no holidays are known for {text_at(given[1])}; name a country like PL")


_ARGUMENTS: Mapping[str, Callable[[Token, Sequence[Token], frozenset[str]], None]] = {
    "theme": _check_theme,
    "signal": _check_signal,
    "mentions": _check_mentions,
    **dict.fromkeys(CLOCKS, _check_clock),
}


def _number_of(word: Token, given: Sequence[Token], least: int, most: int) -> None:
    if not least <= len(given) <= most:
        wanted = str(least) if least == most else f"{least} to {most}"
        raise ConditionError(word.start, f"{word.text} takes {wanted} texts, not {len(given)}")


def _known_theme(token: Token, themes: frozenset[str]) -> None:
    if text_at(token) not in themes:
        raise ConditionError(token.start, f"there is no theme {text_at(token)}; there are {', '.join(sorted(themes))}")


def _one_of(token: Token, what: str, known: Sequence[str]) -> None:
    if text_at(token) not in known:
        raise ConditionError(token.start, f"there is no {what} {text_at(token)}; there are {', '.join(known)}")


def _check_count(inside: Sequence[Token], themes: frozenset[str]) -> None:
    for name, value in zip(inside, inside[2:], strict=False):
        if name.kind != "string" or value.kind != "string":
            continue
        dimension = text_at(name)
        known = FACTS[dimension].known if dimension in FACTS else None
        if dimension == "theme":
            _known_theme(value, themes)
        elif known is not None:
            _one_of(value, dimension, known)


def _comparisons(words: Sequence[Token]) -> Iterator[tuple[Token, Token]]:
    """Every fact that is compared with a literal: `band == "low"`, `3 != score`, `band in ["low"]`."""
    for place in range(1, len(words) - 1):
        left, middle, right = words[place - 1 : place + 2]
        if middle.text in _EQUAL:
            yield from (pair for pair in ((left, right), (right, left)) if _is_pair(words, *pair))
        elif middle.text == "in" and right.text == "[" and left.text in FACTS:
            inside = words[place + 2 : closing(words, place + 1)]
            yield from ((left, item) for item in inside if _is_pair(words, left, item))
        elif middle.text == "in" and left.kind == "string" and right.text in FACTS:
            yield right, left


def _is_pair(words: Sequence[Token], fact: Token, literal: Token) -> bool:
    if literal.kind not in _KINDS and literal.text not in ("true", "false"):
        return False
    place = words.index(fact)
    return fact.kind == "word" and fact.text in FACTS and words[place - 1].text != "." and fact.text != "attributes"


def _check_comparison(fact: Token, literal: Token) -> None:
    found = FACTS[fact.text]
    kind = _KINDS.get(literal.kind, "flag")
    if found.kind == "map" or (found.kind == "list" and kind != "text"):
        raise ConditionError(literal.start, f"{fact.text} is a {found.kind} and never {literal.text}")
    if found.kind not in ("list", kind):
        raise ConditionError(literal.start, f"{fact.text} is a {found.kind} and never {literal.text}")
    if found.known is not None and kind == "text":
        _one_of(literal, fact.text, found.known)


def _check_part(condition: Condition, part: Sequence[Token]) -> None:
    source = condition.source[part[0].start : part[-1].end]
    program = cel.compile(source)
    found = [_sample(program, condition, value) for value in (_ATTRIBUTES if condition.attributes else (None,))]
    if any(isinstance(value, bool | IndexError) for value in found):  # how long a list is depends on the response
        return
    raise ConditionError(part[0].start, next((text for text in map(_why_not, found) if text), ""))


def _why_not(found: Any) -> str:
    if isinstance(found, TypeError):
        return "two values do not go together: a text compared or added to a number, or a wrong kind for a function"
    if isinstance(found, Exception):
        return f"cannot be evaluated ({type(found).__name__}): check the kinds of the facts and the functions' values"
    return f"must be true or false, is {_NAMES.get(type(found), 'something else')}; compare it with something"


_NAMES: Mapping[type, str] = {int: "a number", float: "a number", str: "a text", list: "a list", dict: "a map"}


def _sample(program: cel.Program, condition: Condition, attribute: Any) -> Any:
    facts = {**_FULL, "attributes": dict.fromkeys(condition.attributes, attribute)}
    try:
        return program.execute(cel.Context(variables=facts, functions=dict(_STANDING_IN)))
    except Exception as error:
        return error


_STANDING_IN: Mapping[str, Callable[..., Any]] = {
    "theme": lambda *_: True,
    "signal": lambda *_: True,
    "mentions": lambda *_: True,
    "count": lambda *_: 1,
    "hour": lambda *_: 12,
    "weekday": lambda *_: 1,
    "working": lambda *_: True,
    "holiday": lambda *_: False,
}
"""Functions answer with what they would answer some time; their values were checked by their words."""
