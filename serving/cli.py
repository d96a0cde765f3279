"""The console script `holos`: files in, files out, and the server; what is heavy is imported when it is needed."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nlp.errors import InputError
from serving import access_commands, cluster_commands, learn, run_commands, store_commands
from serving.console import FAILED, errors
from serving.learn import ModelOption
from serving.rules import commands as rule_commands

if TYPE_CHECKING:
    from rich.progress import Progress

    from serving.batcher import Classifier
    from serving.bulk import Outcome
    from serving.mapping import ColumnMapping
    from serving.settings import Settings
    from serving.summary import Summary

app = typer.Typer(
    name="holos",
    help="Reads what customers say in their own words: themes, sentiment, reasons and whom to call first.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.command()
def classify(
    context: typer.Context,
    source: Annotated[
        str, typer.Argument(metavar="INPUT", help="A .jsonl, .csv, .xlsx or .parquet file; - for stdin.")
    ],
    out: Annotated[
        list[Path] | None,
        typer.Option("--out", "-o", metavar="OUT", help="A .jsonl, .csv, .xlsx or .parquet file; may be repeated."),
    ] = None,
    model: ModelOption = None,
    taxonomy: Annotated[
        Path | None,
        typer.Option(metavar="TAX.yaml", help="Themes to tag; those the model does not know, by their description."),
    ] = None,
    mapping: Annotated[
        Path | None, typer.Option(metavar="MAP.yaml", help="Which column is which field, constants, dates, encoding.")
    ] = None,
    summary: Annotated[bool, typer.Option(help="Print counts and whom to call first to standard error.")] = True,
) -> None:
    """Classifies a file of responses: one JSON line each on standard output, or files by their ending.

    Rows are numbered as a spreadsheet shows them. A row that cannot be read gets its reason as its result.
    """
    from serving.files import check_input
    from serving.mapping import ColumnMapping, load_mapping
    from serving.settings import load_settings
    from serving.summary import Summary
    from serving.tables import check_outputs

    with errors():
        settings = load_settings(model_dir=model)
        check_input(source)
        paths = check_outputs(out or [], source)
        columns = load_mapping(mapping) if mapping else ColumnMapping()
        load: Callable[[Settings], Classifier] = context.obj or partial(load_classifier, taxonomy=taxonomy)
        found = Summary()
        outcome = _run(lambda: load(settings), source, columns, paths, found)
        if summary:
            _show(found)
        if outcome.failed:
            raise typer.Exit(FAILED)


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on; 127.0.0.1 if left out.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port to listen on; 3000 if left out.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, metavar="N", help="Processes; 1 if left out.")] = None,
    model: ModelOption = None,
) -> None:
    """Serves the API over HTTP."""
    from serving.settings import load_settings

    with errors():
        settings = load_settings(model_dir=model, host=host, port=port, workers=workers)
        from serving.server import serve as start

        start(settings, settings.host, settings.port, settings.workers)


learn.register(app)
store_commands.register(app)
rule_commands.register(app)
access_commands.register(app)
cluster_commands.register(app)
run_commands.register(app)


@app.command()
def version() -> None:
    """Prints the version."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    try:
        typer.echo(f"holos {installed('holos')}")
    except PackageNotFoundError:
        typer.echo("holos, run from its source without being installed")


def load_classifier(settings: "Settings", taxonomy: Path | None = None) -> "Classifier":
    """The pipeline of the model folder that the settings name, tagging by a code frame of the user's own if given."""
    if not settings.model_dir.is_dir():
        raise InputError(f"model folder {settings.model_dir} does not exist; train one or leave --model out")
    from serving.loading import open_pipeline

    return open_pipeline(settings, taxonomy)


def _run(
    load: Callable[[], "Classifier"], source: str, columns: "ColumnMapping", paths: list[Path], found: "Summary"
) -> "Outcome":
    from datetime import UTC, datetime
    from itertools import chain, islice

    from serving.bulk import classify_file
    from serving.files import read_rows
    from serving.rows import ReadLog
    from serving.tables import outputs

    with _progress() as progress, outputs(paths) as places:
        task = progress.add_task("classifying", total=None, rate="")

        def say(remark: str) -> None:
            progress.console.print(remark, markup=False, highlight=False, soft_wrap=True)

        def advance(rows: int) -> None:
            progress.update(task, advance=rows, total=log.expected, rate=_rate(progress, task))

        log = ReadLog(say)

        def keep(row: Any, answer: Any) -> None:
            found.add(answer)
            for place in places:
                place.add(row, answer)

        rows = read_rows(source, columns, log)
        # a file that cannot be read is said before anyone waits for the model
        first = list(islice(rows, 1))
        outcome = classify_file(load(), chain(first, rows), datetime.now(UTC), keep, say, advance)
        progress.update(task, total=outcome.rows)
        if outcome.unreadable or outcome.refused:
            bad = outcome.unreadable + outcome.refused
            say(f"warning: {bad} of {outcome.rows} rows could not be classified; the result has them with status error")
        if not outcome.rows:
            say(f"warning: {source} has a header and no rows")
    return outcome


def _progress() -> "Progress":
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    # a log file wants no redrawn bar
    console = Console(stderr=True)
    return Progress(*columns, console=console, disable=not console.is_terminal)


def _rate(progress: "Progress", task: Any) -> str:
    speed = next((found.speed for found in progress.tasks if found.id == task), None)
    return f"{speed:.0f} texts/s" if speed else ""


def _show(found: "Summary") -> None:
    from rich.console import Console

    found.show(Console(stderr=True))
