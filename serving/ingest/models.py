"""What the routes of responses and imports take and give."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, WithJsonSchema

from nlp.types import Mood
from serving.ingest.arrivals import Taken
from serving.store.columns import NAME

MAX_THEMES = 200
MAX_NOTE = 2_000

_ALWAYS = (
    *("id", "status", "language", "text", "themes", "sentiment", "justification", "signals", "group", "priority"),
    *("priority_reason", "needs_review", "redactions", "versions"),
)
Classification = Annotated[
    dict[str, Any],
    WithJsonSchema({"type": "object", "required": list(_ALWAYS), "description": "as `POST /v1/classify` gives it"}),
]
NO_NUL = r"^[^\x00]+$"
"""PostgreSQL has no NUL in a text."""
Name = Annotated[str, StringConstraints(min_length=1, max_length=NAME, pattern=NO_NUL)]
Note = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_NOTE, pattern=NO_NUL)]
Signal = Literal["contact_request", "churn_intent", "legal_threat", "safety_risk", "suggestion"]


class FailureOut(BaseModel):
    """Why one item was refused."""

    code: str
    detail: str


class TakenOut(BaseModel):
    """What became of one item."""

    outcome: Literal["created", "updated", "duplicate", "error"]
    id: str = Field(description="the sender's; made from a hash where it sent none")
    uid: str | None = Field(description="ours; null where the item was refused")
    classification: Classification | None
    error: FailureOut | None


class TakenList(BaseModel):
    """What became of each item, in order; all of it is durable."""

    items: list[TakenOut]


class ResponseOut(BaseModel):
    """A response as it stands: the effective reading, corrections laid over the newest analysis."""

    uid: str
    id: str
    source: str
    revision: int
    received_at: datetime
    answered_at: datetime
    question: str | None
    metric: str | None
    score: float | None
    survey: str | None
    touchpoint: str | None
    channel: str | None
    unit: str | None
    employee: str | None
    respondent: str | None
    contact_consent: bool | None
    segment: str | None
    value: float | None
    attributes: dict[str, Any]
    band: str | None
    corrected: bool
    labels: list[str] = Field(description="tags that rules gave it")
    classification: Classification


class ResponseList(BaseModel):
    """One page of responses, newest answers first."""

    items: list[ResponseOut]
    next: str | None


class AnalysisOut(BaseModel):
    """One reading of the text by a model."""

    revision: int
    at: datetime
    classification: Classification


class CorrectionOut(BaseModel):
    """What a person said is right."""

    revision: int
    at: datetime
    by: str
    fields: dict[str, Any]
    note: str | None


class CaseRef(BaseModel):
    """A case that the response belongs to."""

    id: str
    state: str
    priority: int
    opened_at: datetime


class ResponseDetail(ResponseOut):
    """A response with its history, oldest first."""

    analyses: list[AnalysisOut]
    corrections: list[CorrectionOut]
    cases: list[CaseRef]


class CorrectionIn(BaseModel):
    """What is right, for those fields that were read wrongly; named as labelled rows name them."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)

    themes: list[Name] | None = Field(default=None, max_length=MAX_THEMES, description="all themes it is about")
    theme_sentiments: dict[Name, Mood] | None = Field(default=None, max_length=MAX_THEMES)
    sentiment: Mood | None = None
    justified: bool | None = None
    signals: list[Signal] | None = Field(default=None, max_length=10)
    note: Note | None = None

    def fields(self) -> dict[str, Any]:
        return self.model_dump(exclude={"note"}, exclude_none=True)


class Counts(BaseModel):
    """What became of the rows of a file so far."""

    model_config = ConfigDict(extra="forbid")

    created: int = 0
    updated: int = 0
    duplicate: int = 0
    refused: int = 0


class JobOut(BaseModel):
    """A piece of work in the background."""

    id: str
    kind: str
    state: Literal["queued", "running", "done", "failed", "cancelled"]
    by: str
    done: int = Field(description="rows, or stored answers, read so far")
    total: int | None = Field(description="those expected; null until known, and about right for some files")
    result: Counts | dict[str, int] | None = Field(description="of a search the answers found, by theme")
    error: str | None
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None


class JobList(BaseModel):
    """One page of jobs, newest first."""

    items: list[JobOut]
    next: str | None


def taken_out(taken: Taken) -> dict[str, Any]:
    error = {"code": taken.error.code, "detail": taken.error.detail} if taken.error else None
    found = {"outcome": taken.outcome, "id": taken.id, "uid": taken.uid, "classification": taken.classification}
    return {**found, "error": error}


def response_out(row: Mapping[str, Any]) -> dict[str, Any]:
    fields = (name for name in ResponseOut.model_fields if name != "classification")
    return {**{name: row[name] for name in fields}, "classification": row["effective"]}


def detail_out(row: Mapping[str, Any], history: Mapping[str, list[Mapping[str, Any]]]) -> dict[str, Any]:
    return {
        **response_out(row),
        "analyses": [_only(AnalysisOut, {**each, "classification": each["result"]}) for each in history["analyses"]],
        "corrections": [_only(CorrectionOut, each) for each in history["corrections"]],
        "cases": [_only(CaseRef, each) for each in history["cases"]],
    }


def job_out(row: Mapping[str, Any]) -> dict[str, Any]:
    counts = {name: count for name, count in (row["result"] or {}).items() if isinstance(count, int)}
    return {**_only(JobOut, row), "result": None if row["result"] is None else counts}


def _only(model: type[BaseModel], row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in model.model_fields}
