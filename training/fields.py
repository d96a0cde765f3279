"""Reads the fields of a labelled row, and says which row and field is wrong where one is."""

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from nlp.errors import InputError
from nlp.types import MOODS, SIGNALS, Scale


class Fields:
    """Typed access to one row; absent and null are both None. Errors never show a value that may be somebody's text."""

    def __init__(self, row: Mapping[str, Any], source: str) -> None:
        self._row = row
        self.identity = "" if row.get("id") is None else str(row["id"])
        self._where = f"{source}: row {self.identity!r}"

    def text(self) -> str:
        """The field that no row may lack."""
        if not isinstance(self._row.get("text"), str):
            raise InputError(f"{self._where} has no text")
        return self._row["text"]

    def string(self, name: str) -> str | None:
        value = self._row.get(name)
        return value if value is None or isinstance(value, str) else self._wrong(name, value, "a string")

    def flag(self, name: str) -> bool | None:
        value = self._row.get(name)
        return value if value is None or isinstance(value, bool) else self._wrong(name, value, "true or false")

    def number(self, name: str) -> float | None:
        value = self._row.get(name)
        return value if value is None or _is_number(value) else self._wrong(name, value, "a number")

    def whole(self, name: str, absent: int) -> int | None:
        """An integer; `absent` where there is none, None where it is null."""
        value = self._row.get(name, absent)
        whole = value is None or (isinstance(value, int) and not isinstance(value, bool))
        return value if whole else self._wrong(name, value, "an integer or null")

    def strings(self, name: str) -> frozenset[str] | None:
        value = self._row.get(name)
        if value is None:
            return None
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            self._wrong(name, value, "a list of strings")
        return frozenset(value)

    def mood(self, name: str) -> str | None:
        value = self._row.get(name)
        return None if value is None else self._mood(name, value)

    def moods(self, name: str) -> dict[str, str] | None:
        """Moods by theme id."""
        value = self.mapping(name)
        return None if value is None else {theme: self._mood(name, mood) for theme, mood in value.items()}

    def signals(self, name: str) -> frozenset[str] | None:
        """Names of signals, from a list of those that are on or an object of true and false."""
        value = self._row.get(name)
        if isinstance(value, dict):
            if not all(isinstance(on, bool) for on in value.values()):
                self._wrong(name, value, "an object of true and false, or a list of names")
            self._known(name, value, SIGNALS)
            return frozenset(signal for signal, on in value.items() if on)
        found = self.strings(name)
        self._known(name, found or (), SIGNALS)
        return found

    def consent(self) -> bool | None:
        """What the row's respondent, if any, said to being contacted."""
        value = (self.mapping("respondent") or {}).get("contact_consent")
        known = value is None or isinstance(value, bool)
        return value if known else self._wrong("respondent.contact_consent", value, "true or false")

    def scale(self, name: str) -> Scale | None:
        value = self.mapping(name)
        if value is None:
            return None
        if set(value) != {"min", "max"} or not all(_is_number(each) for each in value.values()):
            raise InputError(f'{self._where} has a scale that is not {{"min": a number, "max": a number}}')
        if value["min"] >= value["max"]:
            raise InputError(f"{self._where} has a scale from {value['min']} to {value['max']}; min is the lower end")
        return Scale(value["min"], value["max"])

    def mapping(self, name: str) -> Mapping[str, Any] | None:
        value = self._row.get(name)
        return value if value is None or isinstance(value, dict) else self._wrong(name, value, "an object")

    def _mood(self, name: str, value: Any) -> str:
        if value not in MOODS:
            kind = "sentiment" if name == "sentiment" else f"sentiment in {name}"
            raise InputError(f"{self._where} has the {kind} {value!r}; use one of {', '.join(MOODS)}")
        return value

    def _known(self, name: str, found: Collection[str], known: Sequence[str]) -> None:
        unknown = sorted(set(found) - set(known))
        if unknown:
            raise InputError(f"{self._where} has in {name} {', '.join(unknown)}; use some of {', '.join(known)}")

    def _wrong(self, name: str, value: Any, expected: str) -> Any:
        raise InputError(f"{self._where}: {name} must be {expected}, this is of type {type(value).__name__}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
