"""Every theme's probability beside its label, and how well the probabilities put right themes first."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from training.dataset import LabelledRow


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """Arrays (rows, labels): gold bool, known bool (labelled and not disputed), probabilities float32."""

    labels: tuple[str, ...]
    gold: np.ndarray
    known: np.ndarray
    probabilities: np.ndarray

    def take(self, rows: Sequence[int]) -> "Truth":
        """Of some rows only."""
        index = np.asarray(rows, np.intp)
        return Truth(self.labels, self.gold[index], self.known[index], self.probabilities[index])


def truth(rows: Sequence[LabelledRow], themes: Sequence[str], probabilities: np.ndarray) -> Truth:
    """Labels beside probabilities float32 (rows, themes); a theme that the model does not know has probability 0."""
    if probabilities.shape != (len(rows), len(themes)):
        raise ValueError(f"probabilities are {probabilities.shape}, {(len(rows), len(themes))} is expected")
    foreign = sorted({theme for row in rows for theme in row.themes or ()} - set(themes))
    labels = (*themes, *foreign)
    columns = {label: index for index, label in enumerate(labels)}
    gold, known = np.zeros((len(rows), len(labels)), bool), np.zeros((len(rows), len(labels)), bool)
    for index, row in enumerate(rows):
        if row.themes is not None:
            known[index] = True
            known[index, [columns[theme] for theme in row.themes_disputed if theme in columns]] = False
            gold[index, [columns[theme] for theme in row.themes]] = True
    padded = np.pad(probabilities.astype(np.float32), ((0, 0), (0, len(foreign))))
    return Truth(labels, gold, known, padded)


def micro_average_precision(truth: Truth) -> float | None:
    """Over all cells pooled; None where no theme occurs."""
    return _average_precision(truth.gold[truth.known], truth.probabilities[truth.known])


def average_precisions(truth: Truth) -> dict[str, float]:
    """By theme, for those that occur."""
    out = {}
    for index, label in enumerate(truth.labels):
        known = truth.known[:, index]
        value = _average_precision(truth.gold[known, index], truth.probabilities[known, index])
        if value is not None:
            out[label] = value
    return out


def _average_precision(gold: np.ndarray, probabilities: np.ndarray) -> float | None:
    if not gold.any():
        return None
    from sklearn.metrics import average_precision_score  # takes a second to import; scoring without it goes on

    return float(average_precision_score(gold, probabilities))
