"""The database behind everything that is kept: SQLite (WAL) where nothing is configured, PostgreSQL by URL."""

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, Table, create_engine, event, make_url
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError

from nlp.errors import HolosError, InputError

BUSY_SECONDS = 30
"""SQLite has one writer at a time; another waits this long for its turn."""
SYNCHRONOUS = "FULL"
"""SQLite syncs every transaction to the disk: an acknowledged response survives a power cut."""

ATTEMPTS = 5
"""Times a transaction is tried that others got into a knot with: each knot takes one of them down, the rest go on."""
_KNOTS = ("40P01", "40001")
"""SQLSTATE of a deadlock and of a failed serialization: nothing of the transaction is kept, and it can be done anew."""

T = TypeVar("T")


def untangled(work: Callable[[], T]) -> T:
    """What `work`, a whole transaction, answers; done anew where PostgreSQL ended it in favour of another."""
    for left in range(ATTEMPTS - 1, -1, -1):
        try:
            return work()
        except OperationalError as error:
            if not left or not is_knot(error):
                raise
    raise AssertionError("the last attempt answers or raises")


def is_knot(error: OperationalError) -> bool:
    """Whether PostgreSQL ended the transaction in favour of another."""
    return getattr(error.orig, "sqlstate", None) in _KNOTS


class Unreachable(HolosError):  # noqa: N818 - it is a state to report
    """The database does not answer, or is none."""


class Database:
    """Transactions on one database; safe to share between threads, opened anew by each process."""

    def __init__(self, url: str) -> None:
        """Raises InputError for an address that is none, or of a kind that is not supported."""
        self.url = _checked(url)
        self.engine = _engine(self.url)
        # SQLite's writers ask again after ever longer naps, and under load some starve: threads line up here instead
        self._turn = Lock() if self.is_sqlite else nullcontext()

    @property
    def is_sqlite(self) -> bool:
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that changes nothing; what it sees is of one moment."""
        with self.connected() as connection:
            if self.is_sqlite:
                connection.exec_driver_sql("BEGIN")
            else:
                connection = connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            yield connection
            connection.rollback()

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction: all of it is there afterwards, or nothing. On SQLite writers take turns from its start.

        A thread has one at a time: on SQLite a second within the first would wait for itself.
        """
        with self._turn, self.connected() as connection:
            if self.is_sqlite:
                # a plain BEGIN would fail, not wait, when it wants to write after another has
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection
            connection.commit()

    def close(self) -> None:
        self.engine.dispose()

    def connected(self) -> Connection:
        """A connection outside a transaction; raises Unreachable."""
        try:
            return self.engine.connect()
        except DBAPIError as error:
            reason = str(error.orig).strip().splitlines()[0]
            where = make_url(self.url).render_as_string(hide_password=True)
            raise Unreachable(f"the database {where} cannot be opened: {reason}; see HOLOS_DATABASE") from None


class _Ticks:
    """The time in 4096ths of a millisecond, never twice the same and never backwards; safe between threads."""

    def __init__(self) -> None:
        self._last, self._lock = 0, Lock()

    def next(self) -> int:
        with self._lock:
            self._last = max(self._last + 1, (time.time_ns() << 12) // 1_000_000)
            return self._last


_ticks = _Ticks()


def insert(connection: Connection, table: Table) -> Any:
    """An INSERT of the dialect in use, which knows `on_conflict_do_nothing` and `on_conflict_do_update`."""
    return insert_of(connection.dialect.name, table)


def insert_of(dialect: str, table: Table) -> Any:
    """The same for statements that are built once, before there is a connection."""
    return _INSERTS[dialect](table)


def new_id() -> str:
    """32 hexadecimal digits that sort by the time they were made (UUID version 7, RFC 9562, method 3 of its 6.2).

    In one process each comes after those before it, so that what one transaction writes keeps its order.
    """
    milliseconds, part = divmod(_ticks.next(), 1 << 12)
    random = uuid.uuid4().int & ((1 << 62) - 1)
    return f"{milliseconds << 80 | 0x7 << 76 | part << 64 | 0x2 << 62 | random:032x}"


_INSERTS: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


def _checked(url: str) -> str:
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise InputError("the database address is none; give sqlite:///FILE or postgresql://USER@HOST/NAME") from None
    kind = parsed.get_backend_name()
    if kind == "postgresql":
        return parsed.set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
    if kind != "sqlite":
        raise InputError(f"databases of kind {kind} are not supported; give sqlite:///FILE or postgresql://...")
    return url


def _engine(url: str) -> Engine:
    parsed = make_url(url)
    if parsed.get_backend_name() == "postgresql":
        return create_engine(parsed, pool_pre_ping=True)
    if parsed.database and parsed.database != ":memory:":
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(parsed, connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False})

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # transactions are begun here, not by the driver
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {SYNCHRONOUS}")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA secure_delete = ON")  # what is erased is overwritten, not only forgotten

    return engine
