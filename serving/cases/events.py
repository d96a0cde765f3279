"""What can happen to a case, as values; whoever makes one has looked up the times that the policy gives."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from serving.cases.clock import Times


@dataclass(frozen=True, slots=True)
class CaseEvent:
    """One event; `name` stands in the history of the case, `asked` marks what people ask for over HTTP."""

    name: ClassVar[str]
    asked: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class Assign(CaseEvent):
    """Somebody gets the case: a team, a person or both; `because` says who or what decided."""

    name: ClassVar[str] = "assign"
    team: str | None
    assignee: str | None
    because: str


@dataclass(frozen=True, slots=True)
class Start(CaseEvent):
    """Work begins; the case goes to whoever began it where nobody had it."""

    name: ClassVar[str] = "start"
    by: str


@dataclass(frozen=True, slots=True)
class Wait(CaseEvent):
    """The clock stops until something comes in."""

    name: ClassVar[str] = "wait"


@dataclass(frozen=True, slots=True)
class Resume(CaseEvent):
    """The clock goes on; `times` are those before the pause, later by what was paused."""

    name: ClassVar[str] = "resume"
    times: Times


@dataclass(frozen=True, slots=True)
class Attempt(CaseEvent):
    """Somebody tried to reach the person; after `most` attempts in a row that reached nobody it is given up."""

    name: ClassVar[str] = "attempts"
    contact: bool
    next_at: datetime | None
    most: int
    give_up: bool = False
    never_again: bool = False


@dataclass(frozen=True, slots=True)
class Resolve(CaseEvent):
    """The work is done; `outcome` says what it came to."""

    name: ClassVar[str] = "resolve"
    outcome: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Close(CaseEvent):
    """Nothing more is expected."""

    name: ClassVar[str] = "close"


@dataclass(frozen=True, slots=True)
class Reopen(CaseEvent):
    """It was not done after all; `times` are those of a case that opens now."""

    name: ClassVar[str] = "reopen"
    times: Times


@dataclass(frozen=True, slots=True)
class Reprioritise(CaseEvent):
    """The case is more or less urgent than it was; `times` None: its clock stays."""

    name: ClassVar[str] = "reprioritise"
    asked: ClassVar[bool] = False
    priority: int
    reason: str
    times: Times | None


@dataclass(frozen=True, slots=True)
class Silence(CaseEvent):
    """The person must not be contacted any more."""

    name: ClassVar[str] = "silence"
    asked: ClassVar[bool] = False


@dataclass(frozen=True, slots=True)
class Warn(CaseEvent):
    """The first contact is due soon."""

    name: ClassVar[str] = "warn"
    asked: ClassVar[bool] = False


@dataclass(frozen=True, slots=True)
class Breach(CaseEvent):
    """The first contact is overdue."""

    name: ClassVar[str] = "breach"
    asked: ClassVar[bool] = False


@dataclass(frozen=True, slots=True)
class Escalate(CaseEvent):
    """The next level of the chain gets the case."""

    name: ClassVar[str] = "escalate"
    asked: ClassVar[bool] = False
    team: str | None
    assignee: str | None
    next_at: datetime | None


@dataclass(frozen=True, slots=True)
class Touch(CaseEvent):
    """Something was added to the case: a new version, nothing else."""

    name: ClassVar[str] = "touch"
    asked: ClassVar[bool] = False
