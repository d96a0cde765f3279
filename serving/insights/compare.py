"""Many groups at once: p values held against how many there are, and means drawn towards the mean of all."""

import math
from collections.abc import Sequence

import numpy as np

from serving.insights.intervals import Estimate, Interval, Sample, Z

FALSE_DISCOVERY = 0.05
"""Among groups said to differ, at most this share differs by chance alone."""


def adjusted(p: Sequence[float | None]) -> list[float | None]:
    """Benjamini and Hochberg's q (1995), in order; None stays None and does not count as a comparison."""
    places = [place for place, value in enumerate(p) if value is not None]
    places.sort(key=lambda place: p[place] or 0.0)
    result: list[float | None] = [None] * len(p)
    least = 1.0
    for rank in range(len(places), 0, -1):
        place = places[rank - 1]
        least = min(least, (p[place] or 0.0) * len(places) / rank)
        result[place] = least
    return result


def pooled(groups: Sequence[Sample]) -> list[Estimate | None]:
    """Group means drawn towards the mean of all, the more the fewer answers a group has; None for an empty group.

    Partial pooling by a normal model with known variances: the variance within groups is that of all of them
    together, the variance between them is DerSimonian and Laird's (1986), the weights are Efron and Morris's (1975).
    One group alone, or groups without spread, have nothing to be drawn to.
    """
    kept = [group for group in groups if group.n]
    freedom = sum(group.n - 1 for group in kept)
    within = sum((group.n - 1) * group.variance for group in kept) / freedom if freedom else 0.0
    if len(kept) < 2 or within <= 0:
        return [None] * len(groups)
    means = np.array([group.mean for group in kept])
    errors = within / np.array([group.n for group in kept], dtype=float)
    between = _between(means, errors)
    weights = 1 / (errors + between)
    centre, centre_error = float(weights @ means / weights.sum()), 1 / float(weights.sum())
    drawn = iter(_drawn(kept[place], float(errors[place]), between, centre, centre_error) for place in range(len(kept)))
    return [next(drawn) if group.n else None for group in groups]


def _between(means: np.ndarray, errors: np.ndarray) -> float:
    """DerSimonian and Laird's variance between groups, from means and their squared standard errors."""
    weights = 1 / errors
    centre = weights @ means / weights.sum()
    excess = float(weights @ (means - centre) ** 2) - (len(means) - 1)
    scale = float(weights.sum() - (weights**2).sum() / weights.sum())
    return max(0.0, excess / scale) if scale > 0 else 0.0


def _drawn(group: Sample, error: float, between: float, centre: float, centre_error: float) -> Estimate:
    towards = error / (error + between)
    value = (1 - towards) * group.mean + towards * centre
    half = Z * math.sqrt((1 - towards) * error + towards**2 * centre_error)
    return Estimate(group.n, value, Interval(value - half, value + half))
