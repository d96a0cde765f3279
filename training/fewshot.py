"""Themes with a handful of examples: read-outs in closed form from class means, the spread about them and the names.

No pair of examples is ever formed: the cost is linear in the examples and the encoder stays as it is. A theme's name
and description count as a few examples more, which is where most of the gain on coarse themes comes from.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from nlp.heads import HeadWeights
from nlp.taxonomy import Theme
from nlp.zeroshot import views
from training.dataset import UNKNOWN

SHRINKAGE = 0.8  # of the covariance towards a sphere: 8 examples a class say little of 384 directions
NAME_WEIGHT = 4.0  # how many examples a theme's name is worth
SPREAD = 3.0  # standard deviation of the logits over the examples: where calibration and training start from


@dataclass(frozen=True, slots=True, eq=False)
class Prototypes:
    """Linear read-outs over pooled vectors: weight float32 (themes, d), bias float32 (themes,)."""

    weight: np.ndarray
    bias: np.ndarray

    def logits(self, vectors: np.ndarray) -> np.ndarray:
        """float32 (n, themes) of vectors (n, d); the greatest is the likeliest theme."""
        return vectors @ self.weight.T + self.bias


def prototypes(
    vectors: np.ndarray,
    themes: np.ndarray,
    names: np.ndarray | None = None,
    *,
    shrinkage: float = SHRINKAGE,
    name_weight: float = NAME_WEIGHT,
) -> Prototypes:
    """Read-outs from examples: vectors (n, d), the mean token states of each; themes (n, t), true where it is one.

    `names` (t, d) are vectors of what the themes are called. A theme without an example is known by its name alone;
    without either its read-out is zero.
    """
    themes = themes.astype(bool)
    x = vectors.astype(np.float64)
    counts = themes.sum(axis=0).astype(np.float64)
    centre = _balanced_centre(x, themes, counts)
    means = np.where(counts[:, None] > 0, themes.T @ (x - centre) / np.maximum(counts, 1)[:, None], 0.0)
    residuals = (x - centre) - _expected(means, themes)
    anchored = means if names is None else _with_names(means, counts, names.astype(np.float64), name_weight)
    precise = _inverse(residuals, len(x) - np.count_nonzero(counts), shrinkage)
    weight = anchored @ precise
    bias = -0.5 * np.einsum("td,td->t", weight, anchored) - weight @ centre
    scale = SPREAD / max(1e-9, float((x @ weight.T + bias).std()))
    return Prototypes((scale * weight).astype(np.float32), (scale * bias).astype(np.float32))


def with_prototypes(own: HeadWeights, made: Prototypes, themes: Sequence[int]) -> HeadWeights:
    """`own` with the read-outs of the themes numbered in `themes` replaced; they read the plain mean of the tokens."""
    query, weight, bias = own.query.copy(), own.weight.copy(), own.bias.copy()
    rows = list(themes)
    query[rows] = 0.0
    weight[rows], bias[rows] = made.weight[rows], made.bias[rows]
    return replace(own, query=query, weight=weight, bias=bias)


def known(wanted: np.ndarray) -> np.ndarray:
    """The rows whose themes are labelled, bool (n,)."""
    return (wanted != UNKNOWN).any(axis=1)


def pooled(states: Sequence[np.ndarray]) -> np.ndarray:
    """The mean of each row's token states, float32 (n, d); zeros for a row without tokens."""
    width = next((state.shape[1] for state in states), 0)
    return np.stack([s.mean(axis=0, dtype=np.float32) if len(s) else np.zeros(width, np.float32) for s in states])


def name_texts(themes: Sequence[Theme]) -> list[str]:
    """What the encoder is given for a theme: words instead of an id's punctuation, and how its description begins."""
    return [views(replace(theme, label=_words(theme.label)))[1] for theme in themes]


def _words(label: str) -> str:
    return " ".join(label.replace("_", " ").replace(".", " ").split())


def _balanced_centre(x: np.ndarray, themes: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The mean of the class means: frequent themes pull it no more than rare ones."""
    there = counts > 0
    if not there.any():
        return x.mean(axis=0)
    return (themes.T[there] @ x / counts[there, None]).mean(axis=0)


def _expected(means: np.ndarray, themes: np.ndarray) -> np.ndarray:
    """The mean of a row's class means; the centre for a row without a theme."""
    return themes @ means / np.maximum(themes.sum(axis=1, keepdims=True), 1)


def _with_names(means: np.ndarray, counts: np.ndarray, names: np.ndarray, weight: float) -> np.ndarray:
    """Class means drawn towards their names, which are centred and brought to the same spread."""
    around = names - names.mean(axis=0)
    there = counts > 0
    wide, narrow = means[there].std(), around.std()
    if not there.any() or narrow <= 0:
        return means
    around *= wide / narrow
    return (counts[:, None] * means + weight * around) / (counts[:, None] + weight)


def _inverse(residuals: np.ndarray, freedom: int, shrinkage: float) -> np.ndarray:
    """The inverse of the covariance within classes (d, d), shrunk towards a sphere of the same volume of spread."""
    covariance = residuals.T @ residuals / max(1, freedom)
    size = len(covariance)
    sphere = max(float(np.trace(covariance)) / size, 1e-9)
    return np.linalg.inv((1 - shrinkage) * covariance + shrinkage * sphere * np.eye(size))
