"""The count made by hand: what the loop must come to, from the script and from how each answer was read."""

import heapq
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from statistics import median
from typing import Any

from serving.scenario.card import Card
from serving.scenario.timeline import Answer, Script, Sending, Step

COURIERS = "parcel delivery"
KEY_ACCOUNT_FROM = 150
"""The minute from which large business customers come first."""
LARGE = 2000
UNHAPPY, GLAD = 6, 7
"""The highest score of a detractor, the lowest of a passive."""
MOST_ATTEMPTS = 5
DIGEST_HOUR = 17
PASSES, SENDS, LOOKS, STEPS = range(4)
"""At one moment: what time brings comes first, then answers, then the team leader, then everybody's steps."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How one version of an answer was read; `theme` is the surest unhappy one, else the surest."""

    priority: int | None
    mood: str
    theme: str | None
    danger: bool


@dataclass(slots=True)
class Desk:
    """Everything on paper at the end of the days."""

    script: Script
    readings: Mapping[str, Sequence[Reading]]
    cards: list[Card] = field(default_factory=list)
    told: Counter[str] = field(default_factory=Counter)
    courier_mails: int = 0
    _given: Counter[str] = field(default_factory=Counter)
    _versions: Counter[str] = field(default_factory=Counter)
    _of: dict[str, Card] = field(default_factory=dict)
    _agenda: list[tuple[datetime, int, int, Any]] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=count)

    def put(self, moment: datetime, order: int, what: Any = None) -> None:
        # the number keeps the order of what comes at one moment, and things that cannot be compared apart
        heapq.heappush(self._agenda, (moment, order, next(self._numbers), what))

    def count(self) -> "Desk":
        """Goes through the days."""
        for moment in self.script.ticks:
            self.put(moment, PASSES)
        for sending in self.script.sendings:
            self.put(self.script.at(sending.minute), SENDS, sending)
        for moment in self.script.looks:
            self.put(moment, LOOKS)
        while self._agenda and self._agenda[0][0] <= self.script.end:
            moment, order, _, what = heapq.heappop(self._agenda)
            self._do(moment, order, what)
        for card in self.cards:
            self.told.update({f"case.{word}": number for word, number in card.told.items()})
        return self

    def _do(self, now: datetime, order: int, what: Any) -> None:
        if order == PASSES:
            for card in self.cards:
                card.pass_time(now)
        elif order == SENDS:
            self._arrives(what, now)
        elif order == LOOKS:
            self._give_out()
        else:
            _step(*what, now)

    def _arrives(self, sending: Sending, now: datetime) -> None:
        if sending.kind in ("again", "forged"):
            return
        answer = sending.answer
        reading = self.readings[answer.id][self._versions[answer.id]]
        self._versions[answer.id] += 1
        asked = 1 if _key_account(answer, sending.minute) else reading.priority
        self._tell(answer, reading)
        card = self._of.get(answer.id) or (self._open_one(answer) if asked else None)
        if card is not None:
            self._of[answer.id] = card
            if card.active:
                card.asked[answer.id] = asked
                card.rank(now)
        elif asked:
            card = Card(now, asked, answer.consent, answer.respondent, reading.theme, {answer.id: asked})
            self._of[answer.id] = card
            self.cards.append(card)
            self.courier_mails += answer.about.get("touchpoint") == COURIERS

    def _tell(self, answer: Answer, reading: Reading) -> None:
        self.told["response.flagged"] += reading.danger
        content = answer.score >= GLAD and reading.mood != "negative" and reading.priority is None
        self.told["response.thanked"] += content and answer.consent

    def _open_one(self, answer: Answer) -> Card | None:
        """The newest card of the same person that is still worked on."""
        mine = (card for card in reversed(self.cards) if card.respondent == answer.respondent and card.active)
        return next((card for card in mine if card.contact or not answer.consent), None)

    def _give_out(self) -> None:
        for card in self.cards:
            if card.plan is None and card.active:
                kind = str(card.priority) if card.contact else "no_contact"
                card.plan = self.script.plan_of(card.priority, card.contact, self._given[kind])
                self._given[kind] += 1
                for step in self.script.plans[card.plan]:
                    moment = step.moment(card.opened)
                    self.put(moment, STEPS, (card, step))
                    if moment.date() > self.script.start.date():
                        self.put(moment, PASSES)


def _step(card: Card, step: Step, now: datetime) -> None:
    if step.do == "attempt":
        card.attempt(step.said["result"], now)
    elif step.do == "wait":
        card.state, card.paused = "waiting", now
    elif step.do == "resume":
        card.resume(now)
    elif step.do == "resolve":
        card.state, card.outcome = "resolved", step.said
        card.tell("resolved")
    elif step.do == "reopen":
        card.state, card.outcome, card.reopened = "open", None, True
        card.tell("reopened")


def _key_account(answer: Answer, minute: int) -> bool:
    large = float(answer.about.get("respondent.value", 0)) >= LARGE
    business = answer.about.get("respondent.segment") == "business"
    return minute >= KEY_ACCOUNT_FROM and business and large and answer.score <= UNHAPPY


def figures(desk: Desk) -> dict[str, Any]:
    """The figures of the report of the loop, under its names."""
    cards, end = desk.cards, desk.script.end
    planned = [card for card in cards if card.planned]
    reached = [card for card in planned if card.first]
    settled = [met for met in (card.in_time(end) for card in planned) if met is not None]
    ended = [card for card in cards if card.reopened or not card.active]
    asked = [card.outcome["satisfied"] for card in cards if card.outcome and "satisfied" in card.outcome]
    tries = Counter(min(card.attempts, MOST_ATTEMPTS) for card in planned)
    hours = [(card.first - card.opened).total_seconds() / 3600 for card in reached if card.first]
    return {
        "opened": len(cards),
        "planned": len(planned),
        "no_contact": len(cards) - len(planned),
        "contacted": (len(reached), len(planned)),
        "in_time": (sum(settled), len(settled)),
        "pending": len(planned) - len(settled),
        "median_hours": round(median(hours), 3) if hours else None,
        "attempts": sum(card.attempts for card in planned),
        "attempted": [tries[number] for number in range(MOST_ATTEMPTS + 1)],
        "unreachable": (sum(card.state == "unreachable" for card in planned), len(planned)),
        "closed": (sum(card.state == "resolved" for card in reached), len(planned)),
        "reopened": (sum(card.reopened for card in ended), len(ended)),
        "satisfied": (sum(map(bool, asked)), len(asked)),
        "open_now": sum(card.active for card in cards),
        "overdue_now": sum(card.overdue(end) for card in cards),
    }


def causes(desk: Desk) -> dict[str | None, tuple[int, float, int, int]]:
    """By root cause: cases, what was paid, how many were satisfied, how many were asked."""
    found: dict[str | None, tuple[int, float, int, int]] = {}
    for card in desk.cards:
        if card.outcome is not None:
            paid: Any = card.outcome.get("compensation") or {"amount": 0}
            told = "satisfied" in card.outcome
            here = (1, float(paid["amount"]), int(bool(card.outcome.get("satisfied"))), int(told))
            before = found.get(card.theme, (0, 0.0, 0, 0))
            cases, money, satisfied, asked = (old + new for old, new in zip(before, here, strict=True))
            found[card.theme] = (int(cases), money, int(satisfied), int(asked))
    return found


def digests(script: Script) -> int:
    """How many times it was five o'clock on a working day."""
    days = {moment.date() for moment in script.ticks if moment.hour >= DIGEST_HOUR}
    return len(days)
