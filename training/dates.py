"""When responses were given, read beside `read_labels`: parting one file in two needs no more of it."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nlp.errors import InputError
from training.dataset import LabelledRow
from training.labels import READERS, read_labels
from training.tables import SEPARATORS

DATES = ("answered_at", "created_at")  # the first that a row has


def split_at(path: Path, moment: datetime) -> tuple[list[LabelledRow], list[LabelledRow], int]:
    """Rows before a moment, rows from it on, and how many have no date; InputError where no row has one."""
    rows, dates = read_labels(path), read_dates(path)
    if len(rows) != len(dates):
        raise InputError(f"{path}: dates were found for {len(dates)} of {len(rows)} rows; save it as JSON Lines")
    if not any(dates):
        raise InputError(f"{path}: no row has {' or '.join(DATES)} as an ISO 8601 date; give two files instead")
    dated = [(row, date) for row, date in zip(rows, dates, strict=True) if date]
    before = [row for row, date in dated if date < moment]
    return before, [row for row, date in dated if date >= moment], len(rows) - len(dated)


def read_dates(path: Path) -> list[datetime | None]:
    """A date for each row that `read_labels` gives; None where there is none or it cannot be read."""
    name = path.name.lower()
    if path.is_dir():
        raise InputError(f"{path}: only files are parted by date; give .jsonl, .csv or .parquet")
    if name.endswith((".csv", ".tsv")):
        return [_date(row) for row in _csv_rows(path)]
    if name.endswith(".parquet"):
        return [_date(row) for row in _parquet_rows(path)]
    reader = next(reader for ending, reader in READERS.items() if name.endswith(ending))
    return [_date(row) for _, row in reader(path)]


def parse_moment(text: str) -> datetime:
    """An ISO 8601 date or date and time; one without an offset is UTC. InputError otherwise."""
    moment = _parsed(text)
    if moment is None:
        raise InputError(f"{text!r} is no date; give one such as 2026-11-01 or 2026-11-01T12:00:00+01:00")
    return moment


def _csv_rows(path: Path) -> Iterator[Mapping[str, Any]]:
    """Rows with any cell filled, as `read_labels` counts them; it has proved the file readable."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        header = file.readline()
        if header.lower().startswith("sep="):
            header = file.readline()
        best = max(SEPARATORS, key=header.count)
        columns = _columns(header, best)
        for cells in csv.reader(file, delimiter=best):
            if any(cells):
                yield dict(zip(columns, cells, strict=False))


def _columns(header: str, separator: str) -> Sequence[str]:
    return [name.strip() for name in next(csv.reader([header], delimiter=separator), [])]


def _parquet_rows(path: Path) -> Iterator[Mapping[str, Any]]:
    import polars as pl

    lazy = pl.scan_parquet(path, glob=False)
    names = [name for name in DATES if name in lazy.collect_schema().names()]
    frame = (
        lazy.select(*names, pl.lit(True).alias("_row")) if names else lazy.select(pl.first().is_null().alias("_row"))
    )
    yield from frame.collect().iter_rows(named=True)


def _date(row: Mapping[str, Any]) -> datetime | None:
    return next((date for name in DATES if (date := _parsed(row.get(name)))), None)


def _parsed(value: Any) -> datetime | None:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError:
            return None
    if not isinstance(value, datetime):
        return None
    return value if value.utcoffset() is not None else value.replace(tzinfo=UTC)
