"""What docs/cases.md promises: every key, state, step, result and route, and no other."""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
import yaml
from case_rows import shipped
from loop import ROOT

from serving.cases.actions import CHANNELS
from serving.cases.calendar import Calendar
from serving.cases.clock import Clock
from serving.cases.policy import FOLLOWING, RESULTS
from serving.cases.routes import router
from serving.cases.state import STATES, TRANSITIONS
from serving.outbox.events import TYPES

PAGE = (ROOT / "docs" / "cases.md").read_text("utf-8")
CODE = re.compile(r"`([^`]+)`")


def section(heading: str) -> str:
    return PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]


def table(text: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith("|") and not line.startswith("|---")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def paths(value: Any, path: str = "") -> Iterator[str]:
    """Every key of loaded YAML with the way to it: `a.b`, `a[].b`."""
    if isinstance(value, dict):
        for key, inner in value.items():
            here = f"{path}.{key}" if path else str(key)
            yield here
            yield from paths(inner, here)
    elif isinstance(value, list):
        for item in value:
            if isinstance(item, dict):
                yield f"{path}[]"
                yield from paths(item, f"{path}[]")


def fits(path: str, pattern: str) -> bool:
    """Whether a star stands for what is in its place; names of themes, at the end of a path, have dots in them."""
    names = r"[^\[]+" if re.search(r"(themes|assignment\.\w+)\.\*$", pattern) else r"[^.\[]+"
    inner, star = re.escape(pattern.removesuffix("*")).replace(r"\*", r"[^.\[]+"), pattern.endswith("*")
    return re.fullmatch(inner + (names if star else ""), path) is not None


UNUSED = {
    *("calendars.*.days_off", "calendars.*.hours.sat", "calendars.*.hours.sun", "workspaces.*"),
    *("escalation[].assignee",),
}
"""What the shipped file leaves out; the tests of the policy use each of them."""


@pytest.mark.parametrize("file", ["data/policies/cases.yaml", "data/policies/briefs.yaml"])
def test_every_key_is_documented_and_every_documented_key_exists(file: str):
    rows = table(section(file))[1:]
    told = {path for row in rows for path in CODE.findall(row[0])}
    keys = set(paths(yaml.safe_load((ROOT / file).read_text("utf-8"))))
    assert [key for key in sorted(keys) if not any(fits(key, pattern) for pattern in told)] == []
    assert [entry for entry in sorted(told - UNUSED) if not any(fits(key, entry) for key in keys)] == []
    assert all(len(row) == 3 and row[0] and row[1] for row in rows)


def test_every_state_and_what_leads_there():
    states, steps = section("States").split("\n\n| step |")
    assert {CODE.findall(row[0])[0] for row in table(states)[1:]} == set(STATES)
    told = {row[0].strip("`") for row in table(steps) if row[0].startswith("`")}
    assert told == {event.name for event in TRANSITIONS if event.asked}


def test_every_result_channel_and_event():
    text = section("Attempts")
    assert [row[0].strip("`") for row in table(text)[1:]] == list(RESULTS)
    assert all(f"`{channel}`" in text for channel in CHANNELS)
    assert all(f"`{following}`" in PAGE for following in FOLLOWING)
    assert set(re.findall(r"`(case\.\w+)`", section("Over HTTP"))) == {
        each for each in TYPES if each.startswith("case.")
    }


def test_every_route():
    told = {tuple(CODE.findall(row[0])[0].split()) for row in table(section("Over HTTP"))[1:]}
    assert told == {(method, route.path) for route in router.routes for method in route.methods}


STARTS = ("2026-11-13 15:00", "2026-11-16 22:00", "2026-11-14 12:00")  # weeks without a holiday


@pytest.mark.parametrize("row", table(section("The clock"))[1:], ids=lambda row: row[0].split("`")[1])
def test_the_examples_of_the_clock_are_true(row: list[str]):
    calendar: Calendar = shipped().calendars["warsaw"]
    clock = Clock(calendar, CODE.findall(row[0])[0], 0.75)
    starts = [datetime.fromisoformat(start).replace(tzinfo=calendar.zone) for start in STARTS]
    due = [clock.after(start, 24).astimezone(calendar.zone) for start in starts]
    assert [f"{moment:%A} {moment.hour}:{moment:%M}" for moment in due] == row[1:]
