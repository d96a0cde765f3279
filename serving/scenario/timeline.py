"""What happens when: the script of the day as values, read from `day.yaml` and the answers in `data/sample`."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml

SCRIPT = Path(__file__).parent / "day.yaml"
NO_CONTACT = "no_contact"
"""The plans of people who must not be contacted, beside those by priority."""
OPENS, SHUTS = time(7, 30), time(18, 30)
"""Between these times of a working day background work runs; nothing is due outside them."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One filled-in survey, as the tool has it; `about` are its other columns, empty ones left out."""

    minute: int
    tool: str
    id: str
    text: str
    score: int
    about: Mapping[str, str]

    @property
    def respondent(self) -> str:
        return self.about["respondent.id"]

    @property
    def consent(self) -> bool:
        return self.about.get("respondent.contact_consent") != "false"


@dataclass(frozen=True, slots=True)
class Sending:
    """A survey tool sends an answer; `kind` is `first`, `again`, `changed` or `forged`."""

    minute: int
    kind: str
    answer: Answer


@dataclass(frozen=True, slots=True)
class RuleSet:
    minute: int
    said: str
    source: str


@dataclass(frozen=True, slots=True)
class Step:
    """Something that somebody does to a case: minutes after its opening, or on a day at a time."""

    do: str
    after: int | None
    at: datetime | None
    said: Mapping[str, Any]

    def moment(self, opened: datetime) -> datetime:
        if self.at is not None:
            return self.at
        assert self.after is not None
        return opened + timedelta(minutes=self.after)


@dataclass(frozen=True, slots=True)
class Script:
    """The whole of it; times are aware."""

    start: datetime
    end: datetime
    sendings: tuple[Sending, ...]
    rules: tuple[RuleSet, ...]
    outage: tuple[datetime, datetime]
    looks: tuple[datetime, ...]
    """When the team leader gives out new cases."""
    ticks: tuple[datetime, ...]
    """When background work runs."""
    rota: Mapping[str, Sequence[str]]
    plans: Mapping[str, Sequence[Step]] = field(repr=False)

    def at(self, minute: int) -> datetime:
        return self.start + timedelta(minutes=minute)

    def plan_of(self, priority: int, contact: bool, given: int) -> str:
        """The plan of the case of its kind that so many were given out before."""
        names = self.rota[str(priority) if contact else NO_CONTACT]
        return names[given % len(names)]


def load_script(folder: Path, source: Path = SCRIPT) -> Script:
    """The script with its answers out of `folder`."""
    data = yaml.safe_load(source.read_text("utf-8"))
    start = datetime.fromisoformat(str(data["start"])).replace(tzinfo=ZoneInfo(data["zone"]))
    end = _moment(start, data["ends"])
    answers = read_answers(folder / data["answers"])
    minutes = (data["outage"]["from"], data["outage"]["to"])
    last = max(answer.minute for answer in answers)
    looks = range(0, last + 2 * data["look_every"], data["look_every"])
    return Script(
        start=start,
        end=end,
        sendings=tuple(_sendings(data, answers)),
        rules=tuple(RuleSet(**each) for each in data["rules"]),
        outage=(start + timedelta(minutes=minutes[0]), start + timedelta(minutes=minutes[1])),
        looks=tuple(start + timedelta(minutes=minute) for minute in looks),
        ticks=tuple(_ticks(start, end, data["tick_every"])),
        rota={str(key): names for key, names in data["rota"].items()},
        plans={name: tuple(_step(start, dict(step)) for step in steps) for name, steps in data["plans"].items()},
    )


def read_answers(path: Path) -> list[Answer]:
    with path.open(encoding="utf-8", newline="") as file:
        return [_answer(row) for row in csv.DictReader(file)]


def _answer(row: dict[str, str]) -> Answer:
    own = {"minute": int(row.pop("minute")), "score": int(row.pop("score"))}
    named = {name: row.pop(name) for name in ("tool", "id", "text")}
    return Answer(**own, **named, about={name: value for name, value in row.items() if value})


def _sendings(data: Mapping[str, Any], answers: Sequence[Answer]) -> list[Sending]:
    known = {answer.id: answer for answer in answers}
    found = [Sending(answer.minute, "first", answer) for answer in answers]
    found += [Sending(each["minute"], "again", known[each["id"]]) for each in data["redelivered"]]
    found += [Sending(each["minute"], "forged", known[each["id"]]) for each in data["forged"]]
    for each in data["changed"]:
        old = known[each["id"]]
        new = Answer(old.minute, old.tool, old.id, each["text"], each["score"], old.about)
        found.append(Sending(each["minute"], "changed", new))
    return sorted(found, key=lambda sending: sending.minute)


def _step(start: datetime, step: dict[str, Any]) -> Step:
    do, after = step.pop("do"), step.pop("after", None)
    at = _moment(start, {"day": step.pop("day"), "at": step.pop("at")}) if after is None else None
    if "call_at" in step:
        step["call_at"] = _moment(start, step["call_at"]).isoformat()
    return Step(do, after, at, step)


def _moment(start: datetime, said: Mapping[str, Any]) -> datetime:
    return datetime.combine(start + timedelta(days=said["day"]), time.fromisoformat(said["at"]), start.tzinfo)


def _ticks(start: datetime, end: datetime, every: Mapping[str, int]) -> list[datetime]:
    found, moment = [], start
    while moment <= end:
        if moment.weekday() < 5 and OPENS <= moment.time() <= SHUTS:
            found.append(moment)
        first = moment.date() == start.date()
        moment += timedelta(minutes=every["first_day" if first else "later"])
    return found
