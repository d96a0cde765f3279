"""The people of the department: a leader who gives out new cases, and those who call, write, wait and resolve."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from serving.scenario.client import Api
from serving.scenario.timeline import Script, Step

ACTIVE = ("open", "assigned", "in_progress", "waiting", "reopened")
PATHS = {"attempt": "attempts"}
"""Steps whose address is another word."""
NO_BODY = ("start", "resume")
GIVEN = "given out"

Note = Callable[[str, str, Mapping[str, Any]], None]
"""Told of what happens to a case that stands for its plan: plan, what, the case."""


@dataclass(frozen=True, slots=True)
class Task:
    """A step that is to be done to a case."""

    case: str
    plan: str
    step: Step


@dataclass(slots=True)
class Department:
    """`followed` are the first cases of each plan, whose story is told; `given` counts cases given out by kind."""

    api: Api
    script: Script
    note: Note
    followed: dict[str, str] = field(default_factory=dict)
    _seen: set[str] = field(default_factory=set)
    given: Counter[str] = field(default_factory=Counter)

    def look(self) -> Iterator[tuple[datetime, Task]]:
        """Gives out the cases that are new; what is to be done when."""
        found = [case for case in self.api.every("/v1/cases", state=ACTIVE) if case["id"] not in self._seen]
        for case in sorted(found, key=lambda case: case["opened_at"]):
            self._seen.add(case["id"])
            kind = str(case["priority"]) if case["contact"] else "no_contact"
            plan = self.script.plan_of(case["priority"], case["contact"], self.given[kind])
            self.given[kind] += 1
            if case["priority"] == 1 and plan not in self.followed:
                self.followed[plan] = case["id"]
                self.note(plan, GIVEN, self.api.get(f"/v1/cases/{case['id']}"))
            opened = datetime.fromisoformat(case["opened_at"]).astimezone(self.script.start.tzinfo)
            for step in self.script.plans[plan]:
                yield step.moment(opened), Task(case["id"], plan, step)

    def do(self, task: Task) -> None:
        """One step, as the person at the telephone would take it down."""
        do, body, seen = task.step.do, dict(task.step.said), self.api.ask("GET", f"/v1/cases/{task.case}")
        if do == "resolve":
            body["root_cause"] = seen.json()["theme"]
        case = self.api.step(seen, PATHS.get(do, do), None if do in NO_BODY else body)
        if self.followed.get(task.plan) == task.case:
            result = task.step.said.get("result")
            self.note(task.plan, f"{do} {result}" if result else do, case)
