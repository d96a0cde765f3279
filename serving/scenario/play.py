"""Plays the script against a running installation: the clock is turned, and whatever is due then happens over HTTP."""

import heapq
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from email.message import EmailMessage
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from serving.batcher import Classifier
from serving.scenario.by_hand import PASSES, Desk
from serving.scenario.checks import alerts_told
from serving.scenario.client import Api
from serving.scenario.figures import differences, loop_of, readings, told_of
from serving.scenario.people import GIVEN, Department, Task
from serving.scenario.receivers import Call, Post, Program
from serving.scenario.server import Clock, House, serving
from serving.scenario.setting_up import COURIERS, FRONT, MANAGER, Tool, connect, hire, tell
from serving.scenario.story import Say, Story, cause_table, loop_table
from serving.scenario.timeline import RuleSet, Script, Sending, load_script
from serving.scenario.tools import webhook
from serving.settings import Settings

DOWN, UP = -2, -1
RULES, SENDS, LOOKS, STEPS, EVENING = range(1, 6)
"""What comes first at one moment; what time brings (0) before what people do."""
SENDERS = {"first": 200, "again": 200, "changed": 200, "forged": 401}
"""The status that each kind of sending is answered with."""
ENDS_AT = time(18, 30)


@dataclass(frozen=True, slots=True)
class Report:
    """What the days came to. `differences` names every figure that is not as counted by hand."""

    loop: Mapping[str, Any]
    desk: Desk
    differences: Sequence[str]
    outcomes: Mapping[str, int]
    """What became of what the survey tools sent."""
    events: Sequence[Mapping[str, Any]]
    calls: Sequence[Call]
    mails: Mapping[str, Sequence[EmailMessage]]


@dataclass(slots=True)
class _Play:
    """Everything that takes part, and the agenda."""

    script: Script
    clock: Clock
    house: House
    admin: Api
    program: Program
    tools: Mapping[str, Tool]
    department: Department
    story: Story
    outcomes: Counter[str] = field(default_factory=Counter)
    _passed: datetime | None = None
    _agenda: list[tuple[datetime, int, int, Any]] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=count)

    def put(self, moment: datetime, order: int, what: Any = None) -> None:
        heapq.heappush(self._agenda, (moment, order, next(self._numbers), what))

    def run(self) -> None:
        script = self.script
        for order, moments in ((PASSES, script.ticks), (LOOKS, script.looks), (EVENING, _evenings(script))):
            for moment in moments:
                self.put(moment, order)
        self.put(script.outage[0], DOWN)
        self.put(script.outage[1], UP)
        for rules in script.rules:
            self.put(script.at(rules.minute), RULES, rules)
        for sending in script.sendings:
            self.put(script.at(sending.minute), SENDS, sending)
        while self._agenda and self._agenda[0][0] <= script.end:
            moment, order, _, what = heapq.heappop(self._agenda)
            self.clock.turn(moment)
            _DO[order](self, what)

    def passes(self, _: None) -> None:
        if self._passed == self.clock():
            return  # several steps are to be taken at this moment
        self._passed = self.clock()
        self.house.work()
        self.story.hear(self.program.calls)

    def down(self, _: None) -> None:
        self.program.down = True
        self.story.line("the program that takes our alerts stops answering", "red")

    def up(self, _: None) -> None:
        self.program.down = False
        waiting = len({call.id for call in self.program.calls} - {call.id for call in self.program.calls if call.taken})
        self.story.line(f"it answers again; {waiting} alerts wait and are tried again, each with its id", "green")

    def rules(self, rules: RuleSet) -> None:
        tried = ""
        if rules.minute:
            trial = self.admin.post("/v1/rules/test", {"source": rules.source})["report"]
            tried = f"; tried first on {trial['responses']} answers, {trial['changed']} of which fare differently"
        self.admin.ask("PUT", "/v1/rules", content=rules.source.encode(), headers={"content-type": "text/yaml"})
        self.story.line(f"new rules: {rules.said}{tried}", "magenta")

    def sends(self, sending: Sending) -> None:
        answer, tool = sending.answer, self.tools[sending.answer.tool]
        answered = self.script.at(answer.minute)
        secret = tool.secret[:-8] + "AAAAAAA=" if sending.kind == "forged" else tool.secret
        sent = webhook(answer, answered, self.clock(), secret)
        said = tool.send(self.admin, sent, SENDERS[sending.kind])
        if sending.kind == "forged":
            self.outcomes["forged"] += 1
            self.story.line("an answer with a wrong signature is refused", "red")
            return
        self.outcomes.update({word: said[word] for word in ("created", "updated", "duplicate", "ignored")})
        if sending.kind == "changed":
            self.story.line(f"{answer.id}: the customer takes back a praise; read anew, and ranked anew")

    def looks(self, _: None) -> None:
        for moment, task in self.department.look():
            self.put(moment, STEPS, task)
            if moment.date() > self.script.start.date():
                self.put(moment, PASSES)
        given = self.department.given
        if self.clock().minute == 0 and given:
            said = f"{self.outcomes['created']} answers so far, {given.total()} cases, {given['1']} of priority one"
            self.story.line(said, "cyan")

    def steps(self, task: Task) -> None:
        self.department.do(task)

    def evening(self, _: None) -> None:
        self.story.evening()


