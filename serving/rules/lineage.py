"""Which themes are under which: by the dots of their ids and by the parents that the code frame gives."""

from collections.abc import Iterable, Mapping
from functools import lru_cache

from nlp.taxonomy import Taxonomy
from serving.frame.effective import Frame, every_theme

Themes = Mapping[str, frozenset[str]]
"""Every theme a response is about, those above its tags included, with the sentiments found there."""


class Lineage:
    """The themes above each theme of a frame; also those of tags that an older frame gave."""

    def __init__(self, frame: Taxonomy) -> None:
        self._parents = {theme.id: theme.parent for theme in every_theme(frame)}
        self._moved = frame.moved if isinstance(frame, Frame) else frozenset()
        self._became = dict(frame.merged) if isinstance(frame, Frame) else {}
        self._names = {id: [was for was, now in self._became.items() if now == id] for id in self._became.values()}
        self._above: dict[str, tuple[str, ...]] = {}

    def above(self, theme: str) -> tuple[str, ...]:
        """The theme and all that it is under, each also by the names of the themes that were merged into it."""
        if theme not in self._above:
            levels = self.levels(theme)
            names = (name for level in levels for name in self._names.get(level, ()))
            self._above[theme] = tuple(dict.fromkeys([*levels, *names]))
        return self._above[theme]

    def levels(self, theme: str) -> tuple[str, ...]:
        """The theme and all that it is under, by their own ids; a merged one is what it became."""
        # answers that are still to be rewritten after a merge have the theme of before
        return tuple(dict.fromkeys(self._climb(self._became.get(theme, theme))))

    def below(self, theme: str) -> tuple[str, ...]:
        """The theme and the known ones that are under it, those too that were merged into one of them."""
        return (theme, *(id for id in (*self._parents, *self._became) if id != theme and theme in self.above(id)))

    def moved_from(self, theme: str) -> tuple[str, ...]:
        """Themes whose ids say that they are under this one, and that were moved or merged elsewhere."""
        elsewhere = {*self._moved, *self._became}
        return tuple(sorted(id for id in elsewhere if id.startswith(f"{theme}.") and theme not in self.above(id)))

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
            dotted = "." in found and found not in self._moved
            waiting += [*([found.rpartition(".")[0]] if dotted else []), *([parent] if parent else [])]


DOTS = Lineage(Taxonomy("", ()))
"""Nothing but the dots of ids."""


def lineage_of(frame: Taxonomy) -> Lineage:
    """The lineage of a frame, worked out once for as long as the frame is in use."""
    return _lineage(_Same(frame))


class _Same:
    """Stands for one frame object: comparing and hashing all that a frame holds takes longer than what is asked."""

    __slots__ = ("frame",)

    def __init__(self, frame: Taxonomy) -> None:
        self.frame = frame

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.frame is self.frame

    def __hash__(self) -> int:
        return id(self.frame)


@lru_cache(maxsize=64)
def _lineage(same: _Same) -> Lineage:
    return Lineage(same.frame)


def descendants(theme: str, frame: Taxonomy) -> list[str]:
    """The theme and those of the frame that are under it."""
    return list(lineage_of(frame).below(theme))


def theme_ids(frame: Taxonomy) -> frozenset[str]:
    """Every id that a rule may ask for: themes, groups and what the dots of their ids put above them.

    Themes that were merged are asked for by either name; retired ones are found in older responses.
    """
    lineage = lineage_of(frame)
    known = [theme.id for theme in every_theme(frame)]
    return frozenset(level for id in known for level in lineage.above(id)) | {group.id for group in frame.groups}
