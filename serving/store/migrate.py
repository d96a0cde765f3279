"""Brings a database to the version this code is written for; several processes may try at once."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, func, inspect, select

from nlp.errors import InputError
from serving.store.database import Database

MIGRATIONS = Path(__file__).parent / "migrations"
HEAD = "head"
_LOCK = 0x484F4C4F  # any number, the same in every process


def newest() -> str:
    """The version this code is written for."""
    return versions()[-1]


def version_of(database: Database) -> str | None:
    """The version a database is of; None where it has none yet."""
    with database.read() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def migrate(database: Database, to: str = HEAD) -> str:
    """Makes every table or changes those there are, all or nothing, and gives the version; what is there stays.

    Whoever comes while another migrates waits and finds nothing left to do. Raises InputError for a database that
    a newer version has changed, or that somebody else's tables are in.
    """
    with _alone(database) as connection:
        _check(connection)
        command.upgrade(_config(connection), to)
        found = MigrationContext.configure(connection).get_current_revision()
    assert found is not None
    return found


def check_current(database: Database) -> None:
    """Raises InputError unless the database is of this code's version; for processes that do not migrate."""
    found = version_of(database)
    if found is not None:
        _check_known(found)
    if found != newest():
        raise InputError(f"the database is of version {found or 'none'}, {newest()} is needed; run `holos migrate`")


def versions() -> list[str]:
    """From the first to the newest."""
    return [script.revision for script in ScriptDirectory(str(MIGRATIONS)).walk_revisions()][::-1]


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _check(connection: Connection) -> None:
    found = MigrationContext.configure(connection).get_current_revision()
    if found is not None:
        _check_known(found)
    elif inspect(connection).has_table("responses"):
        raise InputError("the database has tables but no version of Holos; give another database, or an empty one")


def _check_known(version: str) -> None:
    if version not in versions():
        known = f"this Holos knows none newer than {newest()}"
        raise InputError(f"the database is of version {version}, {known}; start the newer Holos it was used with")


@contextmanager
def _alone(database: Database) -> Iterator[Connection]:
    """One transaction that no other migration runs beside."""
    if not database.is_sqlite:
        with database.write() as connection:
            connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
            yield connection
        return
    with database.connected() as connection:
        # a table is altered by making it anew: dropping the old one must not take the rows that refer to it along
        connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
        try:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection
            broken = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
            assert broken is None, f"the migration leaves rows of {broken[0]} that refer to nothing"
            connection.commit()
        finally:
            connection.rollback()
            connection.exec_driver_sql("PRAGMA foreign_keys = ON")
            connection.rollback()
