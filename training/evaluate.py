"""Scores classifications against labels: overall, by language and by length, with intervals and the worst errors."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from nlp.types import Classification
from training.dataset import LabelledRow
from training.figures import Figures, Score, figures, with_average_precision
from training.mistakes import Mistake, mistakes
from training.reliability import Reliability, reliabilities
from training.tally import groups, tally, themes_named
from training.truth import truth

__all__ = ["Figures", "Report", "Score", "evaluate", "figures"]


@dataclass(frozen=True, slots=True)
class Report:
    """Figures over everything, by language and by length band; how far confidences hold; the worst errors."""

    overall: Figures
    by_language: dict[str, Figures]
    by_length: dict[str, Figures] = field(default_factory=dict)
    reliability: dict[str, Reliability] = field(default_factory=dict)
    mistakes: dict[str, tuple[Mistake, ...]] = field(default_factory=dict)


def evaluate(
    rows: Sequence[LabelledRow],
    classifications: Sequence[Classification],
    themes: Sequence[str] = (),
    probabilities: np.ndarray | None = None,
) -> Report:
    """Compares labels with classifications, row by row in the same order.

    With the probabilities float32 (rows, themes) of the model's `themes`, average precision, the calibration of every
    theme and missed themes are judged too (see training.readings).
    """
    counts = tally(rows, classifications, themes_named(rows, classifications))
    beside = None if probabilities is None else truth(rows, themes, probabilities)

    def part(members: Sequence[int]) -> Figures:
        pairs = [(rows[index], classifications[index]) for index in members]
        found = figures(pairs, counts.take(members))
        return found if beside is None else with_average_precision(found, beside.take(members))

    languages, lengths = groups(rows)
    return Report(
        part(range(len(rows))),
        {language: part(members) for language, members in languages.items()},
        {band: part(members) for band, members in lengths.items()},
        reliabilities(rows, classifications, beside),
        mistakes(rows, classifications, beside),
    )
