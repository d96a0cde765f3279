"""Keeping what arrives: responses by the sender's id, once each, with their analyses, tags and vectors."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, bindparam, delete, select
from sqlalchemy import insert as plain_insert
from sqlalchemy import update as plain_update

from serving.store.database import insert, new_id
from serving.store.tables import analyses, responses, tags, vectors

AT_ONCE = 500
"""Keys asked for in one statement: SQLite takes 32,766 values in one, PostgreSQL 65,535."""

Outcome = Literal["created", "updated", "duplicate"]
Key = tuple[str, str]
"""Source and the sender's id: who is meant within a workspace."""
Values = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Vector:
    """The mean token state of a text, float16 little endian, and the encoder it is of."""

    encoder: str
    data: bytes
    length: int
    """Code points of the text."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """A response ready to be kept: the columns of its row, without uid, revision and time of receipt."""

    columns: Values
    vector: Vector | None
    dated: bool
    """Whether the sender said when it was answered; an update that does not keeps the time there was."""
    result: Values | None = None
    """What was found in it, where the code frame makes something else of that."""

    @property
    def key(self) -> Key:
        return self.columns["source"], self.columns["id"]


@dataclass(frozen=True, slots=True)
class Saved:
    """What became of one arrival, and its row as it stands."""

    outcome: Outcome
    row: Mapping[str, Any]

    @property
    def uid(self) -> str:
        return self.row["uid"]


def by_key(
    connection: Connection, workspace: str, keys: Iterable[Key], *, lock: bool = False
) -> dict[Key, Mapping[str, Any]]:
    """The rows there are of these senders' ids; `lock` keeps others from changing them until the transaction ends."""
    found: dict[Key, Mapping[str, Any]] = {}
    # always in one order: two batches that share ids wait for each other, and never both
    for source, ids in sorted(_by_source(keys).items()):
        for some in _pieces(sorted(ids)):
            mine = (responses.c.workspace == workspace, responses.c.source == source, responses.c.id.in_(some))
            statement = select(responses).where(*mine).order_by(responses.c.id)
            rows = connection.execute(statement.with_for_update() if lock else statement).mappings()
            found.update({(source, row["id"]): row for row in rows})
    return found


def save(connection: Connection, workspace: str, arrivals: Sequence[Arrived], now: datetime) -> list[Saved]:
    """Keeps a batch, in order; the same id twice in it is an update or a duplicate of itself."""
    saved: dict[int, Saved] = {}
    for turn in _turns(arrivals):
        found = _save_turn(connection, workspace, [arrivals[index] for index in turn], now)
        saved.update(zip(turn, found, strict=True))
    return [saved[index] for index in range(len(arrivals))]


def write_reading(connection: Connection, rows: Sequence[Values], people: Mapping[str, set[str]]) -> None:
    """Tags of the effective results of rows that have none; `people`: by uid, the themes that a person set."""
    found = [
        {
            "workspace": row["workspace"],
            "response": row["uid"],
            "theme": tag["id"],
            "sentiment": tag["sentiment"]["label"],
            "confidence": tag["confidence"],
            "by": "person" if tag["id"] in people.get(row["uid"], ()) else "model",
        }
        for row in rows
        for tag in row["effective"]["themes"]
    ]
    if found:
        connection.execute(plain_insert(tags), found)


def write_vectors(connection: Connection, workspace: str, found: Mapping[str, Vector | None]) -> None:
    """The vectors of whole texts, by uid; those of the same encoder that were there before give way."""
    rows = [
        {
            "workspace": workspace,
            "response": uid,
            "encoder": vector.encoder,
            "part": 0,
            "start": 0,
            "end": vector.length,
            "data": vector.data,
        }
        for uid, vector in found.items()
        if vector is not None
    ]
    if rows:
        statement = insert(connection, vectors)
        new = {name: statement.excluded[name] for name in ("start", "end", "data")}
        keys = ["workspace", "response", "encoder", "part"]
        connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=new), rows)


