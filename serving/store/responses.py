"""Responses as they stand: finding one, correcting it; every reading and correction is kept."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy import Connection, insert, select

from nlp.pipeline import Analysis
from nlp.types import Respondent, Response, Scale
from serving.frame.effective import mapped, mapped_fields
from serving.frame.store import frame_of, hold
from serving.parts import Parts
from serving.store.effective import Fields, by_people, check_fields, columns, overlaid, ranked
from serving.store.loop_tables import case_responses, cases
from serving.store.saving import Values, Vector, forget_readings, update_rows, write_reading
from serving.store.tables import analyses, corrections, responses


def find(connection: Connection, workspace: str, uid: str, *, lock: bool = False) -> Mapping[str, Any] | None:
    """The row of a response; `lock` keeps others from changing it until the transaction ends."""
    statement = select(responses).where(responses.c.workspace == workspace, responses.c.uid == uid)
    return connection.execute(statement.with_for_update() if lock else statement).mappings().one_or_none()


def history(connection: Connection, workspace: str, uid: str) -> dict[str, list[Mapping[str, Any]]]:
    """The analyses and corrections of a response, oldest first, and the cases it belongs to."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for name, table in (("analyses", analyses), ("corrections", corrections)):
        mine = (table.c.workspace == workspace, table.c.response == uid)
        found[name] = list(connection.execute(select(table).where(*mine).order_by(table.c.id)).mappings())
    joined = cases.join(
        case_responses, (case_responses.c.workspace == cases.c.workspace) & (case_responses.c.case == cases.c.id)
    )
    of = select(cases.c.id, cases.c.state, cases.c.priority, cases.c.opened_at).select_from(joined)
    mine = (case_responses.c.workspace == workspace, case_responses.c.response == uid)
    found["cases"] = list(connection.execute(of.where(*mine).order_by(cases.c.opened_at, cases.c.id)).mappings())
    return found


def correct(
    connection: Connection,
    parts: Parts,
    workspace: str,
    uid: str,
    fields: Fields,
    by: str,
    note: str | None,
    now: datetime,
) -> Values | None:
    """The row after a person's correction, None where there is no such response.

    Raises InputError that names an unknown theme, mood or signal. A person's word stands over what was read in the
    text, also where the code frame changes later, and ends when the sender changes the text.
    """
    hold(connection, workspace, change=False)
    row = find(connection, workspace, uid, lock=True)
    if row is None:
        return None
    frame = frame_of(connection, workspace, parts.taxonomy())
    has = {tag["id"] for tag in row["effective"]["themes"]}
    said = check_fields(mapped_fields(fields, frame), frame, has)
    correction = {"workspace": workspace, "response": uid, "revision": row["revision"], "at": now, "by": by}
    note = parts.redact(note) if note else None
    connection.execute(insert(corrections).values(**correction, fields=_plain(said), note=note))
    return _renew(connection, parts, row)


def response_of(row: Mapping[str, Any]) -> Response:
    """The response in a row, its text redacted."""
    scale = None if row["scale_min"] is None else Scale(row["scale_min"], row["scale_max"])
    person = Respondent(row["respondent"], row["contact_consent"], row["segment"], row["value"])
    same = ("id", "text", "question", "metric", "score", "answered_at")
    dimensions = ("survey", "touchpoint", "channel", "unit", "employee", "attributes")
    return Response(
        **{name: row[name] for name in (*same, *dimensions)},
        scale=scale,
        source=row["source"] or None,
        respondent=person,
    )


def vector_of(parts: Parts, analysis: Analysis) -> Vector | None:
    """What is kept of an analysis' vector."""
    if analysis.vector is None:
        return None
    said = analysis.classification
    data = np.asarray(analysis.vector, "<f2").tobytes()
    return Vector(parts.encoder(said.versions.model), data, len(said.text))


def _renew(connection: Connection, parts: Parts, row: Mapping[str, Any]) -> Values:
    """Writes what the newest analysis and all corrections of this revision come to."""
    result, said = _readings(connection, row)
    response = response_of(row)
    frame = frame_of(connection, row["workspace"], parts.taxonomy())
    said = [mapped_fields(fields, frame) for fields in said]
    effective = ranked(overlaid(mapped(result, frame), said, frame), response, parts.priority)
    changed = {"uid": row["uid"], **columns(effective, response, parts.priority), "corrected": bool(said)}
    update_rows(connection, row["workspace"], [changed])
    new = {**row, **changed}
    forget_readings(connection, row["workspace"], [row["uid"]], vectors_too=False)
    write_reading(connection, [new], {row["uid"]: by_people(effective, said)})
    return new


def _readings(connection: Connection, row: Mapping[str, Any]) -> tuple[Values, Sequence[Fields]]:
    def of(table: Any) -> tuple[Any, ...]:
        revision = table.c.revision == row["revision"]
        return (table.c.workspace == row["workspace"], table.c.response == row["uid"], revision)

    newest = select(analyses.c.result).where(*of(analyses)).order_by(analyses.c.id.desc()).limit(1)
    said = select(corrections.c.fields).where(*of(corrections)).order_by(corrections.c.id)
    return connection.execute(newest).scalar_one(), list(connection.execute(said).scalars())


def _plain(fields: Fields) -> Values:
    """JSON values: sets and tuples as sorted or kept lists."""
    return {name: list(value) if isinstance(value, list | tuple | set) else value for name, value in fields.items()}
