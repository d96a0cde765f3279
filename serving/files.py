"""Reading files of responses row by row: CSV, XLSX, Parquet and JSON Lines, with what is wrong said by row."""

import json
import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

from nlp.errors import InputError
from nlp.types import Failure
from serving.csvfile import csv_rows
from serving.encoding import SAMPLE, refuse_binary
from serving.mapping import ColumnMapping, json_plan
from serving.rows import ReadLog, Row, count_lines, make_row, note_unknown, plan_table

KINDS = (".csv", ".tsv", ".txt", ".jsonl", ".ndjson", ".xlsx", ".parquet")
MAX_LINE = 4 * 1024 * 1024
"""Bytes of one JSON line: as much as a whole request may hold over HTTP."""
BATCH = 1_000
"""Rows of a Parquet file that are in memory together."""


def read_rows(path: str | Path, mapping: ColumnMapping, log: ReadLog) -> Iterator[Row]:
    """Every row of a file in order; `-` is JSON Lines from standard input.

    Raises InputError for what is wrong with the whole file; what is wrong with one row is in its Row.
    """
    if str(path) == "-":
        yield from _json_rows(sys.stdin.buffer, "standard input", mapping, log)
        return
    path = Path(path)
    reader = _reader(path)
    try:
        yield from reader(path, mapping, log)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from None


def check_input(path: str | Path) -> None:
    """Raises InputError unless the path is `-` or a file of a kind that can be read."""
    if str(path) != "-":
        _reader(Path(path))


def _reader(path: Path) -> Callable[[Path, ColumnMapping, ReadLog], Iterator[Row]]:
    readers = {".xlsx": _xlsx_rows, ".parquet": _parquet_rows, ".jsonl": _json_file, ".ndjson": _json_file}
    ending = path.suffix.lower()
    if not path.exists():
        raise InputError(f"{path} does not exist")
    if not path.is_file():
        raise InputError(f"{path} is not a file")
    if ending not in KINDS:
        raise InputError(f"{path}: files ending in {ending or 'nothing'} are not read; give one of {', '.join(KINDS)}")
    return readers.get(ending, csv_rows)


def _json_file(path: Path, mapping: ColumnMapping, log: ReadLog) -> Iterator[Row]:
    with path.open("rb") as file:
        log.expected = count_lines(path)
        yield from _json_rows(file, str(path), mapping, log)


def _json_rows(stream: BinaryIO, source: str, mapping: ColumnMapping, log: ReadLog) -> Iterator[Row]:
    plan = json_plan(mapping)
    known = set(plan.columns.values())
    lines = ((number, line) for number, line in enumerate(_bounded_lines(stream), 1) if line is None or line.strip())
    first = next(lines, (0, b""))
    refuse_binary((b"{" if first[1] is None else first[1])[:SAMPLE], source)
    if first[1] and first[1].startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InputError(f"{source} is UTF-16; JSON Lines are UTF-8, save it so")
    for number, line in chain([first], lines):
        found = _parse_line(line)
        if isinstance(found, Failure):
            yield Row(number, None, found, {}, plan)
            continue
        note_unknown([name for name in found if name not in known], log)
        yield make_row(number, found, plan, log)


def _parse_line(line: bytes | None) -> dict[str, Any] | Failure:
    if line is None:
        return Failure("unreadable_row", f"the line is longer than {MAX_LINE} bytes")
    try:
        found = json.loads(line.removeprefix(b"\xef\xbb\xbf").decode("utf-8"))
    except UnicodeDecodeError:
        return Failure("unreadable_row", "the line has bytes that are not UTF-8")
    except json.JSONDecodeError as error:
        return Failure("unreadable_row", f"the line is not JSON: {error.msg} at column {error.colno}")
    except (ValueError, RecursionError):
        return Failure("unreadable_row", "the line has a number too long or objects too deep to read")
    if not isinstance(found, dict):
        return Failure("unreadable_row", "the line is JSON but not an object; write one response on each line")
    return found


def _xlsx_rows(path: Path, mapping: ColumnMapping, log: ReadLog) -> Iterator[Row]:
    import fastexcel
    import polars as pl

    # it warns of columns whose cells differ in type, which are read all the same
    logging.getLogger("fastexcel").setLevel(logging.ERROR)
    with _foreign(path, "an Excel workbook"):
        workbook = fastexcel.read_excel(path)
        names = workbook.sheet_names
        frame = workbook.load_sheet(0, schema_sample_rows=None).to_polars()
    if len(names) > 1:
        log.once("sheets", f"{path}: the sheet {names[0]!r} was read, {len(names) - 1} more were not")
    # rows that only carry formatting follow the last one that was filled in
    filled = frame.select(~pl.all_horizontal(pl.all().is_null())).to_series().arg_true() if frame.width else []
    frame = frame.head(int(filled[-1]) + 1 if len(filled) else 0)
    yield from _frame_rows(path, [frame], frame.columns, frame.height, mapping, log)


def _parquet_rows(path: Path, mapping: ColumnMapping, log: ReadLog) -> Iterator[Row]:
    import polars as pl

    with _foreign(path, "a Parquet file"):
        lazy = pl.scan_parquet(path, glob=False)
        columns = lazy.collect_schema().names()
        height = lazy.select(pl.len()).collect().item()
    frames = _batches(path, lazy, height)
    yield from _frame_rows(path, frames, columns, height, mapping, log)


def _batches(path: Path, lazy: Any, height: int) -> Iterator[Any]:
    for start in range(0, height, BATCH):
        with _foreign(path, "a Parquet file"):
            frame = lazy.slice(start, BATCH).collect()
        yield frame


def _frame_rows(
    path: Path, frames: Any, columns: Sequence[str], height: int, mapping: ColumnMapping, log: ReadLog
) -> Iterator[Row]:
    if not columns:
        raise InputError(f"{path} is empty; it should have a header and a row for each response")
    log.expected = height
    plan = plan_table(columns, mapping, str(path), log)
    cells = chain.from_iterable(frame.iter_rows(named=True) for frame in frames)
    for number, raw in enumerate(cells, start=2):
        yield make_row(number, raw, plan, log)


class _foreign:  # noqa: N801 - reads as a statement
    """Turns whatever a library says about a damaged file, its panics included, into InputError."""

    def __init__(self, path: Path, what: str) -> None:
        self._path, self._what = path, what

    def __enter__(self) -> None:
        if self._path.stat().st_size == 0:
            raise InputError(f"{self._path} is empty; it should have a header and a row for each response")

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        # a panic of a Rust library is no Exception
        if error is not None and not isinstance(error, KeyboardInterrupt | SystemExit | MemoryError | InputError):
            raise InputError(f"{self._path} cannot be read as {self._what}; is it damaged or misnamed?") from None


def _bounded_lines(stream: BinaryIO) -> Iterator[bytes | None]:
    """Lines of a stream; None for one that is too long, whose rest is skipped without being kept."""
    while line := stream.readline(MAX_LINE):
        if len(line) < MAX_LINE or line.endswith(b"\n"):
            yield line
            continue
        while (rest := stream.readline(MAX_LINE)) and not rest.endswith(b"\n"):
            pass
        yield None
