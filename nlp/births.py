"""Issues that come up: places where complaints lie far denser in the last days than they did before."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import poisson

ALIKE = 0.4
"""Cosine of two answers, spread as `nlp.spread` does it, from which they are neighbours."""
HELD = 0.35
"""Mean cosine to the answers an issue came up with, itself apart, from which an answer belongs to it."""
RARE = 1e-5
"""Chance, if nothing had changed, below which a dense place is an issue; whether it is told is tested later on."""
WINDOWS = (1, 3)
"""Days counted back from now in which an issue comes up. Over a week so many places look dense by chance that what is
found there is told in vain; what gathers slowly is for the clustering to find."""
HALF = 0.5
"""Neighbours that every place is taken to have had before (Jeffreys' prior of a rate)."""
ROWS = 1024
"""Rows compared with all others at a time."""


@dataclass(frozen=True, slots=True, eq=False)
class Birth:
    """A new issue: centre float32 (m,), unit length; the rows that belong to it, recent and old, int64.

    Answers to come belong to it where their cosine to the centre is `near` or more.
    """

    centre: np.ndarray
    near: float
    members: np.ndarray


def births(points: np.ndarray, age: np.ndarray, known: np.ndarray, smallest: int = 5) -> list[Birth]:
    """points float32 (n, m), unit rows, said `age` float (n,) days ago -> the issues that come up, the clearest first.

    Rows `known` bool (n,) to belong to an issue that came up before start none, but count as neighbours. Old answers
    that belong to it are members too: they are what its rise is measured against.
    """
    recent = np.flatnonzero((age < WINDOWS[-1]) & ~known)
    found: list[Birth] = []
    if len(recent) < smallest:
        return found
    chance, window = _chances(points, age, recent, smallest)
    open_ = np.ones(len(recent), dtype=bool)
    while open_.any():
        best = int(np.where(open_, chance, np.inf).argmin())
        if not open_[best] or chance[best] > RARE:
            break
        alike = np.flatnonzero((points @ points[recent[best]] >= ALIKE) & (age < window[best]))
        born = _born(points, alike)
        open_ &= ~np.isin(recent, [*alike, *born.members, recent[best]])
        fresh = born.members[age[born.members] < WINDOWS[-1]]
        if len(fresh) >= smallest and known[fresh].mean() <= HALF:
            found.append(born)
    return found


def _born(points: np.ndarray, alike: np.ndarray) -> Birth:
    """The issue that these rows make, without those among them that are not like the others."""
    own = points[alike]
    likeness = ((own @ own.T).sum(axis=1) - 1.0) / max(len(own) - 1, 1)
    founders = own[likeness >= HELD] if (likeness >= HELD).any() else own
    mean = founders.mean(axis=0)
    length = float(np.linalg.norm(mean))
    # an outsider's mean cosine to the founders is its cosine to their centre times the length of their mean
    near, centre = HELD / length, mean / length
    return Birth(centre, near, np.flatnonzero(points @ centre >= near))


def _chances(points: np.ndarray, age: np.ndarray, recent: np.ndarray, smallest: int) -> tuple[np.ndarray, np.ndarray]:
    """The least chance of so many neighbours of each recent row over the windows, and the window it is of."""
    old = age >= WINDOWS[-1]
    inside = [age < days for days in WINDOWS]
    counts = np.empty((len(recent), len(WINDOWS) + 1))
    for start in range(0, len(recent), ROWS):
        near = points[recent[start : start + ROWS]] @ points.T >= ALIKE
        counts[start : start + ROWS] = np.column_stack([near[:, mask].sum(axis=1) for mask in (*inside, old)])
    counts[:, :-1] -= 1  # each row is near itself
    share = np.array([mask.sum() for mask in inside]) / max(int(old.sum()), 1)
    expected = (counts[:, -1:] + HALF) * share
    chance = np.where(counts[:, :-1] >= smallest - 1, poisson.sf(counts[:, :-1] - 1, expected), 1.0)
    best = chance.argmin(axis=1)
    return chance[np.arange(len(recent)), best], np.array(WINDOWS)[best]
