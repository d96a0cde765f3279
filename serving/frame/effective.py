"""The code frame that holds in a workspace, and what it makes of the themes that a model or a person named."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nlp.taxonomy import Group, Taxonomy, Theme
from serving.frame.own import Own, became, tree_of

Result = dict[str, Any]
"""A classification as the contract has it."""
MIXED = "mixed"


@dataclass(frozen=True, slots=True)
class Frame(Taxonomy):
    """A code frame whose `themes` new answers may be given; merged and retired ones are known beside them."""

    own_version: int = 0
    """Of the workspace's own part; 0 where it has none."""
    merged: Mapping[str, str] = field(default_factory=dict, hash=False)
    """What a merged theme is now: its id stays another name of that."""
    retired: tuple[Theme, ...] = ()
    moved: frozenset[str] = frozenset()
    """Themes that stand under their parent alone, whatever the dots of their ids say."""
    by_similarity: tuple[Theme, ...] = ()
    """Of `themes`, those that the model was not trained on."""

    def named(self, id: str) -> str:
        """What a theme is called now."""
        return self.merged.get(id, id)

    def label(self, id: str) -> str:
        """The name people read, the id itself where nobody gave it one."""
        labels = {entry.id: entry.label for entry in (*self.groups, *self.retired, *self.themes)}
        return labels.get(self.named(id), id)


def effective(base: Taxonomy, own: Own, version: int) -> Frame:
    """The model's code frame with a workspace's own part over it; what that says of themes now unknown is left out."""
    if not version:
        return Frame(base.version, base.themes, base.groups)
    tree, mine, retired = tree_of(own, base), {theme.id: theme for theme in own.themes}, {*own.retired}
    headings = {*tree, *(group.id for group in base.groups)}
    new = [theme for theme in own.themes if theme.id not in base.ids]
    every = [_placed(mine.get(theme.id, theme), tree, headings) for theme in (*base.themes, *new) if theme.id in tree]
    given = tuple(theme for theme in every if theme.id not in retired)
    return Frame(
        f"{base.version}+{version}",
        given,
        base.groups,
        own_version=version,
        merged=became(own.merges),
        retired=tuple(theme for theme in every if theme.id in retired),
        moved=frozenset(own.moves) & frozenset(tree),
        by_similarity=tuple(theme for theme in given if theme.id not in base.ids),
    )


def every_theme(frame: Taxonomy) -> tuple[Theme, ...]:
    """Those that answers are given and those that only older ones have."""
    return (*frame.themes, *frame.retired) if isinstance(frame, Frame) else frame.themes


def given(result: Result, frame: Frame) -> Result:
    """A model's classification in this frame: without the themes that are retired, or that a narrower one replaces.

    A theme that was merged into a retired one goes with it.
    """
    retired = {theme.id for theme in frame.retired}
    gone = {tag["id"] for tag in result["themes"] if frame.named(tag["id"]) in retired}
    gone |= replaced([tag["id"] for tag in result["themes"] if tag.get("zero_shot")], frame)
    themes = [tag for tag in result["themes"] if tag["id"] not in gone]
    return {**result, "themes": themes, "versions": {**result["versions"], "taxonomy": frame.version}}


def mapped(result: Result, frame: Frame) -> Result:
    """The same with every merged theme as what it became, once."""
    if not any(tag["id"] in frame.merged for tag in result["themes"]):
        return result
    found: dict[str, Result] = {}
    for tag in result["themes"]:
        id = frame.named(tag["id"])
        tag = tag if id == tag["id"] else {**tag, "id": id, "label": frame.label(id)}
        found[id] = _together(found[id], tag) if id in found else tag
    return {**result, "themes": list(found.values())}


def mapped_fields(fields: Mapping[str, Any], frame: Frame) -> dict[str, Any]:
    """A correction with every merged theme as what it became."""
    found = dict(fields)
    if found.get("themes") is not None:
        found["themes"] = list(dict.fromkeys(frame.named(id) for id in found["themes"]))
    if found.get("theme_sentiments") is not None:
        found["theme_sentiments"] = {frame.named(id): mood for id, mood in found["theme_sentiments"].items()}
    return found


def as_taxonomy(frame: Frame) -> dict[str, Any]:
    """The frame as a taxonomy file has it, fit for `holos train --taxonomy`: retired parents stand as groups."""
    above = {theme.parent for theme in frame.themes}
    groups = [*frame.groups, *(Group(theme.id, theme.label) for theme in frame.retired if theme.id in above)]
    return {
        "version": frame.version,
        "groups": [{"id": group.id, "label": group.label} for group in groups],
        "themes": [_as_filed(theme) for theme in frame.themes],
    }


def _as_filed(theme: Theme) -> dict[str, Any]:
    found = {"id": theme.id, "label": theme.label, "parent": theme.parent, "description": theme.description}
    found["examples"] = list(theme.examples)
    return {name: value for name, value in found.items() if value}


def _placed(theme: Theme, tree: Mapping[str, str | None], headings: Iterable[str]) -> Theme:
    parent = tree[theme.id] if tree[theme.id] in headings else None
    return Theme(theme.id, theme.label, theme.description, parent, theme.examples)


def replaced(narrow: Sequence[str], frame: Frame) -> set[str]:
    """Parents of the themes found by similarity: an answer is given the narrower of two, filters find it by both."""
    parents = {theme.id: theme.parent for theme in frame.by_similarity}
    return {parent for id in narrow if (parent := parents.get(id)) is not None}


def _together(one: Result, other: Result) -> Result:
    """Two tags that have become one theme: the surer of them; of both their words, with both their moods."""
    sure, less = sorted((one, other), key=lambda tag: -tag["confidence"])
    spans = sorted({(span["start"], span["end"]) for tag in (one, other) for span in tag["spans"]})
    mood = sure["sentiment"]
    if less["sentiment"]["label"] != mood["label"]:
        mood = {"label": MIXED, "confidence": min(mood["confidence"], less["sentiment"]["confidence"])}
    return {**sure, "sentiment": mood, "spans": [{"start": start, "end": end} for start, end in spans]}
