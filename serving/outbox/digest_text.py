"""What a digest says, by the role of its channel: cases, trends or themes; read when it is sent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Connection, RowMapping, and_, func, or_, select

from serving.cases.state import ACTIVE
from serving.frame.covering import under
from serving.frame.store import frame_of
from serving.outbox.channels import Note
from serving.outbox.hours import Period
from serving.outbox.targets import Channel
from serving.outbox.texts import DIGESTS, LABELS
from serving.parts import Parts
from serving.rules.lineage import Lineage, lineage_of
from serving.store.loop_tables import cases
from serving.store.tables import responses, tags

SHOWN = 20
"""Cases in a list: a morning's work; the title has the whole number."""
TOP = 5
QUOTES = 3
QUOTE = 200
"""Characters of a quote."""

UNHAPPY, HAPPY = ("negative", "mixed"), ("positive", "mixed")

_OF_CASE = cases.join(responses, and_(responses.c.workspace == cases.c.workspace, responses.c.uid == cases.c.response))
_TAGGED = tags.join(responses, and_(responses.c.workspace == tags.c.workspace, responses.c.uid == tags.c.response))


@dataclass(frozen=True, slots=True)
class Reader:
    """Whom a digest is for, and which themes are under which in their workspace."""

    channel: Channel
    lineage: Lineage


def reader_of(connection: Connection, parts: Parts, channel: Channel) -> Reader:
    return Reader(channel, lineage_of(frame_of(connection, channel.workspace, parts.taxonomy())))


def has_news(connection: Connection, reader: Reader) -> bool:
    """Whether a digest has anything to say; a front line without cases is left in peace."""
    return reader.channel.role != "frontline" or _number(connection, _open(reader)) > 0


def digest_note(connection: Connection, reader: Reader, period: Period, now: datetime) -> Note:
    """The digest of a channel about a period; open cases are those of `now`."""
    match reader.channel.role:
        case "frontline":
            title, lines = _frontline(connection, reader, now)
        case "manager":
            title, lines = _manager(connection, reader, period, now)
        case _:
            title, lines = _team(connection, reader, period)
    return Note(title, "\n".join(lines))


def _frontline(connection: Connection, reader: Reader, now: datetime) -> tuple[str, list[str]]:
    word, zone = _words(reader.channel), ZoneInfo(reader.channel.zone)
    columns = (cases.c.id, cases.c.priority, cases.c.due_at, cases.c.reason, cases.c.assignee, responses.c.unit)
    first = (cases.c.due_at.is_(None), cases.c.due_at, cases.c.priority, cases.c.id)
    statement = select(*columns).select_from(_OF_CASE).where(_open(reader)).order_by(*first).limit(SHOWN)
    rows = connection.execute(statement).mappings()
    title = DIGESTS["frontline"][reader.channel.language].format(number=_number(connection, _open(reader)))
    return title, [_case_line(row, word, zone, now) for row in rows]


def _case_line(row: RowMapping, word: Mapping[str, str], zone: ZoneInfo, now: datetime) -> str:
    due = row["due_at"]
    when = f"{word['due']} {due.astimezone(zone):%Y-%m-%d %H:%M}" if due else None
    late = word["overdue"] if due and due < now else None
    parts = (
        f"{word['priority']} {row['priority']}",
        when,
        late,
        row["assignee"],
        row["unit"],
        row["reason"],
        row["id"],
    )
    return "- " + "; ".join(part for part in parts if part)


def _manager(connection: Connection, reader: Reader, period: Period, now: datetime) -> tuple[str, list[str]]:
    word = _words(reader.channel)
    lines = [_period(reader.channel, period, word)]
    negative = responses.c.sentiment.in_(UNHAPPY)
    for key, more in (("responses", ()), ("negative", (negative,))):
        numbers = [_responses(connection, _answered(reader.channel, each), *more) for each in (period, period.before)]
        lines.append(_beside(word[key], *numbers, word))
    opened = [_number(connection, _cases(reader), *_between(cases.c.opened_at, each)) for each in _both(period)]
    overdue = (cases.c.first_contact_at.is_(None), cases.c.due_at < now)
    lines.append(_beside(word["opened"], *opened, word))
    lines.append(f"{word['open']}: {_number(connection, _open(reader))}")
    lines.append(f"{word['overdue']}: {_number(connection, _open(reader), *overdue)}")
    lines.append(_in_time(connection, reader, period, now, word))
    return DIGESTS["manager"][reader.channel.language], [*lines, *_complaints(connection, reader, period, word)]


def _in_time(connection: Connection, reader: Reader, period: Period, now: datetime, word: Mapping[str, str]) -> str:
    """Of the contacts that were due in the period and are due by now, those made in time."""
    due = (_cases(reader), cases.c.contact, *_between(cases.c.due_at, Period(period.start, min(period.end, now))))
    met = _number(connection, *due, cases.c.first_contact_at <= cases.c.due_at)
    of = _number(connection, *due)
    share = f" ({met / of:.0%})" if of else ""
    return f"{word['in_time']}: {met}/{of}{share}"


