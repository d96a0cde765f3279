"""What became of people, as imported: later scores, whether they stayed, what they spent; each row taken once."""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from sqlalchemy import Connection, select, tuple_

from nlp.errors import InputError
from serving import audit
from serving.encoding import SAMPLE, find_separator
from serving.insights.frame import BOUND
from serving.schemas import Finite, Instant, invalids
from serving.store.columns import NAME
from serving.store.database import insert
from serving.store.tables import outcomes

MOST_ITEMS = 10_000
"""Rows in one request: about a megabyte, and a few seconds of one transaction."""
REFUSALS_SHOWN = 100
"""Rows named in the answer; it counts them all."""
COLUMNS = ("respondent", "kind", "at", "value")
AT_ONCE = 200
"""Rows asked for in one statement: SQLite before 3.32 takes 999 parameters."""

NO_NUL = r"^[^\x00]*$"
"""PostgreSQL keeps no NUL in a text."""

_SEP_LINE = re.compile(r"\A(?:sep=.?\r?\n)+", re.IGNORECASE)
"""What Excel writes first to name the separator; it is found without."""
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


class OutcomeIn(BaseModel):
    """One thing known of a person at a time, such as whether they were still a customer."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)

    respondent: Annotated[str, StringConstraints(min_length=1, max_length=NAME, pattern=NO_NUL)]
    kind: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_.-]{0,63}$")] = Field(
        description="`score`, `retained` (1 or 0), `spent` (added up), or a name of your own"
    )
    at: Instant = Field(description="RFC 3339 with offset")
    value: Annotated[Finite, Field(ge=-BOUND, le=BOUND)]


@dataclass(frozen=True, slots=True)
class Refused:
    """A row of a CSV body that was not taken; `row` counts from 1, the header aside."""

    row: int
    detail: str


@dataclass(frozen=True, slots=True)
class Read:
    """The rows of a body that can be taken, and those that cannot."""

    items: tuple[OutcomeIn, ...]
    refused: tuple[Refused, ...]


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of the rows: new, changed (same person, kind and time, another value), known already, refused."""

    created: int
    updated: int
    unchanged: int
    refused: int
    refusals: tuple[Refused, ...]


def read_csv(text: str) -> Read:
    """The rows of a CSV with the columns respondent, kind, at and value; other columns are left alone.

    A day without a time is its first moment in UTC. InputError names the columns that are missing, or says that there
    are too many rows.
    """
    text = _SEP_LINE.sub("", text.removeprefix("\ufeff"))
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=find_separator(text[:SAMPLE]))
    header = [name.strip().lower() for name in next(_records(rows), [])]
    missing = [name for name in COLUMNS if name not in header]
    if missing:
        raise InputError(f"the CSV lacks the columns {', '.join(missing)}; its header needs {', '.join(COLUMNS)}")
    places = {name: header.index(name) for name in COLUMNS}
    items: list[OutcomeIn] = []
    refused: list[Refused] = []
    for number, cells in enumerate(_records(rows), start=1):
        if number > MOST_ITEMS:
            raise InputError(f"the CSV has more than {MOST_ITEMS} rows; send it in parts")
        found = _read(cells, places)
        if isinstance(found, OutcomeIn):
            items.append(found)
        else:
            refused.append(Refused(number, found))
    return Read(tuple(items), tuple(refused))


def _records(rows: Iterator[list[str]]) -> Iterator[list[str]]:
    """Rows that have anything in them; InputError where a quote is never closed."""
    try:
        yield from (row for row in rows if any(cell.strip() for cell in row))
    except csv.Error:
        raise InputError("the CSV cannot be read: a cell is too long or a quote in it is never closed") from None


def _read(cells: Sequence[str], places: Mapping[str, int]) -> OutcomeIn | str:
    row: dict[str, Any] = {name: cells[place].strip() for name, place in places.items() if place < len(cells)}
    if _DAY.fullmatch(row.get("at", "")):
        row["at"] += "T00:00:00Z"
    try:
        # spreadsheets of most of Europe write a comma
        row["value"] = float(row.get("value", "").replace(",", "."))
    except ValueError:
        return "value: should be a number"
    try:
        return OutcomeIn.model_validate(row)
    except ValidationError as error:
        return "; ".join(f"{wrong.path}: {wrong.reason}" for wrong in invalids(error))


def take(connection: Connection, workspace: str, read: Read, by: str, now: datetime) -> Taken:
    """Keeps the rows; one with the person, kind and time of another replaces its value."""
    wanted = {(item.respondent, item.kind, item.at): item.value for item in read.items}
    known = _known(connection, workspace, list(wanted))
    fresh = {key: value for key, value in wanted.items() if key not in known}
    changed = {key: value for key, value in wanted.items() if key in known and known[key] != value}
    written = [
        {"workspace": workspace, "respondent": key[0], "kind": key[1], "at": key[2], "value": value}
        for key, value in (fresh | changed).items()
    ]
    if written:
        statement = insert(connection, outcomes)
        keys = ["workspace", "respondent", "kind", "at"]
        replaced = statement.on_conflict_do_update(index_elements=keys, set_={"value": statement.excluded.value})
        connection.execute(replaced, written)
    counts = {"created": len(fresh), "updated": len(changed), "refused": len(read.refused)}
    audit.record(connection, workspace, by, "outcomes.import", None, counts, now)
    unchanged = len(read.items) - len(fresh) - len(changed)
    return Taken(**counts, unchanged=unchanged, refusals=read.refused[:REFUSALS_SHOWN])


def _known(
    connection: Connection, workspace: str, keys: Sequence[tuple[str, str, datetime]]
) -> dict[tuple[str, str, datetime], float]:
    column = outcomes.c
    found: dict[tuple[str, str, datetime], float] = {}
    for start in range(0, len(keys), AT_ONCE):
        some = tuple_(column.respondent, column.kind, column.at).in_(keys[start : start + AT_ONCE])
        asked = select(column.respondent, column.kind, column.at, column.value)
        for row in connection.execute(asked.where(column.workspace == workspace, some)):
            found[row[0], row[1], row[2]] = row[3]
    return found
