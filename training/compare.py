"""Two models on the same rows: differences with paired bootstrap intervals."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from nlp.types import Classification
from training.dataset import LabelledRow
from training.intervals import LEVEL, f1, precision, resample, spread
from training.tally import POOLED, SENTIMENT3, SHARES, THEMES_AT, Tally, groups, tally, themes_named

__all__ = ["ALL", "LEVEL", "THEME", "Difference", "compare"]

ALL = "all"
LENGTH = "length: "
THEME = "theme F1"
FEWEST = 5  # labelled rows a theme needs: with fewer, one row decides
COMPARED = tuple(figure for figure in POOLED if figure != SENTIMENT3)


@dataclass(frozen=True, slots=True)
class Difference:
    """Candidate minus baseline on one figure, with a bootstrap interval at 95 %."""

    figure: str
    group: str
    baseline: float
    candidate: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """Which one is better, where the interval leaves out zero."""
        if self.low > 0:
            return "better"
        return "worse" if self.high < 0 else "no clear difference"


def compare(
    rows: Sequence[LabelledRow], baseline: Sequence[Classification], candidate: Sequence[Classification]
) -> list[Difference]:
    """Differences overall, by language, by length band and by theme, rows resampled in pairs.

    Groups are ALL, language codes, "length: short" and the like; for the figure THEME the group is the theme, where at
    least FEWEST rows are labelled with it.
    """
    labels = themes_named(rows, baseline, candidate)
    both = tally(rows, baseline, labels), tally(rows, candidate, labels)
    languages, lengths = groups(rows)
    parts = {ALL: range(len(rows)), **languages, **{LENGTH + band: members for band, members in lengths.items()}}
    out: list[Difference] = []
    themes: list[Difference] = []
    for group, members in parts.items():
        if members:
            old, new = (each.take(members) for each in both)
            found = _differences(old, new)
            out += _pooled(group, old, found)
            themes += _themes(old, found) if group == ALL else []
    return out + themes


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """Arrays (2, columns) of values and of bounds, by measure."""

    values: dict[Callable, np.ndarray]
    bounds: dict[Callable, np.ndarray]


def _differences(old: Tally, new: Tally) -> _Found:
    """Of every column; where neither model has a value in a draw they do not differ there."""
    drawn = resample(np.stack([old.counts, new.counts], axis=1))
    sums = np.stack([old.counts.sum(0, np.int64), new.counts.sum(0, np.int64)])
    values, bounds = {}, {}
    for measure in (f1, precision):
        values[measure] = np.nan_to_num(measure(sums))
        change = np.nan_to_num(measure(drawn))
        bounds[measure] = spread(change[:, 1] - change[:, 0])
    return _Found(values, bounds)


def _pooled(group: str, counts: Tally, found: _Found) -> list[Difference]:
    known = counts.known.any(0)
    return [
        _difference(figure, group, found, precision if figure in SHARES else f1, POOLED.index(figure))
        for figure in COMPARED
        if known[POOLED.index(figure)]
    ]


def _themes(counts: Tally, found: _Found) -> list[Difference]:
    support = counts.counts[:, THEMES_AT][..., [0, 2]].sum((0, 2))
    return [
        _difference(THEME, label, found, f1, THEMES_AT.start + index)
        for index, label in enumerate(counts.labels)
        if support[index] >= FEWEST
    ]


def _difference(figure: str, group: str, found: _Found, measure: Callable, column: int) -> Difference:
    (old, new), (low, high) = found.values[measure][:, column], found.bounds[measure][:, column]
    return Difference(figure, group, float(old), float(new), float(low), float(high))
