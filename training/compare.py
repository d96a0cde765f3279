"""Two models on the same rows: differences with paired bootstrap intervals."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nlp.types import Classification
from training.dataset import LabelledRow

RESAMPLES = 2000
SEED = 7
LEVEL = 0.95


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
    """Themes micro-F1 and sentiment accuracy, overall and by language, rows resampled in pairs (Efron 1979)."""
    groups = {"all": list(range(len(rows)))}
    for index, row in enumerate(rows):
        groups.setdefault(row.language or "und", []).append(index)
    out = []
    for group, members in groups.items():
        theme_counts = [_theme_counts(rows, said, members) for said in (baseline, candidate)]
        if len(theme_counts[0]):
            out.append(_difference("themes micro-F1", group, *theme_counts, _micro_f1))
        moods = [_mood_counts(rows, said, members) for said in (baseline, candidate)]
        if len(moods[0]):
            out.append(_difference("sentiment accuracy", group, *moods, _share))
    return out


def _theme_counts(rows, said, members) -> np.ndarray:
    """int (rows, 3): true positives, false positives, false negatives of each row with theme labels."""
    counts = []
    for index in members:
        row = rows[index]
        if row.themes is None:
            continue
        gold = row.themes - row.themes_disputed
        found = {tag.id for tag in said[index].themes} - row.themes_disputed
        counts.append((len(gold & found), len(found - gold), len(gold - found)))
    return np.array(counts)


def _mood_counts(rows, said, members) -> np.ndarray:
    pairs = [(rows[i].sentiment, said[i].sentiment) for i in members if rows[i].sentiment]
    return np.array([[mood is not None and gold == mood.label, 1] for gold, mood in pairs])


def _micro_f1(sums: np.ndarray) -> np.ndarray:
    tp, fp, fn = sums[..., 0], sums[..., 1], sums[..., 2]
    return 2 * tp / np.maximum(1, 2 * tp + fp + fn)


def _share(sums: np.ndarray) -> np.ndarray:
    return sums[..., 0] / np.maximum(1, sums[..., 1])


def _difference(figure: str, group: str, baseline: np.ndarray, candidate: np.ndarray, measure) -> Difference:
    rng = np.random.default_rng(SEED)
    both, rows = np.concatenate([baseline, candidate], axis=1), len(baseline)
    sums = np.empty((RESAMPLES, both.shape[1]), np.int64)
    for index in range(RESAMPLES):  # one by one: all draws together are RESAMPLES times the rows
        sums[index] = np.bincount(rng.integers(0, rows, rows), minlength=rows) @ both
    change = measure(sums[:, baseline.shape[1] :]) - measure(sums[:, : baseline.shape[1]])
    low, high = np.quantile(change, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Difference(
        figure, group, float(measure(baseline.sum(0))), float(measure(candidate.sum(0))), float(low), float(high)
    )
