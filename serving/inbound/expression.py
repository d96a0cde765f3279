"""JMESPath expressions: checked when they are saved, with the place of what is wrong."""

import warnings
from dataclasses import dataclass
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError
from jmespath.functions import Functions
from pydantic_core import PydanticCustomError

MAX_DEPTH = 30
"""Nested parts of one expression: more would exhaust the stack of its interpreter."""


class Unmapped(ValueError):  # noqa: N818 - a state of one answer, told to the admin
    """An expression that does not fit the body it is asked of; says why, never with a value."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A checked expression."""

    text: str

    def of(self, data: Any) -> Any:
        """What it finds, None where there is nothing; Unmapped where a function does not take what it is given."""
        try:
            return jmespath.search(self.text, data)
        except (JMESPathError, TypeError, ValueError, ArithmeticError, RecursionError) as error:
            raise Unmapped(f"the expression fails on this body ({type(error).__name__})") from None


def checked(text: str) -> str:
    """The expression itself; a pydantic error with the position and the reason where it is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            tree = jmespath.compile(text).parsed
    except Warning:
        raise PydanticCustomError(
            "jmespath", "what stands between backticks is not JSON; write text as 'text'"
        ) from None
    except JMESPathError as error:
        place = getattr(error, "lex_position", None)
        where = "" if place is None else f" at character {place + 1}"
        raise PydanticCustomError("jmespath", "not a JMESPath expression{w}: {r}", _words(where, error)) from None
    except RecursionError:
        raise PydanticCustomError("jmespath", "the expression is nested too deeply") from None
    _walk(tree, 0)
    return text


def _walk(node: Any, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise PydanticCustomError("jmespath", "the expression is nested too deeply")
    if node["type"] == "function_expression" and node["value"] not in Functions.FUNCTION_TABLE:
        words = {"n": node["value"], "k": ", ".join(sorted(Functions.FUNCTION_TABLE))}
        raise PydanticCustomError("jmespath", "there is no function {n}; there are {k}", words)
    for child in node["children"]:
        if isinstance(child, dict):
            _walk(child, depth + 1)


def _words(where: str, error: Exception) -> dict[str, str]:
    kinds = {"IncompleteExpressionError": "it ends too early", "LexerError": "a character that does not belong there"}
    return {"w": where, "r": kinds.get(type(error).__name__, "something else is expected there")}
