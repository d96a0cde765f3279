"""Labelled rows as CSV and Parquet files."""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from nlp.errors import InputError
from training.cells import COLUMNS, FLAGS, LISTS, NAMES, NUMBERS, flatten, nest, read_cell, read_value, write_cell

SEPARATORS = (",", ";", "\t")
MAX_CELL = 1_000_000  # characters: a hundred verbatims of the longest kind; beyond it a quote was left open
BATCH = 1_000  # rows of a Parquet file that are in memory together

Numbered = tuple[int, dict[str, Any]]


def read_csv(path: Path) -> Iterator[Numbered]:
    """Records of a CSV file in UTF-8 with their numbers, the header being 1; the separator is found from the header."""
    csv.field_size_limit(MAX_CELL)
    with path.open(encoding="utf-8-sig", newline="") as file:
        try:
            yield from _csv_records(file, str(path))
        except UnicodeDecodeError:
            raise InputError(f"{path} is not in UTF-8; save it in that encoding") from None


def _csv_records(file: TextIO, source: str) -> Iterator[Numbered]:
    reader, columns = _header(file, source)
    number = 1
    while True:
        number += 1
        try:
            cells = next(reader, None)
        except csv.Error:
            raise InputError(f"{source}, row {number}: a quote there is not closed or stands alone; mend it") from None
        if cells is None:
            return
        if not any(cells):
            continue
        if any(cells[len(columns) :]):
            raise InputError(
                f"{source}, row {number} has {len(cells)} cells and the header {len(columns)}; put quotes around texts "
                "with separators"
            )
        # an empty cell is as good as no column, but for the text, which may be empty
        given = [(name, cell) for name, cell in zip(columns, cells, strict=False) if cell.strip() or name == "text"]
        yield number, nest({name: read_cell(name, cell) for name, cell in given if name in NAMES})


def _header(file: TextIO, source: str) -> tuple[Any, list[str]]:
    """A reader that stands after the header, and the columns; Excel's line `sep=;` is passed over."""
    line = file.readline()
    start = file.tell() if line.lower().startswith("sep=") else 0
    if start:
        line = file.readline()
    parsed = {separator: _names(line, separator) for separator in SEPARATORS}
    best = max(SEPARATORS, key=lambda separator: len(NAMES.intersection(parsed[separator])))
    if "text" not in parsed[best]:
        raise InputError(
            f"{source} has no column text; its first row must name the columns: id, text, and labels such as themes"
        )
    twice = sorted({name for name in parsed[best] if name in NAMES and parsed[best].count(name) > 1})
    if twice:
        raise InputError(f"{source} has more than one column {', '.join(twice)}; rename or remove all but one")
    return csv.reader(file, delimiter=best, strict=True), parsed[best]


def _names(line: str, separator: str) -> list[str]:
    try:
        return [name.strip().lower() for name in next(csv.reader([line], delimiter=separator), [])]
    except csv.Error:
        return []


def write_csv(records: Iterable[Mapping[str, Any]], path: Path) -> None:
    """Writes records of `to_record`, with a mark by which spreadsheets know the encoding."""
    flat = [flatten(record) for record in records]
    columns = used_columns(flat)
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file, delimiter="\t" if path.suffix == ".tsv" else ",")
        writer.writerow(columns)
        writer.writerows([write_cell(name, row[name]) if name in row else "" for name in columns] for row in flat)


def used_columns(flat: Sequence[Mapping[str, Any]]) -> list[str]:
    """The columns that any row has, in the contract's order."""
    used = set().union(*flat)
    return [name for name in COLUMNS if name in used]


def read_parquet(path: Path) -> Iterator[Numbered]:
    """Records of a Parquet file with their numbers, from 1."""
    import polars as pl

    try:
        lazy = pl.scan_parquet(path, glob=False)
        columns = [name for name in lazy.collect_schema().names() if name in NAMES]
        height = lazy.select(pl.len()).collect().item()
    except (pl.exceptions.PolarsError, OSError, ValueError):
        raise InputError(f"{path} cannot be read as a Parquet file; is it damaged or misnamed?") from None
    if "text" not in columns:
        raise InputError(f"{path} has no column text; name its columns as the labelled rows' fields")
    for start in range(0, height, BATCH):
        frame = lazy.select(columns).slice(start, BATCH).collect()
        for number, row in enumerate(frame.iter_rows(named=True), start + 1):
            yield number, nest({name: read_value(name, value) for name, value in row.items()})


def write_parquet(records: Iterable[Mapping[str, Any]], path: Path) -> None:
    """Writes records of `to_record` in typed columns."""
    import polars as pl

    kinds = dict.fromkeys(NUMBERS, pl.Float64) | dict.fromkeys(FLAGS, pl.Boolean)
    kinds |= dict.fromkeys(LISTS, pl.List(pl.String)) | {"priority": pl.Int64}
    kinds |= {"theme_sentiments": pl.List(pl.Struct({"theme": pl.String, "sentiment": pl.String}))}
    rows = typed(records)
    columns = used_columns(rows)
    schema = {name: kinds.get(name, pl.String) for name in columns}
    pl.DataFrame([{name: row.get(name) for name in columns} for row in rows], schema=schema).write_parquet(path)


def typed(records: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Flat records for typed columns: moods as a list of pairs; an unlabelled priority is -1, for null says no case."""
    rows = [flatten(record) for record in records]
    prioritised = any("priority" in row for row in rows)
    for row in rows:
        if "theme_sentiments" in row:
            moods = row["theme_sentiments"].items()
            row["theme_sentiments"] = [{"theme": theme, "sentiment": mood} for theme, mood in moods]
        if prioritised:
            row.setdefault("priority", -1)
    return rows
