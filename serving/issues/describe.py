"""What is told of an issue: its name, quotes and figures, as columns of its row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

import numpy as np

from nlp.label import medoids, name_clusters, quote
from nlp.portrait import Portrait, everyone, portrait
from nlp.spread import unit
from serving.issues.window import Window

SHOWN = 20
"""Touchpoints and units named of an issue, the most frequent ones."""
OF_TEN = 10.0
"""An issue's impact counts points as if every scale were ten long, so that issues compare."""


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """A window with its points, unit float32 (n, m), and strengths, float32 (n,) in [0, 1]."""

    window: Window
    points: np.ndarray
    strength: np.ndarray


def described(
    placed: Placed, groups: Mapping[str, np.ndarray], now: datetime, language: str | None
) -> dict[str, dict[str, Any]]:
    """The columns of each issue; groups: its rows, int64."""
    window = placed.window
    labels = np.full(len(window.uids), -1, np.int32)
    for number, rows in enumerate(groups.values()):
        labels[rows] = number
    names = name_clusters(window.texts, window.languages, labels, placed.strength, language)
    out, all_ = {}, everyone(window.answers, now)
    for (id, rows), name in zip(groups.items(), names, strict=True):
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
