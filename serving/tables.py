"""Results on disk: one classification a line, or the input's columns with the flat results beside them.

A file is written under a temporary name in its own folder and renamed when it is whole. Tables are collected row by
row in such a file first, because JSON Lines may bring a new column on their last line.
"""

import contextlib
import csv
import json
import os
import re
import secrets
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from nlp.errors import InputError
from nlp.types import Classification
from serving.flat import PREFIX, RESULTS, Cell, table_row
from serving.rows import Row
from serving.schemas import clean

TABLES = (".csv", ".xlsx", ".parquet")
EXCEL_ROWS, EXCEL_COLUMNS, EXCEL_CELL = 1_048_575, 16_384, 32_767
"""What one sheet holds below its header, and the characters of one cell."""
FRAME_ROWS = 10_000
"""Rows turned into Parquet columns together."""
INT64 = 2**63

_FORMULA = re.compile(r"[=+\-@\t\r]")
_PLAIN_NUMBER = re.compile(r"[+-]?\d+([.,]\d+)?", re.ASCII)
_NOT_XML = re.compile("[\ufffe\uffff]")
_COLUMN_WIDTH, _TEXT_WIDTH = 18, 70


class Output(Protocol):
    """A place for results: `add` row by row, then `finish` and `publish`, or `discard` when the work failed."""

    def add(self, row: Row, answer: Classification) -> None: ...

    def finish(self) -> None: ...

    def publish(self) -> None: ...

    def discard(self) -> None: ...


def check_outputs(paths: Sequence[Path], source: str) -> list[Path]:
    """The result files asked for; raises InputError unless each can be written and none is the input."""
    taken = {Path(source).resolve()}
    for path in paths:
        _check_output(path)
        if path.resolve() in taken:
            raise InputError(f"{path} is the input or was named twice; give another name with -o")
        taken.add(path.resolve())
    return list(paths)


def _check_output(path: Path) -> None:
    if path.suffix.lower() not in (".jsonl", ".ndjson", *TABLES):
        raise InputError(f"{path}: results end in .jsonl, {', '.join(TABLES)}; name OUT so")
    if path.is_dir():
        raise InputError(f"{path} is a folder; give the name of a file")
    if not path.absolute().parent.is_dir():
        raise InputError(f"{path}: the folder {path.parent} does not exist; make it first")


@contextlib.contextmanager
def outputs(paths: Sequence[Path]) -> Iterator[list[Output]]:
    """Opens every result file (standard output when there is none); on an error or Ctrl-C nothing of them stays."""
    opened: list[Output] = []
    with ExitStack() as stack:
        for path in paths:
            opened.append(_open(path))
            stack.callback(opened[-1].discard)
        yield opened or [JsonLines(sys.stdout.buffer)]
        for output in opened:
            output.finish()
        for output in opened:
            output.publish()


def _open(path: Path) -> Output:
    return Table(path) if path.suffix.lower() in TABLES else JsonLinesFile(path)


class JsonLines:
    """Classifications as JSON Lines into an open stream, in input order."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def add(self, row: Row, answer: Classification) -> None:
        self._stream.write(clean(json.dumps(answer.to_dict(), ensure_ascii=False)).encode("utf-8") + b"\n")

    def finish(self) -> None:
        self._stream.flush()

    def publish(self) -> None:
        self._stream.flush()

    def discard(self) -> None:
        self._stream.flush()


class JsonLinesFile(JsonLines):
    """Classifications as JSON Lines in a file that appears when it is whole."""

    def __init__(self, path: Path) -> None:
        self._path, self._draft = path, _beside(path)
        super().__init__(self._draft.open("xb"))

    def finish(self) -> None:
        self._stream.close()

    def publish(self) -> None:
        os.replace(self._draft, self._path)

    def discard(self) -> None:
        self._stream.close()
        self._draft.unlink(missing_ok=True)


class Table:
    """The input's columns and the flat results, as CSV, XLSX or Parquet by the ending."""

    def __init__(self, path: Path) -> None:
        self._path, self._draft, self._spool_path = path, _beside(path), _beside(path)
        self._spool = self._spool_path.open("x+", encoding="utf-8")
        self._columns: dict[str, set[str]] = {}
        self._rows = 0

    def add(self, row: Row, answer: Classification) -> None:
        self._rows += 1
        if self._path.suffix.lower() == ".xlsx" and self._rows > EXCEL_ROWS:
            raise InputError(f"{self._path}: a sheet holds {EXCEL_ROWS} rows; write .csv or .parquet instead")
        cells = {name: _cell(value) for name, value in table_row(row, answer).items()}
        for name, value in cells.items():
            self._columns.setdefault(name, set()).add(_kind(value))
        self._spool.write(json.dumps(list(cells.items()), default=_tagged) + "\n")

    def finish(self) -> None:
        writers: dict[str, Callable[[Path, list[str], Iterator[dict[str, Cell]]], None]] = {
            ".csv": _write_csv,
            ".xlsx": _write_xlsx,
            ".parquet": self._write_parquet,
        }
        own = [name for name in self._columns if not name.startswith(PREFIX)]
        names = own + list(RESULTS)
        self._spool.seek(0)
        writers[self._path.suffix.lower()](self._draft, names, (_untagged(line) for line in self._spool))

    def publish(self) -> None:
        os.replace(self._draft, self._path)

    def discard(self) -> None:
        self._spool.close()
        self._spool_path.unlink(missing_ok=True)
        self._draft.unlink(missing_ok=True)

    def _write_parquet(self, path: Path, names: list[str], rows: Iterator[dict[str, Cell]]) -> None:
        import polars as pl

        types = {name: _parquet_type(self._columns.get(name, set()), RESULTS.get(name)) for name in names}
        frames = [pl.DataFrame(schema=types)]
        while batch := [row for row, _ in zip(rows, range(FRAME_ROWS), strict=False)]:
            columns = {name: [_fit(row.get(name), types[name]) for row in batch] for name in names}
            frames.append(pl.DataFrame(columns, schema=types))
        pl.concat(frames).write_parquet(path)


