"""Least squares with an error for every effect: which columns explain a score, each with the others held still."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

ROWS_AT_ONCE = 16_384
"""Rows turned into float64 together: a hundred thousand of two hundred columns would take 160 MB."""
TOLERANCE = 0.1
"""A column of whose spread the columns before it explain more than 0.9 (a variance inflation above ten, Marquardt 1970)
has no effect of its own that the data could tell."""
LEVERAGE_FLOOR = 1e-6
"""A row that alone decides a coefficient would divide by zero."""


@dataclass(frozen=True, slots=True)
class Fit:
    """Coefficients of an intercept and k columns, and their covariance."""

    coefficients: np.ndarray  # float64 (1 + k,)
    covariance: np.ndarray  # float64 (1 + k, 1 + k)
    explained: float
    """The share of the variance explained, in [0, 1]."""

    def combine(self, weights: np.ndarray) -> tuple[float, float]:
        """A weighted sum of the coefficients, float64 (1 + k,), and its standard error."""
        return float(weights @ self.coefficients), float(np.sqrt(max(0.0, weights @ self.covariance @ weights)))


@dataclass(frozen=True, slots=True)
class Apart:
    """Which columns can be told apart, and for each other column the kept one it goes along with most."""

    kept: tuple[int, ...]
    along_with: dict[int, int]


def tell_apart(columns: np.ndarray, order: Sequence[int]) -> Apart:
    """Keeps columns of bool (n, k) in this order, but for those that the ones kept before them nearly determine."""
    correlation = _correlation(columns)
    kept: list[int] = []
    along: dict[int, int] = {}
    for place in order:
        if correlation[place, place] == 0:  # the same everywhere: the intercept says as much
            continue
        with_kept = correlation[place, kept]
        own = 1.0 - with_kept @ np.linalg.solve(correlation[np.ix_(kept, kept)], with_kept) if kept else 1.0
        if own < TOLERANCE:
            along[place] = kept[int(np.argmax(np.abs(with_kept)))]
        else:
            kept.append(place)
    return Apart(tuple(kept), along)


def _correlation(columns: np.ndarray) -> np.ndarray:
    """float64 (k, k); a column without spread has zeros, on the diagonal as well."""
    n, k = columns.shape
    gram = np.zeros((k, k))
    for start in range(0, n, ROWS_AT_ONCE):
        part = columns[start : start + ROWS_AT_ONCE].astype(np.float64)
        gram += part.T @ part
    share = columns.mean(axis=0) if n else np.zeros(k)
    covariance = gram / max(n, 1) - np.outer(share, share)
    spread = np.sqrt(np.clip(np.diag(covariance), 0, None))
    spread[spread < 1e-9] = 0
    scale = np.divide(1, spread, out=np.zeros(k), where=spread > 0)
    return covariance * np.outer(scale, scale)


def least_squares(columns: np.ndarray, outcome: np.ndarray) -> Fit:
    """Ordinary least squares of float64 (n,) on an intercept and bool (n, k), k + 1 < n, told apart before.

    The covariance is HC3 (MacKinnon and White 1985): it holds where the spread differs between groups, as that of
    scores does, and errs on the careful side for few rows.
    """
    k = columns.shape[1]
    gram, moment = np.zeros((k + 1, k + 1)), np.zeros(k + 1)
    for part, values in _parts(columns, outcome):
        gram += part.T @ part
        moment += part.T @ values
    inverse = np.linalg.inv(gram)
    coefficients = inverse @ moment
    meat, squares = np.zeros((k + 1, k + 1)), 0.0
    for part, values in _parts(columns, outcome):
        residual = values - part @ coefficients
        leverage = np.einsum("ij,jk,ik->i", part, inverse, part, optimize=True)
        scaled = part * (residual / np.maximum(1 - leverage, LEVERAGE_FLOOR))[:, None]
        meat += scaled.T @ scaled
        squares += float(residual @ residual)
    total = float(((outcome - outcome.mean()) ** 2).sum())
    return Fit(coefficients, inverse @ meat @ inverse, max(0.0, 1 - squares / total) if total > 0 else 0.0)


def slope(x: np.ndarray, y: np.ndarray) -> tuple[float, float] | None:
    """How much y rises for one x, and the HC3 standard error; None below three points or where x or y is constant."""
    if len(x) < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return None
    centred = x - x.mean()
    spread = float(centred @ centred)
    rise = float(centred @ y) / spread
    residual = y - y.mean() - rise * centred
    leverage = 1 / len(x) + centred**2 / spread
    scaled = centred * residual / np.maximum(1 - leverage, LEVERAGE_FLOOR)
    error = float(np.sqrt(scaled @ scaled)) / spread
    return (rise, error) if error > 0 else None


def _parts(columns: np.ndarray, outcome: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for start in range(0, len(outcome), ROWS_AT_ONCE):
        part = columns[start : start + ROWS_AT_ONCE]
        yield np.hstack([np.ones((len(part), 1)), part]), outcome[start : start + ROWS_AT_ONCE]