def write_analyses(connection: Connection, rows: Sequence[Values], results: Sequence[Values], now: datetime) -> None:
    """One more analysis for each row."""
    connection.execute(
        plain_insert(analyses),
        [
            {
                "workspace": row["workspace"],
                "response": row["uid"],
                "revision": row["revision"],
                "at": now,
                **result["versions"],
                "result": result,
            }
            for row, result in zip(rows, results, strict=True)
        ],
    )


def forget_readings(connection: Connection, workspace: str, uids: Sequence[str], *, vectors_too: bool) -> None:
    """Takes away the tags of responses, and the vectors of a text that is no more."""
    for table in (tags, vectors) if vectors_too else (tags,):
        for some in _pieces(list(uids)):
            connection.execute(delete(table).where(table.c.workspace == workspace, table.c.response.in_(some)))


def update_rows(connection: Connection, workspace: str, rows: Sequence[Values]) -> None:
    """Writes these columns of responses; every row has its uid and the same columns."""
    if not rows:
        return
    names = [name for name in rows[0] if name not in ("uid", "workspace")]
    statement = plain_update(responses).where(
        responses.c.workspace == workspace, responses.c.uid == bindparam("of_uid")
    )
    values = [{"of_uid": row["uid"], **{f"new_{name}": row[name] for name in names}} for row in rows]
    connection.execute(statement.values({name: bindparam(f"new_{name}") for name in names}), values)


def _save_turn(connection: Connection, workspace: str, arrivals: Sequence[Arrived], now: datetime) -> list[Saved]:
    uids = sorted(new_id() for _ in arrivals)  # in the order of the batch also within a millisecond
    fresh = {
        arrived.key: {**arrived.columns, "workspace": workspace, "uid": uid, "revision": 1, "received_at": now}
        for arrived, uid in zip(arrivals, uids, strict=True)
    }
    statement = insert(connection, responses)
    # one order for all, so that two batches with the same ids cannot each wait for the other
    ordered = [fresh[key] for key in sorted(fresh)]
    connection.execute(statement.on_conflict_do_nothing(index_elements=["workspace", "source", "id"]), ordered)
    stored = by_key(connection, workspace, fresh, lock=True)
    found = [_judge(arrived, fresh[arrived.key], stored[arrived.key]) for arrived in arrivals]
    _write(connection, workspace, list(zip(found, arrivals, strict=True)), now)
    return found


def _judge(arrived: Arrived, fresh: Values, stored: Mapping[str, Any]) -> Saved:
    if stored["uid"] == fresh["uid"]:
        return Saved("created", fresh)
    if stored["digest"] == fresh["digest"]:
        return Saved("duplicate", stored)
    kept = {name: stored[name] for name in ("uid", "received_at")}
    if not arrived.dated:
        kept["answered_at"] = stored["answered_at"]
    return Saved("updated", {**fresh, **kept, "revision": stored["revision"] + 1})


def _write(connection: Connection, workspace: str, found: Sequence[tuple[Saved, Arrived]], now: datetime) -> None:
    updated = [dict(saved.row) for saved, _ in found if saved.outcome == "updated"]
    if updated:
        update_rows(connection, workspace, updated)
        forget_readings(connection, workspace, [row["uid"] for row in updated], vectors_too=True)
    kept = [(dict(saved.row), arrived) for saved, arrived in found if saved.outcome != "duplicate"]
    if kept:
        rows = [row for row, _ in kept]
        results = [arrived.result or arrived.columns["effective"] for _, arrived in kept]
        write_analyses(connection, rows, results, now)
        write_reading(connection, rows, {})
        write_vectors(connection, workspace, {row["uid"]: arrived.vector for row, arrived in kept})


def _turns(arrivals: Sequence[Arrived]) -> Iterator[list[int]]:
    """Numbers of arrivals in rounds that have each key once, earlier ones first."""
    left = list(range(len(arrivals)))
    while left:
        seen: set[Key] = set()
        turn = [index for index in left if not (arrivals[index].key in seen or seen.add(arrivals[index].key))]
        yield turn
        taken = set(turn)
        left = [index for index in left if index not in taken]


def _by_source(keys: Iterable[Key]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for source, id in keys:
        found.setdefault(source, set()).add(id)
    return found


def _pieces(values: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(values), AT_ONCE):
        yield values[start : start + AT_ONCE]
