"""The code frame: which themes there are, what they mean and how they nest."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from nlp.errors import PolicyError

_KEYS = frozenset({"version", "groups", "themes"})
_GROUP_KEYS = frozenset({"id", "label"})
_THEME_KEYS = frozenset({"id", "label", "description", "parent", "examples"})
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
    frame = _mapping(data, source, "the file", _KEYS)
    groups = tuple(_group(item, source, f"groups[{i}]") for i, item in enumerate(_list(frame, "groups", source, "")))
    themes = tuple(_theme(item, source, f"themes[{i}]") for i, item in enumerate(_list(frame, "themes", source, "")))
    if not themes:
        raise PolicyError(f"{source}: themes: there are none; list at least one as {{id, label, description}}")
    _check_ids(groups, themes, source)
    _check_parents(groups, themes, source)
    return Taxonomy(_optional_text(frame, "version", source, "") or _version_of(frame), themes, groups)


def _version_of(frame: Mapping[str, Any]) -> str:
    content = json.dumps(frame, sort_keys=True)
    return f"custom-{sha256(content.encode()).hexdigest()[:_HASH_LENGTH]}"


def _group(item: Any, source: str, where: str) -> Group:
    entry = _mapping(item, source, where, _GROUP_KEYS)
    return Group(_text(entry, "id", source, where), _text(entry, "label", source, where))


def _theme(item: Any, source: str, where: str) -> Theme:
    entry = _mapping(item, source, where, _THEME_KEYS)
    examples = _list(entry, "examples", source, where)
    for index, example in enumerate(examples):
        if not isinstance(example, str) or not example.strip():
            raise PolicyError(f"{source}: {where}.examples[{index}]: must be a text; quote it if it reads as a number")
    return Theme(
        id=_text(entry, "id", source, where),
        label=_text(entry, "label", source, where),
        description=_optional_text(entry, "description", source, where) or "",
        parent=_optional_text(entry, "parent", source, where),
        examples=tuple(examples),
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


def _mapping(item: Any, source: str, where: str, known: frozenset[str]) -> Mapping[str, Any]:
    if not isinstance(item, Mapping):
        raise PolicyError(f"{source}: {where}: must be a mapping with the keys {', '.join(sorted(known))}")
    unknown = sorted(str(key) for key in item if key not in known)
    if unknown:
        raise PolicyError(f"{source}: {where}: unknown key {', '.join(unknown)}; known: {', '.join(sorted(known))}")
    return item


def _list(entry: Mapping[str, Any], key: str, source: str, where: str) -> list[Any]:
    value = entry.get(key)
    if value is None:
        return []
    if not isinstance(value, list | tuple):
        raise PolicyError(f"{source}: {_path(where, key)}: must be a list, is {type(value).__name__}")
    return list(value)


def _text(entry: Mapping[str, Any], key: str, source: str, where: str) -> str:
    value = entry.get(key)
    if not isinstance(value, str) or not value.strip():
        problem = "is missing" if value is None else "must be a text that is not empty"
        raise PolicyError(f"{source}: {_path(where, key)}: {problem}")
    return value.strip()


def _optional_text(entry: Mapping[str, Any], key: str, source: str, where: str) -> str | None:
    return _text(entry, key, source, where) if entry.get(key) not in (None, "") else None


def _path(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key
