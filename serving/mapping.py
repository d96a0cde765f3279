"""Which column of a file is which field of a response: the mapping file, and the plan made from it for one header."""

import codecs
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from nlp.errors import InputError, PolicyError
from serving.cells import OPEN, called, read_cell, read_instant
from serving.schemas import RespondentIn, ResponseIn, ScaleIn, clean, invalids

MAX_NAMES = 20
"""Column names that a message lists before it says how many more there are."""

A_DATE = datetime(2026, 12, 31, 23, 59, 58)

EXAMPLE = 'columns:\n  text: "Comment"\n  score: "Score"\nconstants:\n  metric: nps\n'

_NESTED = {"respondent": RespondentIn, "scale": ScaleIn}
_TOP = tuple(ResponseIn.model_fields)
_FIELDS = tuple(name for name in _TOP if name not in ("respondent", "scale", "attributes")) + tuple(
    f"{parent}.{name}" for parent, model in _NESTED.items() for name in model.model_fields
)
_KEYS = {"columns", "constants", "date_format", "encoding"}


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
        raise PolicyError(
            f"mapping {source} should be a mapping of {', '.join(sorted(_KEYS))}; it looks like\n{EXAMPLE}"
        )
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
        {
            key: read_instant(value, key, None)[0] if isinstance(value, date) else value
            for key, value in constants.items()
        },
        _date_format(_words(data, "date_format", source), source),
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
        key = name if name in names else _open_field(column.strip()) if name.startswith(OPEN) else None
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
    """The response in a row, and whether its date had no offset (it is taken as UTC); ValueError says what is wrong."""
    payload: dict[str, Any] = {}
    for key, value in plan.constants.items():
        _put(payload, key, value)
    naive = False
    for key, column in plan.columns.items():
        if plan.typed and column not in raw:
            continue
        value = raw.get(column)
        if key == "answered_at":
            value, naive = read_instant(value, column, plan.date_format)
        elif not plan.typed:
            value = read_cell(key, value, column)
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
        if not isinstance(key, str) or not (key in _FIELDS or (key.startswith(OPEN) and not key.endswith("."))):
            fields = ", ".join((*_FIELDS, "respondent.<name>", "attributes.<name>"))
            raise PolicyError(f"mapping {source}: {name}.{key} is no field of a response; fields are {fields}")
    return dict(section)


def _words(data: Mapping[Any, Any], name: str, source: str) -> str | None:
    value = data.get(name)
    if value is not None and (not isinstance(value, str) or not value.strip()):
        raise PolicyError(f"mapping {source}: {name} should be text in quotes")
    return value


def _date_format(pattern: str | None, source: str) -> str | None:
    try:
        datetime.strptime(A_DATE.strftime(pattern or "%Y"), pattern or "%Y")
    except ValueError:
        raise PolicyError(f"mapping {source}: date_format {pattern} is none; for example '%d.%m.%Y %H:%M'") from None
    return pattern


def _encoding(name: str | None, source: str) -> str | None:
    try:
        codecs.lookup(name or "utf-8")
    except (LookupError, ValueError):
        raise PolicyError(f"mapping {source}: encoding {name} is unknown; for example windows-1250") from None
    return name


def _check_constants(mapping: ColumnMapping, source: str) -> None:
    payload: dict[str, Any] = {"text": ""}
    for key, value in mapping.constants.items():
        _put(payload, key, value)
    try:
        ResponseIn.model_validate(payload)
    except ValidationError as error:
        # a scale may have one end in a column
        wrong = [
            found for found in invalids(error) if not (found.path.startswith("scale.") and found.code == "missing")
        ]
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


def _open_field(column: str) -> str:
    """`Attributes.City` is the field `attributes.City`: the contract names the parent, the sender the rest."""
    parent, dot, name = column.partition(".")
    return parent.lower() + dot + name


def _put(payload: dict[str, Any], key: str, value: Any) -> None:
    parent, dot, name = key.partition(".")
    if not dot:
        before = payload.get(key)
        payload[key] = {**before, **value} if isinstance(before, dict) and isinstance(value, dict) else value
    elif isinstance(payload.setdefault(parent, {}), dict):
        payload[parent] = {**payload[parent], name: value}


def _named(path: str, reason: str, plan: Plan) -> str:
    column = plan.columns.get(path)
    return f"{called(path, column) if column else path}: {reason}"
