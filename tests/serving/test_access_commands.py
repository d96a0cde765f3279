"""`holos keys`, `workspaces`, `migrate`, `forget` and `person`: on the database of the settings, without a server."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import typer
from everywhere import fill, name_of
from loop import make_parts
from sqlalchemy import select, update
from typer.testing import CliRunner, Result

from serving.access import caller_of
from serving.access_commands import register
from serving.audit import AuditFilter, list_audit
from serving.keys import first_key
from serving.store.database import Database
from serving.store.language import language_of
from serving.store.migrate import newest
from serving.store.tables import metadata, workspaces

Run = Callable[..., Result]


@pytest.fixture
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """The database of the settings, not there yet."""
    found = Database(f"sqlite:///{tmp_path}/holos.db")
    monkeypatch.setenv("HOLOS_DATABASE", found.url)
    yield found
    found.close()


@pytest.fixture
def run(fresh: Database) -> Run:
    app = typer.Typer()
    register(app)
    return lambda *words: CliRunner().invoke(app, list(words))


@pytest.fixture
def ready(run: Run, fresh: Database) -> Database:
    assert run("migrate").exit_code == 0
    first_key(fresh, datetime.now(UTC))
    return fresh


def test_migrate_makes_the_database(run: Run) -> None:
    assert "holos migrate" in run("keys", "list").stderr
    assert run("keys", "list").exit_code == 2
    assert run("migrate").stdout == f"the database is of version {newest()}\n"
    assert run("keys", "list").exit_code == 0


def test_a_key_is_made_shown_once_listed_and_revoked(run: Run, ready: Database, word_classifier, tmp_path) -> None:
    made = run("keys", "create", "survey tool", "--scope", "ingest", "--scope", "read", "--days", "30")
    assert made.exit_code == 0, made.output
    parts = make_parts(ready, lambda: datetime.now(UTC), word_classifier.classify, tmp_path)
    caller = caller_of(parts, made.stdout.strip())
    assert caller and (caller.workspace, caller.scopes, caller.actor) == (
        "default",
        ("ingest", "read"),
        "key:survey tool",
    )
    lines = [line.split("\t") for line in run("keys", "list").stdout.splitlines()]
    assert [(line[1], line[2], line[3], line[4]) for line in lines] == [
        ("in force", "ingest,read,act,admin", "never", "first"),
        ("in force", "ingest,read", "never", "survey tool"),
    ]
    assert run("keys", "revoke", lines[1][0]).exit_code == 0
    assert caller_of(parts, made.stdout.strip()) is None
    assert "\trevoked\t" in run("keys", "list").stdout
    with ready.read() as connection:
        lines = list_audit(connection, "default", AuditFilter(by="command line"), 10)
    assert [line["action"] for line in lines] == ["key.revoke", "key.create"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("keys", "create", "x", "--scope", "write"), "give some of ingest, read, act, admin"),
        (("keys", "create", "first", "--scope", "read"), "is called first"),
        (("keys", "create", "x", "--scope", "read", "-w", "north"), "holos workspaces create north"),
        (("keys", "revoke", "abc"), "has no key abc"),
        (("workspaces", "create", "default"), "already"),
        (("workspaces", "language", "default", "xx"), "give one of pl, uk, ru, en, or none"),
        (("workspaces", "language", "north", "uk"), "holos workspaces create north"),
        (("forget", "c-1"), "keeps nothing"),
        (("person", "c-1"), "keeps nothing"),
    ],
)
def test_a_wrong_call_says_what_to_do(run: Run, ready: Database, words: tuple[str, ...], said: str) -> None:
    done = run(*words)
    assert done.exit_code == 2 and said in done.stderr and not done.stdout


def test_a_workspace_has_a_language_beside_its_other_settings(run: Run, ready: Database) -> None:
    with ready.write() as connection:
        connection.execute(update(workspaces).values(settings={"emerging": {"level": "calm"}}))
    assert run("workspaces", "language", "default", "uk").exit_code == 0
    with ready.read() as connection:
        assert language_of(connection, "default") == "uk"
        lines = list_audit(connection, "default", AuditFilter(by="command line"), 10)
    assert [(line["action"], line["detail"]) for line in lines] == [("workspace.language", {"language": "uk"})]
    assert run("workspaces", "language", "default", "none").exit_code == 0
    with ready.read() as connection:
        assert language_of(connection, "default") is None
        assert connection.execute(select(workspaces.c.settings)).scalar_one() == {"emerging": {"level": "calm"}}


def test_workspaces_are_made_and_listed(run: Run, ready: Database) -> None:
    assert run("workspaces", "create", "north", "--name", "North").exit_code == 0
    assert run("workspaces", "list").stdout == "default\tdefault\nnorth\tNorth\n"
    assert run("keys", "create", "x", "--scope", "read", "-w", "north").exit_code == 0


def test_a_person_is_given_out_and_forgotten(run: Run, ready: Database) -> None:
    with ready.write() as connection:
        fill(connection, metadata, "default", "the parcel came late", {"jobs.state": "done"})
    who = name_of("respondents", "default")
    given = json.loads(run("person", who).stdout)
    assert given["id"] == who and given["tables"]["responses"][0]["text"] == "the parcel came late"
    gone = json.loads(run("forget", who, "--block").stdout)
    assert gone["counts"]["responses"] == 1 and who not in gone["subject"]
    assert run("person", who).exit_code == 2
