"""The words of a condition and where they stand: what the checks on saving look at, before anything is evaluated."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""(?P<space>\s+|//[^\n]*)
    |(?P<string>[rR]?(?:"{3}(?:\\.|[^\\])*?"{3}|'{3}(?:\\.|[^\\])*?'{3}|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'))
    |(?P<number>0x[0-9a-fA-F]+u?|(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?u?)
    |(?P<word>[A-Za-z_]\w*)
    |(?P<mark>&&|\|\||[=!<>]=|[-+*/%<>!?:.,()\[\]{}])""",
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_OPENING, _CLOSING = ("(", "[", "{"), (")", "]", "}")


@dataclass(frozen=True, slots=True)
class Token:
    """A word of a condition; `start` and `end` count its characters from 0."""

    kind: str
    """string, number, word or mark."""
    text: str
    start: int
    end: int

    @property
    def value(self) -> str:
        """What a string literal says; those with a backslash say something else and are refused where we read them."""
        body = self.text.lstrip("rR")
        quotes = 3 if body[:3] in ('"""', "'''") else 1
        return body[quotes:-quotes]


def tokens(condition: str) -> list[Token]:
    """The words in order; characters that begin none are left to the compiler, which refuses them with a position."""
    found = _TOKEN.finditer(condition)
    return [Token(str(item.lastgroup), item[0], *item.span()) for item in found if item.lastgroup != "space"]


def closing(words: Sequence[Token], opening: int) -> int:
    """The index of the bracket that closes the one at `opening`; the last index where none does."""
    depth = 0
    for index in range(opening, len(words)):
        depth += (words[index].text in _OPENING) - (words[index].text in _CLOSING)
        if depth == 0:
            return index
    return len(words) - 1


def atoms(words: Sequence[Token]) -> list[Sequence[Token]]:
    """The parts that `&&`, `||`, `!`, `? :` and brackets put together: each must come out true or false.

    A condition that is false early hides a mistake that comes later; part by part it cannot.
    """
    for marks in (("?", ":"), ("||",), ("&&",)):
        parts = _split(words, marks)
        if len(parts) > 1:
            return [atom for part in parts for atom in atoms(part)]
    if words and words[0].text == "!":
        return atoms(words[1:])
    if words and words[0].text == "(" and closing(words, 0) == len(words) - 1:
        return atoms(words[1:-1])
    return [words] if words else []


def _split(words: Sequence[Token], marks: Sequence[str]) -> list[Sequence[Token]]:
    parts, depth, start = [], 0, 0
    for index, word in enumerate(words):
        if word.kind != "mark":
            continue
        depth += (word.text in _OPENING) - (word.text in _CLOSING)
        if depth == 0 and word.text in marks:
            parts.append(words[start:index])
            start = index + 1
    return [*parts, words[start:]]
