"""How sure a figure is: bootstrap over rows, and Wilson's interval for a share."""

from dataclasses import dataclass

import numpy as np

RESAMPLES = 2000
SEED = 7
LEVEL = 0.95
NORMAL = 1.959964  # the normal quantile that belongs to LEVEL
CELLS = 100_000  # row weights held at once: some 3 MB, whatever the number of rows


@dataclass(frozen=True, slots=True)
class Interval:
    """Where a figure lies with probability LEVEL."""

    low: float
    high: float


def resample(counts: np.ndarray) -> np.ndarray:
    """Sums of counts (rows, ...) over rows drawn with replacement (Efron 1979): float32 (RESAMPLES, ...).

    What is counted in one array is drawn together, which is what pairs two models. Exact below 2**24.
    """
    rows, flat = len(counts), counts.reshape(len(counts), -1)
    used = flat.any(axis=0)  # a task without labels, a mood never said: nothing to sum
    flat = flat[:, used].astype(np.float32)
    rng = np.random.default_rng(SEED)
    out = np.zeros((RESAMPLES, len(used)), np.float32)
    step = max(1, min(RESAMPLES, CELLS // rows))
    for start in range(0, RESAMPLES, step):
        size = min(step, RESAMPLES - start)
        draws = rng.integers(0, rows, (size, rows)) + rows * np.arange(size)[:, None]
        weights = np.bincount(draws.ravel(), minlength=size * rows).reshape(size, rows)
        out[start : start + size, used] = weights.astype(np.float32) @ flat
    return out.reshape(RESAMPLES, *counts.shape[1:])


def spread(values: np.ndarray) -> np.ndarray:
    """The interval of each column of values (resamples, ...): (2, ...); draws without a value are left out."""
    ordered = np.sort(values, axis=0)  # nan comes last; numpy's own nanquantile goes column by column
    last = np.maximum(0, (~np.isnan(ordered)).sum(axis=0) - 1)
    return np.stack([_quantile(ordered, last * share) for share in ((1 - LEVEL) / 2, (1 + LEVEL) / 2)])


def _quantile(ordered: np.ndarray, place: np.ndarray) -> np.ndarray:
    """What stands at a place between two rows, column by column."""
    below = np.floor(place).astype(np.intp)
    low, high = (np.take_along_axis(ordered, each[None], axis=0)[0] for each in (below, np.ceil(place).astype(np.intp)))
    return low + (place - below) * (high - low)


def precision(sums: np.ndarray) -> np.ndarray:
    """Of sums (..., 3) of true positives, false positives and false negatives; nan where nothing was said."""
    return _ratio(sums[..., 0], sums[..., 0] + sums[..., 1])


def recall(sums: np.ndarray) -> np.ndarray:
    """nan where there was nothing to find."""
    return _ratio(sums[..., 0], sums[..., 0] + sums[..., 2])


def f1(sums: np.ndarray) -> np.ndarray:
    """nan where nothing was said and there was nothing to find."""
    return _ratio(2 * sums[..., 0], 2 * sums[..., 0] + sums[..., 1] + sums[..., 2])


def macro_f1(sums: np.ndarray) -> np.ndarray:
    """The mean of f1 over the labels of sums (..., labels, 3) that occur; nan where none does."""
    occurs = sums[..., 0] + sums[..., 2] > 0
    return _ratio(np.where(occurs, np.nan_to_num(f1(sums)), 0.0).sum(-1), occurs.sum(-1))


def wilson(hits: int, tries: int) -> Interval | None:
    """A share's interval (Wilson 1927), which holds for few tries and near 0 and 1 too; None without a try."""
    if not tries:
        return None
    share, square = hits / tries, NORMAL**2
    middle = (share + square / (2 * tries)) / (1 + square / tries)
    reach = NORMAL / (1 + square / tries) * np.sqrt(share * (1 - share) / tries + square / (4 * tries**2))
    return Interval(max(0.0, float(middle - reach)), min(1.0, float(middle + reach)))


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=np.asarray(whole) > 0)
