"""What a workspace does to the code frame of the model: its own themes, moves, merges, retirements, all checked."""

from collections.abc import Collection, Container, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from nlp.errors import InputError
from nlp.taxonomy import Taxonomy, Theme

MOST_THEMES = 500
"""Own themes of one workspace: more than a person can tell apart, and each is compared with every answer."""


@dataclass(frozen=True, slots=True)
class Own:
    """A workspace's own part of the code frame; without any of it the frame is the model's."""

    themes: tuple[Theme, ...] = ()
    moves: Mapping[str, str | None] = field(default_factory=dict)
    """By a theme of the model, the group or theme that it stands under here."""
    merges: Mapping[str, str] = field(default_factory=dict)
    """By a theme, what it became a part of."""
    retired: tuple[str, ...] = ()
    """Themes that new answers are no longer given."""


def plain(own: Own) -> dict[str, Any]:
    """JSON values of all but the examples, which may quote people and are kept beside."""
    themes = [
        {"id": theme.id, "label": theme.label, "description": theme.description, "parent": theme.parent}
        for theme in own.themes
    ]
    return {"themes": themes, "moves": dict(own.moves), "merges": dict(own.merges), "retired": list(own.retired)}


def examples_of(own: Own) -> dict[str, list[str]]:
    """By theme; those without examples are left out."""
    return {theme.id: list(theme.examples) for theme in own.themes if theme.examples}


def restored(content: Mapping[str, Any], examples: Mapping[str, list[str]]) -> Own:
    """The inverse of `plain` and `examples_of`."""
    themes = tuple(
        Theme(each["id"], each["label"], each["description"], each["parent"], tuple(examples.get(each["id"], ())))
        for each in content.get("themes", ())
    )
    same = {name: content.get(name, {}) for name in ("moves", "merges")}
    return Own(themes, **same, retired=tuple(content.get("retired", ())))


def check(own: Own, base: Taxonomy, before: Own) -> None:
    """InputError says what in it cannot be; ids that the model has learnt since they were made here may stay."""
    _check_themes(own, base, before)
    # what a model before this one knew may stay as it is: answers have it
    known = {*base.ids, *(theme.id for theme in own.themes), *_named(before)}
    _check_merges(own, known, before)
    _check_retired(own, known)
    _check_parents(own, base, known)


def parents(own: Own, base: Taxonomy) -> dict[str, str | None]:
    """Every theme's parent as it was set, before merges."""
    own_ones = {theme.id: theme.parent for theme in own.themes}
    moved = {id: parent for id, parent in own.moves.items() if id in base.ids}
    return {theme.id: theme.parent for theme in base.themes} | moved | own_ones


def became(merges: Mapping[str, str]) -> dict[str, str]:
    """What each merged theme is in the end; a circle ends where it began to turn."""
    found: dict[str, str] = {}
    for id in merges:
        path: dict[str, None] = {}
        at = id
        while at in merges and at not in found and at not in path:
            path[at] = None
            at = merges[at]
        end, in_circle = found.get(at, at), False
        for step in path:
            in_circle = in_circle or step == at
            found[step] = step if in_circle else end
    return found


def _named(own: Own) -> set[str]:
    places = {*own.moves.values(), *(theme.parent for theme in own.themes)} - {None}
    return {*own.moves, *own.merges, *own.merges.values(), *own.retired, *map(str, places)}


def _check_themes(own: Own, base: Taxonomy, before: Own) -> None:
    if len(own.themes) > MOST_THEMES:
        raise InputError(f"themes: {len(own.themes)} of the workspace's own; {MOST_THEMES} at most")
    ids = [theme.id for theme in own.themes]
    twice = sorted({id for id in ids if ids.count(id) > 1})
    if twice:
        raise InputError(f"themes: id {', '.join(twice)} is used more than once; every theme needs its own")
    had = {theme.id for theme in before.themes}
    taken = sorted({id for id in ids if id not in had} & {*base.ids, *(group.id for group in base.groups)})
    if taken:
        raise InputError(f"themes: the model's code frame has {', '.join(taken)} already; take another id")


def _check_merges(own: Own, known: Container[str], before: Own) -> None:
    final, retired = became(own.merges), {*own.retired}
    for id, into in own.merges.items():
        _known(f"merges.{id}", (id, into), known)
        if id in (into, final[id]) or final[id] in own.merges:
            raise InputError(f"merges.{id}: becomes a part of itself; cut the circle")
        # a theme that others were merged into before may be retired with them
        if final[id] in retired and before.merges.get(id) != into:
            raise InputError(f"merges.{id}: {final[id]} is retired; merge into a theme that is in use")


def _check_retired(own: Own, known: Container[str]) -> None:
    _known("retired", own.retired, known)
    both = sorted({*own.retired} & {*own.merges})
    if both:
        raise InputError(f"retired: {', '.join(both)} is merged into another theme; that one can be retired")


def _check_parents(own: Own, base: Taxonomy, known: Collection[str]) -> None:
    _known("moves", own.moves, {*known} - {theme.id for theme in own.themes})
    headings = {*known, *(group.id for group in base.groups)}
    places = [(f"themes.{theme.id}.parent", theme.parent) for theme in own.themes if theme.id not in own.merges]
    places += [(f"moves.{id}", parent) for id, parent in own.moves.items()]
    for where, parent in places:
        _known(where, [parent] if parent is not None else [], headings)
        if parent in own.merges:
            raise InputError(f"{where}: {parent} is merged into {own.merges[parent]}; name that one")
    for id in (tree := tree_of(own, base)):
        if id in _above(id, tree):
            raise InputError(f"{id}: would lie under itself; move what lies under it first")


def tree_of(own: Own, base: Taxonomy) -> dict[str, str | None]:
    """Every unmerged theme's parent, merged ones replaced by what they became."""
    final, given = became(own.merges), parents(own, base)
    return {id: final.get(up, up) if up is not None else None for id, up in given.items() if id not in own.merges}


def _above(id: str, tree: Mapping[str, str | None]) -> set[str]:
    found: set[str] = set()
    at = tree.get(id)
    while at is not None and at not in found:
        found.add(at)
        at = tree.get(at)
    return found


def _known(where: str, given: Iterable[str], known: Container[str]) -> None:
    unknown = sorted({id for id in given if id not in known})
    if unknown:
        raise InputError(
            f"{where}: there is no theme {', '.join(unknown)} in the code frame; GET /v1/taxonomy lists it"
        )