def guarded(text: str) -> str:
    """A CSV cell that no spreadsheet takes for a formula: an apostrophe goes before =, +, -, @, tab and return.

    Plain numbers stay as they are. XLSX and Parquet need none of this: their cells have types.
    """
    return f"'{text}" if _FORMULA.match(text) and not _PLAIN_NUMBER.fullmatch(text) else text


def _write_csv(path: Path, names: list[str], rows: Iterator[dict[str, Cell]]) -> None:
    with path.open("x", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([guarded(name) for name in names])
        for row in rows:
            writer.writerow([_csv_cell(row.get(name)) for name in names])


def _csv_cell(value: Cell) -> Any:
    if isinstance(value, str):
        return guarded(value)
    if isinstance(value, bool):
        return str(value).lower()
    return value.isoformat() if isinstance(value, date) else value


def _write_xlsx(path: Path, names: list[str], rows: Iterator[dict[str, Cell]]) -> None:
    import xlsxwriter

    if len(names) > EXCEL_COLUMNS:
        raise InputError(
            f"{path}: a sheet holds {EXCEL_COLUMNS} columns and there are {len(names)}; write .csv instead"
        )
    # one row at a time in memory; text stays text, whatever it begins with
    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(str(path), {**options, "default_date_format": "yyyy-mm-dd hh:mm:ss"}) as book:
        sheet = book.add_worksheet("Holos")
        bold = book.add_format({"bold": True})
        sheet.freeze_panes(1, 0)
        for place, name in enumerate(names):
            sheet.set_column(place, place, _TEXT_WIDTH if name == "holos_text" else _COLUMN_WIDTH)
            sheet.write_string(0, place, _excel_text(name), bold)
        for number, row in enumerate(rows, start=1):
            for place, name in enumerate(names):
                _write_excel_cell(sheet, number, place, row.get(name))


def _write_excel_cell(sheet: Any, row: int, column: int, value: Cell) -> None:
    if isinstance(value, bool):
        sheet.write_boolean(row, column, value)
    elif isinstance(value, int | float):
        sheet.write_number(row, column, value)
    elif isinstance(value, date) and value.year >= 1900 and not getattr(value, "tzinfo", None):
        sheet.write_datetime(row, column, value)
    elif value is not None:
        sheet.write_string(row, column, _excel_text(value if isinstance(value, str) else value.isoformat()))


def _excel_text(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)[:EXCEL_CELL]


def _cell(value: Any) -> Cell:
    """A value that every kind of table can hold; what is nested becomes JSON."""
    if value is None or isinstance(value, bool | date):
        return value
    if isinstance(value, int):
        return value if -INT64 <= value < INT64 else hex(value)
    if isinstance(value, float):
        return value if abs(value) < float("inf") else None
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, dict | list):
        return clean(json.dumps(value, ensure_ascii=False, default=str))
    return clean(str(value))


def _kind(value: Cell) -> str:
    if isinstance(value, datetime):
        return "instant" if value.tzinfo else "datetime"
    return "none" if value is None else type(value).__name__


def _parquet_type(kinds: set[str], fixed: str | None) -> Any:
    import polars as pl

    types = {"int": pl.Int64, "float": pl.Float64, "bool": pl.Boolean, "date": pl.Date, "str": pl.String}
    types |= {"datetime": pl.Datetime("us"), "instant": pl.Datetime("us", "UTC")}
    kinds = {fixed} if fixed else kinds - {"none"}
    if kinds == {"int", "float"}:
        return pl.Float64
    return types[kinds.pop()] if len(kinds) == 1 else pl.String


def _fit(value: Cell, kind: Any) -> Cell:
    import polars as pl

    if value is None:
        return None
    if kind == pl.String and not isinstance(value, str):
        return value.isoformat() if isinstance(value, date) else str(value)
    if kind == pl.Float64:
        return float(value)  # type: ignore[arg-type]
    return value.astimezone(UTC) if isinstance(value, datetime) and value.tzinfo else value


def _tagged(value: Any) -> dict[str, str]:
    return {_kind(value): value.isoformat()}


def _untagged(line: str) -> dict[str, Cell]:
    return {name: _dated(value) if isinstance(value, dict) else value for name, value in json.loads(line)}


def _dated(tagged: dict[str, str]) -> Cell:
    ((kind, text),) = tagged.items()
    return date.fromisoformat(text) if kind == "date" else datetime.fromisoformat(text)


def _beside(path: Path) -> Path:
    return path.absolute().parent / f".{path.name}.{secrets.token_hex(4)}.part"
