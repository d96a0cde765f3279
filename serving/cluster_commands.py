"""The command that finds recurring issues in a file."""

import asyncio
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nlp.errors import InputError
from serving.console import FAILED, errors
from serving.learn import ModelOption

if TYPE_CHECKING:
    from serving.clustering import Issues, Read, Tools
    from serving.rows import Row
    from serving.settings import Settings

ENDINGS = (".jsonl", ".ndjson")
SHOWN = 10
"""Issues printed; the rest are in the file."""


def register(app: typer.Typer) -> None:
    """Puts the command under `holos`."""
    app.command()(cluster)


def cluster(
    context: typer.Context,
    source: Annotated[
        str, typer.Argument(metavar="INPUT", help="A .jsonl, .csv, .xlsx or .parquet file; - for stdin.")
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="OUT", help="A .jsonl file; OUT with .clusters.json is written beside it."),
    ] = None,
    previous: Annotated[
        Path | None,
        typer.Option(metavar="OUT_OF_LAST_RUN", help="An earlier result, whose clusters keep their ids."),
    ] = None,
    language: Annotated[
        str | None, typer.Option(metavar="CODE", help="Language to name issues in; the most frequent, if left out.")
    ] = None,
    model: ModelOption = None,
    mapping: Annotated[
        Path | None, typer.Option(metavar="MAP.yaml", help="Which column is which field, constants, dates, encoding.")
    ] = None,
) -> None:
    """Finds recurring issues in a file of responses: one JSON line for each row, and the issues with their names.

    A row that belongs to no issue has null for its cluster; how many there are is said.
    """
    from serving.clustering import find_issues, open_tools, read_previous
    from serving.durable import replace_file
    from serving.files import check_input
    from serving.mapping import ColumnMapping, load_mapping
    from serving.settings import load_settings

    with errors():
        settings = load_settings(model_dir=model)
        check_input(source)
        _check_out(out, source)
        known = read_previous(previous) if previous else None
        columns = load_mapping(mapping) if mapping else ColumnMapping()
        now = datetime.now(UTC)
        rows, readable, tools = _read(lambda: (context.obj or open_tools)(settings), source, columns, now)
        latest = max((row.answered_at for row in rows if row.answered_at), default=now)
        issues = find_issues(rows, tools.vectors, latest, known, language) if rows else None
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in (issues.rows if issues else []))
        if out is None:
            sys.stdout.write(lines)
            sys.stdout.flush()
        else:
            replace_file(out, lines)
            _write_clusters(issues, out)
        if issues and settings.titles_url:
            try:
                _title(issues, rows, language, settings)
            finally:  # whoever interrupts it keeps the titles that came
                if out is not None:
                    _write_clusters(issues, out)
        if issues:
            _show(issues, known is not None)
        if rows and not readable:
            raise typer.Exit(FAILED)


def _write_clusters(issues: "Issues | None", out: Path) -> None:
    """Writes the issues beside OUT, in the place of what stands there."""
    from serving.clustering import clusters_path
    from serving.durable import replace_file

    found = issues.clusters if issues else []
    replace_file(clusters_path(out), json.dumps(found, ensure_ascii=False, indent=1) + "\n")


def _title(issues: "Issues", rows: "list[Read]", language: str | None, settings: "Settings") -> None:
    """Has the endpoint of the settings write titles; what it does wrong is a remark."""
    from nlp.artifact import read_rules
    from nlp.text import normalise
    from serving.titles.clusters import give_titles

    def redact(text: str) -> str:
        return redactor.redact(normalise(text)).text

    redactor = read_rules(settings.data_dir).redactor
    themes = {tag.id: tag.label for row in rows for tag in row.said.themes}
    given = give_titles(issues.clusters, themes, language, settings, redact, lambda told: typer.echo(told, err=True))
    asyncio.run(given)


def _check_out(out: Path | None, source: str) -> None:
    if out is None:
        return
    if out.suffix.lower() not in ENDINGS:
        raise InputError(f"{out}: clusters are written as JSON Lines; give a name ending in {' or '.join(ENDINGS)}")
    if not out.parent.is_dir():
        raise InputError(f"{out.parent} is not a folder; make it first")
    if source != "-" and out.resolve() == Path(source).resolve():
        raise InputError(f"{out} is the input; give another name")


def _read(load: Any, source: str, columns: Any, now: datetime) -> "tuple[list[Read], int, Tools]":
    """Every row as the pipeline reads it, how many of them could be read, and what read them."""
    from itertools import chain, islice

    from serving.bulk import classify_file
    from serving.files import read_rows
    from serving.rows import ReadLog

    def say(remark: str) -> None:
        typer.echo(remark, err=True)

    found = read_rows(source, columns, ReadLog(say))
    first = list(islice(found, 1))  # a file that cannot be read is said before anyone waits for the model
    tools = load()
    rows: list[Read] = []
    classify_file(tools.classifier, chain(first, found), now, lambda row, said: rows.append(_as_read(row, said)), say)
    return rows, sum(row.said.error is None for row in rows), tools


def _as_read(row: "Row", said: Any) -> "Read":
    from serving.clustering import Read

    item = row.item
    if item is None:
        return Read(said.id, said)
    return Read(said.id, said, item.score, item.answered_at, item.touchpoint, item.unit)


def _show(issues: "Issues", matched: bool) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(stderr=True)
    table = Table("Issue", "Answers", "Mood", "In their words")
    for found in issues.clusters[:SHOWN]:
        mood = f"{found['sentiment']['share']:.0%} {found['sentiment']['label']}" if found["sentiment"] else ""
        words = " ".join(found["quotes"][0].split()) if found["quotes"] else ""
        table.add_row(Text(found["title"] or found["label"]), str(found["size"]), mood, Text(words))
    console.print(table)
    count = len(issues.rows)
    console.print(f"{len(issues.clusters)} issues; {issues.leftovers} of {count} answers belong to none", markup=False)
    if matched:
        told = [line.kind for line in issues.matching.lineage]
        kept = len(issues.clusters) - len({line.after for line in issues.matching.lineage if line.kind == "birth"})
        counts = ", ".join(f"{kind} {told.count(kind)}" for kind in ("birth", "death", "split", "merge"))
        console.print(f"{kept} issues were known before; {counts}", markup=False)
