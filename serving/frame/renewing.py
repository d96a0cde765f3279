"""Stored answers after the code frame changed: their effective tags come anew from what was found and said."""

import re
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, Select, Text, and_, cast, exists, func, or_, select

from serving.frame.effective import Frame, mapped, mapped_fields
from serving.parts import Parts
from serving.store.effective import by_people, columns, overlaid, ranked
from serving.store.responses import response_of
from serving.store.saving import forget_readings, update_rows, write_reading
from serving.store.tables import analyses, corrections, responses, tags

CHUNK = 200
"""Answers in memory together."""
MOST_NAMED = 50
"""Themes looked for in the words of what is stored; above it that takes longer than writing it anew."""
_PLAIN = re.compile(r"[\w.-]+", re.ASCII)  # the same in JSON however it is written
_SAID = ((analyses, analyses.c.result), (corrections, corrections.c.fields))


@dataclass(frozen=True, slots=True)
class Concerned:
    """Themes whose answers a change of the frame makes others of."""

    whole: frozenset[str] = frozenset()
    """Those that are another one now, with all their answers."""
    holders: frozenset[str] = frozenset()
    """Those that stay, while what was merged into them goes elsewhere: their own answers are left alone."""
    parted: frozenset[str] = frozenset()
    """What goes elsewhere, by which the answers of `holders` are told apart."""

    def __bool__(self) -> bool:
        return bool(self.whole or self.holders)

    def plain(self) -> dict[str, list[str]]:
        """JSON values; `restored` is the inverse."""
        return {name: sorted(getattr(self, name)) for name in ("whole", "holders", "parted")}

    @classmethod
    def restored(cls, plain: Mapping[str, Any]) -> "Concerned":
        return cls(*(frozenset(plain[name]) for name in ("whole", "holders", "parted")))


def concerned(before: Frame, after: Frame) -> Concerned:
    """What a change of the frame reaches in stored answers."""
    changed = {id for id in {*before.merged, *after.merged} if before.named(id) != after.named(id)}
    whole = {was for id in changed if after.named(was := before.named(id)) != was}
    parted = {id for id in changed if before.named(id) not in whole}
    return Concerned(frozenset(whole), frozenset(before.named(id) for id in parted), frozenset(parted))


def uids_of(connection: Connection, workspace: str, found: Concerned, place: str | None, most: int) -> list[str]:
    """Answers that are concerned, the last to arrive first, at most so many; those after a `place`, where given."""
    of = tags.c
    asked = _tagged(select(of.response).distinct(), workspace, found).order_by(of.response.desc()).limit(most)
    if place is not None:
        asked = asked.where(of.response < place)
    return list(connection.execute(asked).scalars()) if found else []


def count(connection: Connection, workspace: str, found: Concerned) -> int:
    """How many answers are concerned."""
    asked = _tagged(select(func.count(func.distinct(tags.c.response))), workspace, found)
    return connection.execute(asked).scalar_one()


def renew(connection: Connection, parts: Parts, workspace: str, uids: Sequence[str], after: Frame) -> None:
    """Brings answers in line whose themes have another name now. History stays as it was."""
    for start in range(0, len(uids), CHUNK):
        _renew(connection, parts, workspace, uids[start : start + CHUNK], after)


def _tagged(asked: Select, workspace: str, found: Concerned) -> Select:
    """Of the holders those answers alone whose analyses or corrections name what is parted, and maybe more."""
    of = tags.c
    held = of.theme.in_(sorted(found.holders))
    if found.holders and len(found.parted) <= MOST_NAMED and all(_PLAIN.fullmatch(id) for id in found.parted):
        held = and_(held, or_(*(_says(*each, found.parted) for each in _SAID)))
    return asked.where(of.workspace == workspace, or_(of.theme.in_(sorted(found.whole)), held))


def _says(table: Any, column: Any, named: Set[str]) -> ColumnElement[bool]:
    said = or_(*(cast(column, Text).contains(f'"{id}"', autoescape=True) for id in sorted(named)))
    return exists().where(table.c.workspace == tags.c.workspace, table.c.response == tags.c.response, said)


def _renew(connection: Connection, parts: Parts, workspace: str, uids: Sequence[str], frame: Frame) -> None:
    of = responses.c
    asked = select(responses).where(of.workspace == workspace, of.uid.in_(uids)).order_by(of.uid)
    rows = connection.execute(asked.with_for_update()).mappings().all()
    results = {row.response: row.result for row in of_now(connection, workspace, rows, analyses)}
    said: dict[str, list[Mapping[str, Any]]] = {}
    for row in of_now(connection, workspace, rows, corrections):
        said.setdefault(row.response, []).append(mapped_fields(row.fields, frame))
    renewed, people = [], {}
    for row in rows:
        fields, response = said.get(row["uid"], []), response_of(row)
        effective = ranked(overlaid(mapped(results[row["uid"]], frame), fields, frame), response, parts.priority)
        renewed.append({"uid": row["uid"], **columns(effective, response, parts.priority)})
        people[row["uid"]] = by_people(effective, fields)
    update_rows(connection, workspace, renewed)
    forget_readings(connection, workspace, uids, vectors_too=False)
    write_reading(connection, [{**each, "workspace": workspace} for each in renewed], people)


def of_now(connection: Connection, workspace: str, rows: Sequence[RowMapping], table: Any) -> Iterator[Any]:
    """Analyses or corrections of the texts as they are now, oldest first."""
    revisions = {row["uid"]: row["revision"] for row in rows}
    mine = (table.c.workspace == workspace, table.c.response.in_(list(revisions)))
    for row in connection.execute(select(table).where(*mine).order_by(table.c.id)):
        if row.revision == revisions[row.response]:
            yield row
