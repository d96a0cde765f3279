"""Themes that were found later in stored answers: one more analysis each, with the one of before and these in it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from nlp.pipeline import GENERAL
from serving.frame.effective import Frame, Result, replaced
from serving.frame.renewing import of_now, renew
from serving.parts import Parts
from serving.store.saving import write_analyses
from serving.store.tables import analyses, responses


@dataclass(frozen=True, slots=True)
class Found:
    """Theme tags, as the contract has them, in a revision of an answer's text."""

    uid: str
    revision: int
    themes: Sequence[Result]


def add(
    connection: Connection, parts: Parts, workspace: str, found: Sequence[Found], frame: Frame, now: datetime
) -> Counter[str]:
    """How many answers have each theme more. One whose text changed meanwhile, or that has it, is left as it is.

    What people said stands over it. No rule decides anew and no case is touched.
    """
    said = {each.uid: each for each in found if each.themes}
    of = responses.c
    asked = select(of.uid, of.revision, of.workspace).where(of.workspace == workspace, of.uid.in_(sorted(said)))
    held = connection.execute(asked.order_by(of.uid).with_for_update()).mappings().all()
    rows = [dict(row) for row in held if row["revision"] == said[row["uid"]].revision]
    before = {row.response: row.result for row in of_now(connection, workspace, rows, analyses)}
    after = {row["uid"]: with_themes(before[row["uid"]], said[row["uid"]].themes, frame) for row in rows}
    rows = [row for row in rows if after[row["uid"]] is not before[row["uid"]]]
    if rows:
        write_analyses(connection, rows, [after[row["uid"]] for row in rows], now)
        renew(connection, parts, workspace, [row["uid"] for row in rows], frame)
    return Counter(id for row in rows for id in _ids(after[row["uid"]]) - _ids(before[row["uid"]]))


def with_themes(result: Result, themes: Sequence[Result], frame: Frame) -> Result:
    """A classification with these themes too, as an answer that comes in now would have them; itself if it has all."""
    new = [tag for tag in themes if tag["id"] not in _ids(result)]
    if not new:
        return result
    every = [*(tag for tag in result["themes"] if tag["id"] != GENERAL), *new]
    gone = replaced([tag["id"] for tag in every if tag.get("zero_shot")], frame)
    kept = sorted((tag for tag in every if tag["id"] not in gone), key=lambda tag: (-tag["confidence"], tag["id"]))
    return {**result, "themes": kept, "versions": {**result["versions"], "taxonomy": frame.version}}


def _ids(result: Result) -> set[str]:
    return {tag["id"] for tag in result["themes"]}
