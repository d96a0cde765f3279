"""An issue becomes a theme: its definition is kept for the next training, its members are corrected to have it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, select, update

from nlp.errors import InputError
from nlp.taxonomy import Taxonomy, Theme
from serving.ingest.effects import corrected
from serving.issues.actions import Work
from serving.keys import ensure_workspace
from serving.parts import Parts
from serving.store.issue_tables import cluster_members
from serving.store.responses import find as find_response
from serving.store.tables import workspaces

KEY = "themes"
"""In `workspaces.settings`: the themes that people made of issues, as a taxonomy file lists them."""
EXAMPLES = 500
"""Members that become training examples, the strongest: more of one theme teach a model little."""


@dataclass(frozen=True, slots=True)
class Promoted:
    """What became of an issue."""

    theme: str
    examples: int


def promote(work: Work, parts: Parts, id: str, theme: Theme) -> Promoted:
    """Keeps the theme and links the issue to it; its strongest members are corrected to have it, by the person.

    InputError for an id that the frame has already, or a parent that it does not have.
    """
    row = work.find(id)
    frame = frame_of(work.connection, work.workspace, parts.taxonomy())
    if theme.id in frame.ids or theme.id in {group.id for group in frame.groups}:
        raise InputError(f"theme.id: there is a theme {theme.id} already; link the cluster to it, or take another id")
    if theme.parent is not None and theme.parent not in {*frame.ids, *(group.id for group in frame.groups)}:
        raise InputError(f"theme.parent: there is no theme {theme.parent}; leave it out, or name one there is")
    _keep(work, theme)
    wider = replace(frame, themes=(*frame.themes, theme))
    known = replace(parts, taxonomy=lambda: wider)
    examples = sum(_teach(work, known, uid, theme.id) for uid in _strongest(work, id))
    work.change(row, theme=theme.id)
    work.audit(id, "promote", {"theme": theme.id, "examples": examples})
    return Promoted(theme.id, examples)


def frame_of(connection: Connection, workspace: str, frame: Taxonomy) -> Taxonomy:
    """The code frame in use with the themes that this workspace made of issues."""
    own = [Theme(**{**each, "examples": ()}) for each in own_themes(connection, workspace)]
    return replace(frame, themes=(*frame.themes, *(theme for theme in own if theme.id not in frame.ids)))


def own_themes(connection: Connection, workspace: str) -> list[dict[str, Any]]:
    """The themes of this workspace alone, as a taxonomy file lists them."""
    asked = select(workspaces.c.settings).where(workspaces.c.id == workspace)
    return list((connection.execute(asked).scalar_one_or_none() or {}).get(KEY, []))


def _keep(work: Work, theme: Theme) -> None:
    ensure_workspace(work.connection, work.workspace, work.now)
    mine = workspaces.c.id == work.workspace
    settings: Mapping[str, Any] = work.connection.execute(
        select(workspaces.c.settings).where(mine).with_for_update()
    ).scalar_one()
    new = {"id": theme.id, "label": theme.label, "description": theme.description, "parent": theme.parent}
    changed = {**settings, KEY: [*settings.get(KEY, []), new]}
    work.connection.execute(update(workspaces).where(mine).values(settings=changed))


def _strongest(work: Work, id: str) -> list[str]:
    of = cluster_members.c
    mine = (of.workspace == work.workspace, of.cluster == id)
    asked = select(of.response).where(*mine).order_by(of.strength.desc(), of.response).limit(EXAMPLES)
    return sorted(work.connection.execute(asked).scalars())


def _teach(work: Work, parts: Parts, uid: str, theme: str) -> bool:
    row = find_response(work.connection, work.workspace, uid)
    if row is None:
        return False
    known = parts.taxonomy().ids
    there = [tag["id"] for tag in row["effective"]["themes"] if tag["id"] in known and tag["id"] != theme]
    fields = {"themes": [*there, theme]}
    done = corrected(work.connection, parts, work.workspace, uid, fields, work.by, None, work.now)
    return done is not None
