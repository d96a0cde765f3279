"""Whether something is on the rise: counts in the last days against a baseline that knows weekday, trend and volume.

Each series is fitted by a Poisson regression with the day's answers as exposure (McCullagh and Nelder 1989, ch. 6), a
trend and weekday effects that are drawn to nothing where history is short; its overdispersion and the uncertainty of
the fit widen the prediction to a negative binomial. Everything of one kind and direction that is tested at one time is
corrected together (Benjamini and Hochberg 1995).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.stats import nbinom

Direction = Literal["rising", "falling", "returning"]

WEEK = 7


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """What is worth telling. The defaults are those at which a replay of real answers stays quiet (see the README)."""

    rate: float = 0.001
    """Share of false ones among what is told, over everything of one kind and direction tested at one time."""
    support: int = 5
    """Answers in the window below which nothing is told."""
    ratio: float = 1.5
    """How many times the expected count it takes."""
    surplus: float = 4.0
    """How many answers above the expected count it takes."""
    windows: tuple[int, ...] = (1, 2, 3, 7)
    """Days counted back from now, each tested."""
    falling_windows: tuple[int, ...] = (7, 14)
    history: int = 3
    """Days before the window that it takes at least."""
    quiet: int = 7
    """Days in which a series that was told is not told again, unless as many days hold twice as much now."""
    most: int = 5
    """Alarms in 24 hours, the clearest: who is told of ten things at once reads none. The rest waits for room."""
    away: int = 21
    """Days without a single answer after which a series that was there before counts as returning."""


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """Answers a day of one theme, cluster or touchpoint: int (days,), the last day ends now.

    `exposure` int (days,) counts the answers that could have been among them, where those are not simply all.
    """

    kind: str
    id: str
    counts: np.ndarray
    exposure: np.ndarray | None = None
    since: int = 0
    """Days before it was there: they are not held against those after."""
    may_fall: bool = True
    """False for what is no longer looked for."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One series that departs from what was to be expected, in its most telling window."""

    kind: str
    id: str
    direction: Direction
    days: int
    observed: int
    expected: float
    low: float
    """5th and 95th percentile of what was to be expected."""
    high: float
    p: float
    """Chance of so many (or so few) if nothing had changed."""
    q: float
    """The same corrected for everything tested: share of false ones if all at least as clear are told."""

    @property
    def ratio(self) -> float:
        return self.observed / max(self.expected, 1e-9)


def findings(
    series: Sequence[Series], totals: np.ndarray, weekdays: np.ndarray, sensitivity: Sensitivity | None = None
) -> list[Finding]:
    """What rises, falls or returns, the clearest first.

    `totals` int (days,) counts all answers of each day, `weekdays` int (days,) says which day of the week each is (0 to
    6). Both, like every series, are in order of time and end now. Raises ValueError where lengths differ.
    """
    sensitivity = sensitivity or Sensitivity()
    if any(len(each.counts) != len(totals) for each in series) or len(weekdays) != len(totals):
        raise ValueError("every series, the totals and the weekdays must have one entry for each day")
    if not series:
        return []
    counts = np.stack([each.counts for each in series]).astype(float)
    exposure = np.stack([totals if each.exposure is None else each.exposure for each in series]).astype(float)
    for row, each in enumerate(series):
        counts[row, : each.since] = exposure[row, : each.since] = 0.0
    tests = [
        test
        for direction, windows in (("rising", sensitivity.windows), ("falling", sensitivity.falling_windows))
        for days in windows
        if len(totals) - days >= _history(direction, days, sensitivity)
        for test in _tests(counts, exposure, weekdays, days, direction)
        if _known(series[test.row], direction, days, sensitivity)
    ]
    families: dict[tuple[str, str], list[_Test]] = {}
    for test in tests:
        families.setdefault((series[test.row].kind, test.direction), []).append(test)
    for family in families.values():
        for test, q in zip(family, adjusted(np.array([test.p for test in family])), strict=True):
            test.q = float(q)
    best: dict[tuple[int, str], _Test] = {}
    for test in tests:
        key = test.row, test.direction
        if _tellable(test, sensitivity) and (key not in best or test.p < best[key].p):
            best[key] = test
    told = [_finding(series[test.row], test, counts[test.row], sensitivity) for test in best.values()]
    return sorted(told, key=lambda each: (each.p, each.kind, each.id))


