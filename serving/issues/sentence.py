"""Why something is told, in one plain sentence in the workspace's language."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from scipy.stats import binom

from serving.issues.phrases import (
    ABOUT,
    ANSWERS,
    COMPLAINTS,
    EXPECTED,
    FEWER_THAN_ONE,
    LANGUAGE_NAMES,
    MONTHS,
    NEGATIVE,
    NONE_BEFORE,
    SHARES,
    SINCE_DATE,
    SINCE_HOURS,
    WEEKDAYS,
    plural,
)

SHARE = 0.5
"""Of an alarm's answers, from which a touchpoint, unit or language dominates it,"""
LIFT = 1.5
"""if that is so many times its share of all answers,"""
CHANCE = 0.001
"""and chance alone would seldom bring so many."""
DIMENSIONS = ("touchpoint", "unit", "language")
WEEK = 7


@dataclass(frozen=True, slots=True)
class Dominance:
    """A touchpoint, unit or language that an alarm's answers come from more than others do."""

    dimension: str
    name: str
    share: float


@dataclass(frozen=True, slots=True)
class Reason:
    """What a sentence says; `negative` is a share in [0, 1], None where all are complaints."""

    subject: str
    kind: str
    complaints: bool
    observed: int
    expected: float
    days: int
    negative: float | None
    dominant: tuple[Dominance, ...] = ()
    away: int | None = None
    """Days without a single answer before it came back."""


def sentence(reason: Reason, language: str, now: datetime, zone: ZoneInfo) -> str:
    """`23 answers about Delivery time since Monday, 4 expected; 81 % negative; 70 % from the mobile app`."""
    nouns = COMPLAINTS if reason.complaints else ANSWERS
    noun = nouns[language][plural(reason.observed, language)]
    about = ABOUT[reason.kind][language].format(name=reason.subject)
    head = f"{reason.observed} {noun} {about} {since(reason.days, language, now, zone)}, {_expected(reason, language)}"
    said = [head]
    if reason.negative is not None:
        said.append(NEGATIVE[language].format(share=percent(reason.negative)))
    for each in reason.dominant:
        name = LANGUAGE_NAMES[language].get(each.name, each.name) if each.dimension == "language" else each.name
        said.append(SHARES[each.dimension][language].format(share=percent(each.share), name=name))
    if reason.away is not None:
        said.append(NONE_BEFORE[language].format(days=reason.away))
    return "; ".join(said)


def since(days: int, language: str, now: datetime, zone: ZoneInfo) -> str:
    """Since when, as people say it: hours, a weekday within the week, else a date."""
    if days == 1:
        return SINCE_HOURS[language]
    start = (now - timedelta(days=days)).astimezone(zone)
    if days < WEEK:
        return WEEKDAYS[language][start.weekday()]
    return SINCE_DATE[language].format(day=start.day, month=MONTHS[language][start.month - 1])


def percent(share: float) -> int:
    return round(100 * share)


def rounded(expected: float) -> int:
    """As exact as it is known: whole answers, from a hundred on two figures."""
    if expected < 100:
        return round(expected)
    unit = 10 ** (len(str(int(expected))) - 2)
    return int(round(expected / unit) * unit)


def dominant(inside: Mapping[str, np.ndarray], everywhere: Mapping[str, np.ndarray]) -> tuple[Dominance, ...]:
    """Touchpoint, unit and language that are clearly over-represented; object arrays by dimension, None unsaid."""
    found = (
        _most(dimension, inside[dimension], everywhere[dimension]) for dimension in DIMENSIONS if dimension in inside
    )
    return tuple(each for each in found if each is not None)


def _most(dimension: str, inside: np.ndarray, everywhere: np.ndarray) -> Dominance | None:
    names, counts = np.unique([name for name in inside if name is not None], return_counts=True)
    if not len(names):
        return None
    place = int(counts.argmax())
    name, count = str(names[place]), int(counts[place])
    share, usual = count / len(inside), float((everywhere == name).mean())
    rare = binom.sf(count - 1, len(inside), usual) < CHANCE
    return Dominance(dimension, name, share) if share >= SHARE and share >= LIFT * usual and rare else None


def _expected(reason: Reason, language: str) -> str:
    number = rounded(reason.expected)
    if number < 1:
        return FEWER_THAN_ONE[language]
    return EXPECTED[language].format(number=number)
