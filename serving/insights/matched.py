"""Two groups compared as they are, and within strata of people who were alike before."""

import math
from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from serving.insights.intervals import (
    Difference,
    Estimate,
    Share,
    difference,
    mean_of,
    newcombe,
    sample,
    welch,
    wilson,
)


@dataclass(frozen=True, slots=True)
class Observed:
    """One person's outcome: whether treated, what it came to, and what they were like before."""

    treated: bool
    value: float
    stratum: Hashable


@dataclass(frozen=True, slots=True)
class Matched:
    """A difference within strata; `alone` counts those in strata that have only one of the two groups."""

    n: int
    strata: int
    alone: int
    difference: Difference | None


@dataclass(frozen=True, slots=True)
class Compared:
    """Treated and untreated side by side: means with intervals, the difference as it is, and within strata."""

    treated: Estimate
    untreated: Estimate
    raw: Difference | None
    matched: Matched


def compared(rows: Sequence[Observed]) -> Compared:
    """Outcomes of 0 and 1 alone are shares, with intervals that suit them."""
    treated = np.array([row.value for row in rows if row.treated], dtype=np.float64)
    untreated = np.array([row.value for row in rows if not row.treated], dtype=np.float64)
    if all(row.value in (0.0, 1.0) for row in rows):
        a, b = _share(treated), _share(untreated)
        return Compared(_of_share(a), _of_share(b), newcombe(a, b), within(rows))
    one, other = sample(treated), sample(untreated)
    return Compared(mean_of(one), mean_of(other), welch(one, other), within(rows))


def within(rows: Sequence[Observed]) -> Matched:
    """The mean of the strata's differences, each weighted by n1 n0 / (n1 + n0) (Cochran 1954, Mantel and Haenszel).

    The variance of each arm is pooled over the strata, since one stratum alone often holds a single person.
    """
    strata: dict[Hashable, tuple[list[float], list[float]]] = defaultdict(lambda: ([], []))
    for row in rows:
        strata[row.stratum][0 if row.treated else 1].append(row.value)
    both = [(np.array(ones), np.array(others)) for ones, others in strata.values() if ones and others]
    n = sum(len(ones) + len(others) for ones, others in both)
    found = _weighted(both) if both else None
    return Matched(n, len(both), len(rows) - n, found)


def _weighted(strata: Sequence[tuple[np.ndarray, np.ndarray]]) -> Difference:
    sizes = np.array([(len(ones), len(others)) for ones, others in strata], dtype=np.float64)
    weights = sizes.prod(axis=1) / sizes.sum(axis=1)
    weights /= weights.sum()
    gaps = np.array([ones.mean() - others.mean() for ones, others in strata])
    value = float(weights @ gaps)
    freedom = sizes.sum() - 2 * len(strata)
    spread = [_pooled([pair[arm] for pair in strata]) for arm in (0, 1)]
    if spread[0] is None or spread[1] is None:
        return Difference(value, None, None)
    error = math.sqrt(float((weights**2 * (spread[0] / sizes[:, 0] + spread[1] / sizes[:, 1])).sum()))
    return difference(value, error, float(freedom)) if error > 0 else Difference(value, None, None)


def _pooled(arms: Sequence[np.ndarray]) -> float | None:
    """The variance within the arms; None where no arm has two people."""
    freedom = sum(len(arm) - 1 for arm in arms)
    return float(sum(((arm - arm.mean()) ** 2).sum() for arm in arms)) / freedom if freedom else None


def _share(values: np.ndarray) -> Share:
    return wilson(int(values.sum()), len(values))


def _of_share(found: Share) -> Estimate:
    return Estimate(found.of, found.share, found.interval)
