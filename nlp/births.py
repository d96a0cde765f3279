"""Issues that come up: places where complaints lie denser in the last days than dates dealt at random would put them.

A scan statistic (Kulldorff 1997) over balls of the space of complaints: of many centres, radii and windows of days, the
largest likelihood ratio of "more of these lie in the window than of the others". How large it gets where nothing came
up is seen by dealing the dates out anew, which keeps how alike the texts are and how many came each day.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

WINDOWS = (1, 2, 3)
"""Days counted back from now in which an issue comes up. What gathers slower is for the clustering to find."""
RADII = (0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6)
"""Cosines to a centre from which an answer lies in its ball: answers about one thing lie within, chance puts one in a
hundred into the widest."""
FEWEST = 8
"""Answers of the last days that bring an issue up: fewer gather every week, of one batch of invitations, say."""
NEAREST = 5
"""Recent answers, itself among them, that make the first centre around each."""
CORE = 0.45
"""Cosine to a first centre from which recent answers make the second, if they are more than two."""
RARE = 0.001
"""Chance, if nothing came up, that a look finds something at all. Looks an hour apart see much the same: a week has
about as many different ones as it has quarters of days."""
BEFORE = 2.0
"""Answers every ball is taken to have held before: without them the largest by chance are five or six near copies."""
DEALS = 20
"""Times the dates are dealt out anew; the largest values of each follow Gumbel's distribution, fitted by moments."""
ENOUGH = 3
"""Deals as large as what was found from which it is chance (Besag and Clifford 1991): most looks end here."""
CENTRES = 128
"""Centres of a deal; where there are more, the distribution tells how much larger their largest is."""
OLD = 10_000
"""Answers before the windows that are counted; of more a sample, which tells as well how dense a place was."""
EVENED = 0.3
"""Power by which directions in which complaints differ much are held back: 0 keeps their variance, 1 makes all alike.
What is always complained of makes the strong ones; something new lies across them."""
BLOCK = 512
"""Centres compared with all answers at a time."""
EULER = 0.5772156649
SEED = 20150222


@dataclass(frozen=True, slots=True, eq=False)
class Birth:
    """A new issue: the rows that belong to it, recent and old, int64; those of the last `days` days brought it up.

    `centre` float32 (m,), unit length, is the middle of these, `likelihood` the logarithm of its likelihood ratio.
    """

    centre: np.ndarray
    members: np.ndarray
    days: int
    likelihood: float


def births(points: np.ndarray, age: np.ndarray, known: np.ndarray, fewest: int = FEWEST) -> list[Birth]:
    """points float32 (n, m), unit rows, said `age` float (n,) days ago -> the issues that come up, the clearest first.

    Recent rows `known` bool (n,), which belong to an issue that came up before, belong to no new one, and it has to be
    clear without them. Old answers that belong to an issue are members too: its rise is measured against them.
    """
    order = np.lexsort((points[:, 0], age)) if len(points) else np.zeros(0, np.int64)
    ages = age[order]
    recent = np.flatnonzero(ages < WINDOWS[-1])
    if len(recent) < max(fewest, NEAREST) or len(recent) == len(points):
        return []
    counted = _counted(len(recent), len(points))
    own = _evened(points[order], counted)
    scan = _scan(own[counted], ages[counted], recent, recent, fewest)
    bar = _bar(own[counted], ages[counted], float(scan.likelihood.max()), len(recent), fewest)
    return [
        Birth(_unit(points[order[ball.fresh]].sum(axis=0)), np.sort(order[ball.rows]), ball.days, ball.likelihood)
        for ball in _clear(own, ages, known[order], counted, scan, bar)
    ]


@dataclass(frozen=True, slots=True, eq=False)
class _Scan:
    """Centres float32 (c, m), and of each the largest likelihood, its radius and its window."""

    centres: np.ndarray
    likelihood: np.ndarray
    near: np.ndarray
    days: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class _Ball:
    """Rows of what comes up, and those of them in its window, int64."""

    rows: np.ndarray
    fresh: np.ndarray
    days: int
    likelihood: float


