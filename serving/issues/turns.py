"""Whose turn it is to look for issues: one process for a workspace at a time, in full each night, hourly for births.

Beside it goes the reading: one process gives the answers their vectors, whoever looks for issues meanwhile.
"""

from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import Connection, RowMapping, exists, func, select, update

from serving.issues import spreads
from serving.store.database import insert
from serving.store.issue_tables import discoveries
from serving.store.tables import responses

FULL_EVERY = timedelta(hours=24)
BIRTHS_EVERY = timedelta(hours=1)
GROWN = 0.5
"""Share of the answers read last by which as many new ones make a full run due at once: after an import, say."""
LEASE = timedelta(minutes=30)
"""A run over a hundred thousand answers takes minutes; a process silent for so long is taken for dead."""

READING = timedelta(seconds=30)
"""A portion takes seconds also where everything else goes first; a process silent for so long is taken for dead.
Nobody lets go of it earlier, so that under steady load one process reads, and one alone has the encoder in memory."""

Kind = Literal["full", "births"]


def due(connection: Connection, workspace: str, encoder: str, now: datetime) -> Kind | None:
    """What there is to do; nothing where another process is at it, or nothing has come in since the last time.

    All issues are looked for where this encoder's vectors have never been: of another version, they do not compare.
    """
    row = _row(connection, workspace)
    if row is None:
        return "full" if _arrived(connection, workspace, None) else None
    if row["leased_until"] is not None and row["leased_until"] > now:
        return None
    if row["full_at"] is None or spreads.stamp(connection, workspace, encoder) is None:
        return "full"
    if now - row["full_at"] >= FULL_EVERY and _arrived(connection, workspace, row["full_at"]):
        return "full"
    if _arrived_since(connection, workspace, row["full_at"]) > GROWN * (row["rows"] or 0):
        return "full"
    last = max(row["full_at"], row["births_at"] or row["full_at"])
    return "births" if now - last >= BIRTHS_EVERY and _arrived(connection, workspace, last) else None


def claim(connection: Connection, workspace: str, encoder: str, worker: str, now: datetime) -> Kind | None:
    """The same, and nobody else gets it until it is finished or the lease runs out."""
    hold(connection, workspace)
    kind = due(connection, workspace, encoder, now)
    if kind is not None:
        _set(connection, workspace, leased_until=now + LEASE, leased_by=worker)
    return kind


def hold(connection: Connection, workspace: str) -> None:
    """Until the transaction ends, nobody else writes what a run found or what people decide about issues."""
    new = insert(connection, discoveries).values(workspace=workspace)
    connection.execute(new.on_conflict_do_nothing())
    connection.execute(select(discoveries.c.workspace).where(discoveries.c.workspace == workspace).with_for_update())


def held(connection: Connection, workspace: str, worker: str) -> bool:
    """Whether the turn is still this worker's; also holds it."""
    hold(connection, workspace)
    row = _row(connection, workspace)
    return row is not None and row["leased_by"] == worker


def finish(connection: Connection, workspace: str, kind: Kind, rows: int, started: datetime) -> None:
    """Ends a turn. What came in while it lasted has not been read: the next one counts from the start of this one."""
    done = {"full_at": started, "rows": rows} if kind == "full" else {"births_at": started}
    _set(connection, workspace, leased_until=None, leased_by=None, **done)


def give_up(connection: Connection, workspace: str, worker: str) -> None:
    """Lets go of a turn that came to nothing; it is due again."""
    mine = (discoveries.c.workspace == workspace, discoveries.c.leased_by == worker)
    connection.execute(update(discoveries).where(*mine).values(leased_until=None, leased_by=None))


def reader(connection: Connection, workspace: str, now: datetime) -> tuple[str, timedelta] | None:
    """Which worker gives answers their vectors now, and for how long nobody else will."""
    row = _row(connection, workspace)
    if row is None or row["reading_until"] is None or row["reading_until"] <= now:
        return None
    return row["reading_by"], row["reading_until"] - now


def claim_reading(connection: Connection, workspace: str, worker: str, now: datetime) -> bool:
    """Makes this worker the reader, unless another is."""
    hold(connection, workspace)
    before = reader(connection, workspace, now)
    if before is not None and before[0] != worker:
        return False
    _set(connection, workspace, reading_until=now + READING, reading_by=worker)
    return True


def ask(connection: Connection, workspace: str) -> None:
    """Has all issues looked for again soon: people changed which there are."""
    _set(connection, workspace, full_at=None)


def _row(connection: Connection, workspace: str) -> RowMapping | None:
    asked = select(discoveries).where(discoveries.c.workspace == workspace)
    return connection.execute(asked).mappings().one_or_none()


def _set(connection: Connection, workspace: str, **values: object) -> None:
    connection.execute(update(discoveries).where(discoveries.c.workspace == workspace).values(**values))


def _arrived_since(connection: Connection, workspace: str, since: datetime) -> int:
    new = select(func.count()).select_from(responses)
    return connection.execute(
        new.where(responses.c.workspace == workspace, responses.c.received_at > since)
    ).scalar_one()


def _arrived(connection: Connection, workspace: str, since: datetime | None) -> bool:
    found = exists().where(responses.c.workspace == workspace)
    if since is not None:
        found = found.where(responses.c.received_at > since)
    return bool(connection.execute(select(found)).scalar_one())
