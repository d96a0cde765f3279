"""Stored answers after the code frame changed: their effective tags come anew from what was found and said."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, RowMapping, select

from serving.frame.effective import Frame, mapped, mapped_fields
from serving.parts import Parts
from serving.store.effective import by_people, columns, overlaid, ranked
from serving.store.responses import response_of
from serving.store.saving import forget_readings, update_rows, write_reading
from serving.store.tables import analyses, corrections, responses, tags

CHUNK = 200
"""Answers in memory together."""


def renew(connection: Connection, parts: Parts, workspace: str, before: Frame, after: Frame) -> int:
    """Brings answers in line whose themes have another name now; how many. History stays as it was."""
    changed = {id for id in {*before.merged, *after.merged} if before.named(id) != after.named(id)}
    uids = _tagged(connection, workspace, sorted({before.named(id) for id in changed})) if changed else []
    for start in range(0, len(uids), CHUNK):
        _renew(connection, parts, workspace, uids[start : start + CHUNK], after)
    return len(uids)


def _tagged(connection: Connection, workspace: str, themes: Sequence[str]) -> list[str]:
    asked = select(tags.c.response).distinct().where(tags.c.workspace == workspace, tags.c.theme.in_(themes))
    return sorted(connection.execute(asked).scalars())


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
