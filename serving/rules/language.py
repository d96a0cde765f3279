"""A condition of a rule: CEL over the facts of one response, compiled once, checked before it is kept."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import cel

from serving.rules.counting import Count
from serving.rules.reading import counts_in, names_in
from serving.rules.tokens import Token, tokens
from serving.rules.wrong import ConditionError

MAX_CONDITION = 2000
"""Characters: the time one evaluation can take grows with them."""

_SYNTAX = re.compile(r"ERROR: <input>:(\d+):(\d+): (?:Syntax error: )?(.*)")


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition that can be evaluated: `program` sees `count(0)`, `count(1)`... for the counts as they come."""

    source: str
    program: cel.Program
    facts: tuple[str, ...]
    attributes: tuple[str, ...]
    functions: tuple[str, ...]
    counts: tuple[Count, ...]


def compile_condition(source: str) -> Condition:
    """Raises ConditionError where it is no CEL or names what there is not; `serving.rules.check` goes on from here."""
    if len(source) > MAX_CONDITION:
        raise ConditionError(MAX_CONDITION, f"has {len(source)} characters; {MAX_CONDITION} at most")
    program = _compile(source)
    words = tokens(source)
    names = names_in(words)
    found = counts_in(words)
    if found:
        program = _compile(_numbered(source, words, [span for span, _ in found]))
    return Condition(
        source, program, names.facts, names.attributes, names.functions, tuple(wanted for _, wanted in found)
    )


def _compile(source: str) -> cel.Program:
    try:
        return cel.compile(source)
    except ValueError as error:
        found = _SYNTAX.search(str(error))
        if found is None:
            raise ConditionError(0, "is no CEL expression") from None
        raise ConditionError(_offset(source, int(found[1]), int(found[2])), _plain(found[3])) from None


def _offset(source: str, line: int, column: int) -> int:
    return min(sum(len(text) for text in source.splitlines(keepends=True)[: line - 1]) + column - 1, len(source))


def _plain(reason: str) -> str:
    if "Recursion limit" in reason:
        return "is nested too deeply"
    # the list of all that could stand there instead helps nobody
    return reason.split(" expecting {")[0].replace("'<EOF>'", "the end").strip()


def _numbered(source: str, words: Sequence[Token], spans: Sequence[tuple[int, int]]) -> str:
    parts, end = [], 0
    for number, (first, last) in enumerate(spans):
        parts += [source[end : words[first].start], str(number)]
        end = words[last].end
    return "".join([*parts, source[end:]])
