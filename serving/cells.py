"""One cell of a table as the field it fills wants it; ValueError says what is wrong, never with the cell's content."""

import json
import math
import re
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

from serving.schemas import clean

OPEN = ("respondent.", "attributes.")
"""Parents that take any name beside those the contract gives."""

_NUMBERS = {"score", "scale.min", "scale.max", "respondent.value"}
_OPTIONAL = {*_NUMBERS, "respondent.contact_consent"}
_KNOWN = {*_NUMBERS, "respondent.id", "respondent.segment", "respondent.contact_consent"}
_YES = {"true", "1", "1.0", "t", "yes", "y", "tak", "так", "да"}
_NO = {"false", "0", "0.0", "f", "no", "n", "nie", "ні", "нет"}
_ABSENT = {"n/a", "na", "n.a.", "null", "none", "-", "–", "—", "brak", "b/d", "nd", "n/d", "немає", "н/д"}
"""What tables hold where a number or a consent is missing."""
_THOUSANDS = re.compile(r"(?<=\d)[ \u00a0\u202f](?=\d{3}(?!\d))", re.ASCII)
# "9/10", "10 - bardzo prawdopodobne", "0 (wcale)", "9 pkt": what surveys write for a score and its label.
_LABELLED = re.compile(
    r"(?P<score>\d{1,3}(?:[.,]\d+)?)(?:\s*/\s*\d+(?:\s.*)?|\s*[-–—:(]\s*[^\d\s].*|\s*(?:pkt|points?|stars?|бал\w*)\b.*)",
    re.IGNORECASE | re.DOTALL,
)
_NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d{1,3})?|[+-]?(nan|inf)", re.ASCII | re.IGNORECASE)


def read_cell(key: str, value: Any, column: str) -> Any:
    """A cell of a table as the field wants it; an empty cell is an absent field, but for the verbatim."""
    if isinstance(value, str) and key != "text":
        value = value.strip()
    if value is None or value == "" or (key not in _NUMBERS and _is_nan(value)):
        return "" if key == "text" else None
    if key in _OPTIONAL and isinstance(value, str) and value.lower() in _ABSENT:
        return None
    if key == "score" and isinstance(value, str) and (found := _LABELLED.fullmatch(value)):
        value = found["score"]
    if key in _NUMBERS:
        return _number(value, key, column)
    if key == "respondent.contact_consent":
        return _consent(value, column)
    if key in ("respondent", "scale", "attributes"):
        return _object(value, key, column)
    if key.startswith(OPEN) and key not in _KNOWN:
        return value if isinstance(value, bool | int | float | str) else label(value)
    return label(value).lower() if key == "metric" else label(value)


def label(value: Any) -> str:
    """A value as the name or the text it stands for."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, bool | str):
        return str(value)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))  # a spreadsheet keeps the id 17 as 17.0
    return str(value)


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _number(value: Any, key: str, column: str) -> float:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and key == "respondent.value":
        value = _THOUSANDS.sub("", value)
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return float(value.replace(",", "."))
    raise ValueError(f"{called(key, column)} is not a number")


def _consent(value: Any, column: str) -> bool:
    if isinstance(value, bool):
        return value
    word = label(value).lower()
    if word in _YES or word in _NO:
        return word in _YES
    raise ValueError(f"{called('respondent.contact_consent', column)} should be true or false")


def _object(value: Any, key: str, column: str) -> dict[str, Any]:
    try:
        found = json.loads(value) if isinstance(value, str) else value
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ValueError(f"{called(key, column)} should be a JSON object")
    return {name: item for name, item in found.items() if item is not None}


def read_instant(value: Any, column: str, date_format: str | None) -> tuple[Any, bool]:
    """An instant, and whether its offset had to be taken as UTC."""
    if isinstance(value, str) and not value.strip():
        return None, False
    try:
        if isinstance(value, str):
            text = value.strip()
            value = datetime.strptime(text, date_format) if date_format else datetime.fromisoformat(text.upper())
        elif isinstance(value, date) and not isinstance(value, datetime):
            value = datetime.combine(value, time())
    except ValueError:
        hint = (
            f"is not written as {date_format}" if date_format else "is not ISO 8601; give date_format in a mapping file"
        )
        raise ValueError(f"{called('answered_at', column)} {hint}") from None
    if isinstance(value, datetime) and value.utcoffset() is None:
        return value.replace(tzinfo=UTC), True
    return value, False


def called(key: str, column: str) -> str:
    """A field in a message, with its column where that has another name."""
    return key if key == column else f"{key} (column {clean(column)[:80]!r})"
