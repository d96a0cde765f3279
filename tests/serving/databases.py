"""Databases of the PostgreSQL that the tests start: each a copy of another, dropped when its test is done."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from serving.store.database import new_id

UNSYNCED = ("fsync", "full_page_writes", "synchronous_commit")
"""What only a power cut would tell: without it, thousands of small databases are not written to the disk one by one."""


def unsync(server: str) -> None:
    """Spares the disk; a server process that is killed loses nothing by it."""
    with psycopg.connect(server, autocommit=True) as connection:
        for setting in UNSYNCED:
            connection.execute(f"ALTER SYSTEM SET {setting} = off")
        connection.execute("SELECT pg_reload_conf()")


@contextmanager
def copied(server: str, of: str = "postgres") -> Iterator[str]:
    """The address of a new copy of a database of this server: `postgres` has every table, `template0` none."""
    name = f"t{new_id()}"
    _say(server, f"CREATE DATABASE {name} TEMPLATE {of}")
    yield server.replace("/postgres?", f"/{name}?")
    _say(server, f"DROP DATABASE {name} WITH (FORCE)")


def _say(server: str, statement: str) -> None:
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(statement)
