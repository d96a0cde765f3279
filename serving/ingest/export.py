"""What the store gives out, as JSON objects: corrected responses as labelled rows, cases, responses."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, Table, select

from nlp.taxonomy import Taxonomy
from serving.ingest.models import response_out
from serving.store.loop_tables import case_responses, cases
from serving.store.tables import responses

Kind = Literal["labels", "cases", "responses"]
AT_ONCE = 500
"""Rows in memory together."""
_DIMENSIONS = ("source", "survey", "touchpoint", "channel", "unit", "employee")


def export(
    connection: Connection, workspace: str, kind: Kind, frame: Taxonomy | None = None
) -> Iterator[dict[str, Any]]:
    """Every row of a kind, oldest first. Texts are redacted, and nothing tells who wrote a labelled row.

    With a frame, labelled rows name its themes alone: a training takes no other.
    """
    rows, made = _KINDS[kind]
    for row in rows(connection, workspace):
        found = made(row)
        if frame is not None and kind == "labels":
            found = _within(found, frame)
        yield {name: _plain(value) for name, value in found.items()}


def labelled(row: Mapping[str, Any]) -> dict[str, Any]:
    """A corrected response as a labelled row of the contract, which `holos train --data` reads."""
    effective, consent = row["effective"], row["contact_consent"]
    themes = effective["themes"]
    found = {
        **{name: row[name] for name in ("id", "text", "language", "question", "metric", "score", "answered_at")},
        **{name: row[name] for name in _DIMENSIONS},
        "scale": _scale(row),
        "respondent": None if consent is None else {"contact_consent": consent},
        "themes": [tag["id"] for tag in themes],
        "theme_sentiments": {tag["id"]: tag["sentiment"]["label"] for tag in themes},
        "sentiment": effective["sentiment"]["label"],
        "justified": effective["justification"]["justified"],
        "signals": effective["signals"],
    }
    return {name: value for name, value in found.items() if value is not None and value != ""} | {"text": row["text"]}


def _within(row: dict[str, Any], frame: Taxonomy) -> dict[str, Any]:
    themes = [id for id in row["themes"] if id in frame.ids]
    moods = {id: mood for id, mood in row["theme_sentiments"].items() if id in frame.ids}
    return {**row, "themes": themes, "theme_sentiments": moods}


def _response(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**response_out(row), "scale": _scale(row)}


def _corrected(connection: Connection, workspace: str) -> Iterator[Mapping[str, Any]]:
    return _stream(connection, responses, responses.c.workspace == workspace, responses.c.corrected)


def _responses(connection: Connection, workspace: str) -> Iterator[Mapping[str, Any]]:
    return _stream(connection, responses, responses.c.workspace == workspace)


def _cases(connection: Connection, workspace: str) -> Iterator[Mapping[str, Any]]:
    joined = select(case_responses.c.case, case_responses.c.response).where(case_responses.c.workspace == workspace)
    of: dict[str, list[str]] = {}
    for case, response in connection.execute(joined.order_by(case_responses.c.joined_at, case_responses.c.response)):
        of.setdefault(case, []).append(response)
    for row in _stream(connection, cases, cases.c.workspace == workspace):
        yield {**row, "responses": of.get(row["id"], [])}


def _case(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in ("workspace", "response")}


_Rows = Callable[[Connection, str], Iterator[Mapping[str, Any]]]
_KINDS: Mapping[Kind, tuple[_Rows, Callable[[Mapping[str, Any]], dict[str, Any]]]] = {
    "labels": (_corrected, labelled),
    "cases": (_cases, _case),
    "responses": (_responses, _response),
}


def _stream(connection: Connection, table: Table, *conditions: Any) -> Iterator[Mapping[str, Any]]:
    # uids and case ids sort by the time they were made
    key = table.c.uid if "uid" in table.c else table.c.id
    found = connection.execution_options(yield_per=AT_ONCE).execute(select(table).where(*conditions).order_by(key))
    yield from found.mappings()


def _scale(row: Mapping[str, Any]) -> dict[str, float] | None:
    return None if row["scale_min"] is None else {"min": row["scale_min"], "max": row["scale_max"]}


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
