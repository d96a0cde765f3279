"""What is wrong with a rule and where."""

from dataclasses import dataclass

from nlp.errors import PolicyError


class ConditionError(Exception):
    """A condition is wrong at a character, counted from 0."""

    def __init__(self, offset: int, reason: str) -> None:
        super().__init__(reason)
        self.offset = offset
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Fault:
    """One mistake in a rule set: line and column of the source, counted from 1, and the rule where it is in one."""

    line: int
    column: int
    rule: str | None
    reason: str

    def __str__(self) -> str:
        rule = f"rule {self.rule}: " if self.rule else ""
        return f"line {self.line}, column {self.column}: {rule}{self.reason}"


class RulesError(PolicyError):
    """A rule set is wrong; has every mistake that was found."""

    def __init__(self, source: str, faults: tuple[Fault, ...]) -> None:
        super().__init__(f"{source}: " + "; ".join(str(fault) for fault in faults))
        self.faults = faults
