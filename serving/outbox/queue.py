"""Deliveries that are due: taken with a lease, so that several processes share them, and what became of each."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, func, insert, or_, select, tuple_, update

from serving.outbox import targets
from serving.outbox.retry import Again, Answer, Delivered, GiveUp, in_words
from serving.store.database import Database
from serving.store.loop_tables import deliveries, delivery_tries, events

LEASE = timedelta(minutes=2)
"""Longer than any try takes; a process that dies leaves its deliveries to others after it."""
BATCH = 100
"""Deliveries taken at one time."""

Target = tuple[str, str]
"""(workspace, id)"""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery that is this process's to make, until its lease ends."""

    delivery: RowMapping
    event: RowMapping
    target: RowMapping | None
    """None where it was deleted meanwhile."""
    lease: str

    @property
    def to(self) -> Target:
        return self.delivery["workspace"], self.delivery["target"]


def claim(
    database: Database, now: datetime, lease: str, per_target: int, in_flight: Mapping[Target, int]
) -> list[Claimed]:
    """Due deliveries, at most `per_target` for each target that are on their way at one time, oldest first."""
    full = [target for target, number in in_flight.items() if number >= per_target]
    with database.read() as connection:
        keys = _free(connection.execute(_candidates(now, per_target, full)).mappings(), per_target, in_flight)
    if not keys:
        return []
    with database.write() as connection:
        return _claimed(connection, _take(connection, keys, now, lease), lease)


def settle(
    connection: Connection,
    claimed: Claimed,
    answer: Answer,
    verdict: Delivered | Again | GiveUp,
    ms: float,
    now: datetime,
) -> None:
    """Writes one try into the log and what it means for the delivery, which another may have taken over meanwhile."""
    row = claimed.delivery
    where = (deliveries.c.workspace == row["workspace"], deliveries.c.id == row["id"])
    if connection.execute(select(deliveries.c.id).where(*where).with_for_update()).first() is None:
        return  # erased while it was on its way
    of = {"workspace": row["workspace"], "delivery": row["id"]}
    error = None if isinstance(verdict, Delivered) else in_words(answer)
    connection.execute(insert(delivery_tries).values(**of, at=now, status=answer.status, error=error, ms=ms))
    _release(connection, claimed, {"tries": row["tries"] + 1, **_outcome(verdict, now)})
    if isinstance(verdict, GiveUp) and verdict.disable:
        targets.disable(connection, row["kind"], row["workspace"], row["target"], verdict.reason, now)


def postpone(connection: Connection, claimed: Claimed, until: datetime) -> None:
    """Gives it back untried, to be made from this time on."""
    _release(connection, claimed, {"next_at": until})


def bury(connection: Connection, claimed: Claimed, reason: str, now: datetime) -> None:
    """A dead letter without a try."""
    _release(connection, claimed, _outcome(GiveUp(reason), now))


def _candidates(now: datetime, per_target: int, full: Collection[Target]) -> Any:
    place = func.row_number().over(
        partition_by=(deliveries.c.workspace, deliveries.c.target), order_by=(deliveries.c.next_at, deliveries.c.id)
    )
    columns = (deliveries.c.workspace, deliveries.c.id, deliveries.c.target, place.label("place"))
    due = select(*columns).where(_due(now))
    if full:
        due = due.where(tuple_(deliveries.c.workspace, deliveries.c.target).not_in(full))
    found = due.subquery()
    # by place first: the oldest of every target comes before the second of any
    return select(found).where(found.c.place <= per_target).order_by(found.c.place, found.c.id).limit(BATCH)


def _due(now: datetime) -> ColumnElement[bool]:
    free = or_(deliveries.c.leased_until.is_(None), deliveries.c.leased_until <= now)
    return (deliveries.c.state == "pending") & (deliveries.c.next_at <= now) & free


def _free(found: Any, per_target: int, in_flight: Mapping[Target, int]) -> list[tuple[str, str]]:
    return [
        (row["workspace"], row["id"])
        for row in found
        if row["place"] + in_flight.get((row["workspace"], row["target"]), 0) <= per_target
    ]


def _take(connection: Connection, keys: Sequence[tuple[str, str]], now: datetime, lease: str) -> list[RowMapping]:
    among = tuple_(deliveries.c.workspace, deliveries.c.id).in_(keys)
    statement = select(deliveries).where(among, _due(now)).order_by(deliveries.c.next_at, deliveries.c.id)
    rows = list(connection.execute(statement.with_for_update(skip_locked=True)).mappings())
    taken = tuple_(deliveries.c.workspace, deliveries.c.id).in_([(row["workspace"], row["id"]) for row in rows])
    if rows:
        connection.execute(update(deliveries).where(taken).values(leased_until=now + LEASE, leased_by=lease))
    return rows


def _claimed(connection: Connection, rows: Sequence[RowMapping], lease: str) -> list[Claimed]:
    keys = {(row["workspace"], row["event"]) for row in rows}
    asked = select(events).where(tuple_(events.c.workspace, events.c.id).in_(keys))
    told = {(event["workspace"], event["id"]): event for event in connection.execute(asked).mappings()}
    to = {(row["kind"], row["workspace"], row["target"]) for row in rows}
    known = {key: targets.find(connection, *key) for key in to}
    return [
        Claimed(row, told[row["workspace"], row["event"]], known[row["kind"], row["workspace"], row["target"]], lease)
        for row in rows
    ]


def _outcome(verdict: Delivered | Again | GiveUp, now: datetime) -> dict[str, Any]:
    match verdict:
        case Delivered():
            return {"state": "delivered", "done_at": now, "reason": None}
        case Again(at):
            return {"next_at": at}
        case GiveUp(reason):
            return {"state": "dead", "done_at": now, "reason": reason}


def _release(connection: Connection, claimed: Claimed, fields: Mapping[str, Any]) -> None:
    row = claimed.delivery
    where = (deliveries.c.workspace == row["workspace"], deliveries.c.id == row["id"])
    mine = deliveries.c.leased_by == claimed.lease
    connection.execute(update(deliveries).where(*where, mine).values(**fields, leased_until=None, leased_by=None))