def _history(direction: str, days: int, sensitivity: Sensitivity) -> int:
    """Days before a window of so many days that a test of it takes."""
    return max(sensitivity.history, 2 * days if direction == "falling" else 0)


def _known(series: Series, direction: str, days: int, sensitivity: Sensitivity) -> bool:
    there = len(series.counts) - series.since - days >= _history(direction, days, sensitivity)
    return there and (direction == "rising" or series.may_fall)


def adjusted(p: np.ndarray) -> np.ndarray:
    """Benjamini and Hochberg's adjusted p-values, float (n,)."""
    if not len(p):
        return p
    order = np.argsort(p)
    scaled = p[order] * len(p) / np.arange(1, len(p) + 1)
    out = np.empty(len(p))
    out[order] = np.minimum(1.0, np.minimum.accumulate(scaled[::-1])[::-1])
    return out


@dataclass(slots=True)
class _Test:
    row: int
    direction: str
    days: int
    observed: int
    expected: float
    size: float  # of the negative binomial
    p: float
    q: float = 1.0


def _tests(counts: np.ndarray, exposure: np.ndarray, weekdays: np.ndarray, days: int, direction: str) -> list[_Test]:
    expected, variance = forecast(counts[:, :-days], exposure, weekdays, days)
    observed = counts[:, -days:].sum(axis=1)
    size = expected**2 / np.maximum(variance - expected, 1e-6 * expected**2 + 1e-12)
    chance = size / (size + expected)
    p = nbinom.sf(observed - 1, size, chance) if direction == "rising" else nbinom.cdf(observed, size, chance)
    return [
        _Test(row, direction, days, int(observed[row]), float(expected[row]), float(size[row]), float(p[row]))
        for row in range(len(counts))
    ]


TREND_PULL = 200.0
"""Pull of the weekly trend to none, in counts: a trend is believed once hundreds of answers show it."""
WEEKDAY_PULL = 100.0
"""Pull of each weekday's effect to none, in counts, where nothing is known: a tenth more or less, for that the whole
volume knows weekdays too is in the exposure. A series whose weekdays differ more shows it, and is pulled less."""
PRIOR_COUNT = 0.5
"""Answers a series is taken to have had before the first (Jeffreys' prior of a rate)."""
POOLED = 10.0
"""Days' worth of evidence for the dispersion that all series share."""
STEPS = 25
BOUND = 3.0
"""Largest effect of trend and weekday on the logarithm of the rate: twentyfold."""


def forecast(past: np.ndarray, exposure: np.ndarray, weekdays: np.ndarray, days: int) -> tuple[np.ndarray, np.ndarray]:
    """Expected count of each series in the last `days` days, and its variance; float (series,) both.

    `past` float (series, days before the window); `exposure` float (series, days) or (days,) and `weekdays` cover the
    window too.
    """
    before = len(weekdays) - days
    design = _design(weekdays, before)
    exposure = np.maximum(np.broadcast_to(exposure, (len(past), len(weekdays))), 1e-9)
    coefficients, covariance = _fit(past, design[:before], exposure[:, :before])
    rate = np.exp(np.clip(np.einsum("df,sf->sd", design[before:], coefficients), -60, 20))
    means = rate * exposure[:, before:]
    expected = means.sum(axis=1)
    # delta method: d expected / d coefficients
    slope = np.einsum("sd,df->sf", means, design[before:])
    unsure = np.einsum("sf,sfg,sg->s", slope, covariance, slope)
    spread = _dispersion(past, np.exp(np.clip(coefficients @ design[:before].T, -60, 20)) * exposure[:, :before])
    return expected, spread * expected + np.maximum(unsure, 0.0)


def _design(weekdays: np.ndarray, before: int) -> np.ndarray:
    """Columns: one, weeks before the window's end of history, the seven weekdays; float (days, 9)."""
    week = (np.arange(len(weekdays)) - (before - 1)) / WEEK
    # history tells the trend up to now; beyond it, it is not drawn out
    return np.column_stack([np.ones(len(weekdays)), np.minimum(week, 0.0), np.eye(WEEK)[weekdays]])


