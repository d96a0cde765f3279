"""Which column of a file is which field of a response: the mapping file, and the plan made from it for one header."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from nlp.errors import InputError, PolicyError
from serving.schemas import RespondentIn, ResponseIn, ScaleIn, clean, invalids

MAX_NAMES = 20
"""Column names that a message lists before it says how many more there are."""

EXAMPLE = 'columns:\n  text: "Comment"\n  score: "Score"\nconstants:\n  metric: nps\n'

_NESTED = {"respondent": RespondentIn, "scale": ScaleIn}
_NUMBERS = {"score", "scale.min", "scale.max", "respondent.value"}
_TOP = tuple(ResponseIn.model_fields)
_FIELDS = tuple(name for name in _TOP if name not in ("respondent", "scale", "attributes")) + tuple(
    f"{parent}.{name}" for parent, model in _NESTED.items() for name in model.model_fields
)
_OPEN = ("respondent.", "attributes.")
_KEYS = {"columns", "constants", "date_format", "encoding"}
_YES = {"true", "1", "yes", "y", "tak", "так", "да"}
_NO = {"false", "0", "no", "n", "nie", "ні", "нет"}
_NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d{1,3})?|[+-]?(nan|inf)", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ColumnMapping:
    """A mapping file: field to column, field to constant, how dates are written, how the file is encoded."""

    columns: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, Any] = field(default_factory=dict)
    date_format: str | None = None
    encoding: str | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """Field to column for one file; `typed` values (JSON) are taken as they are, others are read from their text."""

    columns: Mapping[str, str]
    constants: Mapping[str, Any]
    date_format: str | None
    typed: bool

    @property
    def text_column(self) -> str | None:
        return self.columns.get("text")


def load_mapping(path: Path) -> ColumnMapping:
    """Reads and checks a mapping file; raises InputError when it cannot be read, PolicyError when it is wrong."""
    try:
        data = yaml.safe_load(path.read_bytes())
    except OSError as error:
        raise InputError(f"mapping {path} cannot be read: {error.strerror or error}") from None
    except (yaml.YAMLError, UnicodeError, ValueError, RecursionError) as error:
        raise PolicyError(f"mapping {path} is not valid YAML{_place(error)}; it looks like\n{EXAMPLE}") from None
    return parse_mapping(data, str(path))


def parse_mapping(data: Any, source: str) -> ColumnMapping:
    """Checks a loaded mapping; `source` names it in errors (PolicyError)."""
    if not isinstance(data, Mapping):
        raise PolicyError(f"mapping {source} should be a mapping of {', '.join(sorted(_KEYS))}; it looks like\n{EXAMPLE}")
    unknown = sorted(str(key) for key in data if key not in _KEYS)
    if unknown:
        raise PolicyError(f"mapping {source}: unknown key {', '.join(unknown)}; keys are {', '.join(sorted(_KEYS))}")
    columns = _section(data, "columns", source)
    constants = _section(data, "constants", source)
    for key, column in columns.items():
        if not isinstance(column, str) or not column.strip():
            raise PolicyError(f"mapping {source}: columns.{key} should be the name of a column, in quotes")
    for key in columns.keys() & constants.keys():
        raise PolicyError(f"mapping {source}: {key} is both a column and a constant; keep one")
    mapping = ColumnMapping(
        {key: column.strip() for key, column in columns.items()},
        constants,
        _words(data, "date_format", source),
        _encoding(_words(data, "encoding", source), source),
    )
    _check_constants(mapping, source)
    return mapping


def table_plan(header: Sequence[str], mapping: ColumnMapping, source: str) -> Plan:
    """The plan for a table with this header: mapped columns first, then columns named exactly as the contract does."""
    columns = {key: _find(header, column, key, source) for key, column in mapping.columns.items()}
    taken = set(columns.values())
    names = {*_FIELDS, *_TOP}
    for column in header:
        name = column.strip().lower()
        key = name if name in names else column.strip() if name.startswith(_OPEN) else None
        if key is None or column in taken or key in mapping.columns or key in mapping.constants:
            continue
        if key in columns:
            raise InputError(f"{source}: two columns are called {key}; say in a mapping file which one to read")
        columns[key] = column
    if "text" not in columns:
        raise InputError(
            f"{source}: no column is called text; found {listed(header)}. "
            f"Name the column of the verbatims in a file and pass it with --mapping:\n{EXAMPLE}"
        )
    return Plan(columns, mapping.constants, mapping.date_format, typed=False)


def json_plan(mapping: ColumnMapping) -> Plan:
    """The plan for JSON Lines: the contract's own fields, but for those the mapping takes from elsewhere."""
    own = {name: name for name in _TOP if name not in mapping.constants and name not in mapping.columns.values()}
    return Plan({**own, **mapping.columns}, mapping.constants, mapping.date_format, typed=True)


