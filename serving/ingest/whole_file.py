"""A file taken in by the process that was told to: with what is wrong said by row, and an event at the end."""

import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Connection

from serving.files import read_rows
from serving.ingest.imports import OUTCOMES, Chunk, Tally, import_rows, refresh, tell
from serving.mapping import ColumnMapping
from serving.parts import Parts
from serving.rows import ReadLog
from serving.store.database import new_id

MAX_REPORTED = 20
"""Rows whose problem is said; the rest are counted."""


async def import_file(
    parts: Parts,
    path: Path,
    mapping: ColumnMapping,
    workspace: str,
    actor: str,
    say: Callable[[str], None],
    advance: Callable[[int, int | None], None] = lambda rows, expected: None,
) -> Tally:
    """Takes a whole file and counts what became of its rows; taken again after a crash, it doubles nothing.

    `advance` hears of rows that are durable and of how many to expect. Raises InputError for a file that is wrong as a
    whole.
    """
    tally: Tally = Counter(dict.fromkeys(OUTCOMES, 0))
    log, dated = ReadLog(say), parts.clock()

    def keep(connection: Connection, chunk: Chunk) -> None:
        for each in chunk.refused[: max(0, MAX_REPORTED - tally["refused"])]:
            say(f"row {each.row}: {each.code}: {each.detail}")
        tally.update(chunk.tally)
        advance(len(chunk.rows), log.expected)

    await import_rows(parts, workspace, actor, read_rows(path, mapping, log), dated, keep)
    if tally["refused"] > MAX_REPORTED:
        say(f"{tally['refused'] - MAX_REPORTED} more rows were refused")
    now, rows = parts.clock(), tally.total()
    with parts.database.write() as connection:
        what = {"done": rows, "total": rows, "result": dict(tally)}
        tell(connection, workspace, new_id(), path.name, "done", what, now)
    await asyncio.to_thread(refresh, parts, rows)
    return tally
