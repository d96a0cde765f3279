"""Low scorers, whether and when they were reached, and what is known of them afterwards."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, and_, select

from serving.insights.frame import BOUND, Measure
from serving.insights.window import Window
from serving.store.loop_tables import case_responses, cases
from serving.store.tables import outcomes, responses


@dataclass(slots=True)
class Followed:
    """The first low score of one person in the window, when they were first reached for it, and what came later."""

    respondent: str
    at: datetime
    score: float
    priority: int | None
    consent: bool | None
    reached_at: datetime | None = None
    later: list[tuple[datetime, float]] = field(default_factory=list)
    """Scores on the same metric, in order of time."""
    outcomes: dict[str, list[tuple[datetime, float]]] = field(default_factory=lambda: defaultdict(list))
    """Imported ones by kind, in order of time."""


def load_followed(
    connection: Connection, workspace: str, window: Window, of: Measure, until: datetime
) -> list[Followed]:
    """The people with a score in the low band on this measure; what is known of each up to `until`."""
    column = responses.c
    low = and_(window.conditions(workspace), of.condition(), column.band == "low", column.respondent.is_not(None))
    asked = (column.respondent, column.answered_at, column.score, column.priority, column.contact_consent, column.uid)
    found: dict[str, Followed] = {}
    first: dict[str, str] = {}
    for row in connection.execute(select(*asked).where(low).order_by(column.answered_at, column.uid)).all():
        if row[0] not in found:
            found[row[0]] = Followed(*row[:5])
            first[row[5]] = row[0]
    if not found:
        return []
    _reached(connection, workspace, window, {uid: found[name] for uid, name in first.items()})
    _answers(connection, workspace, window, of, found, until)
    _outcomes(connection, workspace, window, found, until)
    return list(found.values())


# What follows asks for everything since the period began and picks out here whose it is: with tens of thousands of
# people that takes a third of the time that asking for each of them does.


def _reached(connection: Connection, workspace: str, window: Window, found: dict[str, Followed]) -> None:
    """When the case that a response opened or joined first reached its person; several cases: the first of them."""
    joined = case_responses.join(
        cases, and_(cases.c.workspace == case_responses.c.workspace, cases.c.id == case_responses.c.case)
    )
    condition = and_(case_responses.c.workspace == workspace, cases.c.first_contact_at >= window.period.start)
    statement = select(case_responses.c.response, cases.c.first_contact_at).select_from(joined).where(condition)
    for response, at in connection.execute(statement).all():
        person = found.get(response)
        # a case that was open before may have reached the person before this answer: not for it
        if person is not None and at >= person.at and (person.reached_at is None or at < person.reached_at):
            person.reached_at = at


def _answers(
    connection: Connection, workspace: str, window: Window, of: Measure, found: dict[str, Followed], until: datetime
) -> None:
    column = responses.c
    # later answers may come from any survey, touchpoint or unit: the person is what is followed
    since = and_(column.workspace == workspace, column.answered_at > window.period.start, column.answered_at <= until)
    asked = select(column.respondent, column.answered_at, column.score).where(since, of.condition())
    for name, at, score in connection.execute(asked.order_by(column.answered_at, column.uid)).all():
        person = found.get(name)
        if person is not None and at > person.at:
            person.later.append((at, score))


def _outcomes(
    connection: Connection, workspace: str, window: Window, found: dict[str, Followed], until: datetime
) -> None:
    column = outcomes.c
    known = and_(column.workspace == workspace, column.value.between(-BOUND, BOUND))
    since = and_(column.at > window.period.start, column.at <= until)
    asked = select(column.respondent, column.kind, column.at, column.value).where(known, since)
    for name, kind, at, value in connection.execute(asked.order_by(column.at, column.id)).all():
        person = found.get(name)
        if person is not None and at > person.at:
            person.outcomes[kind].append((at, value))
