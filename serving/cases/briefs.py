"""The sentences of contact briefs by language: `data/policies/briefs.yaml`, and how they are read."""

import string
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from nlp.nodes import Node
from nlp.types import SIGNALS
from serving.cases.policy import read_policy

_HOLES: Mapping[str, tuple[str, ...]] = {
    "from_company": ("company",),
    "from_team": (),
    "opening": ("from",),
    "opening_asked": ("from",),
    "again": (),
    "apology": (),
    "apology_safety": (),
    "thanks": (),
    "about": ("themes",),
    "closing": (),
}
"""Every single sentence, and the holes it must have."""
_LISTS = ("questions", "never")
_NAMED = ("never_signals", "never_themes", "themes")


@dataclass(frozen=True, slots=True)
class Sentences:
    """What is said in one language; `single` by the keys of the file."""

    single: Mapping[str, str]
    questions: tuple[str, ...]
    never: tuple[str, ...]
    never_signals: Mapping[str, str]
    never_themes: Mapping[str, str]
    themes: Mapping[str, str]

    def opening(self, asked: bool, company: str | None) -> str:
        """The first words of the call; `asked`: the customer wants to be contacted."""
        origin = self.single["from_company"].format(company=company) if company else self.single["from_team"]
        return self.single["opening_asked" if asked else "opening"].format_map({"from": origin})

    def about(self, labels: list[str]) -> str:
        return self.single["about"].format(themes=", ".join(labels))


@dataclass(frozen=True, slots=True)
class Briefs:
    """The sentences of every language there is."""

    version: str
    fallback: str
    languages: Mapping[str, Sentences]

    def code(self, wanted: str | None) -> str:
        """The language to speak: the wanted one (`uk`, `uk-UA`) where there are sentences in it."""
        found = (wanted or "").split("-")[0].lower()
        return found if found in self.languages else self.fallback


@cache
def load_briefs(data_dir: Path) -> Briefs:
    """The sentences of a data folder, read once by a process; PolicyError names the file and the key that is wrong."""
    return parse_briefs(*read_policy(data_dir / "policies" / "briefs.yaml"))


def parse_briefs(data: Mapping[str, Any], source: str) -> Briefs:
    """Sentences from loaded YAML; every language must have every one, with the holes it needs and no other."""
    root = Node(data, source)
    root.check_keys(("version", "fallback", "languages"))
    nodes = root.at("languages")
    nodes.check_keys((), optional=tuple(nodes.value) if isinstance(nodes.value, Mapping) else ())
    languages = {code: _sentences(nodes.at(code)) for code in nodes.value}
    return Briefs(root.at("version").text(), root.at("fallback").one_of(tuple(languages)), languages)


def _sentences(node: Node) -> Sentences:
    node.check_keys((*_HOLES, *_LISTS, *_NAMED))
    node.at("never_signals").check_keys((), optional=SIGNALS)
    questions, never = (tuple(_sentence(item, ()) for item in node.at(key).items()) for key in _LISTS)
    signals, themes, labels = (_named(node.at(key)) for key in _NAMED)
    single = {key: _sentence(node.at(key), holes) for key, holes in _HOLES.items()}
    return Sentences(single, questions, never, signals, themes, labels)


def _named(node: Node) -> Mapping[str, str]:
    node.check_keys((), optional=tuple(node.value) if isinstance(node.value, Mapping) else ())
    return {str(key): _sentence(node.at(key), ()) for key in node.value}


def _sentence(node: Node, holes: tuple[str, ...]) -> str:
    text = node.text()
    try:
        found = sorted(name for _, name, _, _ in string.Formatter().parse(text) if name is not None)
    except ValueError:
        raise node.wrong("has a brace that is not closed") from None
    if found != sorted(holes):
        needed = ", ".join(f"{{{hole}}}" for hole in holes) or "none"
        raise node.wrong(f"must have these places to fill, each once: {needed}")
    return text
