"""Migrations: they end at the tables the code describes, keep what is there, and may be started many times at once."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from databases import copied
from everywhere import fill
from loop import ROOT, START
from sqlalchemy import MetaData, inspect, select, text

from nlp.errors import InputError
from nlp.taxonomy import Theme
from serving.frame import store as frame_store
from serving.store import tables
from serving.store.database import Database
from serving.store.migrate import check_current, migrate, newest, version_of, versions

VERSIONS = versions()


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database without a table."""
    if request.param == "sqlite":
        found = Database(f"sqlite:///{tmp_path}/100%/holos.db")
        yield found
        found.close()
        return
    with copied(request.getfixturevalue("postgresql"), "template0") as address:
        found = Database(address)
        yield found
        found.close()


def test_the_migrated_tables_are_those_described(empty: Database) -> None:
    assert (version_of(empty), migrate(empty), version_of(empty)) == (None, newest(), newest())
    with empty.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, tables.metadata) == []
    check_current(empty)


def test_what_is_there_stays_through_every_version(empty: Database) -> None:
    assert migrate(empty, VERSIONS[0]) == VERSIONS[0]
    first = MetaData()
    first.reflect(empty.engine)
    with empty.write() as connection:
        before = fill(connection, first, "acme", "kept")
    assert all(rows == 1 for rows in before.values())
    for version in VERSIONS:
        assert migrate(empty, version) == version
        now = MetaData()
        now.reflect(empty.engine)
        with empty.read() as connection:
            kept = {table.name: len(connection.execute(table.select()).all()) for table in now.sorted_tables}
        assert {name: kept[name] for name in before if name in kept} == {n: 1 for n in before if n in kept}
    with empty.write() as connection:
        fill(connection, tables.metadata, "other", "new")


def test_migrating_again_changes_nothing(empty: Database) -> None:
    migrate(empty)
    with empty.write() as connection:
        fill(connection, tables.metadata, "acme", "kept")
    assert migrate(empty) == newest()
    with empty.read() as connection:
        assert connection.execute(tables.responses.select()).mappings().one()["text"] == "kept"


def test_several_processes_start_at_once(empty: Database) -> None:
    code = "import sys; from serving.store.migrate import *; print(migrate(Database(sys.argv[1])))"
    started = [
        subprocess.Popen([sys.executable, "-c", code, empty.url], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    assert [process.communicate(timeout=60)[0].strip() for process in started] == [newest()] * 4
    assert [process.returncode for process in started] == [0] * 4


def test_a_migration_that_fails_leaves_nothing(empty: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    from alembic.operations import Operations

    create_index, made = Operations.create_index, []

    def failing(self: Operations, *args: object, **options: object) -> object:
        made.append(args)
        if len(made) == 5:
            raise OSError("no space left")
        return create_index(self, *args, **options)

    monkeypatch.setattr(Operations, "create_index", failing)
    with pytest.raises(OSError, match="no space"):
        migrate(empty)
    monkeypatch.undo()
    assert inspect(empty.engine).get_table_names() == []
    assert migrate(empty) == newest()


def test_a_database_of_a_newer_version_is_refused(empty: Database) -> None:
    migrate(empty)
    with empty.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for refused in (migrate, check_current):
        with pytest.raises(InputError, match=r"version 9999, .* start the newer Holos"):
            refused(empty)


def test_a_database_without_its_version_is_refused(database: Database) -> None:
    with pytest.raises(InputError, match="no version of Holos"):
        migrate(database)
    with pytest.raises(InputError, match="holos migrate"):
        check_current(database)


def test_foreign_keys_hold_after_a_migration(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/holos.db")
    migrate(database)
    with database.read() as connection:
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
    database.close()


def test_themes_made_of_issues_move_from_the_settings_into_the_code_frame(empty: Database) -> None:
    migrate(empty, "0003")
    theme = {"id": "app.freezes", "label": "App freezes", "description": "while paying", "parent": None}
    with empty.write() as connection:
        for id, settings in (("acme", {"themes": [theme], "language": "pl"}), ("other", {"language": "uk"})):
            row = {"id": id, "name": id, "settings": settings, "created_at": START}
            connection.execute(tables.workspaces.insert().values(row))
    migrate(empty)
    with empty.read() as connection:
        version, own = frame_store.newest(connection, "acme")
        assert (version, own.themes) == (1, (Theme(**theme),))
        assert frame_store.newest(connection, "other")[0] == 0
        kept = dict(connection.execute(select(tables.workspaces.c.id, tables.workspaces.c.settings)).all())
    assert kept == {"acme": {"language": "pl"}, "other": {"language": "uk"}}