_DO: Mapping[int, Callable[[_Play, Any], None]] = {
    PASSES: _Play.passes,
    UP: _Play.up,
    DOWN: _Play.down,
    RULES: _Play.rules,
    SENDS: _Play.sends,
    LOOKS: _Play.looks,
    STEPS: _Play.steps,
    EVENING: _Play.evening,
}


def play(load: Callable[[], Classifier], settings: Settings, say: Say) -> Report:
    """Plays the script in the settings' database, which must be new; `load` brings the model, `say` takes the story.

    Raises ModelError where the model cannot be loaded, and UnexpectedError where the API refuses what it must take.
    """
    script = load_script(settings.data_dir / "sample")
    clock = Clock(script.start)
    clock.turn(script.start)
    with ExitStack() as stack:
        program, post = stack.enter_context(Program(clock)), stack.enter_context(Post())
        house = stack.enter_context(serving(load, settings, clock))
        admin = stack.enter_context(Api(house.url, house.key))
        tools = connect(admin)
        tell(admin, program, post)
        people = stack.enter_context(Api(house.url, hire(admin)))
        story = Story(say, lambda: clock().astimezone(script.start.tzinfo))
        department = Department(people, script, lambda plan, what, case: _told(story, plan, what, case))
        acts = _Play(script, clock, house, admin, program, tools, department, story)
        acts.run()
        return _report(acts, people, post)


def play_day(load: Callable[[], Classifier], settings: Settings, say: Say) -> Report:
    """The same in a database of its own that is thrown away afterwards, as `holos demo --scenario day` does."""
    with TemporaryDirectory(prefix="holos-day-") as folder:
        return play(load, settings.model_copy(update={"database": f"sqlite:///{Path(folder) / 'day.db'}"}), say)


def _told(story: Story, plan: str, what: str, case: Mapping[str, Any]) -> None:
    if what == GIVEN:
        story.quote(plan, case)
    else:
        story.step(plan, what, case)


def _report(acts: _Play, api: Api, post: Post) -> Report:
    desk = Desk(acts.script, readings(api)).count()
    loop, events = loop_of(api, acts.script), told_of(api)
    mails = {mailbox: post.to(mailbox) for mailbox in (MANAGER, COURIERS, FRONT)}
    found = differences(desk, loop, events)
    found += alerts_told(desk, events, acts.program.calls, {name: len(all_) for name, all_ in mails.items()})
    story = acts.story
    story.say(loop_table(loop, desk))
    story.say(cause_table(loop))
    taken = len({call.id for call in acts.program.calls if call.taken})
    story.line(f"{taken} alerts reached the program, {len(post.mails)} the mailboxes")
    story.line("; ".join(found) or "every figure is as counted by hand", "red" if found else "bold green")
    return Report(loop, desk, tuple(found), dict(acts.outcomes), events, tuple(acts.program.calls), mails)


def _evenings(script: Script) -> Iterator[datetime]:
    day = script.start
    while day <= script.end:
        if day.weekday() < 5:
            yield datetime.combine(day, ENDS_AT, day.tzinfo)
        day += timedelta(days=1)
