"""Labelled rows in flat tables: what one cell of CSV, Parquet or a data set's column holds, read and written."""

import json
from collections.abc import Mapping
from typing import Any

LISTS = ("themes", "themes_disputed", "signals", "signals_disputed", "undecided")
OBJECTS = ("theme_sentiments", "scale", "respondent")
NUMBERS = ("score", "scale.min", "scale.max")
FLAGS = ("justified", "respondent.contact_consent")
TEXTS = ("id", "text", "language", "question", "metric", "sentiment")
COLUMNS = (*TEXTS, *NUMBERS, *FLAGS, *LISTS, "theme_sentiments", "priority")
NAMES = frozenset((*COLUMNS, *OBJECTS, "lang"))  # columns that are read; others are somebody else's
NO_CASE = "null"  # a priority that is labelled "no case"; an empty cell is not labelled
SEPARATOR = ";"

_FLAGS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def read_cell(name: str, cell: str) -> Any:
    """The value that a cell of a text table stands for.

    What cannot be read stays text, for `parse_row` to say which row and field is wrong.
    """
    if name == "text":
        return cell
    if not cell.strip():
        return None
    if name in LISTS:
        return _list(cell)
    if name in OBJECTS or name == "priority":
        return _json(cell)
    if name in FLAGS:
        return _FLAGS.get(cell.strip().lower(), cell)
    if name in NUMBERS:
        return _number(cell)
    return cell


def read_value(name: str, value: Any) -> Any:
    """The value of a typed column as JSON would hold it; nulls within objects are absent keys."""
    if isinstance(value, str):
        return read_cell(name, value)
    if isinstance(value, float):
        # pandas keeps numbers with gaps as floats, and gaps as not-a-number
        return None if value != value else int(value) if name == "priority" and value.is_integer() else value
    if name == "theme_sentiments" and isinstance(value, list):
        return _pairs(value)
    if isinstance(value, Mapping):
        return {key: each for key, each in value.items() if each is not None} or None
    return value


def nest(record: Mapping[str, Any]) -> dict[str, Any]:
    """Columns such as `scale.min` as the objects they are parts of; columns without a value are left out."""
    out: dict[str, Any] = {}
    for name, value in record.items():
        head, _, tail = name.partition(".")
        if value is None and name != "priority":
            continue
        if tail and head in OBJECTS:
            out[head] = (out.get(head) or {}) | {tail: value}
        else:
            out[name] = value
    return out


def flatten(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record of `to_record` with its scale and respondent in columns of their own."""
    out = {name: value for name, value in record.items() if name not in ("scale", "respondent")}
    for name in ("scale", "respondent"):
        out |= {f"{name}.{key}": value for key, value in record.get(name, {}).items()}
    return out


def write_cell(name: str, value: Any) -> str:
    """Text that `read_cell` reads back."""
    if name in LISTS:
        plain = value and all(_is_plain(each) for each in value)
        return SEPARATOR.join(value) if plain else json.dumps(value, ensure_ascii=False)
    if isinstance(value, bool):
        return str(value).lower()
    if name == "priority" and value is None:
        return NO_CASE
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else str(value)


def _is_plain(item: str) -> bool:
    return bool(item) and item == item.strip() and SEPARATOR not in item and item[0] not in "[{"


def _list(cell: str) -> Any:
    if cell.lstrip()[0] in "[{":
        return _json(cell)
    return [item.strip() for item in cell.split(SEPARATOR) if item.strip()]


def _json(cell: str) -> Any:
    try:
        return json.loads(cell)
    except (ValueError, RecursionError):
        return cell


def _number(cell: str) -> float | str:
    try:
        return float(cell.replace(",", ".")) if cell.count(",") <= 1 else cell
    except ValueError:
        return cell


def _pairs(value: list[Any]) -> Any:
    """Moods by theme from a list of {"theme", "sentiment"}, which is how a typed column holds them."""
    if not all(isinstance(each, Mapping) and {"theme", "sentiment"} <= set(each) for each in value):
        return value
    return {each["theme"]: each["sentiment"] for each in value}
