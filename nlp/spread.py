"""Spreads sentence vectors, which all point about one way, over the directions in which texts differ."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

AXES = 150  # directions kept: fewer lose what tells issues apart, more carry noise and take time
EVENED = 0.1  # power by which strong directions are held back: 0 keeps their variance, 1 makes all alike
ENOUGH = 20  # rows of a language from which its own centre is known; fewer stand on the centre of all
TINY = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Spread:
    """Centre float32 (d,), centres of languages, axes float32 (d, m): what puts a vector among the others."""

    centre: np.ndarray
    centres: dict[str, np.ndarray]
    axes: np.ndarray

    def apply(self, vectors: np.ndarray, languages: Sequence[str] | None = None) -> np.ndarray:
        """vectors float32 (n, d) -> float32 (n, m), unit rows; a row's language moves it onto the common centre."""
        away = unit(vectors) - self.centre
        if languages is not None and self.centres:
            own = np.array([language if language in self.centres else "" for language in languages])
            for language, centre in self.centres.items():
                away[own == language] += self.centre - centre
        return unit(away @ self.axes)


def fit_spread(vectors: np.ndarray, languages: Sequence[str] | None = None) -> Spread:
    """The spread of vectors float32 (n, d); languages with ENOUGH rows are each drawn to one centre."""
    points = unit(vectors)
    names = np.array(languages if languages is not None else [""] * len(points))
    centre = points.mean(axis=0) if len(points) else np.zeros(vectors.shape[1], np.float32)
    known = [name for name in np.unique(names) if (names == name).sum() >= ENOUGH]
    centres = {str(name): points[names == name].mean(axis=0) for name in known} if len(known) > 1 else {}
    away = points - centre
    for name, own in centres.items():
        away[names == name] += centre - own
    variance, directions = np.linalg.eigh((away.T @ away).astype(np.float64) / max(1, len(points)))
    strongest = np.argsort(-variance)[: min(AXES, max(1, len(points) - 1))]
    strongest = strongest[variance[strongest] > TINY * max(variance[strongest[0]], TINY)]
    scale = np.power(variance[strongest], -EVENED / 2)
    return Spread(centre, centres, (directions[:, strongest] * scale).astype(np.float32))


def unit(vectors: np.ndarray) -> np.ndarray:
    """float32 rows of length one; a row of zeros stays."""
    vectors = np.asarray(vectors, np.float32)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), TINY)
