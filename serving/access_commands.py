"""Commands on the database itself: keys, workspaces, migrations, a person's data; they need no running server."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from nlp.errors import InputError
from serving.console import errors

if TYPE_CHECKING:
    from sqlalchemy import RowMapping

    from serving.store.database import Database

BY = "command line"
SPOKEN = ("pl", "uk", "ru", "en")
"""Languages in which alarms have sentences."""

Workspace = Annotated[str, typer.Option("--workspace", "-w", help="Whose.")]
Respondent = Annotated[str, typer.Argument(metavar="RESPONDENT", help="The person's id, as senders give it.")]

keys_app = typer.Typer(help="Makes, lists and revokes API keys.", no_args_is_help=True)
workspaces_app = typer.Typer(help="Makes and lists workspaces.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Adds the commands to `holos`."""
    app.add_typer(keys_app, name="keys")
    app.add_typer(workspaces_app, name="workspaces")
    app.command("migrate")(migrate)
    app.command("forget")(forget)
    app.command("person")(person)


def migrate() -> None:
    """Brings the database to the version of this Holos; what is in it stays. `holos serve` does so by itself."""
    from serving.settings import load_settings
    from serving.store.database import Database
    from serving.store.migrate import migrate as bring

    with errors():
        database = Database(load_settings().database)
        typer.echo(f"the database is of version {bring(database)}")
        database.close()


@keys_app.command("create")
def create_key(
    name: Annotated[str, typer.Argument(help="What the audit calls it.")],
    scope: Annotated[list[str], typer.Option("--scope", "-s", help="ingest, read, act or admin; may be repeated.")],
    workspace: Workspace = "default",
    days: Annotated[
        int | None, typer.Option(min=1, max=36_500, help="Days until it expires; never if left out.")
    ] = None,
) -> None:
    """Makes a key and prints it: once, for only a digest is kept."""
    from serving import keys
    from serving.audit import record

    with _opened() as database, database.write() as connection:
        now = _now()
        _check_workspace(workspace, [row["id"] for row in keys.list_workspaces(connection)])
        if keys.name_taken(connection, workspace, name, now):
            raise InputError(f"a key in force of {workspace} is called {name}; revoke that one or give another name")
        ends = now + timedelta(days=days) if days else None
        made = keys.make_key(connection, workspace, name, scope, now, ends, by=BY)
        record(connection, workspace, BY, "key.create", f"key:{made.id}", {"name": name, "scopes": scope}, now)
    typer.echo(made.key)


@keys_app.command("list")
def list_keys(workspace: Workspace = "default") -> None:
    """Lists a workspace's keys, a line each: id, state, scopes, last use, name."""
    from serving import keys
    from serving.paging import MOST

    with _opened() as database, database.read() as connection:
        after = None
        while rows := keys.list_keys(connection, workspace, MOST, after):
            for row in rows:
                used = row["used_at"].isoformat(timespec="minutes") if row["used_at"] else "never"
                typer.echo("\t".join((row["id"], _state(row, _now()), ",".join(row["scopes"]), used, row["name"])))
            after = (rows[-1]["created_at"], rows[-1]["id"])


@keys_app.command("revoke")
def revoke_key(
    id: Annotated[str, typer.Argument(help="The key's id, as `holos keys list` shows it.")],
    workspace: Workspace = "default",
) -> None:
    """Revokes a key; running servers follow within seconds."""
    from serving import keys
    from serving.audit import record

    with _opened() as database, database.write() as connection:
        if not keys.revoke_key(connection, workspace, id, _now()):
            raise InputError(f"workspace {workspace} has no key {id}; `holos keys list` shows those it has")
        record(connection, workspace, BY, "key.revoke", f"key:{id}", {}, _now())


@workspaces_app.command("create")
def create_workspace(
    id: Annotated[str, typer.Argument(help="1 to 63 of a-z 0-9 _ -")],
    name: Annotated[str | None, typer.Option(help="What people call it; the id if left out.")] = None,
) -> None:
    """Makes a workspace: data, keys and settings of its own."""
    from serving import keys

    with _opened() as database, database.write() as connection:
        keys.create_workspace(connection, id, name or id, _now())


@workspaces_app.command("language")
def set_language(
    id: Annotated[str, typer.Argument(help="Which workspace.")],
    language: Annotated[str, typer.Argument(help=f"One of {', '.join(SPOKEN)}; or none.")],
) -> None:
    """Sets the language in which a workspace's issues are named and its alarms told."""
    from serving import keys
    from serving.audit import record
    from serving.store import language as languages

    with _opened() as database, database.write() as connection:
        if language not in (*SPOKEN, "none"):
            raise InputError(f"{language!r} is no language of alarms; give one of {', '.join(SPOKEN)}, or none")
        _check_workspace(id, [row["id"] for row in keys.list_workspaces(connection)])
        languages.set_language(connection, id, None if language == "none" else language)
        record(connection, id, BY, "workspace.language", f"workspace:{id}", {"language": language}, _now())


@workspaces_app.command("list")
def list_workspaces() -> None:
    """Lists the workspaces, a line each: id and name."""
    from serving import keys

    with _opened() as database, database.read() as connection:
        for row in keys.list_workspaces(connection):
            typer.echo(f"{row['id']}\t{row['name']}")


def forget(
    respondent: Respondent,
    workspace: Workspace = "default",
    block: Annotated[bool, typer.Option(help="Refuse what arrives of this person later.")] = False,
) -> None:
    """Erases a person everywhere and prints how many rows of which table; a tombstone is left."""
    import json

    from serving.privacy.erase import erase, settle

    with _opened() as database:
        with database.write() as connection:
            done = erase(connection, workspace, respondent, BY, _now(), block=block)
        if not done.known and not block:
            raise InputError(f"workspace {workspace} keeps nothing of a respondent of this id")
        settle(database)
    typer.echo(json.dumps({"subject": done.subject, "counts": done.counts}))


def person(respondent: Respondent, workspace: Workspace = "default") -> None:
    """Prints everything that is kept of a person, as JSON."""
    import json

    from serving.audit import record
    from serving.privacy.erase import subject_of
    from serving.privacy.export import export
    from serving.privacy.tombstones import pseudonym

    with _opened() as database, database.write() as connection:
        subject = subject_of(pseudonym(connection, workspace, respondent, _now()))
        tables = export(connection, workspace, respondent, subject)
        if not tables:
            raise InputError(f"workspace {workspace} keeps nothing of a respondent of this id")
        record(connection, workspace, BY, "respondent.export", subject, {"found": True}, _now())
    typer.echo(json.dumps({"id": respondent, "tables": tables}, ensure_ascii=False, indent=1))


@contextmanager
def _opened() -> "Iterator[Database]":
    """The database of the settings, if it is of this code's version."""
    from serving.settings import load_settings
    from serving.store.database import Database
    from serving.store.migrate import check_current

    with errors():
        database = Database(load_settings().database)
        try:
            check_current(database)
            yield database
        finally:
            database.close()


def _now() -> datetime:
    return datetime.now(UTC)


def _check_workspace(workspace: str, known: list[str]) -> None:
    if workspace not in known:
        raise InputError(f"there is no workspace {workspace}; make it with `holos workspaces create {workspace}`")


def _state(row: "RowMapping", now: datetime) -> str:
    if row["revoked_at"]:
        return "revoked"
    return "expired" if row["expires_at"] and row["expires_at"] <= now else "in force"
