"""The code frame: which themes there are, what they mean and how they nest."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from nlp.errors import PolicyError
from nlp.nodes import Node

# 32 bits tell apart the handful of frames that one workspace ever has.
_HASH_LENGTH = 8


@dataclass(frozen=True, slots=True)
class Group:
    """A heading over themes; never a tag itself."""

    id: str
    label: str


@dataclass(frozen=True, slots=True)
class Theme:
    """A tag of the code frame; `parent` is the id of a group or of another theme, `description` may be empty."""

    id: str
    label: str
    description: str
    parent: str | None = None
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Taxonomy:
    """A version of the code frame; the order of `themes` is the order of the model's outputs."""

    version: str
    themes: tuple[Theme, ...]
    groups: tuple[Group, ...] = ()

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids that a verbatim may be tagged with."""
        return tuple(theme.id for theme in self.themes)

    def label(self, id: str) -> str:
        """The name people read; an id that is not in the frame is a PolicyError."""
        for entry in (*self.themes, *self.groups):
            if entry.id == id:
                return entry.label
        raise PolicyError(f"taxonomy {self.version}: there is no theme {id!r}; it has {', '.join(self.ids)}")

    def children(self, id: str) -> tuple[Theme, ...]:
        """The themes right under a group or theme, in the order of the frame."""
        return tuple(theme for theme in self.themes if theme.parent == id)


def parse_taxonomy(data: Mapping[str, Any], source: str) -> Taxonomy:
    """A taxonomy from loaded YAML or JSON; PolicyError names `source` and the key that is wrong."""
    root = Node(data, source)
    root.check_keys(("themes",), optional=("version", "groups"))
    groups = tuple(_group(node) for node in root.at("groups").items()) if root.value.get("groups") else ()
    themes = tuple(_theme(node) for node in root.at("themes").items())
    _check_ids(groups, themes, source)
    _check_parents(groups, themes, source)
    return Taxonomy(root.at("version").text() if root.has("version") else _version_of(data), themes, groups)


def _version_of(data: Mapping[str, Any]) -> str:
    content = json.dumps(data, sort_keys=True)
    return f"custom-{sha256(content.encode()).hexdigest()[:_HASH_LENGTH]}"


def _group(node: Node) -> Group:
    node.check_keys(("id", "label"))
    return Group(node.at("id").text(), node.at("label").text())


def _theme(node: Node) -> Theme:
    node.check_keys(("id", "label"), optional=("description", "parent", "examples"))
    return Theme(
        id=node.at("id").text(),
        label=node.at("label").text(),
        description=node.at("description").text() if node.value.get("description") else "",
        parent=node.at("parent").text() if node.has("parent") else None,
        examples=tuple(item.text() for item in node.at("examples").items()) if node.value.get("examples") else (),
    )


def _check_ids(groups: Sequence[Group], themes: Sequence[Theme], source: str) -> None:
    counts = Counter(entry.id for entry in (*groups, *themes))
    twice = [id for id, count in counts.items() if count > 1]
    if twice:
        raise PolicyError(f"{source}: id: used more than once: {', '.join(twice)}; every id must be unique")


def _check_parents(groups: Sequence[Group], themes: Sequence[Theme], source: str) -> None:
    parents = {group.id: None for group in groups} | {theme.id: theme.parent for theme in themes}
    for index, theme in enumerate(themes):
        where, seen, above = f"{source}: themes[{index}].parent", {theme.id}, theme.parent
        while above is not None:
            if above not in parents:
                raise PolicyError(f"{where}: {above!r} is neither a group nor a theme; define it or leave parent out")
            if above in seen:
                raise PolicyError(f"{where}: {theme.id!r} is its own ancestor; cut the circle")
            seen.add(above)
            above = parents[above]
