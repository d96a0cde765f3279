"""Commands into and out of the store: a file of responses taken in, labels, cases and responses given out."""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nlp.errors import InputError
from serving.console import FAILED, complain, errors
from serving.learn import ModelOption

if TYPE_CHECKING:
    from serving.batcher import Classifier
    from serving.ingest.imports import Tally
    from serving.mapping import ColumnMapping
    from serving.parts import Parts
    from serving.settings import Settings
    from serving.store.database import Database

BY = "command line"
KINDS = ("labels", "cases", "responses")

Workspace = Annotated[str, typer.Option("--workspace", "-w", help="Whose.")]


def register(app: typer.Typer) -> None:
    """Adds the commands to `holos`."""
    app.command("import")(import_)
    app.command("export")(export)


def import_(
    context: typer.Context,
    source: Annotated[Path, typer.Argument(metavar="FILE", help="A .jsonl, .csv, .xlsx or .parquet file.")],
    mapping: Annotated[
        Path | None, typer.Option(metavar="MAP.yaml", help="Which column is which field, constants, dates, encoding.")
    ] = None,
    workspace: Workspace = "default",
    model: ModelOption = None,
) -> None:
    """Takes a file of responses into the store: classified, with their cases, rules and alerts.

    Rows that are stored already are told and left alone, so that a file may be imported again.
    """
    from serving.files import check_input
    from serving.mapping import ColumnMapping, load_mapping
    from serving.settings import load_settings

    with errors():
        settings = load_settings(model_dir=model)
        check_input(source)
        columns = load_mapping(mapping) if mapping else ColumnMapping()
        with _database(settings, workspace) as database:
            tally = import_shown(parts_for(context, settings, database), source, columns, workspace)
        typer.echo(", ".join(f"{count} {name}" for name, count in tally.items()))
        if tally.total() and tally.total() == tally["refused"]:
            raise typer.Exit(FAILED)


def export(
    kind: Annotated[str, typer.Argument(metavar="labels|cases|responses", help="What to give out.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="OUT", help="A .jsonl file; standard output if left out.")
    ] = None,
    taxonomy: Annotated[
        Path | None,
        typer.Option(metavar="TAX.yaml", help="With labels: the code frame, for holos train --taxonomy."),
    ] = None,
    workspace: Workspace = "default",
    model: ModelOption = None,
) -> None:
    """Writes JSON Lines: corrected responses as labelled rows for holos train, cases, or responses as they stand."""
    from serving.settings import load_settings

    with errors():
        if kind not in KINDS:
            raise InputError(f"there is no {kind} to export; choose one of {', '.join(KINDS)}")
        if out is not None and out.suffix.lower() != ".jsonl":
            raise InputError(f"{out}: exports are JSON Lines; name a file that ends in .jsonl")
        if taxonomy is not None and kind != "labels":
            raise InputError(f"--taxonomy goes with labels; {kind} need no code frame")
        settings = load_settings(model_dir=model)
        with _database(settings, workspace) as database:
            count = _export(database, settings, kind, out, workspace, taxonomy)
        if out is not None:
            complain(f"{count} rows written to {out}")
        if taxonomy is not None:
            complain(f"the code frame written to {taxonomy}")


def import_shown(parts: "Parts", source: Path, columns: "ColumnMapping", workspace: str) -> "Tally":
    """Imports a file with a progress bar."""
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress

    from serving.ingest.whole_file import import_file

    console = Console(stderr=True)
    shown = (*Progress.get_default_columns(), MofNCompleteColumn())
    with Progress(*shown, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("importing", total=None)

        def say(remark: str) -> None:
            progress.console.print(remark, markup=False, highlight=False, soft_wrap=True)

        def advance(rows: int, expected: int | None) -> None:
            progress.update(task, advance=rows, total=expected)

        return asyncio.run(import_file(parts, source, columns, workspace, BY, say, advance))


def _export(
    database: "Database", settings: "Settings", kind: Any, out: Path | None, workspace: str, taxonomy: Path | None
) -> int:
    import yaml

    from serving.frame.effective import as_taxonomy
    from serving.frame.store import whole_frame
    from serving.ingest.export import export as rows_of
    from serving.loading import model_frame

    count = 0
    with database.read() as connection, _lines(out) as write:
        frame = whole_frame(connection, workspace, model_frame(settings)) if kind == "labels" else None
        for row in rows_of(connection, workspace, kind, frame):
            write(json.dumps(row, ensure_ascii=False))
            count += 1
    if taxonomy is not None and frame is not None:
        with _lines(taxonomy) as write:
            write(yaml.safe_dump(as_taxonomy(frame), allow_unicode=True, sort_keys=False))
    return count


@contextmanager
def _lines(out: Path | None) -> Iterator[Callable[[str], None]]:
    """Writes lines to a file, which is there whole or not at all, or to standard output."""
    if out is None:
        yield lambda line: typer.echo(line.encode("utf-8"))
        return
    part = out.with_name(f".{out.name}.part")
    try:
        with part.open("w", encoding="utf-8") as file:
            yield lambda line: print(line, file=file)
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _database(settings: "Settings", workspace: str) -> "Iterator[Database]":
    """The database of the settings, brought up to date; InputError for a workspace that there is not."""
    from serving.assembly import open_database
    from serving.keys import list_workspaces

    database = open_database(settings)
    try:
        with database.read() as connection:
            known = [row["id"] for row in list_workspaces(connection)]
        if workspace not in known and (known or workspace != "default"):
            raise InputError(f"there is no workspace {workspace}; make it with `holos workspaces create {workspace}`")
        yield database
    finally:
        database.close()


def parts_for(context: typer.Context, settings: "Settings", database: "Database") -> "Parts":
    """The parts of a command, with the model that the settings name for itself."""
    from serving.assembly import Alone, assemble
    from serving.cli import load_classifier

    load: Callable[[Settings], Classifier] = context.obj or load_classifier
    return assemble(database, settings, Alone(load(settings)))
