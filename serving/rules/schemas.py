"""What the routes of the rules take and give."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from serving.rules.places import MAX_SOURCE
from serving.rules.replay import MAX_EXAMPLES, Report
from serving.rules.rule import Rule, RuleSet
from serving.schemas import Instant

MAX_REPLAYED = 200_000
"""Responses in one replay: some tens of seconds."""


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)


def _encodable(text: str) -> str:
    if "\x00" in text:
        raise ValueError("must not hold the character U+0000")
    return text


Source = Annotated[str, AfterValidator(_encodable), Field(max_length=MAX_SOURCE, description="the rules as YAML")]


class RulesIn(_In):
    """Rules to be put in force."""

    source: Source


class PeriodIn(_In):
    """A stretch of time, by when responses were answered."""

    since: Instant | None = Field(default=None, alias="from", description="90 days before `to` if left out")
    to: Instant | None = Field(default=None, description="not included; now if left out")


class TrialIn(PeriodIn):
    """Which rules to try on which responses."""

    source: Source | None = Field(
        default=None, description="rules to compare with those in force; left out: those in force with none at all"
    )
    limit: int = Field(default=MAX_REPLAYED, ge=1, le=MAX_REPLAYED, description="responses at most, the newest")
    examples: int = Field(default=20, ge=0, le=MAX_EXAMPLES, description="responses that would change, shown at most")


class ApplyIn(PeriodIn):
    """Which responses the rules in force are applied to again."""

    open: bool = Field(default=False, description="also open the cases that the rules call for now")


class NoticeOut(BaseModel):
    """Somebody to be told."""

    to: str
    message: str | None


class RuleOut(BaseModel):
    """One rule as it was understood."""

    id: str
    description: str | None
    when: str
    team: str | None
    person: str | None
    priority: int | None
    tags: list[str]
    notify: list[NoticeOut]
    webhooks: list[str]
    thank: bool
    suppress_contact: bool
    stop: bool


class RulesOut(BaseModel):
    """A rule set: as it was written, and as it was understood."""

    version: int = Field(description="0: the rules that ship")
    mode: Literal["first", "all"]
    source: str
    rules: list[RuleOut]


class VersionOut(BaseModel):
    """Who put which version in force and when."""

    version: int
    at: datetime
    by: str


class Versions(BaseModel):
    """Versions, the newest first; `next` is the cursor of the next page."""

    items: list[VersionOut]
    next: str | None


class RuleTrialOut(BaseModel):
    """What the rules would change in a period."""

    since: datetime = Field(serialization_alias="from")
    to: datetime
    cut: bool = Field(description="there were more responses than `limit`; the oldest were left out")
    report: Report


class Applied(BaseModel):
    """What applying the rules again did."""

    responses: int = Field(description="looked at")
    relabelled: int = Field(description="responses whose tags changed")
    cases: int = Field(description="cases that changed")
    opened: int = Field(description="cases that were opened")


def shown(rules: RuleSet) -> RulesOut:
    return RulesOut(
        version=rules.version, mode=rules.mode, source=rules.source, rules=[_rule(rule) for rule in rules.rules]
    )


def _rule(rule: Rule) -> RuleOut:
    actions = rule.actions
    given: dict[str, Any] = {"id": rule.id, "description": rule.description, "when": rule.condition.source}
    return RuleOut(
        **given,
        team=actions.team,
        person=actions.assignee,
        priority=actions.priority,
        tags=list(actions.tags),
        notify=[NoticeOut(to=notice.to, message=notice.message) for notice in actions.notices],
        webhooks=list(actions.webhooks),
        thank=actions.thank,
        suppress_contact=actions.suppress_contact,
        stop=rule.stop,
    )
