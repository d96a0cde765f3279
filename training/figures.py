"""The figures that a model is judged and chosen by, with bootstrap intervals.

Micro-F1 pools all labels, macro-F1 is the mean over labels that occur; what a row leaves unlabelled or disputed is not
scored on it.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from nlp.types import MOODS, Classification
from training.dataset import UNKNOWN, LabelledRow
from training.intervals import Interval, f1, macro_f1, precision, recall, resample, spread, wilson
from training.tally import (
    JUSTIFIED,
    MOODS_AT,
    PAIRS,
    POOLED,
    POOLED_AT,
    PRIORITY_ONE,
    SENTIMENT,
    SENTIMENT3,
    SIGNALS,
    THEMES,
    THEMES_AT,
    Tally,
    first_said,
    mood_said,
    tally,
    themes_named,
)
from training.truth import Truth, average_precisions, micro_average_precision

Pair = tuple[LabelledRow, Classification]
MEASURES = (precision, recall, f1)


@dataclass(frozen=True, slots=True)
class Ranges:
    """The bootstrap intervals of a score; None where no draw has a value."""

    precision: Interval | None
    recall: Interval | None
    f1: Interval | None


@dataclass(frozen=True, slots=True)
class Score:
    """Precision, recall and F1 of one label or of many pooled; `support` is how often it was right to say it."""

    precision: float
    recall: float
    f1: float
    support: int
    ranges: Ranges | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class FirstTable:
    """Priority one, flagged against labelled, with Wilson's intervals; None where there is nothing to divide by."""

    flagged_right: int
    flagged_wrong: int
    missed: int
    left_right: int
    precision: Interval | None
    recall: Interval | None


@dataclass(frozen=True, slots=True)
class Figures:
    """All figures over a set of rows; a task without labels there is None.

    `ranges` holds the intervals of the figures that are single numbers, by their names; `average_precision` is by
    theme. Both are empty where they were not asked for.
    """

    rows: int
    failed: int = 0
    themes: Score | None = None
    themes_macro_f1: float | None = None
    themes_average_precision: float | None = None
    theme_sentiments: Score | None = None
    sentiment_accuracy: float | None = None
    sentiment_macro_f1: float | None = None
    sentiment3_accuracy: float | None = None
    justified: Score | None = None
    signals: Score | None = None
    priority_one: Score | None = None
    priority_table: FirstTable | None = None
    per_theme: dict[str, Score] = field(default_factory=dict)
    per_sentiment: dict[str, Score] = field(default_factory=dict)
    average_precision: dict[str, float] = field(default_factory=dict)
    sentiment_confusion: dict[tuple[str, str], int] = field(default_factory=dict)
    ranges: dict[str, Interval | None] = field(default_factory=dict)


def figures(pairs: Sequence[Pair], counts: Tally | None = None) -> Figures:
    """Every figure over the pairs given; with their counts at hand, intervals too."""
    drawn = None
    if counts is None:
        rows, said = [row for row, _ in pairs], [each for _, each in pairs]
        counts = tally(rows, said, themes_named(rows, said))
    elif pairs:
        drawn = resample(counts.counts)
    sums = counts.counts.sum(0, np.int64)
    scores = _scores(sums, drawn)
    known = counts.known.any(0)
    pooled = {name: score for name, score, on in zip(POOLED, scores[POOLED_AT], known, strict=True) if on}
    occur = sums[THEMES_AT].any(-1)
    out = Figures(
        rows=len(pairs),
        failed=sum(said.error is not None for _, said in pairs),
        themes=pooled.get(THEMES),
        themes_macro_f1=_macro(sums[THEMES_AT]),
        theme_sentiments=pooled.get(PAIRS),
        sentiment_accuracy=_share(pooled.get(SENTIMENT)),
        sentiment_macro_f1=_macro(sums[MOODS_AT]),
        sentiment3_accuracy=_share(pooled.get(SENTIMENT3)),
        justified=pooled.get(JUSTIFIED),
        signals=pooled.get(SIGNALS),
        priority_one=pooled.get(PRIORITY_ONE),
        priority_table=_first_table(pairs),
        per_theme={label: s for label, s, on in zip(counts.labels, scores[THEMES_AT], occur, strict=True) if on},
        per_sentiment=dict(zip(MOODS, scores[MOODS_AT], strict=True)) if SENTIMENT in pooled else {},
        sentiment_confusion=dict(Counter((row.sentiment, mood_said(said)) for row, said in pairs if row.sentiment)),
    )
    return out if drawn is None else replace(out, ranges=_ranges(pooled, drawn))


def with_average_precision(found: Figures, beside: Truth) -> Figures:
    """The figures with the average precision of every theme and of all pooled."""
    return replace(
        found, themes_average_precision=micro_average_precision(beside), average_precision=average_precisions(beside)
    )


def _scores(sums: np.ndarray, drawn: np.ndarray | None) -> list[Score]:
    """One for each column of sums (columns, 3), with intervals from the resampled sums (resamples, columns, 3)."""
    values = np.stack([np.nan_to_num(measure(sums)) for measure in MEASURES], axis=-1)
    bounds = None if drawn is None else np.stack([spread(measure(drawn)) for measure in MEASURES], axis=-1)
    out = []
    for column, (p, r, f) in enumerate(values.tolist()):
        ranges = None if bounds is None else Ranges(*(_interval(*pair) for pair in bounds[:, column].T.tolist()))
        out.append(Score(p, r, f, int(sums[column, 0] + sums[column, 2]), ranges))
    return out


def _interval(low: float, high: float) -> Interval | None:
    return None if np.isnan(low) else Interval(low, high)


def _ranges(pooled: dict[str, Score], drawn: np.ndarray) -> dict[str, Interval | None]:
    """The intervals of the figures that are single numbers."""
    out = {
        name: score.ranges.precision
        for name, figure in (("sentiment_accuracy", SENTIMENT), ("sentiment3_accuracy", SENTIMENT3))
        if (score := pooled.get(figure)) and score.ranges
    }
    for name, at in (("themes_macro_f1", THEMES_AT), ("sentiment_macro_f1", MOODS_AT)):
        out[name] = _interval(*spread(macro_f1(drawn[:, at])[:, None])[:, 0].tolist())
    return out


def _macro(sums: np.ndarray) -> float | None:
    value = float(macro_f1(sums))
    return None if np.isnan(value) else value


def _share(score: Score | None) -> float | None:
    """Right of right and wrong, which a share counts as true and false positives."""
    return score.precision if score else None


def _first_table(pairs: Sequence[Pair]) -> FirstTable | None:
    flags = Counter((row.priority == 1, first_said(said)) for row, said in pairs if row.priority != UNKNOWN)
    if not flags:
        return None
    right, wrong, missed = flags[True, True], flags[False, True], flags[True, False]
    return FirstTable(
        right, wrong, missed, flags[False, False], wilson(right, right + wrong), wilson(right, right + missed)
    )
