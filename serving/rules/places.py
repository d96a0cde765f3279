"""YAML that knows where each value stands, so that a mistake can be pointed at."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from serving.rules.wrong import Fault, RulesError

MAX_SOURCE = 256 * 1024
"""Characters of a rule set: 200 rules of two lines take a tenth of it."""
_MAX_DEPTH = 12


@dataclass(frozen=True, slots=True)
class Value:
    """A value of a YAML document: its plain form (mappings and lists hold further `Value`s) and its node."""

    plain: Any
    node: yaml.Node

    @property
    def line(self) -> int:
        return self.node.start_mark.line + 1

    @property
    def column(self) -> int:
        return self.node.start_mark.column + 1

    def items(self) -> Iterator[tuple[str, "Value"]]:
        yield from self.plain.items()

    def wrong(self, reason: str, rule: str | None = None) -> Fault:
        return Fault(self.line, self.column, rule, reason)


def read(source: str, name: str) -> Value:
    """The document in `source`; RulesError with the place for what is no YAML, repeats a key or uses references."""
    if len(source) > MAX_SOURCE:
        raise RulesError(name, (Fault(1, 1, None, f"has {len(source)} characters; {MAX_SOURCE} at most"),))
    loader = yaml.SafeLoader("")  # it makes values of scalars, and never reads
    try:
        node = _Composer(source).get_single_node()
        if node is None:
            raise RulesError(name, (Fault(1, 1, None, "is empty; see docs/rules.md for what a rule set holds"),))
        return _value(node, loader, name, 0)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise RulesError(name, (Fault(line, column, None, f"is no YAML: {error.problem or error.context}"),)) from None
    except (yaml.YAMLError, RecursionError, ValueError, OverflowError):
        raise RulesError(name, (Fault(1, 1, None, "is no YAML that can be read"),)) from None
    finally:
        loader.dispose()


class _Composer(yaml.SafeLoader):
    """Refuses references: a few lines of them can stand for a document of gigabytes."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark
            raise yaml.composer.ComposerError(None, None, "references (*name) are not supported; write it out", mark)
        return super().compose_node(parent, index)


def _value(node: yaml.Node, loader: yaml.SafeLoader, name: str, depth: int) -> Value:
    if depth > _MAX_DEPTH:
        raise RulesError(name, (_fault(node, "is nested too deeply"),))
    if isinstance(node, yaml.SequenceNode):
        return Value([_value(item, loader, name, depth + 1) for item in node.value], node)
    if isinstance(node, yaml.MappingNode):
        found: dict[str, Value] = {}
        for key, item in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.value in found:
                raise RulesError(name, (_fault(key, "must be a plain key, given once"),))
            found[key.value] = _value(item, loader, name, depth + 1)
        return Value(found, node)
    return Value(loader.construct_object(node), node)


def _fault(node: yaml.Node, reason: str) -> Fault:
    return Fault(node.start_mark.line + 1, node.start_mark.column + 1, None, reason)


def place(value: Value, source: str, offset: int) -> tuple[int, int]:
    """Line and column of a character of a text; the text's own beginning where folding has moved its characters."""
    node, text = value.node, value.plain
    line, column = text.count("\n", 0, offset), offset - (text.rfind("\n", 0, offset) + 1)
    if node.style == "|":
        lines = source.split("\n")
        first = next(at for at in range(node.start_mark.line + 1, len(lines)) if lines[at].strip())
        indent = len(lines[first]) - len(lines[first].lstrip(" "))
        empty = len(text) - len(text.lstrip("\n"))
        return first - empty + line + 1, indent + column + 1
    quoted = node.style in ("'", '"')
    written = node.end_mark.index - node.start_mark.index - 2 * quoted
    if node.start_mark.line == node.end_mark.line and written == len(text):
        return value.line, value.column + quoted + offset
    return value.line, value.column
