"""Reading CSV files as spreadsheets and survey tools write them."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TextIO

from nlp.errors import InputError
from nlp.types import Failure
from serving.encoding import SAMPLE, find_encoding, find_separator, refuse_binary
from serving.mapping import ColumnMapping, Plan
from serving.rows import ReadLog, Row, count_lines, make_row, plan_table
from serving.schemas import clean

MAX_CELL = 1_000_000
"""Characters of one cell or CSV line: a hundred verbatims of the longest kind; beyond it a quote was left open."""


def csv_rows(path: Path, mapping: ColumnMapping, log: ReadLog) -> Iterator[Row]:
    """The rows of a CSV file; encoding and separator are found from its bytes."""
    encoding = mapping.encoding or find_encoding(path)
    if not encoding.startswith("utf"):
        log.once("encoding", f"{path} was read as {encoding}; if letters are wrong, set encoding in a mapping file")
    with path.open(encoding=encoding, errors=_on_bad_bytes(encoding), newline="") as file:
        sample = file.read(SAMPLE)
        refuse_binary(sample.encode("utf-8", "replace"), str(path))
        separator = find_separator(sample)
        file.seek(0)
        log.expected = max(count_lines(path) - 1, 0)
        records = (found for found in _records(file, separator, str(path)) if found[1])
        number, header = next(records, (1, []))
        if number == 1 and [cell.lower() for cell in header] == ["sep=", ""]:
            number, header = next(records, (2, []))
        columns = _column_names(header)
        plan = plan_table(columns, mapping, str(path), log)
        for number, cells in records:
            yield _csv_row(number, cells, columns, plan, log)


def _csv_row(number: int, cells: list[str], columns: Sequence[str], plan: Plan, log: ReadLog) -> Row:
    raw = dict(zip(columns, cells + [""] * (len(columns) - len(cells)), strict=False))
    if any(cells[len(columns) :]):
        detail = f"the row has {len(cells)} cells and the header {len(columns)}; put quotes around text with separators"
        return Row(number, None, Failure("unreadable_row", detail), raw, plan)
    if any("\udc80" <= letter <= "\udcff" for cell in cells if not cell.isascii() for letter in cell):
        return Row(number, None, Failure("unreadable_row", "the row has bytes that are not UTF-8"), raw, plan)
    return make_row(number, raw, plan, log)


def _records(file: TextIO, separator: str, source: str) -> Iterator[tuple[int, list[str]]]:
    """Records of a CSV file with their numbers; quotes that stand where they should not are taken as text."""
    csv.field_size_limit(MAX_CELL)
    lines = _RecordLines(file)
    reader = csv.reader(lines, delimiter=separator, strict=True)
    number = 0
    while True:
        number += 1
        lines.record.clear()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            cells = [] if lines.ended or lines.too_long else _leniently(lines.record, separator)
            if not cells:
                raise InputError(
                    f"{source}, row {number}: a quote that opens there is never closed, or a cell is longer than "
                    f"{MAX_CELL} characters; mend that row"
                ) from None
        yield number, cells


class _RecordLines:
    """The lines of a file, never longer than MAX_CELL, remembering those of the record being read."""

    def __init__(self, file: TextIO) -> None:
        self.record: list[str] = []
        self.ended = False
        self.too_long = False
        self._file = file

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._file.readline(MAX_CELL)
        if not line:
            self.ended = True
            raise StopIteration
        if len(line) == MAX_CELL:
            self.too_long = True
            raise csv.Error
        self.record.append(line)
        return line


def _leniently(record: list[str], separator: str) -> list[str]:
    try:
        return next(csv.reader(record, delimiter=separator), [])
    except csv.Error:
        return []


def _column_names(header: Sequence[str]) -> list[str]:
    """Names without repeats or blanks, so that every column reaches the output."""
    names: list[str] = []
    for place, cell in enumerate(header, start=1):
        name = base = clean(cell).strip() or f"column_{place}"
        copies = 1
        while name in names:
            copies += 1
            name = f"{base}_{copies}"
        names.append(name)
    return names


def _on_bad_bytes(encoding: str) -> str:
    # escaped bytes mark the rows that hold them; other codecs have no such way
    return "surrogateescape" if encoding in ("utf-8", "utf-8-sig") else "replace"
