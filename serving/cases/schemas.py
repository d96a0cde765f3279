"""The bodies that the routes of cases take and give."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from serving.schemas import Instant
from serving.store.columns import ID, NAME

MAX_NOTE = 4_000
"""Characters of a note: a page, not a file."""
MAX_AMOUNT = 1e9
"""No currency has a compensation beyond that."""

State = Literal["open", "assigned", "in_progress", "waiting", "resolved", "closed", "unreachable", "reopened"]


def _storable(text: str) -> str:
    if "\x00" in text:
        raise ValueError("has a NUL character; remove it")
    return text


Name = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=NAME), AfterValidator(_storable)
]
Note = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_NOTE), AfterValidator(_storable)
]
Uid = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]+$", max_length=ID)]
Priority = Annotated[int, Field(ge=1, le=4)]


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


class OpenIn(_In):
    """A case opened by hand."""

    response: Uid = Field(description="uid of a stored response")
    priority: Priority | None = Field(default=None, description="needed where the response has none")
    team: Name | None = None
    assignee: Name | None = None


class AssignIn(_In):
    """Who gets the case; what is left out is taken away."""

    team: Name | None = None
    assignee: Name | None = None

    @model_validator(mode="after")
    def _somebody(self) -> "AssignIn":
        if self.team is None and self.assignee is None:
            raise ValueError("give a team, an assignee or both")
        return self


class ReasonIn(_In):
    """Why; `{}` will do."""

    reason: Note | None = None


class AttemptIn(_In):
    """One attempt to reach the person."""

    channel: Literal["phone", "email", "sms", "chat", "visit", "other"]
    result: Literal["reached", "callback_requested", "refused", "no_answer", "voicemail", "busy", "wrong_number"]
    notes: Note | None = None
    call_at: Instant | None = Field(default=None, description="when to call again; with callback_requested")


class Compensation(_In):
    """What the customer was given."""

    amount: Annotated[float, Field(ge=0, le=MAX_AMOUNT, allow_inf_nan=False)]
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")] = Field(description="ISO 4217")
    kind: Literal["refund", "discount", "voucher", "replacement", "gift", "other"]


class Outcome(_In):
    """What the work came to."""

    root_cause: Name | None = Field(default=None, description="id of the theme behind it")
    compensation: Compensation | None = None
    promise: Note | None = Field(default=None, description="what the customer was promised")
    satisfied: bool | None = Field(default=None, description="with the contact; null: not asked")
    note: Note | None = None


class CaseItem(BaseModel):
    """A case as lists show it."""

    id: str
    state: State
    priority: int
    reason: str
    contact: bool = Field(description="false: the person must not be contacted")
    response: str
    respondent: str | None
    team: str | None
    assignee: str | None
    assigned_by: str | None
    theme: str | None
    tags: list[str]
    unit: str | None
    employee: str | None
    opened_at: datetime
    due_at: datetime | None = Field(description="when the first contact is due; null: never")
    warn_at: datetime | None
    next_attempt_at: datetime | None
    attempts: int
    first_contact_at: datetime | None
    paused_at: datetime | None
    breached_at: datetime | None
    escalation: int
    resolved_at: datetime | None
    closed_at: datetime | None
    overdue: bool
    outcome: Outcome | None
    updated_at: datetime
    version: int


class CaseList(BaseModel):
    """A page of cases."""

    items: list[CaseItem]
    next: str | None


class CaseResponse(BaseModel):
    """A response of a case; `text` is redacted."""

    uid: str
    id: str
    source: str
    answered_at: datetime
    joined_at: datetime
    priority: int | None
    metric: str | None
    score: float | None
    survey: str | None
    touchpoint: str | None
    language: str | None
    sentiment: str | None
    signals: list[str]
    themes: list[str]
    text: str


class CaseHistory(BaseModel):
    """Something that happened to a case."""

    at: datetime
    kind: str
    by: str
    detail: dict[str, Any]


class AttemptOut(BaseModel):
    """An attempt as it was taken down."""

    at: datetime
    channel: str
    result: str
    by: str
    notes: str | None


class CaseOut(CaseItem):
    """A case with all that belongs to it."""

    responses: list[CaseResponse]
    events: list[CaseHistory]
    attempt_log: list[AttemptOut]
    possible: list[str] = Field(description="what can be done in this state")


class Sla(BaseModel):
    """First contacts made by their due time."""

    met: int
    missed: int
    share: float | None = Field(description="met out of met and missed; null where there are none")


class Summary(BaseModel):
    """Cases counted."""

    total: int
    by_state: dict[str, int]
    by_priority: dict[str, int] = Field(description="of the cases that are not done")
    overdue: int
    no_contact: int
    sla: Sla