def _evened(points: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """The points, unit float32, with the directions in which those counted differ much held back."""
    own = points[counted].astype(np.float64)
    variance, axes = np.linalg.eigh(own.T @ own / len(own))
    kept = variance > 1e-6 * variance[-1]
    return _unit(points @ (axes[:, kept] * variance[kept] ** (-EVENED / 2)).astype(np.float32))


def _counted(recent: int, rows: int) -> np.ndarray:
    """The recent rows, which come first, and of the others no more than OLD."""
    if rows - recent <= OLD:
        return np.arange(rows)
    old = np.random.default_rng(SEED).choice(rows - recent, OLD, replace=False)
    return np.concatenate([np.arange(recent), recent + np.sort(old)])


def _clear(
    points: np.ndarray, age: np.ndarray, known: np.ndarray, counted: np.ndarray, scan: _Scan, bar: float
) -> Iterator[_Ball]:
    """The clearest, the clearest without the recent answers of that one, and so on."""
    taken = known & (age < WINDOWS[-1])
    old = np.zeros(len(age), bool)
    old[counted] = age[counted] >= WINDOWS[-1]
    for place in np.argsort(-scan.likelihood, kind="stable"):
        if scan.likelihood[place] <= bar:
            return
        centre, near, days = scan.centres[place], float(scan.near[place]), int(scan.days[place])
        members = np.flatnonzero((points @ centre >= near) & ~taken)
        fresh, before = members[age[members] < days], np.count_nonzero(old[members])
        volume = np.count_nonzero((age < days) & ~taken)
        share = np.array(volume / max(volume + np.count_nonzero(old), 1))
        left = float(likelihood(np.array(len(fresh)), np.array(len(fresh) + before + BEFORE), share))
        if left > bar:
            taken[fresh] = True
            yield _Ball(members, fresh, days, left)


def _bar(points: np.ndarray, age: np.ndarray, found: float, centres: int, fewest: int) -> float:
    """What the largest of so many centres exceeds by chance with RARE; infinite where `found` is plainly chance."""
    random = np.random.default_rng(SEED)
    largest: list[float] = []
    for _ in range(DEALS):
        dealt = age[random.permutation(len(age))]
        recent = np.flatnonzero(dealt < WINDOWS[-1])
        some = recent if len(recent) <= CENTRES else random.choice(recent, CENTRES, replace=False)
        largest.append(float(_scan(points, dealt, some, recent, fewest).likelihood.max()))
        if sum(value >= found for value in largest) >= ENOUGH:
            return np.inf
    scale = max(float(np.std(largest, ddof=1)) * np.sqrt(6) / np.pi, 1e-9)
    mode = float(np.mean(largest)) - EULER * scale
    more = scale * np.log(max(centres / CENTRES, 1.0))
    return max(mode + more - scale * float(np.log(-np.log1p(-RARE))), *largest)


def _scan(points: np.ndarray, age: np.ndarray, seeds: np.ndarray, recent: np.ndarray, fewest: int) -> _Scan:
    """The likeliest ball around each of the rows `seeds`, which are among `recent`."""
    window = np.digitize(age, WINDOWS)  # the last one: before all windows
    days = np.bincount(window, minlength=len(WINDOWS) + 1)
    parts = [
        _balls(points, window, days, _centres(points[recent], points[seeds[start : start + BLOCK]]), fewest)
        for start in range(0, len(seeds), BLOCK)
    ]
    return _Scan(*(np.concatenate([getattr(part, name) for part in parts]) for name in _Scan.__slots__))


def _centres(recent: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    """The middle of each seed and its nearest, shifted once to the middle of what lies in its core."""
    cosine = seeds @ recent.T
    nearest = np.argpartition(-cosine, NEAREST - 1, axis=1)[:, :NEAREST]
    first = _unit(recent[nearest].sum(axis=1))
    core = first @ recent.T >= CORE
    second = _unit(core.astype(np.float32) @ recent)
    return np.where((core.sum(axis=1) > 2)[:, None], second, first)


def _balls(points: np.ndarray, window: np.ndarray, days: np.ndarray, centres: np.ndarray, fewest: int) -> _Scan:
    """The radius and window of the largest likelihood around each centre."""
    cosine = centres @ points.T
    at, row = np.nonzero(cosine >= RADII[0])
    level = np.digitize(cosine[at, row], RADII) - 1
    shape = len(centres), len(RADII), len(WINDOWS) + 1
    cells = np.ravel_multi_index((at, level, window[row]), shape)
    counts = np.bincount(cells, minlength=int(np.prod(shape))).reshape(shape)
    counts = counts[:, ::-1].cumsum(axis=1)[:, ::-1]  # a ball holds the narrower ones
    inside, before = counts[..., :-1].cumsum(axis=2), counts[..., -1:]
    volume = days[:-1].cumsum()
    value = likelihood(inside, inside + before + BEFORE, volume / (volume + days[-1]))
    value = np.where(inside >= fewest, value, 0.0).reshape(len(centres), -1)
    best = value.argmax(axis=1)
    radius, days_ = np.unravel_index(best, (len(RADII), len(WINDOWS)))
    top = value[np.arange(len(centres)), best]
    return _Scan(centres, top, np.array(RADII)[radius], np.array(WINDOWS)[days_])


def likelihood(inside: np.ndarray, all_: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Logarithm of the likelihood ratio of `inside` of `all_` rows, where `share` of them was due; 0 for no more."""
    own = inside / np.maximum(all_, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        hits = np.where(inside > 0, inside * np.log(own / share), 0.0)
        rest = np.where(all_ > inside, (all_ - inside) * np.log((1.0 - own) / (1.0 - share)), 0.0)
    return np.where(own > share, hits + rest, 0.0)


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), 1e-9)
