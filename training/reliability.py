"""Whether probabilities hold: of what was said with 0.8, eight in ten should be right."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nlp.types import Classification
from training.dataset import LabelledRow
from training.intervals import Interval, wilson
from training.truth import Truth

BINS = 15
EVERY_THEME, TAGGED, SENTIMENT, JUSTIFIED = "every theme", "tagged themes", "sentiment", "justified"


@dataclass(frozen=True, slots=True)
class Bin:
    """Answers of like confidence: how many, their mean confidence, and the share that was right with its interval."""

    count: int
    confidence: float
    right: float
    interval: Interval


@dataclass(frozen=True, slots=True)
class Reliability:
    """Expected calibration error over bins of equal mass: the mean gap between confidence and truth, in [0, 1]."""

    error: float
    count: int
    bins: tuple[Bin, ...]


def reliability(confidence: np.ndarray, right: np.ndarray, bins: int = BINS) -> Reliability | None:
    """confidence (n,) in [0, 1] against right bool (n,), after Naeini et al. 2015; equal values share a bin."""
    if not len(confidence):
        return None
    edges = np.quantile(confidence, np.linspace(0, 1, bins + 1)[1:-1])
    owner = np.searchsorted(edges, confidence, side="left")
    out = []
    for number in np.unique(owner):
        members = owner == number
        count, hits = int(members.sum()), int(right[members].sum())
        interval = wilson(hits, count)
        assert interval is not None
        out.append(Bin(count, float(confidence[members].mean()), hits / count, interval))
    gap = sum(each.count * abs(each.confidence - each.right) for each in out)
    return Reliability(gap / len(confidence), len(confidence), tuple(out))


def reliabilities(
    rows: Sequence[LabelledRow],
    said: Sequence[Classification],
    truth: Truth | None = None,
) -> dict[str, Reliability]:
    """By what is judged, every theme of every row where their `truth` is given; a task without labels is left out."""
    pairs = list(zip(rows, said, strict=True))
    tagged = [
        (tag.confidence, tag.id in row.themes)
        for row, each in pairs
        if row.themes is not None
        for tag in each.themes
        if tag.id not in row.themes_disputed
    ]
    sentiment = [
        (each.sentiment.confidence, each.sentiment.label == row.sentiment)
        for row, each in pairs
        if row.sentiment and each.sentiment
    ]
    justified = [
        (_probability(each), row.justified) for row, each in pairs if row.justified is not None and each.justification
    ]
    found = {TAGGED: _of(tagged), SENTIMENT: _of(sentiment), JUSTIFIED: _of(justified)}
    if truth is not None:
        every = reliability(truth.probabilities[truth.known].astype(float), truth.gold[truth.known])
        found = {EVERY_THEME: every} | found
    return {name: each for name, each in found.items() if each is not None}


def _of(pairs: Sequence[tuple[float, bool]]) -> Reliability | None:
    values = np.array(pairs, float).reshape(-1, 2)
    return reliability(values[:, 0], values[:, 1] > 0)


def _probability(said: Classification) -> float:
    """Of a reason being there."""
    assert said.justification is not None
    confidence = said.justification.confidence
    return confidence if said.justification.justified else 1.0 - confidence
