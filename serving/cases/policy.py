"""How a workspace works its cases: the values of `data/policies/cases.yaml`, and how they are read."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml

from nlp.errors import PolicyError
from nlp.nodes import Node
from nlp.policy import Contact, parse_policy
from serving.cases.calendar import Calendar, add_working, next_working_day
from serving.cases.calendar_policy import parse_calendar, parse_minutes
from serving.cases.clock import COUNTS, Clock, Counts
from serving.frame.effective import Frame

RESULTS = ("reached", "callback_requested", "refused", "no_answer", "voicemail", "busy", "wrong_number")
"""Every result of an attempt."""
FOLLOWING = ("next_working_day", "later", "asked", "give_up", "none", "never")
MODELS = ("team", "owner", "mixed")
KINDS = ("team", "owner")
MAX_HOURS = 10_000
"""More than a year; a clock set further ahead is a slip of the keyboard."""
MAX_DAYS = 3_650

Model = Literal["team", "owner", "mixed"]
DOTS = Frame("", ())
"""No code frame: themes lie under others by the dots of their ids alone."""


@dataclass(frozen=True, slots=True)
class Following:
    """What follows a result of an attempt: whether the person was reached, and when to try again."""

    contact: bool
    next: str
    at: int = 0
    """Minutes after midnight of the next working day."""
    hours: float = 0.0


@dataclass(frozen=True, slots=True)
class Level:
    """One step of the escalation chain: who gets the case so many hours after it was due."""

    after_hours: float
    team: str | None
    assignee: str | None


@dataclass(frozen=True, slots=True)
class Assignment:
    """Who gets a case: teams by theme or the front line, chosen by theme where the model is mixed."""

    model: Model
    default_team: str | None
    teams: Mapping[str, str]
    mixed: Mapping[str, str]
    otherwise: str
    frame: Frame = DOTS
    """By which a theme is covered by the names of those above it."""


@dataclass(frozen=True, slots=True)
class CasePolicy:
    """Everything about working cases that a workspace may decide; `contact` is the priority policy's."""

    version: str
    calendars: Mapping[str, Calendar]
    calendar: str
    workspaces: Mapping[str, str]
    counts: Counts
    warn_share: float
    attempts: Mapping[str, Following]
    escalation: tuple[Level, ...]
    join_days: float
    close_after_days: Mapping[str, float]
    assignment: Assignment
    contact: Contact

    def within(self, frame: Frame) -> "CasePolicy":
        """The policy over a workspace's code frame: what it says of a theme holds where that theme is now."""
        return replace(self, assignment=replace(self.assignment, frame=frame))

    def clock(self, workspace: str) -> Clock:
        """The clock of a workspace: its calendar, counted the policy's way."""
        calendar = self.calendars[self.workspaces.get(workspace, self.calendar)]
        return Clock(calendar, self.counts, self.warn_share, tuple(level.after_hours for level in self.escalation))

    def next_attempt(self, workspace: str, result: str, asked: datetime | None, now: datetime) -> datetime | None:
        """When to try again after this result; None: never, or nothing is planned."""
        following = self.attempts[result]
        if following.next == "asked":
            return asked
        calendar = self.clock(workspace).calendar
        if following.next == "later":
            return add_working(calendar, now, following.hours)
        if following.next != "next_working_day":
            return None
        if self.contact.working_days:
            return next_working_day(calendar, now, following.at)
        midnight = datetime.combine(calendar.local_day(now) + timedelta(days=1), datetime.min.time(), calendar.zone)
        return midnight + timedelta(minutes=following.at)


@cache
def load_case_policy(data_dir: Path) -> CasePolicy:
    """The policy in a data folder: `policies/cases.yaml`, with the contact times of `policies/priority.yaml`.

    Read once by a process. PolicyError names the file and the key that is wrong.
    """
    contact = parse_policy(*read_policy(data_dir / "policies" / "priority.yaml")).contact
    return parse_case_policy(*read_policy(data_dir / "policies" / "cases.yaml"), contact)


def read_policy(path: Path) -> tuple[Mapping[str, Any], str]:
    """What a policy file holds, and its name for messages; PolicyError where it cannot be read."""
    try:
        return yaml.safe_load(path.read_text("utf-8")), str(path)
    except (OSError, UnicodeDecodeError) as error:
        raise PolicyError(f"{path}: cannot be read ({type(error).__name__}); is HOLOS_DATA_DIR right?") from None
    except yaml.YAMLError as error:
        raise PolicyError(f"{path}: is not YAML: {error}") from None


