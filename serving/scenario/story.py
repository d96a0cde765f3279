"""The day as it is told: a line for each thing that happens, and the report of the loop at the end."""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from serving.scenario.by_hand import figures
from serving.scenario.receivers import Call

Say = Callable[[RenderableType], None]

QUOTE = 70
"""Characters of what a customer said: a line of a terminal has room for them."""
MORE_CAUSES = 8
STORIES = {
    "same_day": "reached the same day",
    "second_try": "reached at the second try",
    "left_alone": "forgotten",
    "late": "called too late",
    "nobody_there": "never at home",
    "photos": "looks for photographs",
    "refused": "wants no calls",
    "callback": "asks for a call",
    "rescued": "saved by the escalation",
    "comes_back": "calls again",
    "noted": "must not be called",
}
"""How the first case of each plan of priority one is called in the story."""
STEPS = {
    "start": "somebody takes it up",
    "attempt reached": "called, and reached",
    "attempt no_answer": "called, nobody answers{again}",
    "attempt voicemail": "called, left a message{again}",
    "attempt refused": "called; the customer wants to be left in peace, and will be",
    "attempt callback_requested": "called; the customer asks for a call at {next}",
    "wait": "the customer looks for photographs; the clock stands still",
    "resume": "the photographs are here; the first contact is now due {due}",
    "resolve": "resolved: {cause}{paid}{mood}",
    "reopen": "the customer calls again, and the case is open again",
}
NEWS = {
    "case.due_soon": "the first contact is due soon ({due})",
    "case.breached": "overdue: nobody was reached in time",
    "case.escalated": "goes up to {team}",
    "case.unreachable": "as many attempts as planned, and nobody: unreachable",
}
SUMMED = {"case.due_soon": "warned of", "case.breached": "overdue", "case.escalated": "escalated"}
SUMMED |= {"case.resolved": "resolved", "case.unreachable": "given up"}


@dataclass(slots=True)
class Story:
    """Says what happens; `names` are the cases that are followed, by id."""

    say: Say
    clock: Callable[[], datetime]
    names: dict[str, str] = field(default_factory=dict)
    _heard: int = 0
    _today: Counter[str] = field(default_factory=Counter)

    def line(self, what: str, style: str = "") -> None:
        self.say(Text.assemble((f"{self.clock():%a %H:%M}  ", "dim"), (what, style)))

    def quote(self, plan: str, case: Mapping[str, Any]) -> None:
        """A case that will be followed."""
        response = case["responses"][0]
        words = " ".join(response["text"].split())
        words = words if len(words) <= QUOTE else words[: QUOTE - 1] + "…"
        self.names[case["id"]] = STORIES[plan]
        where = f"{response['touchpoint']}, score {response['score']:g}"
        self.line(f"[{STORIES[plan]}] “{words}” ({where}) → {case['team'] or case['assignee']}", "bold")

    def step(self, plan: str, done: str, case: Mapping[str, Any]) -> None:
        outcome = case["outcome"] or {}
        paid = outcome.get("compensation")
        moods = {True: ", the customer is satisfied", False: ", the customer is not satisfied", None: ""}
        words = {
            "again": f"; next try {self.when(case['next_attempt_at'])}" if case["next_attempt_at"] else "",
            "next": self.when(case["next_attempt_at"]),
            "due": self.when(case["due_at"]),
            "cause": outcome.get("root_cause") or "no theme",
            "paid": f", a {paid['kind']} of {paid['amount']:g} {paid['currency']}" if paid else "",
            "mood": moods[outcome.get("satisfied")],
        }
        self.line(f"[{STORIES[plan]}] {STEPS[done].format(**words)}")

    def hear(self, calls: Sequence[Call]) -> None:
        """What the receiver of webhooks took since it was listened to last."""
        # alerts go out side by side; they are told in the order of their causes
        for call in sorted(calls[self._heard :], key=lambda call: [*NEWS, call.type].index(call.type)):
            if call.taken:
                self._today[call.type] += 1
                data = json.loads(call.body)["data"]
                name = self.names.get(data.get("case", ""))
                if name and call.type in NEWS:
                    said = NEWS[call.type].format(due=self.when(data["due_at"]), team=data["team"])
                    self.line(f"[{name}] {said}", "yellow" if call.type != "case.due_soon" else "")
        self._heard = len(calls)

    def evening(self) -> None:
        """What the day came to."""
        found = [f"{self._today[type]} {word}" for type, word in SUMMED.items() if self._today[type]]
        if found:
            self.line(f"{self.clock():%A} came to: {', '.join(found)}", "cyan")
        self._today.clear()

    def when(self, at: str | None) -> str:
        """A time of the API as the department's clock shows it."""
        if at is None:
            return "never"
        return f"{datetime.fromisoformat(at).astimezone(self.clock().tzinfo):%a %H:%M}"


def loop_table(loop: Mapping[str, Any], desk: Any) -> Table:
    """The report of the loop, beside the count made by hand."""
    table = Table(title="The loop, by GET /v1/insights/loop and counted by hand", title_justify="left")
    for name, justify in (("", "left"), ("report", "right"), ("by hand", "right"), ("share", "right")):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    hand, overall = figures(desk), loop["overall"]
    for name, title in ROWS.items():
        said, share = overall[name], ""
        if isinstance(said, dict):
            share = f"{said['share']:.0%}" if said["share"] is not None else ""
            said, counted = f"{said['count']} of {said['of']}", f"{hand[name][0]} of {hand[name][1]}"
        else:
            counted = hand[name]
        table.add_row(title, _plain(said), _plain(counted), share)
    return table


def cause_table(loop: Mapping[str, Any]) -> Table:
    """What resolved cases came from."""
    table = Table(title="What the resolved cases came from", title_justify="left")
    for name in ("root cause", "cases", "paid", "satisfied"):
        table.add_column(name, justify="left" if name == "root cause" else "right")
    for each in loop["root_causes"][:MORE_CAUSES]:
        paid = ", ".join(f"{one['amount']:g} {one['currency']}" for one in each["compensation"])
        asked = each["satisfied"]
        table.add_row(each["cause"] or "(no theme)", str(each["cases"]), paid, f"{asked['count']} of {asked['of']}")
    return table


ROWS = {
    "opened": "cases opened",
    "no_contact": "nobody may be contacted",
    "planned": "contacts planned",
    "contacted": "contacted",
    "in_time": "in time, of those decided",
    "pending": "not decided yet",
    "median_hours": "median hours to contact",
    "attempts": "attempts",
    "unreachable": "unreachable",
    "closed": "reached and resolved",
    "reopened": "opened again",
    "satisfied": "satisfied, of those asked",
    "open_now": "open now",
    "overdue_now": "overdue now",
}


def _plain(value: Any) -> str:
    return f"{value:.1f}" if isinstance(value, float) else str(value)
