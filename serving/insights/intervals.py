"""Intervals for shares, means, net scores and their differences: plain formulas over counts and moments, at 95 %."""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

CONFIDENCE = 0.95
Z = NormalDist().inv_cdf(0.5 + CONFIDENCE / 2)

ROUNDING = 1e-12
"""Of a sum of squares, what adding a hundred thousand doubles may leave behind."""


@dataclass(frozen=True, slots=True)
class Interval:
    """From where to where a figure may lie (95 %)."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Share:
    """`count` out of `of`; without any `of` there is no share."""

    count: int
    of: int
    share: float | None
    interval: Interval | None


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure that rests on `n` observations; no interval where they say nothing about how it spreads."""

    n: int
    value: float | None
    interval: Interval | None


@dataclass(frozen=True, slots=True)
class Difference:
    """A figure less another; `p`: how often chance alone would bring as much, where there is no difference."""

    value: float
    interval: Interval | None
    p: float | None


@dataclass(frozen=True, slots=True)
class Sample:
    """What is kept of numbers: how many, their mean, and their variance (n - 1 below; 0 for fewer than two)."""

    n: int
    mean: float
    variance: float


def sample(values: np.ndarray) -> Sample:
    """The moments of float64 (n,)."""
    if not len(values):
        return Sample(0, 0.0, 0.0)
    # of equal numbers rounding leaves a hair, which would pass for certainty
    variance = float(values.var(ddof=1)) if np.ptp(values) > 0 else 0.0
    return Sample(len(values), float(values.mean()), variance)


def from_sums(n: float, total: float, squares: float) -> Sample:
    """Moments from a count, a sum and a sum of squares (of numbers near 0, or digits are lost)."""
    count = round(n)
    if not count:
        return Sample(0, 0.0, 0.0)
    mean, spread = float(total) / count, float(squares) - float(total) ** 2 / count
    # of equal numbers rounding leaves a hair above or below zero
    same = count == 1 or spread <= ROUNDING * float(squares)
    return Sample(count, mean, 0.0 if same else spread / (count - 1))


def wilson(count: int, of: int) -> Share:
    """A share with Wilson's score interval (Wilson 1927), which stays within 0 and 1 and holds for small numbers."""
    if of <= 0:
        return Share(count, of, None, None)
    share = count / of
    centre = (share + Z**2 / (2 * of)) / (1 + Z**2 / of)
    half = Z / (1 + Z**2 / of) * math.sqrt(share * (1 - share) / of + Z**2 / (4 * of**2))
    # at 0 and at 1 the bound is exactly that, whatever rounding says
    low = 0.0 if count == 0 else max(0.0, centre - half)
    return Share(count, of, share, Interval(low, 1.0 if count == of else min(1.0, centre + half)))


def newcombe(first: Share, second: Share) -> Difference | None:
    """First share less second, with Newcombe's hybrid score interval (Newcombe 1998, method 10); p by pooled z."""
    if not (first.interval and second.interval and first.share is not None and second.share is not None):
        return None
    a, b = first.share, second.share
    low = a - b - math.hypot(a - first.interval.low, second.interval.high - b)
    high = a - b + math.hypot(first.interval.high - a, b - second.interval.low)
    pooled = (first.count + second.count) / (first.of + second.of)
    error = math.sqrt(pooled * (1 - pooled) * (1 / first.of + 1 / second.of))
    return Difference(a - b, Interval(low, high), two_sided(abs(a - b) / error) if error else None)


def mean_of(found: Sample) -> Estimate:
    """A mean with Student's interval; none where all values are the same, as they then say nothing about spread."""
    if not found.n:
        return Estimate(0, None, None)
    if found.n < 2 or found.variance <= 0:
        return Estimate(found.n, found.mean, None)
    half = t_quantile(found.n - 1) * math.sqrt(found.variance / found.n)
    return Estimate(found.n, found.mean, Interval(found.mean - half, found.mean + half))


def welch(first: Sample, second: Sample) -> Difference | None:
    """First mean less second for unequal variances (Welch 1947); None where either has no values."""
    if not (first.n and second.n):
        return None
    value = first.mean - second.mean
    a, b = first.variance / first.n, second.variance / second.n
    if min(first.n, second.n) < 2 or a + b <= 0:
        return Difference(value, None, None)
    freedom = (a + b) ** 2 / (a**2 / (first.n - 1) + b**2 / (second.n - 1))
    return difference(value, math.sqrt(a + b), freedom)


def difference(value: float, error: float, freedom: float) -> Difference:
    """A figure with its standard error (above 0) and degrees of freedom as one with an interval."""
    half = t_quantile(freedom) * error
    return Difference(value, Interval(value - half, value + half), t_two_sided(abs(value) / error, freedom))


def net(promoters: int, detractors: int, n: int) -> Estimate:
    """The net score: 100 (promoters - detractors) / n, in [-100, 100].

    Its interval is the adjusted Wald one with three answers added in a triangle, 3/4, 3/2, 3/4 (Rocks 2016, "Interval
    Estimation for the Net Promoter Score"), so that a few promoters and nobody else are no certainty.
    """
    if not n:
        return Estimate(0, None, None)
    more, less, of = promoters + 0.75, detractors + 0.75, n + 3
    centre = (more - less) / of
    half = Z * math.sqrt(((more + less) / of - centre**2) / of)
    interval = Interval(max(-100.0, 100 * (centre - half)), min(100.0, 100 * (centre + half)))
    return Estimate(n, 100 * (promoters - detractors) / n, interval)


def rate_ratio(now: int, before: int) -> Estimate:
    """How many times as many as before in a time as long: given their sum, `now` is binomial (Przyborowski 1940).

    The interval is Wilson's for that share, carried over; one that has no upper end is not given.
    """
    found = wilson(now, now + before)
    if before == 0 or found.interval is None:
        return Estimate(now + before, None, None)
    ends = (found.interval.low, found.interval.high)
    return Estimate(now + before, now / before, Interval(ends[0] / (1 - ends[0]), ends[1] / (1 - ends[1])))


def two_sided(z: float) -> float:
    """The two-sided p of a standard normal deviate at or above 0."""
    return math.erfc(z / math.sqrt(2))


def t_two_sided(t: float, freedom: float) -> float:
    """The two-sided p of Student's t at or above 0, exact for one and two degrees (fractions round down, to the careful
    side), then by Wallace's normal deviate (1959), right to about 0.002."""
    if freedom < 2:
        return 1 - 2 / math.pi * math.atan(t)
    if freedom < 3:
        return 1 - t / math.sqrt(2 + t**2)
    return two_sided((8 * freedom + 1) / (8 * freedom + 3) * math.sqrt(freedom * math.log1p(t**2 / freedom)))


def t_quantile(freedom: float) -> float:
    """Student's t that 95 % of values lie within; from three degrees on by Abramowitz and Stegun 26.7.5."""
    if freedom < 2:
        return math.tan(math.pi * CONFIDENCE / 2)
    if freedom < 3:
        return CONFIDENCE * math.sqrt(2 / (1 - CONFIDENCE**2))
    z, v = Z, freedom
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + sum(term / v**power for power, term in enumerate(terms, start=1))
