"""Labelled rows in and out of every form of file: JSON Lines, CSV, Parquet, Label Studio, Hugging Face datasets."""

import gzip
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from nlp.errors import InputError
from nlp.text import is_well_formed
from training.dataset import LabelledRow, name_rows, numbered_jsonl, parse_row, to_record
from training.labelstudio import CONTROLS, labelled_tasks, read_export
from training.savedset import read_folder, write_folder
from training.tables import read_csv, read_parquet, write_csv, write_parquet

READERS = {
    ".jsonl": numbered_jsonl,
    ".ndjson": numbered_jsonl,
    ".jsonl.gz": numbered_jsonl,
    ".json": read_export,
    ".csv": read_csv,
    ".tsv": read_csv,
    ".parquet": read_parquet,
}
FORMS = f"one of {', '.join(READERS)} or a folder saved by Hugging Face datasets"


def read_labels(path: Path) -> list[LabelledRow]:
    """Labelled rows of a file, its form known by its ending, or of a data set's folder.

    A row without an id is named by its line or number. Raises InputError naming file, row and field.
    """
    try:
        rows = [_row(*found) for found in _records(path)]
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from None
    if not rows:
        hint = f"; its controls must be named {', '.join(CONTROLS)}" if path.suffix == ".json" else ""
        raise InputError(f"{path} has no labelled rows{hint}")
    return rows


def _records(path: Path) -> Iterator[tuple[str, int, dict[str, Any]]]:
    """Records with where they come from and their numbers there."""
    if path.is_dir():
        yield from read_folder(path)
        return
    if not path.exists():
        raise InputError(f"{path} does not exist")
    for number, record in READERS[_ending(path)](path):
        yield str(path), number, record


def _row(source: str, number: int, record: dict[str, Any]) -> LabelledRow:
    if record.get("id") in (None, ""):
        record = record | {"id": f"row-{number}"}
    return parse_row(record, source)


def _ending(path: Path) -> str:
    found = next((ending for ending in READERS if path.name.lower().endswith(ending)), None)
    if found is None:
        raise InputError(f"{path}: labels are not read or written in files ending in {path.suffix!r}; give {FORMS}")
    return found


def write_labels(rows: Sequence[LabelledRow], path: Path) -> None:
    """Writes rows in the form that the path's ending names, a data set's folder if it has none.

    `read_labels` reads them back, but for their `source`; Label Studio's form leaves out rows without any label.
    """
    check_output(path)
    broken = [row.id for row in rows if not is_well_formed(row.text + (row.question or "") + row.id)]
    if broken:
        raise InputError(f"half a character, which UTF-8 cannot hold, stands in {name_rows(broken)}; mend or remove it")
    records = map(to_record, rows)
    if not path.suffix or path.is_dir():
        return write_folder(records, path)
    ending = _ending(path)
    if ending == ".parquet":
        write_parquet(records, path)
    elif ending in (".csv", ".tsv"):
        write_csv(records, path)
    elif ending == ".json":
        path.write_text(json.dumps(labelled_tasks(rows), ensure_ascii=False, indent=1) + "\n", "utf-8")
    else:
        _write_jsonl(records, path)


def check_output(path: Path) -> None:
    """InputError for a path that labels cannot be written to."""
    if path.suffix and not path.is_dir():
        _ending(path)
    if path.is_dir() and any(path.iterdir()) and not (path / "dataset_info.json").exists():
        raise InputError(f"{path} is a folder with other things in it; name a new one or a file")
    if not path.absolute().parent.is_dir():
        raise InputError(f"{path}: the folder {path.parent} does not exist; make it first")


def _write_jsonl(records: Iterable[dict[str, Any]], path: Path) -> None:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
