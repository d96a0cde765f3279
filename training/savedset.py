"""Labelled rows as a folder that Hugging Face datasets saved, with typed columns."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from nlp.errors import InputError
from nlp.types import MOODS, SIGNALS
from training.cells import FLAGS, LISTS, NAMES, NUMBERS, nest, read_value
from training.tables import typed, used_columns

Sourced = tuple[str, int, dict[str, Any]]


def read_folder(path: Path) -> Iterator[Sourced]:
    """Records with where they come from and their numbers; the splits of a DatasetDict follow each other.

    The source names the split. Class numbers become the names that the data set gives them, -1 none.
    """
    from datasets import DatasetDict, load_from_disk

    try:
        found = load_from_disk(str(path))
    except Exception:  # whatever the library says of a folder that it did not write
        raise InputError(f"{path} is no folder saved by datasets' save_to_disk; give that or a file") from None
    parts = found if isinstance(found, DatasetDict) else {"": found}
    for split, part in parts.items():
        source = f"{path} ({split})" if split else str(path)
        if "text" not in part.column_names:
            raise InputError(f"{source} has no column text; rename the columns as the labelled rows' fields")
        part = part.select_columns([name for name in part.column_names if name in NAMES])
        for number, row in enumerate(part, 1):
            named = {name: read_value(name, _named(part.features[name], value)) for name, value in row.items()}
            if split and named.get("id") is None:
                named["id"] = f"{split}-{number}"  # numbers start anew in each split
            yield source, number, nest(named)


def _named(feature: Any, value: Any) -> Any:
    """A value with its class numbers replaced by their names."""
    from datasets import ClassLabel, List, Sequence

    if value is None:
        return None
    if isinstance(feature, ClassLabel):
        return feature.int2str(value) if value >= 0 else None
    if isinstance(feature, List | Sequence) and isinstance(feature.feature, ClassLabel):
        return [feature.feature.int2str(each) for each in value if each is not None and each >= 0]
    return value


def write_folder(records: Iterable[Mapping[str, Any]], path: Path) -> None:
    """Saves records of `to_record` as a data set."""
    from datasets import Dataset

    rows = typed(records)
    columns = used_columns(rows)
    themes = sorted({theme for row in rows for theme in row.get("themes") or ()})
    features = _features(columns, themes)
    Dataset.from_dict({name: [row.get(name) for row in rows] for name in columns}, features=features).save_to_disk(
        str(path)
    )


def _features(columns: Sequence[str], themes: Sequence[str]) -> Any:
    from datasets import ClassLabel, Features, List, Value

    text = Value("string")
    kinds = {name: List(text) for name in LISTS} | dict.fromkeys(NUMBERS, Value("float64"))
    kinds |= dict.fromkeys(FLAGS, Value("bool"))
    kinds |= {"sentiment": ClassLabel(names=list(MOODS)), "signals": List(ClassLabel(names=list(SIGNALS)))}
    kinds |= {"theme_sentiments": List({"theme": text, "sentiment": text}), "priority": Value("int64")}
    if themes:
        kinds["themes"] = List(ClassLabel(names=list(themes)))
    return Features({name: kinds.get(name, text) for name in columns})
