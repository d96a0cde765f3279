"""How well logits read development rows, as one number: what early stopping and the choice of an epoch go by."""

from collections.abc import Mapping

import numpy as np

from training.dataset import UNKNOWN, Targets

CUTS = np.linspace(-3.0, 2.0, 21)  # logits; the shared threshold is chosen among them


def development_score(logits: Mapping[str, np.ndarray], wanted: Targets) -> float:
    """The mean, in [0, 1], over the tasks that are labelled: micro-F1 of themes and of `justified` at the best shared
    threshold, accuracy of sentiment and of theme moods; 0.0 where nothing is labelled."""
    scores = [
        _best_f1(logits["themes"], wanted.themes),
        _accuracy(logits["sentiment"], wanted.sentiment),
        _accuracy(logits["moods"], wanted.moods),
        _best_f1(logits["justified"], wanted.justified),
    ]
    known = [score for score in scores if score is not None]
    return float(np.mean(known)) if known else 0.0


def _best_f1(logits: np.ndarray, labels: np.ndarray) -> float | None:
    known, true = labels != UNKNOWN, labels == 1
    if not true.any():
        return None
    return max(
        2 * (said & true).sum() / max(1, (said & known).sum() + true.sum()) for said in (logits > cut for cut in CUTS)
    )


def _accuracy(logits: np.ndarray, labels: np.ndarray) -> float | None:
    known = labels != UNKNOWN
    return float((logits.argmax(-1) == labels)[known].mean()) if known.any() else None