def assemble(raw: Mapping[str, Any], plan: Plan) -> tuple[ResponseIn, bool]:
    """The response in a row, and whether its date had no offset (then it is taken as UTC); ValueError says what is wrong."""
    payload: dict[str, Any] = {}
    for key, value in plan.constants.items():
        _put(payload, key, value)
    naive = False
    for key, column in plan.columns.items():
        if plan.typed and column not in raw:
            continue
        value = raw.get(column)
        if key == "answered_at":
            value, naive = _when(value, column, plan.date_format)
        elif not plan.typed:
            value = _read(key, value, column)
        if value is not None or (plan.typed and key == "text"):
            _put(payload, key, value)
    try:
        return ResponseIn.model_validate(payload), naive
    except ValidationError as error:
        raise ValueError("; ".join(_named(problem.path, problem.reason, plan) for problem in invalids(error))) from None


def listed(names: Sequence[str]) -> str:
    """Names for a message, shortened when there are many."""
    shown = ", ".join(repr(clean(name)[:80]) for name in names[:MAX_NAMES])
    return shown + (f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else "")


def _section(data: Mapping[Any, Any], name: str, source: str) -> dict[str, Any]:
    section = data.get(name) or {}
    if not isinstance(section, Mapping):
        raise PolicyError(f"mapping {source}: {name} should be a mapping of fields")
    for key in section:
        if not isinstance(key, str) or not (key in _FIELDS or (key.startswith(_OPEN) and not key.endswith("."))):
            fields = ", ".join((*_FIELDS, "respondent.<name>", "attributes.<name>"))
            raise PolicyError(f"mapping {source}: {name}.{key} is no field of a response; fields are {fields}")
    return dict(section)


def _words(data: Mapping[Any, Any], name: str, source: str) -> str | None:
    value = data.get(name)
    if value is not None and (not isinstance(value, str) or not value.strip()):
        raise PolicyError(f"mapping {source}: {name} should be text in quotes")
    return value


def _encoding(name: str | None, source: str) -> str | None:
    try:
        b"".decode(name or "utf-8")
    except (LookupError, ValueError):
        raise PolicyError(f"mapping {source}: encoding {name} is unknown; for example windows-1250") from None
    return name


def _check_constants(mapping: ColumnMapping, source: str) -> None:
    payload: dict[str, Any] = {"text": ""}
    for key, value in mapping.constants.items():
        if isinstance(value, date | datetime):
            value, _ = _when(value, key, None)
        _put(payload, key, value)
    try:
        ResponseIn.model_validate(payload)
    except ValidationError as error:
        # a scale may have one end in a column
        wrong = [found for found in invalids(error) if not (found.path.startswith("scale.") and found.code == "missing")]
        if wrong:
            raise PolicyError(f"mapping {source}: constants.{wrong[0].path}: {wrong[0].reason}") from None


def _place(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    return f" (line {mark.line + 1})" if mark else ""


def _find(header: Sequence[str], column: str, key: str, source: str) -> str:
    for name in header:
        if name == column or name.strip() == column:
            return name
    raise InputError(f"{source}: no column {column!r}, which the mapping gives for {key}; found {listed(header)}")


def _put(payload: dict[str, Any], key: str, value: Any) -> None:
    parent, dot, name = key.partition(".")
    if not dot:
        payload[key] = value
    elif isinstance(payload.setdefault(parent, {}), dict):
        payload[parent] = {**payload[parent], name: value}


def _read(key: str, value: Any, column: str) -> Any:
    """A cell of a table as the field wants it; an empty cell is an absent field, but for the verbatim."""
    if isinstance(value, str) and key != "text":
        value = value.strip()
    if value is None or value == "":
        return "" if key == "text" else None
    if key in _NUMBERS:
        return _number(value, key, column)
    if key == "respondent.contact_consent":
        return _consent(value, column)
    if key in ("respondent", "scale", "attributes"):
        return _object(value, key, column)
    if key.startswith(_OPEN) and key not in _FIELDS:
        return value if isinstance(value, bool | int | float | str) else _label(value)
    return _label(value).lower() if key == "metric" else _label(value)


def _label(value: Any) -> str:
    if isinstance(value, bool | str):
        return str(value)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))  # a spreadsheet keeps the id 17 as 17.0
    return str(value)


def _number(value: Any, key: str, column: str) -> float:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return float(value.replace(",", "."))
    raise ValueError(f"{_called(key, column)} is not a number")


def _consent(value: Any, column: str) -> bool:
    if isinstance(value, bool):
        return value
    word = _label(value).lower()
    if word in _YES or word in _NO:
        return word in _YES
    raise ValueError(f"{_called('respondent.contact_consent', column)} should be true or false")


def _object(value: Any, key: str, column: str) -> dict[str, Any]:
    try:
        found = json.loads(value) if isinstance(value, str) else value
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ValueError(f"{_called(key, column)} should be a JSON object")
    return {name: item for name, item in found.items() if item is not None}


def _when(value: Any, column: str, date_format: str | None) -> tuple[Any, bool]:
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
        hint = f"is not written as {date_format}" if date_format else "is not ISO 8601; give date_format in a mapping file"
        raise ValueError(f"{_called('answered_at', column)} {hint}") from None
    if isinstance(value, datetime) and value.utcoffset() is None:
        return value.replace(tzinfo=UTC), True
    return value, False


def _called(key: str, column: str) -> str:
    return key if key == column else f"{key} (column {clean(column)[:80]!r})"


def _named(path: str, reason: str, plan: Plan) -> str:
    column = plan.columns.get(path)
    return f"{_called(path, column) if column else path}: {reason}"
