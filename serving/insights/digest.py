"""One theme for the team that can mend it: who complains, who praises, where, in which words, and whether it grows."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, select

from serving.insights import frame
from serving.insights.frame import HAPPY, UNHAPPY, covers
from serving.insights.intervals import Difference, Share, newcombe, wilson
from serving.insights.themes import Mention, Theme, compared, mentioned
from serving.insights.window import Every, Period, Window, day_of
from serving.rules.lineage import DOTS, Lineage
from serving.store.tables import responses, tags

QUOTES = 5
"""Quotes of each kind: as many as people read."""
LOOKED_AT = 60
"""The newest mentions that quotes are chosen from."""
QUOTE_LENGTH = 300
"""Code points of a quote; longer ones end in an ellipsis."""
PLACES = 10
"""Units and touchpoints named."""

_TAGGED = tags.join(responses, and_(responses.c.workspace == tags.c.workspace, responses.c.uid == tags.c.response))


@dataclass(frozen=True, slots=True)
class About:
    """A theme, and what says what lies under it."""

    theme: str
    lineage: Lineage = DOTS


@dataclass(frozen=True, slots=True)
class ThemeQuote:
    """The redacted words about the theme, and the response they are of."""

    response: str
    text: str
    day: date
    language: str | None


@dataclass(frozen=True, slots=True)
class Place:
    """A unit or touchpoint: how many of its responses complain of the theme."""

    name: str | None
    complaining: Share


@dataclass(frozen=True, slots=True)
class Digest:
    """A theme with all that lies under it, in one period and beside the period before."""

    period: Period
    n: int
    theme: Theme
    complaining_before: Share
    complaining_change: Difference | None
    """The share of mentions that complain, now less before."""
    below: tuple[Theme, ...]
    units: tuple[Place, ...]
    touchpoints: tuple[Place, ...]
    complaints: tuple[ThemeQuote, ...]
    praise: tuple[ThemeQuote, ...]


def digest(
    connection: Connection, workspace: str, window: Window, theme: str, every: Every, lineage: Lineage = DOTS
) -> Digest:
    """What a period says of a theme and of what lies under it."""
    period, about = window.period, About(theme, lineage)
    n, n_before = (frame.count(connection, workspace, window, each) for each in (period, period.before))
    now = mentioned(connection, workspace, window, period, lineage, theme)
    before = mentioned(connection, workspace, window, period.before, lineage, theme)
    found = compared(now, n, {id: len(rows) for id, rows in before.items()}, n_before, every)
    empty = compared({theme: {}}, n, {}, n_before, every)
    itself = next((item for item in found if item.id == theme), empty[0])
    earlier = _complaining(before.get(theme, {}))
    return Digest(
        period=period,
        n=itself.n,
        theme=itself,
        complaining_before=earlier,
        complaining_change=newcombe(itself.complaining, earlier),
        below=tuple(item for item in found if item.id != theme),
        units=_places(connection, workspace, window, about, "unit"),
        touchpoints=_places(connection, workspace, window, about, "touchpoint"),
        complaints=_quotes(connection, workspace, window, about, UNHAPPY),
        praise=_quotes(connection, workspace, window, about, HAPPY),
    )


def _tagged(workspace: str, about: About, sentiments: Sequence[str]) -> ColumnElement[bool]:
    of = covers(about.theme, about.lineage)
    return and_(tags.c.workspace == workspace, of, tags.c.sentiment.in_(sentiments))


def _complaining(rows: Mapping[str, Mention]) -> Share:
    return wilson(sum(row.complains for row in rows.values()), len(rows))


def _places(connection: Connection, workspace: str, window: Window, about: About, name: str) -> tuple[Place, ...]:
    """Where most complaints come from, each beside all responses of that place."""
    column, condition = responses.c[name], window.conditions(workspace)
    totals = dict(connection.execute(select(column, func.count()).where(condition).group_by(column)).all())
    complains = and_(condition, _tagged(workspace, about, UNHAPPY))
    counts = select(column, func.count(func.distinct(responses.c.uid))).select_from(_TAGGED).where(complains)
    found = connection.execute(counts.group_by(column)).all()
    most = sorted(found, key=lambda row: (-row[1], row[0] or ""))
    return tuple(Place(place, wilson(complaints, totals[place])) for place, complaints in most[:PLACES])


def _quotes(
    connection: Connection, workspace: str, window: Window, about: About, sentiments: Sequence[str]
) -> tuple[ThemeQuote, ...]:
    """Of the newest mentions those the model is surest of, no wording twice."""
    column = responses.c
    asked = (column.uid, column.text, column.effective, column.language, day_of(connection, column.answered_at))
    condition = and_(_tagged(workspace, about, sentiments), window.conditions(workspace), column.text != "")
    statement = select(*asked, tags.c.confidence).select_from(_TAGGED).where(condition)
    newest = statement.order_by(column.answered_at.desc(), column.uid, tags.c.theme).limit(LOOKED_AT)
    rows = sorted(connection.execute(newest), key=lambda row: -(row[5] or 0.0))
    return chosen(
        ThemeQuote(row[0], quote(row[1], row[2], about.theme, about.lineage), date.fromisoformat(row[4]), row[3])
        for row in rows
    )


def chosen(quotes: Iterable[ThemeQuote]) -> tuple[ThemeQuote, ...]:
    """The first few, one of each response and wording."""
    kept: list[ThemeQuote] = []
    seen: set[str] = set()
    for item in quotes:
        words = " ".join(item.text.casefold().split())
        if words and not {words, item.response} & seen:
            seen |= {words, item.response}
            kept.append(item)
    return tuple(kept[:QUOTES])


def quote(text: str, effective: Mapping[str, Any], theme: str, lineage: Lineage = DOTS) -> str:
    """The spans of a theme and of what lies under it; the whole text where none is marked."""
    spans = {
        (span["start"], span["end"])
        for tag in effective.get("themes") or ()
        if theme in lineage.above(tag["id"])
        for span in tag.get("spans") or ()
    }
    words = " … ".join(text[start:end].strip() for start, end in sorted(spans)) or text.strip()
    return words if len(words) <= QUOTE_LENGTH else f"{words[: QUOTE_LENGTH - 1]}…"
