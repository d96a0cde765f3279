"""Which themes are under which: by the dots of their ids and by the parents that the code frame gives."""

from collections.abc import Iterable, Mapping
from functools import lru_cache

from nlp.taxonomy import Taxonomy

Themes = Mapping[str, frozenset[str]]
"""Every theme a response is about, those above its tags included, with the sentiments found there."""


class Lineage:
    """The themes above each theme of a frame; also those of tags that an older frame gave."""

    def __init__(self, frame: Taxonomy) -> None:
        self._parents = {theme.id: theme.parent for theme in frame.themes}
        self._above: dict[str, tuple[str, ...]] = {}

    def above(self, theme: str) -> tuple[str, ...]:
        """The theme and all that it is under."""
        if theme not in self._above:
            self._above[theme] = tuple(dict.fromkeys(self._climb(theme)))
        return self._above[theme]

    def covered(self, tagged: Iterable[tuple[str, str]]) -> Themes:
        """What (theme, sentiment) tags say, on every level."""
        found: dict[str, frozenset[str]] = {}
        for theme, mood in tagged:
            for level in self.above(theme):
                found[level] = found.get(level, frozenset()) | {mood}
        return found

    def _climb(self, theme: str) -> Iterable[str]:
        waiting, seen = [theme], set()
        while waiting:
            found = waiting.pop()
            if found in seen:
                continue
            seen.add(found)
            yield found
            parent = self._parents.get(found)
            waiting += [*([found.rpartition(".")[0]] if "." in found else []), *([parent] if parent else [])]


@lru_cache(maxsize=8)
def lineage_of(frame: Taxonomy) -> Lineage:
    """The lineage of a frame, worked out once for as long as the frame is in use."""
    return Lineage(frame)


def descendants(theme: str, frame: Taxonomy) -> list[str]:
    """The theme and those of the frame that are under it."""
    lineage = lineage_of(frame)
    return [theme, *(known for known in frame.ids if known != theme and theme in lineage.above(known))]


def theme_ids(frame: Taxonomy) -> frozenset[str]:
    """Every id that a rule may ask for: themes, groups and what the dots of their ids put above them."""
    lineage = lineage_of(frame)
    return frozenset(level for theme in frame.ids for level in lineage.above(theme)) | {g.id for g in frame.groups}
