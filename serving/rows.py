"""One row of a file, whatever kind of file it is: what was found, the response in it, or why there is none."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nlp.types import Failure
from serving.cells import label
from serving.mapping import ColumnMapping, Plan, assemble, listed, table_plan
from serving.schemas import ResponseIn, clean


@dataclass(frozen=True, slots=True)
class Row:
    """One row as found: `item` is None where `problem` says why it cannot be read; `raw` has every column.

    `number` is the row as a spreadsheet shows it (the header is row 1), or the line of a JSON Lines file.
    """

    number: int
    item: ResponseIn | None
    problem: Failure | None
    raw: Mapping[str, Any]
    plan: Plan

    @property
    def id(self) -> str:
        """The sender's id where there is one, else the row's number."""
        value = self.raw.get(self.plan.columns.get("id", ""))
        known = isinstance(value, str | int | float) and not isinstance(value, bool)
        return (clean(label(value)).strip() if known else "") or f"row-{self.number}"


@dataclass(slots=True)
class ReadLog:
    """What a reader tells its caller: each remark once, and how many rows to expect (None: unknown)."""

    say: Callable[[str], None]
    expected: int | None = None
    _said: set[str] = field(default_factory=set)

    def once(self, key: str, remark: str) -> None:
        if key not in self._said:
            self._said.add(key)
            self.say(remark)


def plan_table(columns: Sequence[str], mapping: ColumnMapping, source: str, log: ReadLog) -> Plan:
    """The plan for a table, with a remark on the columns that no field takes."""
    plan = table_plan(columns, mapping, source)
    used = set(plan.columns.values())
    note_unknown([column for column in columns if column not in used], log)
    return plan


def note_unknown(names: Sequence[str], log: ReadLog) -> None:
    """Says once that there are columns that no field takes."""
    if names:
        log.once("unknown", f"not read, only carried through to tabular output: {listed(names)}")


def make_row(number: int, raw: Mapping[str, Any], plan: Plan, log: ReadLog) -> Row:
    """The row with its response, or with what keeps it from being one."""
    try:
        item, naive = assemble(raw, plan)
    except ValueError as error:
        return Row(number, None, Failure("invalid_row", clean(str(error))), raw, plan)
    if naive:
        log.once("offset", "dates without an offset from UTC were taken as UTC")
    return Row(number, item, None, raw, plan)


def count_lines(path: Path) -> int:
    """Lines of a file: about as many as its rows, and quick to count."""
    with path.open("rb") as file:
        return sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(1 << 20), b"")) + 1