def _fit(counts: np.ndarray, design: np.ndarray, exposure: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients (series, features) of penalised Poisson regressions, and their covariance.

    Fitted twice: the first fit shows how far a series' weekdays differ and how steep its trend is, which sets their
    pull in the second.
    """
    features = design.shape[1]
    pull = np.tile([PRIOR_COUNT, TREND_PULL, *[WEEKDAY_PULL] * (features - 2)], (len(counts), 1))
    start = np.zeros((len(counts), features))
    start[:, 0] = np.log((counts.sum(axis=1) + PRIOR_COUNT) / (exposure.sum(axis=1) + 1.0))
    beta, covariance = _newton(counts, design, exposure, start, start, pull)
    squares = beta**2 + np.einsum("sff->sf", covariance)
    # mean squares of the effects, with as much weight on what is usual as on what was seen
    pull[:, 1] = 2.0 / (squares[:, 1] + 1.0 / TREND_PULL)
    pull[:, 2:] = (2.0 / (squares[:, 2:].mean(axis=1) + 1.0 / WEEKDAY_PULL))[:, None]
    return _newton(counts, design, exposure, beta, start, pull)


def _newton(
    counts: np.ndarray, design: np.ndarray, exposure: np.ndarray, beta: np.ndarray, centre: np.ndarray, pull: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The most likely coefficients from `beta` on, drawn to `centre` by `pull` (series, features)."""
    pulls = pull[:, :, None] * np.eye(pull.shape[1])
    for _ in range(STEPS):
        mean = np.exp(np.clip(beta @ design.T, -60, 20)) * exposure
        gradient = (counts - mean) @ design - (beta - centre) * pull
        step = np.linalg.solve(_curvature(mean, design) + pulls, gradient[..., None])[..., 0]
        beta = beta + np.clip(step, -1.0, 1.0)
        beta[:, 1:] = np.clip(beta[:, 1:], -BOUND, BOUND)
        if np.abs(step).max() < 1e-6:
            break
    mean = np.exp(np.clip(beta @ design.T, -60, 20)) * exposure
    return beta, np.linalg.inv(_curvature(mean, design) + pulls)


def _curvature(mean: np.ndarray, design: np.ndarray) -> np.ndarray:
    """float (series, features, features)"""
    features = design.shape[1]
    products = (design[:, :, None] * design[:, None, :]).reshape(len(design), features * features)
    return (mean @ products).reshape(len(mean), features, features)


def _dispersion(counts: np.ndarray, means: np.ndarray) -> np.ndarray:
    """Variance over mean of each series, at least 1, drawn to what all series share; float (series,).

    Pearson's statistic after Fletcher (2012), which does not explode where the expected counts are small.
    """
    safe = np.maximum(means, 1e-9)
    shown = means.sum(axis=1) > PRIOR_COUNT
    pearson = ((counts - means) ** 2 / safe).mean(axis=1)
    bias = ((counts - means) / safe).mean(axis=1)
    own = np.where(shown, pearson / np.maximum(1.0 + bias, 0.2), 1.0)
    weight = np.minimum(means, 1.0).sum(axis=1)  # days on which there was something to see
    shared = float((own * weight).sum() / max(weight.sum(), 1e-9)) if weight.any() else 1.0
    return np.maximum(1.0, (own * weight + shared * POOLED) / (weight + POOLED))


def _tellable(test: _Test, sensitivity: Sensitivity) -> bool:
    if test.q > sensitivity.rate:
        return False
    if test.direction == "falling":
        return test.expected >= sensitivity.ratio * max(test.observed, sensitivity.support)
    enough = test.observed >= max(sensitivity.support, sensitivity.ratio * test.expected)
    return enough and test.observed - test.expected >= sensitivity.surplus


def _finding(series: Series, test: _Test, counts: np.ndarray, sensitivity: Sensitivity) -> Finding:
    direction: Direction = "falling" if test.direction == "falling" else "rising"
    before = counts[: len(counts) - test.days]
    if direction == "rising" and len(before) > sensitivity.away and not before[-sensitivity.away :].any():
        direction = "returning" if before.any() else "rising"
    chance = test.size / (test.size + test.expected)
    low, high = (float(nbinom.ppf(level, test.size, chance)) for level in (0.05, 0.95))
    return Finding(
        series.kind, series.id, direction, test.days, test.observed, test.expected, low, high, test.p, test.q
    )