def _complaints(connection: Connection, reader: Reader, period: Period, word: Mapping[str, str]) -> list[str]:
    now, before = (_mentions(connection, reader, each, UNHAPPY) for each in _both(period))
    top = sorted(now, key=lambda theme: (-now[theme], theme))[:TOP]
    lines = [f"- {_beside(theme, now[theme], before.get(theme, 0), word)}" for theme in top]
    return ["", f"{word['themes']}:", *(lines or [f"- {word['none']}"])]


def _team(connection: Connection, reader: Reader, period: Period) -> tuple[str, list[str]]:
    word = _words(reader.channel)
    bad, bad_before = (_mentions(connection, reader, each, UNHAPPY) for each in _both(period))
    good, good_before = (_mentions(connection, reader, each, HAPPY) for each in _both(period))
    lines = [_period(reader.channel, period, word)]
    for theme in sorted({*bad, *good}, key=lambda theme: (-bad.get(theme, 0), theme)):
        complaints = _beside(word["complaints"], bad.get(theme, 0), bad_before.get(theme, 0), word)
        praise = _beside(word["praise"], good.get(theme, 0), good_before.get(theme, 0), word)
        lines.append(f"- {theme}: {complaints}; {praise}")
    if len(lines) == 1:
        lines.append(f"- {word['none']}")
    return DIGESTS["team"][reader.channel.language], [*lines, *_quotes(connection, reader, period, word)]


def _quotes(connection: Connection, reader: Reader, period: Period, word: Mapping[str, str]) -> list[str]:
    asked = select(responses.c.uid, responses.c.text, responses.c.answered_at).select_from(_TAGGED).distinct()
    complains = (
        _answered(reader.channel, period),
        _about(reader),
        tags.c.sentiment.in_(UNHAPPY),
        responses.c.text != "",
    )
    newest = asked.where(*complains).order_by(responses.c.answered_at.desc(), responses.c.uid).limit(QUOTES)
    texts = [" ".join(row.text.split()) for row in connection.execute(newest)]
    found = [f"- {text if len(text) <= QUOTE else text[: QUOTE - 1] + '…'}" for text in texts]
    return ["", f"{word['quotes']}:", *found] if found else []


def _mentions(connection: Connection, reader: Reader, period: Period, sentiments: Sequence[str]) -> Mapping[str, int]:
    """Responses by theme, of those that feel so about it."""
    where = (_answered(reader.channel, period), _about(reader), tags.c.sentiment.in_(sentiments))
    statement = select(tags.c.theme, func.count()).select_from(_TAGGED).where(*where).group_by(tags.c.theme)
    return {theme: number for theme, number in connection.execute(statement)}


def _responses(connection: Connection, *where: ColumnElement[bool]) -> int:
    return connection.execute(select(func.count()).select_from(responses).where(*where)).scalar_one()


def _number(connection: Connection, *where: ColumnElement[bool]) -> int:
    return connection.execute(select(func.count()).select_from(_OF_CASE).where(*where)).scalar_one()


def _answered(channel: Channel, period: Period) -> ColumnElement[bool]:
    """Responses of a period that a channel is for."""
    scope = channel.scope
    asked = [(responses.c.unit, scope.units), (responses.c.employee, scope.employees)]
    sides = [column.in_(values) for column, values in asked if values]
    return and_(responses.c.workspace == channel.workspace, *_between(responses.c.answered_at, period), *sides)


def _cases(reader: Reader) -> ColumnElement[bool]:
    """Cases that a channel is for."""
    scope = reader.channel.scope
    sides = [
        column.in_(values)
        for column, values in ((cases.c.team, scope.teams), (responses.c.unit, scope.units))
        if values
    ]
    if scope.employees:
        sides.append(or_(cases.c.assignee.in_(scope.employees), responses.c.employee.in_(scope.employees)))
    if scope.themes:
        sides.append(under(cases.c.theme, scope.themes, reader.lineage))
    return and_(cases.c.workspace == reader.channel.workspace, *sides)


def _open(reader: Reader) -> ColumnElement[bool]:
    return and_(_cases(reader), cases.c.state.in_(ACTIVE))


def _about(reader: Reader) -> ColumnElement[bool]:
    themes, workspace = reader.channel.scope.themes, reader.channel.workspace
    return under(tags.c.theme, themes, reader.lineage) if themes else tags.c.workspace == workspace


def _between(column: ColumnElement[datetime], period: Period) -> tuple[ColumnElement[bool], ...]:
    return column >= period.start, column < period.end


def _both(period: Period) -> tuple[Period, Period]:
    return period, period.before


def _beside(name: str, now: int, before: int, word: Mapping[str, str]) -> str:
    return f"{name}: {now} ({word['before']} {before})"


def _period(channel: Channel, period: Period, word: Mapping[str, str]) -> str:
    start, end = (moment.astimezone(ZoneInfo(channel.zone)) for moment in (period.start, period.end))
    return f"{word['period']}: {start:%Y-%m-%d %H:%M} - {end:%Y-%m-%d %H:%M}"


def _words(channel: Channel) -> Mapping[str, str]:
    return {key: words[channel.language] for key, words in LABELS.items()}
