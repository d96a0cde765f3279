"""The code frame as alarms count by it: what lies above a theme, which themes are in use, and since when."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select

from nlp.taxonomy import Taxonomy
from serving.frame.own import Own, restored
from serving.frame.progress import searched_since
from serving.frame.store import frame_of
from serving.rules.lineage import DOTS, Lineage, lineage_of
from serving.store.frame_tables import frames


@dataclass(frozen=True, slots=True, eq=False)
class Tree:
    """Without a frame themes lie above one another by their dots, and all of them are in use."""

    lineage: Lineage = DOTS
    retired: frozenset[str] = frozenset()
    standing: frozenset[str] | None = None
    """Themes that new answers are given, and what these are under; None where it is all."""
    since: Mapping[str, datetime] = field(default_factory=dict)
    """When those came into use that were not all the time."""

    def levels(self, theme: str) -> tuple[str, ...]:
        """The theme and all that counts it; a retired one, which would only fade there, counts nowhere else."""
        return (theme,) if theme in self.retired else self.lineage.levels(theme)

    def depth(self, theme: str) -> int:
        return len(self.lineage.levels(theme))

    def stands(self, theme: str) -> bool:
        """Whether there would be news of it if nothing changed: what nobody is given any more cannot fall."""
        return self.standing is None or theme in self.standing

    def days(self, theme: str, now: datetime) -> int | None:
        """Whole days that it has been in use; None where it was all the time."""
        at = self.since.get(theme)
        return None if at is None else max(0, (now - at) // timedelta(days=1))


def tree_of(connection: Connection, workspace: str, base: Taxonomy, start: datetime) -> Tree:
    """That of the frame in force over the model's (`base`); `since` tells of what came into use after `start`."""
    frame = frame_of(connection, workspace, base)
    lineage, retired = lineage_of(frame), frozenset(theme.id for theme in frame.retired)
    standing = frozenset(level for id in frame.ids for level in lineage.levels(id)) - retired
    since, back = _since(connection, workspace, base, start)
    # what lies above lost its answers meanwhile, and has them again
    for id in back:
        since |= {level: max(since[id], since.get(level, since[id])) for level in lineage.levels(id)}
    # while history is searched its newest days have the theme and the others not yet: they do not compare
    for id, at in searched_since(connection, workspace).items():
        since |= {level: max(at, since.get(level, at)) for level in lineage.levels(id)}
    return Tree(lineage, retired, standing, since)


def _since(
    connection: Connection, workspace: str, base: Taxonomy, start: datetime
) -> tuple[dict[str, datetime], list[str]]:
    """The first version of the last unbroken run of versions that give a theme; those that were given before, too."""
    found = _versions(connection, workspace, start)
    # what a workspace made before the model learnt it was not there all the time
    model = {*base.ids} - {theme.id for _, own in found for theme in own.themes}
    since: dict[str, datetime] = {}
    before = ever = model
    back: set[str] = set()
    for at, own in found:
        given = (model | {theme.id for theme in own.themes}) - {*own.retired}
        since = {id: since.get(id, at) for id in given if id in since or id not in before}
        back |= (given - before) & ever
        before, ever = given, ever | given
    return since, sorted(back & since.keys())


def _versions(connection: Connection, workspace: str, start: datetime) -> list[tuple[datetime, Own]]:
    """When the versions in force since then were made and what they hold, the oldest first."""
    of = frames.c
    first = select(func.max(of.version)).where(of.workspace == workspace, of.at <= start).scalar_subquery()
    asked = select(of.at, of.content).where(of.workspace == workspace, of.version >= func.coalesce(first, 0))
    return [(at, restored(content, {})) for at, content in connection.execute(asked.order_by(of.version))]
