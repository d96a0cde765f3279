"""Which answers wait for a vector, known to a process without looking through all of them every few seconds."""

import heapq
import threading
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine, Select, and_, func, select

from serving.issues.window import LENGTH, STRONGEST, speaking, unread, within
from serving.store.database import Database
from serving.store.issue_tables import cluster_members
from serving.store.tables import analyses, responses

SWEEP = timedelta(minutes=10)
"""Between two looks at everything: what people's corrections let speak, and what came in unseen, is found then."""
OVERLAP = 1000
"""Analyses looked at again: numbers are given before transactions end, and a lower one may appear after a higher."""
MOST = 20_000
"""Uids held in memory; behind them is looked for more."""


@dataclass(slots=True)
class Backlog:
    """The answers of one workspace that wait, as far as this process knows; the database has the last word."""

    workspace: str
    encoder: str
    _waiting: set[str] = field(default_factory=set)
    _seen: int = 0
    """The last analysis that was looked at."""
    _swept_at: datetime | None = None
    _cut: bool = False
    """Whether there were more than are held."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def next(self, connection: Connection, count: int, now: datetime) -> list[str]:
        """The newest answers that wait, at most so many."""
        with self._lock:
            late = self._swept_at is None or now - self._swept_at >= SWEEP
            if late or (self._cut and not self._waiting):
                self._sweep(connection, now)
            else:
                self._look(connection, now)
            return heapq.nlargest(count, self._waiting)

    def done(self, uids: Collection[str]) -> None:
        """These wait no more; one whose text changed meanwhile has a new analysis, and is found by that."""
        with self._lock:
            self._waiting.difference_update(uids)

    def _sweep(self, connection: Connection, now: datetime) -> None:
        last = select(func.max(analyses.c.id)).where(analyses.c.workspace == self.workspace)
        self._seen = connection.execute(last).scalar() or 0
        asked = self._unread(within(self.workspace, now)).order_by(responses.c.uid.desc()).limit(MOST)
        found = list(connection.execute(asked).scalars())
        self._waiting, self._cut, self._swept_at = set(found), len(found) == MOST, now
        self._waiting.update(connection.execute(self._told_by(now)).scalars())

    def _look(self, connection: Connection, now: datetime) -> None:
        of = analyses.c
        # by the number alone: SQLite would rather look through all of the workspace
        new = and_(of.workspace.concat("") == self.workspace, of.id > self._seen - OVERLAP)
        asked = select(of.id, of.response).where(new).order_by(of.id)
        rows = connection.execute(asked).all()
        if rows:
            self._seen = max(self._seen, rows[-1].id)
            uids = sorted({row.response for row in rows})
            mine = and_(within(self.workspace, now), responses.c.uid.in_(uids[-MOST:]))
            self._waiting.update(connection.execute(self._unread(mine)).scalars())

    def _unread(self, where: object) -> Select:
        return select(responses.c.uid).where(where, unread(self.encoder), speaking())

    def _told_by(self, now: datetime) -> Select:
        """The surest answers of every issue that are older than the window: by their vectors it is known again."""
        of = cluster_members.c
        here = and_(responses.c.workspace == of.workspace, responses.c.uid == of.response)
        place = func.row_number().over(partition_by=of.cluster, order_by=(of.strength.desc(), of.response))
        old = and_(of.workspace == self.workspace, responses.c.answered_at <= now - LENGTH)
        ranked = select(of.response, place.label("place")).select_from(cluster_members.join(responses, here)).where(old)
        surest = ranked.subquery()
        asked = select(surest.c.response).where(surest.c.place <= STRONGEST)
        return self._unread(and_(responses.c.workspace == self.workspace, responses.c.uid.in_(asked)))


_KNOWN: WeakKeyDictionary[Engine, dict[tuple[str, str], Backlog]] = WeakKeyDictionary()


def of(database: Database, workspace: str, encoder: str) -> Backlog:
    """The one of this process."""
    here = _KNOWN.setdefault(database.engine, {})
    return here.setdefault((workspace, encoder), Backlog(workspace, encoder))
