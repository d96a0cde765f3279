"""Responses as a model sees them: what it said, how sure it was of everything else, and a vector for each text."""

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np

from nlp.heads import Heads, Reading
from nlp.pipeline import SILENT, Pipeline
from nlp.types import MOODS, Classification
from training.dataset import LabelledRow, text_key

CHUNK = 1_000  # rows classified together: full batches of like length, and few token states held at once


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


class Listening:
    """Heads that keep what they said last, and the mean of the token states they said it of."""

    def __init__(self, heads: Heads) -> None:
        self._heads = heads
        self.heard: list[tuple[Reading, np.ndarray]] = []

    def read(self, tokens: np.ndarray, *context: Any) -> Reading:
        reading = self._heads.read(tokens, *context)
        self.heard.append((reading, tokens.mean(axis=0)))
        return reading

    def __getattr__(self, name: str) -> Any:
        return getattr(self._heads, name)


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
    for start in range(0, count, CHUNK):
        for answer, heard in _chunk(pipeline, rows[start : start + CHUNK]):
            if heard is not None:
                reading, mean = heard
                vectors[len(said)] = mean / max(float(np.linalg.norm(mean)), 1e-12)
                theme_odds[len(said)], moods[len(said)] = reading.themes[:themes], reading.sentiment
                reasons[len(said)] = reading.justified
            said.append(answer)
    ids, labels = tuple(pipeline.taxonomy.ids), tuple(theme.label for theme in pipeline.taxonomy.themes)
    thresholds = np.asarray(pipeline.heads.calibration.theme_threshold, np.float32)
    keys = tuple(row_key(row) for row in rows)
    return Pool(tuple(rows), tuple(said), keys, vectors, theme_odds, moods, reasons, thresholds, ids, labels)


def _chunk(pipeline: Pipeline, rows: Sequence[LabelledRow]) -> list[tuple[Classification, Any]]:
    """Classifications with what was heard of each, None where the model was not asked."""
    listening, twin = Listening(pipeline.heads), copy(pipeline)
    twin.heads = listening  # type: ignore[assignment]
    said = twin.classify([row.response for row in rows])
    asked = [_asked(answer) for answer in said]
    if sum(asked) == len(listening.heard):
        heard = iter(listening.heard)
        return [(answer, next(heard) if was else None) for answer, was in zip(said, asked, strict=True)]
    if len(rows) == 1:  # read, and failed after it
        return [(said[0], None)]
    return [pair for row in rows for pair in _chunk(pipeline, [row])]


def _asked(answer: Classification) -> bool:
    kind = answer.justification.kind if answer.justification else None
    return answer.error is None and kind not in SILENT
