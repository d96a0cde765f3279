"""Evaluates conditions on facts; a condition that cannot be evaluated does not hold, and says why."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import cel

from serving.rules import calendars
from serving.rules.facts import Facts, getter
from serving.rules.language import Condition


class Outcome(StrEnum):
    """What came of a condition."""

    HOLDS = "holds"
    FAILS = "fails"
    MISSING = "missing"
    """It compares what the sender did not give: neither true nor false, so the rule does not match."""
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Verdict:
    """An outcome and, where a condition could not be evaluated, the reason; never a word of the verbatim."""

    outcome: Outcome
    why: str | None = None


HOLDS, FAILS = Verdict(Outcome.HOLDS), Verdict(Outcome.FAILS)


class Evaluator:
    """Evaluates some conditions on one response after another; for one thread."""

    def __init__(self, conditions: Iterable[Condition]) -> None:
        conditions = tuple(conditions)
        names = dict.fromkeys(name for item in conditions for name in item.facts if name != "attributes")
        self._getters = tuple((name, getter(name)) for name in names)
        self._attributes = tuple(dict.fromkeys(name for item in conditions for name in item.attributes))
        self._now: Facts | None = None
        self._condition: Condition | None = None
        self._failure: Exception | None = None
        self._values: dict[str, Any] = {}
        self._verdicts: dict[str, Verdict] = {}
        self._context = cel.Context(functions=self._functions())

    def look_at(self, facts: Facts) -> None:
        """The response that conditions are evaluated on from here on."""
        self._now = facts
        self._verdicts.clear()
        self._values = {name: get(facts) for name, get in self._getters}
        if self._attributes:
            given = facts.row["attributes"]
            self._values["attributes"] = {name: given.get(name) for name in self._attributes}
        self._context.update(self._values)

    def verdict(self, condition: Condition) -> Verdict:
        """Raises what a query for a count raised; everything else is a verdict. A condition is evaluated once."""
        known = self._verdicts.get(condition.source)
        if known is None:
            known = self._verdicts[condition.source] = self._evaluate(condition)
        return known

    def _evaluate(self, condition: Condition) -> Verdict:
        self._condition = condition
        try:
            found = condition.program.execute(self._context)
        except Exception as error:
            self._raise()
            return self._unknown(condition, error)
        self._raise()
        if found is True:
            return HOLDS
        return FAILS if found is False else self._unknown(condition, found)

    def _unknown(self, condition: Condition, error: Any) -> Verdict:
        """Why it came out as an error, or as something that is neither true nor false: a flag that is not known."""
        missing = self._missing(condition)
        if missing:
            return Verdict(Outcome.MISSING, f"{', '.join(missing)} not known")
        return Verdict(Outcome.ERROR, _REASONS.get(type(error), "a value is not of the kind it is used as"))

    def _raise(self) -> None:
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure

    def _missing(self, condition: Condition) -> list[str]:
        attributes: Mapping[str, Any] = self._values.get("attributes", {})
        missing = [name for name in condition.facts if name != "attributes" and self._values[name] is None]
        return missing + [f"attributes.{name}" for name in condition.attributes if attributes[name] is None]

    def _functions(self) -> dict[str, Callable[..., Any]]:
        return {
            "theme": self._theme,
            "signal": lambda name: name in self._known.row["signals"],
            "mentions": lambda *beginnings: self._known.mentions(beginnings),
            "count": self._count,
            "hour": lambda zone: calendars.local(self._known.at, zone).hour,
            "weekday": lambda zone: calendars.local(self._known.at, zone).isoweekday(),
            "working": lambda zone, *span: calendars.is_working(self._known.at, zone, *span),
            "holiday": lambda zone, country: calendars.is_holiday(self._known.at, zone, country),
        }

    @property
    def _known(self) -> Facts:
        assert self._now is not None, "look_at comes first"
        return self._now

    def _theme(self, theme: str, mood: str | None = None) -> bool:
        moods = self._known.themes.get(theme)
        return moods is not None and (mood is None or mood in moods)

    def _count(self, number: int) -> int:
        assert self._condition is not None
        try:
            return self._known.counts.count(self._condition.counts[number])
        except Exception as error:  # CEL would take it for a mistake in the rule
            self._failure = error
            return 0


_REASONS: Mapping[type[Exception], str] = {
    ZeroDivisionError: "it divides by zero",
    OverflowError: "a number is too large",
    ValueError: "a text is not the number it is used as",
    IndexError: "a list is shorter than that",
}
