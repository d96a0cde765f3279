"""What a cluster is about in figures: size, mood, themes, scores, who says it and when."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

TREND = timedelta(days=28)
FEWEST = 5  # answers of a cluster in both spans together, below which no trend is told
SHOWN = 3  # themes named


@dataclass(frozen=True, slots=True)
class Answer:
    """What the portrait reads of one response; `mood` is its sentiment, `place` its score on its own scale."""

    language: str
    mood: str | None = None
    themes: tuple[str, ...] = ()
    score: float | None = None
    answered_at: datetime | None = None
    touchpoint: str | None = None
    unit: str | None = None


@dataclass(frozen=True, slots=True)
class Portrait:
    """A cluster's facts; shares are in (0, 1] and sum to 1 over what is known, largest first.

    `score_gap` is the mean score less that of all other answers. `trend` is the cluster's share of all answers in the
    last 28 days over its share in the 28 before; None where there is too little to tell.
    """

    size: int
    languages: dict[str, float]
    sentiment: dict[str, float]
    themes: dict[str, float]
    touchpoints: dict[str, float]
    units: dict[str, float]
    mean_score: float | None
    score_gap: float | None
    first_seen: datetime | None
    last_seen: datetime | None
    trend: float | None


@dataclass(frozen=True, slots=True)
class Everyone:
    """What a cluster is compared with: all answers' scores, summed and counted, and how many fell in each span."""

    scores: float
    scored: int
    late: int
    early: int


def everyone(answers: Sequence[Answer], now: datetime) -> Everyone:
    """The figures of all answers; `now` ends the last 28 days."""
    scores = [answer.score for answer in answers if answer.score is not None]
    late, early = _spans([answer.answered_at for answer in answers if answer.answered_at is not None], now)
    return Everyone(sum(scores), len(scores), late, early)


def portrait(own: Sequence[Answer], all_: Everyone, now: datetime) -> Portrait:
    """The facts of a cluster's answers, which are among those that `all_` counts."""
    scores = [answer.score for answer in own if answer.score is not None]
    rest = all_.scored - len(scores)
    dates = [answer.answered_at for answer in own if answer.answered_at is not None]
    mean = sum(scores) / len(scores) if scores else None
    return Portrait(
        size=len(own),
        languages=shares([answer.language for answer in own]),
        sentiment=shares([answer.mood for answer in own]),
        themes=dict(list(_of_all([theme for answer in own for theme in answer.themes], len(own)).items())[:SHOWN]),
        touchpoints=shares([answer.touchpoint for answer in own]),
        units=shares([answer.unit for answer in own]),
        mean_score=mean,
        score_gap=mean - (all_.scores - sum(scores)) / rest if mean is not None and rest else None,
        first_seen=min(dates, default=None),
        last_seen=max(dates, default=None),
        trend=_trend(dates, all_, now),
    )


def shares(values: Sequence[str | None]) -> dict[str, float]:
    """The share of each value among those known, largest first, equal ones by name."""
    known = [value for value in values if value is not None]
    return _of_all(known, len(known))


def _of_all(values: Sequence[str], total: int) -> dict[str, float]:
    counts = Counter(values)
    return {value: counts[value] / total for value in sorted(counts, key=lambda value: (-counts[value], value))}


def _trend(own: Sequence[datetime], all_: Everyone, now: datetime) -> float | None:
    late, early = _spans(own, now)
    if late + early < FEWEST or not early or not all_.late:
        return None
    return (late / all_.late) / (early / all_.early)


def _spans(dates: Sequence[datetime], now: datetime) -> tuple[int, int]:
    """How many fall in the last 28 days, and in the 28 before."""
    late = sum(now - TREND < date <= now for date in dates)
    early = sum(now - 2 * TREND < date <= now - TREND for date in dates)
    return late, early