def parse_case_policy(data: Mapping[str, Any], source: str, contact: Contact) -> CasePolicy:
    """A policy from loaded YAML; PolicyError names `source` and the key that is wrong."""
    root = Node(data, source)
    keys = ("version", "calendars", "calendar", "clock", "attempts", "join_days", "close_after_days", "assignment")
    root.check_keys(keys, optional=("workspaces", "escalation"))
    calendars = {name: parse_calendar(node) for name, node in _named(root.at("calendars")).items()}
    root.at("clock").check_keys(("counts", "warn_share"))
    return CasePolicy(
        version=root.at("version").text(),
        calendars=calendars,
        calendar=root.at("calendar").one_of(tuple(calendars)),
        workspaces={key: node.one_of(tuple(calendars)) for key, node in _optional(root, "workspaces").items()},
        counts=root.at("clock").at("counts").one_of(COUNTS),
        warn_share=root.at("clock").at("warn_share").number(0, 1),
        attempts=_attempts(root.at("attempts")),
        escalation=_chain(root.at("escalation")) if root.value.get("escalation") else (),
        join_days=root.at("join_days").number(0, MAX_DAYS),
        close_after_days=_closing(root.at("close_after_days")),
        assignment=_assignment(root.at("assignment")),
        contact=contact,
    )


def _attempts(node: Node) -> Mapping[str, Following]:
    node.check_keys(RESULTS)
    return {result: _following(node.at(result)) for result in RESULTS}


def _following(node: Node) -> Following:
    node.check_keys(("contact", "next"), optional=("at", "hours"))
    following = node.at("next").one_of(FOLLOWING)
    for key, owner in (("at", "next_working_day"), ("hours", "later")):
        if (key in node.value) != (following == owner):
            raise node.wrong(f"{key} must be given where next is {owner}, and only there")
    contact = node.at("contact").flag()
    if contact and following in ("give_up", "later", "next_working_day"):
        raise node.at("next").wrong("a person who was reached is tried again only when asked: none, never or asked")
    at = parse_minutes(node.at("at")) if "at" in node.value else 0
    hours = node.at("hours").number(0, MAX_HOURS) if "hours" in node.value else 0.0
    return Following(contact, following, at, hours)


def _chain(node: Node) -> tuple[Level, ...]:
    levels = tuple(_level(item) for item in node.items())
    hours = [level.after_hours for level in levels]
    if hours != sorted(set(hours)):
        raise node.wrong("after_hours must rise from level to level")
    return levels


def _level(node: Node) -> Level:
    node.check_keys(("after_hours",), optional=("team", "assignee"))
    if not node.has("team") and not node.has("assignee"):
        raise node.wrong("must name a team, an assignee or both")
    return Level(node.at("after_hours").number(0, MAX_HOURS), _text(node, "team"), _text(node, "assignee"))


def _closing(node: Node) -> Mapping[str, float]:
    node.check_keys((), optional=("resolved", "unreachable"))
    return {state: node.at(state).number(0, MAX_DAYS) for state in node.value}


def _assignment(node: Node) -> Assignment:
    node.check_keys(("model",), optional=("default_team", "teams", "mixed", "otherwise"))
    model = node.at("model").one_of(MODELS)
    mixed = {theme: each.one_of(KINDS) for theme, each in _optional(node, "mixed").items()}
    if model == "mixed" and not (mixed or node.has("otherwise")):
        raise node.wrong("the model mixed needs mixed, otherwise, or both")
    teams = {theme: each.text() for theme, each in _optional(node, "teams").items()}
    otherwise = node.at("otherwise").one_of(KINDS) if node.has("otherwise") else "team"
    return Assignment(model, _text(node, "default_team"), teams, mixed, otherwise)


def _optional(node: Node, key: str) -> Mapping[str, Node]:
    return _named(node.at(key)) if node.value.get(key) else {}


def _named(node: Node) -> Mapping[str, Node]:
    """The entries of a mapping whose keys are names that the file chooses."""
    if not isinstance(node.value, Mapping) or not node.value:
        raise node.wrong("must be a mapping that is not empty")
    wrong = [key for key in node.value if not isinstance(key, str) or not key.strip()]
    if wrong:
        raise node.wrong(f"its keys must be texts, put {wrong[0]!r} in quotes")
    return {key: node.at(key) for key in node.value}


def _text(node: Node, key: str) -> str | None:
    return node.at(key).text() if node.has(key) else None
