"""What is told of an issue: its name, quotes and figures, as columns of its row."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

import numpy as np

from nlp.label import Name, medoids, name_clusters, quote
from nlp.portrait import Portrait, everyone, portrait
from nlp.spread import unit
from serving.issues.names import Naming
from serving.issues.window import Window

SHOWN = 20
"""Touchpoints and units named of an issue, the most frequent ones."""
OF_TEN = 10.0
"""An issue's impact counts points as if every scale were ten long, so that issues compare."""
SUBJECT = 0.2
"""Share of an issue's answers that speak of a theme from which its name may be the theme's."""

Groups = Mapping[str, np.ndarray]
"""The rows of each issue, int64."""


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """A window with its points, unit float32 (n, m), and strengths, float32 (n,) in [0, 1]."""

    window: Window
    points: np.ndarray
    strength: np.ndarray


def described(placed: Placed, levels: Sequence[Groups], now: datetime, naming: Naming) -> dict[str, dict[str, Any]]:
    """The columns of each issue of these levels: issues, and the sub-issues within them; no two have one label."""
    taken = naming.taken({id for groups in levels for id in groups})
    out: dict[str, dict[str, Any]] = {}
    for groups in levels:
        out |= _described(placed, groups, now, naming, taken)
        taken |= {out[id]["label"] for id in groups}
    return out


def _described(
    placed: Placed, groups: Groups, now: datetime, naming: Naming, taken: set[str]
) -> dict[str, dict[str, Any]]:
    window, out = placed.window, {}
    all_ = everyone(window.answers, now)
    for (id, rows), name in zip(groups.items(), _names(placed, groups, naming, taken), strict=True):
        facts = portrait([window.answers[row] for row in rows], all_, now)
        centroid = unit(placed.points[rows].sum(axis=0, keepdims=True))[0]
        out[id] = {
            **_figures(facts, window.scale),
            "label": name.label,
            "keywords": list(name.keywords),
            "quotes": _quotes(placed, rows, centroid),
            "centroid": centroid.astype("<f4").tobytes(),
            "encoder": window.encoder,
        }
    return out


def impact(size: int, gap: float | None, scale: tuple[float, float] | None) -> float | None:
    """Answers times the points, of ten, that their mean score lies below the rest; None where nothing was scored."""
    if gap is None or scale is None or scale[1] <= scale[0]:
        return None
    return round(size * max(0.0, -gap) / (scale[1] - scale[0]) * OF_TEN, 4)


def _names(placed: Placed, groups: Groups, naming: Naming, taken: set[str]) -> list[Name]:
    window = placed.window
    labels = np.full(len(window.uids), -1, np.int32)
    for number, rows in enumerate(groups.values()):
        labels[rows] = number
    spoken = Counter(code for code, text in zip(window.languages, window.texts, strict=True) if text)
    language = naming.language or min(spoken, key=lambda code: (-spoken[code], code), default=None)
    subjects = [[naming.theme(id, language) for id in _subjects(window, rows, naming)] for rows in groups.values()]
    return name_clusters(
        window.texts, window.languages, labels, placed.strength, naming.language, subjects=subjects, reserved=taken
    )


def _subjects(window: Window, rows: np.ndarray, naming: Naming) -> list[str]:
    """The themes that many of an issue's answers speak of, the most frequent first, by their ids of now."""
    counts: Counter[str] = Counter()
    for row in rows:
        counts.update({naming.frame.named(id) for id in window.answers[row].themes})
    often = (id for id, count in counts.items() if count >= SUBJECT * len(rows))
    return sorted(often, key=lambda id: (-counts[id], id))


def _figures(facts: Portrait, scale: tuple[float, float] | None) -> dict[str, Any]:
    told = {
        "languages": _shares(facts.languages),
        "sentiment": _shares(facts.sentiment),
        "themes": _shares(facts.themes),
        "touchpoints": _shares(facts.touchpoints),
        "units": _shares(facts.units),
        "mean_score": _rounded(facts.mean_score),
        "score_gap": _rounded(facts.score_gap),
        "scale": None if scale is None else {"min": scale[0], "max": scale[1]},
    }
    seen = {"first_seen": facts.first_seen, "last_seen": facts.last_seen, "trend": _rounded(facts.trend)}
    return {"facts": told, "size": facts.size, "impact": impact(facts.size, facts.score_gap, scale), **seen}


def _quotes(placed: Placed, rows: np.ndarray, centroid: np.ndarray) -> list[dict[str, str]]:
    window = placed.window
    spoken = rows[[bool(window.texts[row]) for row in rows]]
    chosen = medoids(placed.points[spoken], centroid, [window.texts[row] for row in spoken])
    return [{"response": window.uids[spoken[at]], "text": quote(window.texts[spoken[at]])} for at in chosen]


def _shares(found: Mapping[str, float]) -> dict[str, float]:
    return {name: round(share, 4) for name, share in islice(found.items(), SHOWN)}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def tightness(points: np.ndarray, groups: Sequence[np.ndarray]) -> float:
    """The median over groups of the mean cosine of their members with one another; 1 where there is no group."""
    found = [float(np.square(points[rows].mean(axis=0)).sum()) for rows in groups if len(rows)]
    return float(np.median(found)) if found else 1.0
