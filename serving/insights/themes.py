"""What people talk about: how many, how they feel about it, and whether more than in the period before."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from sqlalchemy import Connection, and_, select

from serving.insights import frame
from serving.insights.compare import adjusted
from serving.insights.frame import HAPPY, UNHAPPY, covers
from serving.insights.intervals import Difference, Share, newcombe, wilson
from serving.insights.volumes import Count, counts_over
from serving.insights.window import Every, Period, Window, day_of
from serving.rules.lineage import DOTS, Lineage
from serving.store.tables import responses, tags


@dataclass(frozen=True, slots=True)
class Theme:
    """A theme, or what several lie under (`delivery` over `delivery.time`); a response counts once in each."""

    id: str
    n: int
    share: Share
    """Of all responses of the period."""
    complaining: Share
    praising: Share
    """Of those that mention it; a mixed mention does both."""
    before: Share
    change: Difference | None
    """The share now less the share before."""
    q: float | None
    """Benjamini and Hochberg's, over all themes of the answer."""
    trend: tuple[Count, ...]


@dataclass(frozen=True, slots=True)
class Themes:
    """The most frequent themes of a period; `left_out` counts the rest."""

    period: Period
    n: int
    every: Every
    themes: tuple[Theme, ...]
    left_out: int


@dataclass(frozen=True, slots=True)
class Mention:
    """One response's view of one theme."""

    day: str
    complains: bool
    praises: bool


Mentioned = Mapping[str, Mapping[str, Mention]]
"""By theme, by response."""


def themes(
    connection: Connection, workspace: str, window: Window, every: Every, limit: int, lineage: Lineage = DOTS
) -> Themes:
    """Themes and what lies above them, the most frequent first."""
    n = frame.count(connection, workspace, window, window.period)
    n_before = frame.count(connection, workspace, window, window.period.before)
    now = mentioned(connection, workspace, window, window.period, lineage)
    before = mentioned(connection, workspace, window, window.period.before, lineage)
    found = compared(now, n, {theme: len(rows) for theme, rows in before.items()}, n_before, every)
    return Themes(window.period, n, every, found[:limit], max(0, len(found) - limit))


def compared(now: Mentioned, n: int, before: Mapping[str, int], n_before: int, every: Every) -> tuple[Theme, ...]:
    """The themes of n responses beside their numbers among those of the period before; those that vanished as well."""
    ids = sorted({*now, *before}, key=lambda id: (-len(now.get(id, ())), id))
    shares = {id: (wilson(len(now.get(id, ())), n), wilson(before.get(id, 0), n_before)) for id in ids}
    changes = [newcombe(*shares[id]) for id in ids]
    q = adjusted([change.p if change else None for change in changes])
    return tuple(
        _theme(id, now.get(id, {}), *shares[id], change, found, every)
        for id, change, found in zip(ids, changes, q, strict=True)
    )


def _theme(
    id: str,
    rows: Mapping[str, Mention],
    share: Share,
    before: Share,
    change: Difference | None,
    q: float | None,
    every: Every,
) -> Theme:
    n = len(rows)
    complaining = wilson(sum(row.complains for row in rows.values()), n)
    praising = wilson(sum(row.praises for row in rows.values()), n)
    return Theme(id, n, share, complaining, praising, before, change, q, trend_of(rows.values(), every))


def trend_of(rows: Iterable[Mention], every: Every) -> tuple[Count, ...]:
    """Mentions over time."""
    days = np.array([row.day for row in rows], "datetime64[D]")
    return counts_over(days, [1] * len(days), every)


def mentioned(
    connection: Connection,
    workspace: str,
    window: Window,
    period: Period,
    lineage: Lineage = DOTS,
    under: str | None = None,
) -> dict[str, dict[str, Mention]]:
    """Who mentions what in a period; `under` keeps a theme and what lies under it."""
    joined = tags.join(responses, and_(responses.c.workspace == tags.c.workspace, responses.c.uid == tags.c.response))
    asked = (tags.c.response, tags.c.theme, tags.c.sentiment, day_of(connection, responses.c.answered_at))
    condition = and_(tags.c.workspace == workspace, window.conditions(workspace, period))
    if under is not None:
        condition = and_(condition, covers(under, lineage))
    rows = connection.execute(select(*asked).select_from(joined).where(condition)).all()
    return rolled_up(((row[0], row[1], row[2], row[3]) for row in rows), under, lineage)


def rolled_up(
    rows: Iterable[tuple[str, str, str, str]], under: str | None = None, lineage: Lineage = DOTS
) -> dict[str, dict[str, Mention]]:
    """Rows of response, theme, sentiment and day, each counted for its theme and for all above (down from `under`)."""
    found: dict[str, dict[str, Mention]] = defaultdict(dict)
    for response, theme, sentiment, day in rows:
        complains, praises = sentiment in UNHAPPY, sentiment in HAPPY
        for above in lineage.levels(theme):
            if under is not None and under not in lineage.above(above):
                continue
            known = found[above].get(response)
            if known is not None:
                complains, praises = complains or known.complains, praises or known.praises
            found[above][response] = Mention(day, complains, praises)
    return found
