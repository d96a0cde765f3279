"""The values of a registry of models: what changed, who is champion, and what the gate said."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Gate:
    """What the gate said of a candidate; `passed` is None where it was not asked."""

    passed: bool | None = None
    reasons: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    figures: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """One line of the lineage; a model that is None is the one that ships."""

    number: int
    at: str
    kind: Literal["promotion", "rollback"]
    before: str | None
    to: str | None
    digest: str | None
    base: str | None = None
    by: str = ""
    forced: bool = False
    note: str | None = None
    gate: Gate = Gate()

    def to_dict(self) -> dict[str, Any]:
        return {"from" if name == "before" else name: value for name, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Change":
        gate = {key: tuple(value) if isinstance(value, list) else value for key, value in data["gate"].items()}
        rest = {"before" if name == "from" else name: value for name, value in data.items()}
        return cls(**{**rest, "gate": Gate(**gate)})


@dataclass(frozen=True, slots=True)
class Champion:
    """The pointer: the version in use, None for the model that ships, and what a rollback goes back to."""

    version: str | None
    digest: str | None
    promoted_at: str
    previous: str | None
    forced: bool
    by: str
    change: Change

    def to_dict(self) -> dict[str, Any]:
        return {"format": FORMAT, **asdict(self), "change": self.change.to_dict()}


def champions(changes: Sequence[Change]) -> list[str | None]:
    """The promotions that no rollback undid: the champion last, what it replaced before it."""
    stack: list[str | None] = []
    for change in changes:
        if change.kind == "rollback":
            del stack[-1:]
        elif stack[-1:] != [change.to]:
            stack.append(change.to)
    return stack
