"""The bodies that the routes of issues take and give."""

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from serving.cases.schemas import Name, Note, Uid
from serving.schemas import Instant
from serving.store.columns import ID

MOST_MEMBERS = 1000
"""Members in one split; more is a job for another name or theme."""
MAX_LABEL = 200
EARLIEST, LATEST = date(2000, 1, 1), date(2100, 1, 1)
"""Days between which an improvement can work."""

State = Literal["active", "dismissed", "merged", "ended"]
TitleBy = Literal["person", "endpoint", "words"]
Label = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_LABEL, pattern=r"^[^\x00]+$")
]
ThemeId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]+(\.[a-z0-9_]+)*$", max_length=ID)]
Shares = dict[str, float]


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class ClusterEditIn(_In):
    """What people decide about an issue; what is left out stays, null takes it away."""

    name: Name | None = Field(default=None, description="stands before the label, whatever later runs find")
    owner: Name | None = None
    muted_until: Instant | None = Field(default=None, description="no alarms before then")
    theme: Name | None = Field(default=None, description="id of the theme that it is a case of")


class ClusterMergeIn(_In):
    """Where an issue belongs."""

    into: Uid = Field(description="id of the issue that it becomes a part of")


class ClusterSplitIn(_In):
    """What becomes an issue of its own."""

    members: Annotated[list[Uid], Field(min_length=1, max_length=MOST_MEMBERS)] = Field(description="uids of answers")
    name: Name | None = None


class NewThemeIn(_In):
    """A theme as a taxonomy file lists it."""

    id: ThemeId
    label: Label
    description: Note
    parent: Name | None = Field(default=None, description="a group or theme of the code frame")


class ClusterPromoteIn(_In):
    """The theme that an issue becomes."""

    theme: NewThemeIn


class ImprovementIn(_In):
    """Something done about an issue."""

    action: Note
    owner: Name | None = None
    on: Annotated[date, Field(ge=EARLIEST, le=LATEST, description="the day from which it works")]


class ClusterQuote(BaseModel):
    """A verbatim that stands for an issue, redacted."""

    response: str
    text: str


class ClusterScale(BaseModel):
    """What the scores are on: their own scale where all have one, else 0 to 10."""

    min: float
    max: float


class ClusterFacts(BaseModel):
    """An issue in figures, of the last full run; shares of its answers, the largest first."""

    languages: Shares
    sentiment: Shares
    themes: Shares
    touchpoints: Shares
    units: Shares
    mean_score: float | None
    score_gap: float | None = Field(description="mean score less that of all other answers")
    scale: ClusterScale | None


class ClusterItem(BaseModel):
    """An issue as lists show it."""

    id: str
    parent: str | None = Field(description="the issue it is a part of")
    state: State
    merged_into: str | None
    title: str = Field(description="the name people gave it, else the line an endpoint wrote, else the label")
    title_by: TitleBy = Field(description="who wrote the title; words: it is the label")
    label: str = Field(description="made of its words by the last run")
    name: str | None
    keywords: list[str]
    quotes: list[ClusterQuote]
    facts: ClusterFacts
    size: int = Field(description="answers of the last 90 days")
    first_seen: datetime | None
    last_seen: datetime | None
    trend: float | None = Field(description="its share of all answers in 28 days over that in the 28 before")
    impact: float | None = Field(description="answers times the points, of ten, their scores lie below the rest")
    owner: str | None
    theme: str | None
    muted_until: datetime | None
    made_at: datetime
    updated_at: datetime
    version: int


class ClusterList(BaseModel):
    """A page of issues, and how many answers of the last 90 days are in none."""

    items: list[ClusterItem]
    next: str | None
    unclustered: int


class ClusterLineage(BaseModel):
    """One thing that became of an issue."""

    model_config = ConfigDict(populate_by_name=True)

    at: datetime
    kind: Literal["birth", "death", "split", "merge", "return", "undo"]
    before: str | None = Field(alias="from")
    to: str | None
    shared: int | None = Field(description="answers in common")
    by: str


class RatioInterval(BaseModel):
    """From where to where a figure may lie (95 %)."""

    low: float
    high: float


class ClusterRate(BaseModel):
    """How often an issue was told."""

    count: int
    answers: int
    per_1000: float | None


class ImprovementOut(BaseModel):
    """Something done about an issue, and what came of it."""

    id: str
    action: str
    owner: str | None
    on: date
    by: str
    made_at: datetime
    before: ClusterRate
    after: ClusterRate
    ratio: float | None = Field(description="rate after over rate before")
    interval: RatioInterval | None
    verdict: Literal["rarer", "more frequent", "no clear change", "too early"]
    sentence: str


class ImprovementList(BaseModel):
    """The improvements of an issue."""

    items: list[ImprovementOut]


class ClusterAlarm(BaseModel):
    """What was told of an issue."""

    at: datetime
    direction: Literal["rising", "falling", "returning"]
    observed: int
    expected: float
    days: int
    sentence: str


class ClusterOut(ClusterItem):
    """An issue with all that belongs to it."""

    parts: list[ClusterItem]
    lineage: list[ClusterLineage]
    improvements: list[ImprovementOut]
    alarms: list[ClusterAlarm]


class ClusterAnswer(BaseModel):
    """An answer as lists of issues show it."""

    uid: str
    id: str
    text: str
    language: str | None
    sentiment: str | None
    score: float | None
    touchpoint: str | None
    unit: str | None
    answered_at: datetime


class ClusterMember(ClusterAnswer):
    """An answer that belongs to an issue."""

    strength: float = Field(description="how surely it belongs there, 0 to 1")
    by: Literal["run", "birth", "online", "person"]
    since: datetime


class ClusterMembers(BaseModel):
    """A page of members."""

    items: list[ClusterMember]
    next: str | None


class UnclusteredOut(ClusterAnswer):
    """An answer in no issue; `kind` says whether there is something in it that could recur."""

    kind: str | None


class UnclusteredList(BaseModel):
    """A page of answers in no issue, and how many there are."""

    items: list[UnclusteredOut]
    next: str | None
    unclustered: int


class ClusterPromoted(BaseModel):
    """The theme an issue became."""

    theme: str
    examples: int = Field(description="members that are training examples of it now")
    cluster: ClusterOut
