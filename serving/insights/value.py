"""What promoters, passives and detractors are worth, and what is at risk where a theme makes people unhappy."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import Connection

from serving.insights import frame
from serving.insights.frame import Frame, Mentions
from serving.insights.intervals import Difference, Estimate, mean_of, sample, welch
from serving.insights.window import Period, Window

GROUPS = ("promoter", "passive", "detractor")


@dataclass(frozen=True, slots=True)
class Worth:
    """The people of one group by the newest answer of each; `unknown` of them came without a value."""

    group: str | None
    respondents: int
    unknown: int
    total: float
    mean: Estimate
    median: float | None


@dataclass(frozen=True, slots=True)
class AtRisk:
    """The unhappy people who complain of a theme, each once; themes overlap, so their totals must not be added up."""

    theme: str
    respondents: int
    unknown: int
    total: float
    share: float | None
    """Of all value at risk."""


@dataclass(frozen=True, slots=True)
class Value:
    """Worth in the workspace's currency: of everybody who answered in the period, each once."""

    period: Period
    n: int
    respondents: int
    groups: tuple[Worth, ...]
    promoter_less_detractor: Difference | None
    at_risk: Worth
    themes: tuple[AtRisk, ...]
    left_out: int


@dataclass(frozen=True, slots=True)
class _People:
    """One entry for each person: newest group, newest value (NaN: none given), whether unhappy."""

    of_row: np.ndarray  # int64 (n,): whose response it is
    group: np.ndarray  # object (p,)
    value: np.ndarray  # float64 (p,)
    unhappy: np.ndarray  # bool (p,)


def value(connection: Connection, workspace: str, window: Window, limit: int) -> Value:
    """What the people of a window are worth, by group and by the themes they complain of."""
    found = frame.load(connection, workspace, window)
    return valued(window.period, found, frame.load_mentions(connection, workspace, window, found), limit)


def valued(period: Period, found: Frame, mentions: Mentions, limit: int) -> Value:
    """The figures out of a frame in the order of its answers."""
    people = _people(found)
    groups = tuple(_worth(group, people.value[people.group == group]) for group in (*GROUPS, None))
    known = {group: people.value[(people.group == group) & ~np.isnan(people.value)] for group in GROUPS}
    at_risk = _worth(None, people.value[people.unhappy])
    themes = _themes(people, mentions, at_risk.total)
    return Value(
        period=period,
        n=found.n,
        respondents=len(people.value),
        groups=tuple(item for item in groups if item.respondents or item.group),
        promoter_less_detractor=welch(sample(known["promoter"]), sample(known["detractor"])),
        at_risk=at_risk,
        themes=themes[:limit],
        left_out=max(0, len(themes) - limit),
    )


def _people(found: Frame) -> _People:
    """The newest word counts: of the group from the newest answer that has one, of the value likewise."""
    number: dict[str, int] = {}
    of_row = np.array([number.setdefault(person, len(number)) for person in found.person], dtype=np.int64)
    group, worth = np.full(len(number), None, dtype=object), np.full(len(number), np.nan)
    unhappy = np.zeros(len(number), dtype=bool)
    # rows come in the order they were answered, and the last of several assignments stands
    mood = np.array([sentiment is not None for sentiment in found.sentiment], dtype=bool)
    unhappy[of_row[mood]] = found.sentiment[mood] == "negative"
    placed = np.array([each is not None for each in found.group], dtype=bool)
    group[of_row[placed]] = found.group[placed]
    given = ~np.isnan(found.value)
    worth[of_row[given]] = found.value[given]
    scored = np.array([each is not None for each in group], dtype=bool)
    return _People(of_row, group, worth, np.where(scored, group == "detractor", unhappy))


def _themes(people: _People, mentions: Mentions, total: float) -> tuple[AtRisk, ...]:
    found = []
    for code, theme in enumerate(mentions.themes):
        who = np.unique(people.of_row[mentions.row[mentions.unhappy & (mentions.theme == code)]])
        worth = _worth(None, people.value[who[people.unhappy[who]]])
        if worth.respondents:
            share = worth.total / total if total > 0 else None
            found.append(AtRisk(theme, worth.respondents, worth.unknown, worth.total, share))
    return tuple(sorted(found, key=lambda item: (-item.total, -item.respondents, item.theme)))


def _worth(group: str | None, values: Sequence[float] | np.ndarray) -> Worth:
    values = np.asarray(values, dtype=np.float64)
    given = values[~np.isnan(values)]
    median = float(np.median(given)) if len(given) else None
    unknown = len(values) - len(given)
    return Worth(group, len(values), unknown, float(given.sum()), mean_of(sample(given)), median)
