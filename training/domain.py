"""Whether a classifier can tell two periods apart by the meaning of their texts (Rabanser et al. 2019)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

FOLDS = 5
MOST = 2_000  # texts of each side: beyond it the interval hardly narrows
FEWEST = 30  # texts of each side
STRENGTH = 0.01  # inverse regularisation of the classifier over standardised vectors


@dataclass(frozen=True, slots=True)
class Domain:
    """How well texts were told apart that the classifier had not seen: 0.5 is chance.

    `accuracy` of `texts`, as many of each side, with its 95 % Wilson interval and binomial `p` against chance.
    """

    auc: float
    accuracy: float
    low: float
    high: float
    p: float
    texts: int


def tell_apart(
    before: np.ndarray, after: np.ndarray, before_keys: Sequence[str], after_keys: Sequence[str]
) -> Domain | None:
    """Cross-validated on vectors float32 (n, d) and (m, d); None where a side has too few.

    Keys are hashes of the texts: they choose the folds, so that a text is never on both sides of one, and the sample.
    """
    size = min(len(before), len(after), MOST)
    if size < FEWEST:
        return None
    from scipy.stats import binomtest
    from sklearn.metrics import roc_auc_score
    from statsmodels.stats.proportion import proportion_confint

    chosen = [np.argsort(np.array(keys), kind="stable")[:size] for keys in (before_keys, after_keys)]
    vectors = np.concatenate([before[chosen[0]], after[chosen[1]]])
    keys = [before_keys[i] for i in chosen[0]] + [after_keys[i] for i in chosen[1]]
    side = np.repeat([0, 1], size)
    odds = _unseen(vectors, side, np.array([int(key[-8:], 16) % FOLDS for key in keys]))
    right = int(np.sum((odds > 0.5) == side))
    low, high = proportion_confint(right, 2 * size, method="wilson")
    p = binomtest(right, 2 * size, 0.5, alternative="greater").pvalue
    return Domain(float(roc_auc_score(side, odds)), right / (2 * size), float(low), float(high), float(p), 2 * size)


def _unseen(vectors: np.ndarray, side: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """Odds float64 (n,) of the later side, from classifiers that did not see the text."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    odds = np.full(len(side), 0.5)
    for fold in range(FOLDS):
        out = folds == fold
        if out.any() and len(set(side[~out])) == 2:
            # folds by hash are uneven: without balance a fold rich in one side would teach the other's odds
            head = make_pipeline(StandardScaler(), LogisticRegression(C=STRENGTH, class_weight="balanced"))
            odds[out] = head.fit(vectors[~out], side[~out]).predict_proba(vectors[out])[:, 1]
    return odds
