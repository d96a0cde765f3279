"""Checked reading of policy files: every value knows its file and key, and says so when it is wrong."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nlp.errors import PolicyError


@dataclass(frozen=True, slots=True)
class Node:
    """A value of a policy file and the path to it; what is wrong with it is a PolicyError that names both."""

    value: Any
    source: str
    path: str = ""

    def wrong(self, problem: str) -> PolicyError:
        return PolicyError(f"{self.source}: {self.path or 'the file'}: {problem}")

    def check_keys(self, required: Sequence[Any], optional: Sequence[Any] = ()) -> None:
        if not isinstance(self.value, Mapping):
            raise self.wrong("must be a mapping")
        known = (*required, *optional)
        unknown = [str(key) for key in self.value if key not in known]
        if unknown:
            raise self.wrong(f"unknown key {', '.join(unknown)}; known: {', '.join(map(str, known))}")
        missing = [str(key) for key in required if key not in self.value]
        if missing:
            raise self.wrong(f"{', '.join(missing)} is missing")

    def has(self, key: str) -> bool:
        return self.value.get(key) is not None

    def at(self, key: Any) -> "Node":
        return Node(self.value[key], self.source, f"{self.path}.{key}" if self.path else str(key))

    def items(self) -> "tuple[Node, ...]":
        if not isinstance(self.value, list | tuple) or not self.value:
            raise self.wrong("must be a list that is not empty")
        return tuple(Node(item, self.source, f"{self.path}[{index}]") for index, item in enumerate(self.value))

    def number(self, low: float = -math.inf, high: float = math.inf) -> float:
        if isinstance(self.value, bool) or not isinstance(self.value, int | float) or not low <= self.value <= high:
            raise self.wrong(f"must be a number from {low:g} to {high:g}, is {self.value!r}")
        return self.value

    def text(self) -> str:
        if not isinstance(self.value, str) or not self.value.strip():
            raise self.wrong(f"must be a text that is not empty, is {self.value!r}")
        return self.value.strip()

    def one_of(self, known: Sequence[str]) -> str:
        if self.value not in known:
            raise self.wrong(f"must be one of {', '.join(known)}, is {self.value!r}")
        return str(self.value)

    def flag(self) -> bool:
        if not isinstance(self.value, bool):
            raise self.wrong(f"must be true or false, is {self.value!r}")
        return self.value
