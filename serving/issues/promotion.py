"""An issue becomes a theme of the workspace's code frame, and its members are corrected to have it."""

from dataclasses import dataclass

from sqlalchemy import select

from nlp.taxonomy import Theme
from serving.frame import changing
from serving.frame.effective import Frame, every_theme
from serving.ingest.effects import corrected
from serving.issues.actions import Work
from serving.parts import Parts
from serving.store.issue_tables import cluster_members
from serving.store.responses import find as find_response

EXAMPLES = 500
"""Members that become training examples, the strongest: more of one theme teach a model little."""


@dataclass(frozen=True, slots=True)
class Promoted:
    """What became of an issue."""

    theme: str
    examples: int


def promote(work: Work, parts: Parts, id: str, theme: Theme) -> Promoted:
    """Adds the theme to the frame and links the issue to it; its strongest members are corrected to have it.

    InputError for an id that the frame has already, or a parent that it does not have.
    """
    row = work.find(id)
    change = changing.Work(work.connection, parts, work.workspace, work.by, work.now)
    frame = changing.add(change, theme, "promote").frame
    examples = sum(_teach(work, parts, frame, uid, theme.id) for uid in _strongest(work, id))
    work.change(row, theme=theme.id)
    work.audit(id, "promote", {"theme": theme.id, "examples": examples})
    return Promoted(theme.id, examples)


def _strongest(work: Work, id: str) -> list[str]:
    of = cluster_members.c
    mine = (of.workspace == work.workspace, of.cluster == id)
    asked = select(of.response).where(*mine).order_by(of.strength.desc(), of.response).limit(EXAMPLES)
    return sorted(work.connection.execute(asked).scalars())


def _teach(work: Work, parts: Parts, frame: Frame, uid: str, theme: str) -> bool:
    row = find_response(work.connection, work.workspace, uid)
    if row is None:
        return False
    known = {each.id for each in every_theme(frame)}
    there = [tag["id"] for tag in row["effective"]["themes"] if tag["id"] in known and tag["id"] != theme]
    fields = {"themes": [*there, theme]}
    done = corrected(work.connection, parts, work.workspace, uid, fields, work.by, None, work.now)
    return done is not None
