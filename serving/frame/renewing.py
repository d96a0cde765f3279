"""Stored answers after the code frame changed: their effective tags come anew from what was found and said."""

import re
from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, Text, cast, exists, or_, select

from nlp.errors import InputError
from serving.frame.effective import Frame, mapped, mapped_fields
from serving.parts import Parts
from serving.store.effective import by_people, columns, overlaid, ranked
from serving.store.responses import response_of
from serving.store.saving import forget_readings, update_rows, write_reading
from serving.store.tables import analyses, corrections, responses, tags

CHUNK = 200
"""Answers in memory together."""
MOST_RENEWED = 15_000
"""Answers that one change rewrites: about 10 s on PostgreSQL, 4 s on SQLite, in which others wait to write."""
MOST_NAMED = 50
"""Themes looked for in the words of what is stored; above it that takes longer than writing it anew."""
_PLAIN = re.compile(r"[\w.-]+", re.ASCII)  # the same in JSON however it is written
_SAID = ((analyses, analyses.c.result), (corrections, corrections.c.fields))


class TooManyAnswersError(InputError):
    """A change would rewrite more answers than others can wait for."""


def concerned(connection: Connection, workspace: str, before: Frame, after: Frame) -> list[str]:
    """Uids of the answers that have themes which are another one now; TooManyAnswersError above what one change may."""
    changed = {id for id in {*before.merged, *after.merged} if before.named(id) != after.named(id)}
    whole = {was for id in changed if after.named(was := before.named(id)) != was}
    # what was merged into a theme that stays: its own answers are left alone
    parted = {id for id in changed if before.named(id) not in whole}
    found = _tagged(connection, workspace, whole, None)
    found |= _tagged(connection, workspace, {before.named(id) for id in parted}, parted)
    if len(found) > MOST_RENEWED:
        raise TooManyAnswersError(
            f"{len(found)} answers have the themes concerned, and one change rewrites {MOST_RENEWED} at most; instead "
            "of merging, move the theme under the other and retire it, or change fewer merges at once"
        )
    return sorted(found)


def renew(connection: Connection, parts: Parts, workspace: str, uids: Sequence[str], after: Frame) -> None:
    """Brings answers in line whose themes have another name now. History stays as it was."""
    for start in range(0, len(uids), CHUNK):
        _renew(connection, parts, workspace, uids[start : start + CHUNK], after)


def _tagged(connection: Connection, workspace: str, themes: Set[str], named: Set[str] | None) -> set[str]:
    """Answers tagged so; with `named` those alone whose analyses or corrections name one of these, and maybe more."""
    if not themes:
        return set()
    of = tags.c
    asked = select(of.response).distinct().where(of.workspace == workspace, of.theme.in_(sorted(themes)))
    if named is not None and len(named) <= MOST_NAMED and all(_PLAIN.fullmatch(id) for id in named):
        asked = asked.where(or_(*(_says(*each, named) for each in _SAID)))
    return set(connection.execute(asked).scalars())


def _says(table: Any, column: Any, named: Set[str]) -> ColumnElement[bool]:
    said = or_(*(cast(column, Text).contains(f'"{id}"', autoescape=True) for id in sorted(named)))
    return exists().where(table.c.workspace == tags.c.workspace, table.c.response == tags.c.response, said)


def _renew(connection: Connection, parts: Parts, workspace: str, uids: Sequence[str], frame: Frame) -> None:
    of = responses.c
    asked = select(responses).where(of.workspace == workspace, of.uid.in_(uids)).order_by(of.uid)
    rows = connection.execute(asked.with_for_update()).mappings().all()
    results = {row.response: row.result for row in _of_now(connection, workspace, rows, analyses)}
    said: dict[str, list[Mapping[str, Any]]] = {}
    for row in _of_now(connection, workspace, rows, corrections):
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


def _of_now(connection: Connection, workspace: str, rows: Sequence[RowMapping], table: Any) -> Iterator[Any]:
    """Analyses or corrections of the texts as they are now, oldest first."""
    revisions = {row["uid"]: row["revision"] for row in rows}
    mine = (table.c.workspace == workspace, table.c.response.in_(list(revisions)))
    for row in connection.execute(select(table).where(*mine).order_by(table.c.id)):
        if row.revision == revisions[row.response]:
            yield row
