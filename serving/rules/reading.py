"""What a condition asks for, read off its words: facts, attributes, counts. An unknown name is refused at its place."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from serving.rules.counting import COLUMNS, DIMENSIONS, Count, window
from serving.rules.tokens import Token, closing
from serving.rules.vocabulary import FACTS, FUNCTIONS, MACROS, METHODS
from serving.rules.wrong import ConditionError

_LITERALS = ("true", "false", "null", "in")


@dataclass(frozen=True, slots=True)
class Names:
    """The facts, attributes and functions that a condition names, each once."""

    facts: tuple[str, ...]
    attributes: tuple[str, ...]
    functions: tuple[str, ...]


def names_in(words: Sequence[Token]) -> Names:
    """Raises ConditionError at the first name that stands for nothing."""
    inside_counts = {place for first, last in _count_spans(words) for place in range(first, last + 1)}
    bound = _bound(words)
    facts, attributes, functions = [], [], []
    for place, word in enumerate(words):
        if word.kind != "word" or word.text in _LITERALS or place in inside_counts:
            continue
        called, after_dot = _text(words, place + 1) == "(", _text(words, place - 1) == "."
        if after_dot and called:
            _check(word, METHODS, "method")
        elif after_dot:
            _check_field(words, place)
        elif called:
            _check(word, tuple(FUNCTIONS), "function")
            functions.append(word.text)
        elif word.text == "attributes":
            attributes.append(_attribute(words, place))
            facts.append(word.text)
        elif word.text not in bound:
            _check(word, tuple(FACTS), "fact")
            facts.append(word.text)
    return Names(*(tuple(dict.fromkeys(found)) for found in (facts, attributes, functions)))


def counts_in(words: Sequence[Token]) -> list[tuple[tuple[int, int], Count]]:
    """Every `count(...)`: the first and last word between its brackets, and what it counts."""
    return [(span, _count(words, *span)) for span in _count_spans(words)]


def text_at(word: Token) -> str:
    """What a literal text says; ConditionError for anything else."""
    if word.kind != "string":
        raise ConditionError(word.start, f"must be a text in quotes, is {word.text}")
    if "\\" in word.text:
        raise ConditionError(word.start, "must be written without backslashes")
    return word.value


def arguments(words: Sequence[Token], place: int) -> list[Token]:
    """The literal texts in the brackets after the function at `place`."""
    last = closing(words, place + 1)
    inside = words[place + 2 : last]
    for index, word in enumerate(inside):
        if index % 2 and word.text != ",":
            raise ConditionError(word.start, "expected a comma or the closing bracket: the values must be plain texts")
        if not index % 2:
            text_at(word)
    return list(inside[::2])


def _text(words: Sequence[Token], place: int) -> str:
    return words[place].text if 0 <= place < len(words) else ""


def _check(word: Token, known: Sequence[str], what: str) -> None:
    if word.text in known:
        return
    if word.text in (*MACROS, "matches", "map", "has"):
        follows = f"{word.text} follows a list: signals.{word.text}(...)"
        raise ConditionError(word.start, _INSTEAD.get(word.text, follows))
    close = get_close_matches(word.text, known, 1)
    hint = f"; did you mean {close[0]}?" if close else f"; there are {', '.join(known)}"
    raise ConditionError(word.start, f"there is no {what} {word.text}{hint}")


_INSTEAD = {
    "matches": 'patterns are not supported; mentions("kurier", "paczk") finds words by how they begin',
    "map": "map is not supported; exists, all, exists_one and filter are",
    "has": "has is not needed: what the sender did not give is null, as in attributes.plan != null",
}


def _check_field(words: Sequence[Token], place: int) -> None:
    if _text(words, place - 2) != "attributes" or _text(words, place - 3) == ".":
        raise ConditionError(words[place].start, f"only attributes has fields; {_text(words, place - 2)} has none")


def _attribute(words: Sequence[Token], place: int) -> str:
    if _text(words, place + 1) == "." and place + 2 < len(words) and _text(words, place + 3) != "(":
        return words[place + 2].text
    if _text(words, place + 1) == "[" and place + 2 < len(words) and _text(words, place + 3) == "]":
        return text_at(words[place + 2])
    raise ConditionError(words[place].start, 'name the attribute: attributes.plan or attributes["plan type"]')


def _bound(words: Sequence[Token]) -> set[str]:
    """The names that loops give to the items they run over; a loop in a loop is refused, as its cost multiplies."""
    bound, end = set(), -1
    for place, word in enumerate(words):
        if word.text not in MACROS or _text(words, place - 1) != "." or _text(words, place + 1) != "(":
            continue
        if place < end:
            raise ConditionError(word.start, f"{word.text} inside another loop is not supported")
        end = closing(words, place + 1)
        item = words[min(place + 2, len(words) - 1)]
        if item.kind != "word" or item.text in (*FACTS, *FUNCTIONS, *_LITERALS):
            example = f"{word.text}(s, s != null)"
            raise ConditionError(item.start, f"{word.text} needs a new name for the item, as in {example}")
        bound.add(item.text)
    return bound


def _count_spans(words: Sequence[Token]) -> Iterator[tuple[int, int]]:
    for place, word in enumerate(words):
        called = word.text == "count" and word.kind == "word" and _text(words, place + 1) == "("
        if called and _text(words, place - 1) != ".":
            yield place + 2, closing(words, place + 1) - 1


def _count(words: Sequence[Token], first: int, last: int) -> Count:
    span = words[first : last + 1]
    shape = 'write count({"theme": "delivery", "unit": unit}, "7d")'
    if len(span) < 4 or span[0].text != "{" or span[-2].text != "," or closing(span, 0) != len(span) - 3:
        raise ConditionError(words[first - 2].start, shape)
    back = window(text_at(span[-1]))
    if back is None:
        raise ConditionError(span[-1].start, "the time must be like 30m, 24h or 7d, 366 days at most")
    inside = span[1:-3]
    pairs = [inside[start : start + 4] for start in range(0, len(inside), 4)]
    fixed: dict[str, str] = {}
    own: list[str] = []
    for number, pair in enumerate(pairs):
        whole = len(pair) == (3 if number == len(pairs) - 1 else 4)
        if not whole or pair[1].text != ":" or (len(pair) == 4 and pair[3].text != ","):
            raise ConditionError(pair[0].start, shape)
        name = text_at(pair[0])
        if name not in DIMENSIONS or name in fixed or name in own:
            raise ConditionError(pair[0].start, f"count by each of these once at most: {', '.join(DIMENSIONS)}")
        if pair[2].kind == "string":
            fixed[name] = text_at(pair[2])
        elif pair[2].text == name and name in COLUMNS and (name != "sentiment" or "theme" not in fixed):
            own.append(name)
        else:
            raise ConditionError(pair[2].start, f"must be a text in quotes, or {name} for the response's own")
    if "theme" in fixed and "sentiment" in own:
        raise ConditionError(span[0].start, "beside a theme the sentiment must be a text in quotes")
    return Count(tuple(sorted(fixed.items())), tuple(sorted(own)), back)
