"""Responses as a model sees them: what it said, how sure it was of everything else, and a vector for each text."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nlp.pipeline import Pipeline
from nlp.types import MOODS, Classification
from training.dataset import LabelledRow, text_key


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """Rows with their readings, in one order; what a rule settled without the model has NaN readings, a zero vector.

    vectors float32 (n, d), unit rows (mean of a text's token states); themes float32 (n, t), sentiment float32 (n, 4)
    and justified float32 (n,) are calibrated probabilities; thresholds float32 (t,) belong to theme_ids.
    """

    rows: tuple[LabelledRow, ...]
    said: tuple[Classification, ...]
    keys: tuple[str, ...]
    vectors: np.ndarray
    themes: np.ndarray
    sentiment: np.ndarray
    justified: np.ndarray
    thresholds: np.ndarray
    theme_ids: tuple[str, ...]
    theme_labels: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def read(self) -> np.ndarray:
        """bool (n,): which rows the model read; the others are empty, junk or failed."""
        return ~np.isnan(self.justified)

    def part(self, chosen: Sequence[int] | np.ndarray) -> "Pool":
        """The rows of these numbers, in that order."""
        index = np.asarray(chosen, int)
        return Pool(
            tuple(self.rows[i] for i in index),
            tuple(self.said[i] for i in index),
            tuple(self.keys[i] for i in index),
            self.vectors[index],
            self.themes[index],
            self.sentiment[index],
            self.justified[index],
            self.thresholds,
            self.theme_ids,
            self.theme_labels,
        )


def row_key(row: LabelledRow) -> str:
    """Equal for what a reader calls the same answer to the same question."""
    return text_key(f"{row.question or ''}\n{row.text}")


def in_order(rows: Sequence[LabelledRow]) -> list[LabelledRow]:
    """The rows in an order that does not depend on the order given: by the hash of their text, then by id."""
    return sorted(rows, key=lambda row: (row_key(row), row.id, row.text, str(row.score), str(row.metric)))


def read_pool(pipeline: Pipeline, rows: Sequence[LabelledRow]) -> Pool:
    """Classifies rows and keeps the readings and vectors that a classification leaves out; one encoder pass."""
    count, themes = len(rows), len(pipeline.taxonomy.themes)
    vectors = np.zeros((count, pipeline.encoder.dimension), np.float32)
    theme_odds = np.full((count, themes), np.nan, np.float32)
    moods, reasons = np.full((count, len(MOODS)), np.nan, np.float32), np.full(count, np.nan, np.float32)
    said: list[Classification] = []
    for index, each in enumerate(pipeline.analyse([row.response for row in rows])):
        said.append(each.classification)
        if each.reading is not None and each.vector is not None:
            vectors[index] = each.vector / max(float(np.linalg.norm(each.vector)), 1e-12)
            theme_odds[index], moods[index] = each.reading.themes[:themes], each.reading.sentiment
            reasons[index] = each.reading.justified
    ids, labels = tuple(pipeline.taxonomy.ids), tuple(theme.label for theme in pipeline.taxonomy.themes)
    thresholds = np.asarray(pipeline.heads.calibration.theme_threshold, np.float32)
    keys = tuple(row_key(row) for row in rows)
    return Pool(tuple(rows), tuple(said), keys, vectors, theme_odds, moods, reasons, thresholds, ids, labels)
