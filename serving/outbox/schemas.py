"""The border of the outbox's routes: what may be asked for, and what is answered."""

from datetime import datetime
from functools import cache
from typing import Annotated, Any, Literal
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from serving.outbox.events import TYPES
from serving.outbox.guard import MAX_URL
from serving.outbox.hours import DAYS
from serving.outbox.signing import MODES
from serving.outbox.targets import LANGUAGES, ROLES
from serving.schemas import Instant
from serving.store.columns import NAME

NO_NUL = r"^[^\x00]*$"
"""PostgreSQL keeps no NUL character in a text."""

MOST_NAMES = 100
WEEK_HOURS = 168
DAY_MINUTES = 1440
WORK_DAYS: tuple[Any, ...] = DAYS[:5]


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _zone(value: str) -> str:
    if value not in _zones():
        raise PydanticCustomError("zone", "Input should be a time zone such as Europe/Warsaw")
    return value


def _unique(values: list[str]) -> list[str]:
    return list(dict.fromkeys(values))


Url = Annotated[str, Field(min_length=1, max_length=MAX_URL, pattern=NO_NUL)]
Name = Annotated[str, Field(min_length=1, max_length=NAME, pattern=NO_NUL)]
Names = Annotated[list[Name], Field(max_length=MOST_NAMES), AfterValidator(_unique)]
Description = Annotated[str, Field(max_length=NAME, pattern=NO_NUL)]
Type = Literal[TYPES]
Types = Annotated[list[Type], Field(max_length=len(TYPES), description="[] for all"), AfterValidator(_unique)]
Mode = Literal[MODES]
Role = Literal[ROLES]
Language = Literal[LANGUAGES]
Zone = Annotated[str, Field(max_length=64, pattern=NO_NUL), AfterValidator(_zone)]
TimeOfDay = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", description="as 08:00, in the zone")]
Day = Literal[DAYS]
DedupeMinutes = Annotated[int, Field(ge=0, le=DAY_MINUTES, description="repeats within these are told in one message")]
State = Literal["pending", "delivered", "dead", "merged"]


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


class _Out(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, from_attributes=True)


class WebhookIn(_In):
    url: Url
    description: Description | None = None
    types: Types = []
    mode: Mode = "standard"


class WebhookChange(_In):
    """What is absent or null stays as it is."""

    url: Url | None = None
    description: Description | None = None
    types: Types | None = None
    mode: Mode | None = None


class RotateIn(_In):
    overlap_hours: int = Field(default=24, ge=0, le=WEEK_HOURS, description="how long the old secret signs along")


class ReplayIn(_In):
    """Events from one time up to, and without, another."""

    from_: Instant = Field(alias="from")
    to: Instant
    types: Types | None = None

    @model_validator(mode="after")
    def _ordered(self) -> "ReplayIn":
        if self.from_ >= self.to:
            raise PydanticCustomError("range_order", "from should be before to")
        return self


class SecretOut(_Out):
    """A secret that signs; the secret itself is shown once only, when it is made."""

    made_at: datetime
    until: datetime | None


class Webhook(_Out):
    id: str
    url: str
    description: str | None
    types: list[str]
    mode: Mode
    secrets: list[SecretOut]
    created_at: datetime
    disabled_at: datetime | None
    disabled_for: str | None


class WebhookMade(Webhook):
    secret: str = Field(description="the signing key (whsec_...): keep it, it is not shown again")


class ScopeModel(_In):
    """Whom a channel is for: an empty list asks for nothing, all that are given must hold."""

    teams: Names = []
    units: Names = []
    employees: Names = []
    themes: Names = []


class DigestModel(_In):
    at: Annotated[list[TimeOfDay], Field(min_length=1, max_length=24), AfterValidator(_unique)]
    days: Annotated[list[Day], Field(min_length=1, max_length=7), AfterValidator(_unique)] = list(WORK_DAYS)


class QuietModel(_In):
    from_: TimeOfDay = Field(alias="from")
    to: TimeOfDay


class ChannelIn(_In):
    name: Name
    url: Url
    role: Role
    scope: ScopeModel = ScopeModel()
    types: Types | None = Field(default=None, description="null: those that suit the role")
    language: Language = "en"
    zone: Zone = "UTC"
    digest: DigestModel | None = Field(default=None, description="null: messages at once")
    quiet: QuietModel | None = None
    dedupe_minutes: DedupeMinutes = 10


class ChannelChange(_In):
    """What is absent stays as it is; so does what is null, but for `digest` and `quiet`, which null takes away."""

    name: Name | None = None
    url: Url | None = None
    role: Role | None = None
    scope: ScopeModel | None = None
    types: Types | None = None
    language: Language | None = None
    zone: Zone | None = None
    digest: DigestModel | None = None
    quiet: QuietModel | None = None
    dedupe_minutes: DedupeMinutes | None = None


class Channel(_Out):
    id: str
    name: str
    url: str = Field(description="with what is secret in it hidden")
    role: Role
    scope: ScopeModel
    types: list[str]
    language: Language
    zone: str
    digest: DigestModel | None
    quiet: QuietModel | None
    dedupe_minutes: int
    last_digest_at: datetime | None
    created_at: datetime
    disabled_at: datetime | None
    disabled_for: str | None


class Event(_Out):
    id: str
    type: str
    subject: str | None
    at: datetime
    data: dict[str, Any]


class Delivery(_Out):
    id: str
    event: str
    type: str
    target: str
    kind: Literal["webhook", "channel"]
    state: State
    tries: int
    next_at: datetime
    created_at: datetime
    done_at: datetime | None
    replay: int = Field(description="0: the first time")
    count: int = Field(description="events it tells of, those merged into it included")
    merged_into: str | None
    reason: str | None = Field(description="why it is dead")


class Try(_Out):
    at: datetime
    status: int | None = Field(description="null: no answer")
    error: str | None
    ms: float


class DeliveryDetail(Delivery):
    log: list[Try]


class Queued(_Out):
    queued: int = Field(description="deliveries")


class Sent(_Out):
    event: str
    delivery: str


class Webhooks(_Out):
    items: list[Webhook]
    next: str | None


class Channels(_Out):
    items: list[Channel]
    next: str | None


class Events(_Out):
    items: list[Event]
    next: str | None


class Deliveries(_Out):
    items: list[Delivery]
    next: str | None
