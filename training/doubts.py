"""Why a person should look at an answer: the model is unsure, readings contradict each other, or a theme is rare."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from nlp.pipeline import GENERAL
from nlp.types import MOODS, Classification
from training.dataset import LabelledRow
from training.pool import Pool

FLOOR = 0.5  # of an uncertainty in [0, 1]: below it the model is sure enough, however sure it is of the rest
NEUTRAL_GAP = 0.6  # how much a mood against "neutral" or "mixed" weighs beside the opposite mood
THEME_GAP = 0.8  # how much a theme that one reading lacks weighs beside opposite moods
FEW = 50  # labelled examples from which on a theme is no longer rare: about where its F1 stops rising fast
OPPOSITE = {"positive": "negative", "negative": "positive"}
AGAINST_SCORE = {"detractor": "positive", "promoter": "negative"}


@dataclass(frozen=True, slots=True, eq=False)
class Doubt:
    """How much each row deserves a look for one reason, float64 (n,), 0 where it does not; `words` says why."""

    strength: np.ndarray
    words: Callable[[int], str]


def uncertainty(pool: Pool) -> Doubt:
    """Themes near their thresholds, sentiment spread over several moods, justified near one half.

    Each is compared with its own kind in the pool (by rank), for their units differ.
    """
    near = closeness(pool.themes, pool.thresholds)
    if GENERAL in pool.theme_ids:  # stands only where nothing else does
        near[:, pool.theme_ids.index(GENERAL)] = 0
    judged = np.array([_by_model(said) for said in pool.said], bool)
    halves = np.where(judged, 1 - 2 * np.abs(np.nan_to_num(pool.justified) - 0.5), 0)
    parts = np.stack([near.max(axis=1, initial=0), entropy(pool.sentiment), halves])
    parts[:, ~pool.read] = 0
    ranked = np.stack([_ranked(part) for part in parts])
    which = ranked.argmax(axis=0)

    def words(row: int) -> str:
        if which[row] == 0:
            theme = int(near[row].argmax())
            odds, threshold = pool.themes[row, theme], pool.thresholds[theme]
            return f"unsure whether it is about {pool.theme_labels[theme]} ({odds:.2f}, threshold {threshold:.2f})"
        if which[row] == 1:
            return f"unsure of the sentiment ({_two_moods(pool.sentiment[row])})"
        return f"unsure whether it gives a reason ({pool.justified[row]:.2f})"

    return Doubt(ranked.max(axis=0), words)


def closeness(odds: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """1 at a threshold, falling to 0 at probabilities 0 and 1; both float (n, t) and (t,); 0 where nothing was read."""
    cut = np.clip(thresholds, 1e-6, 1 - 1e-6)
    return np.nan_to_num(np.where(odds < cut, odds / cut, (1 - odds) / (1 - cut)).astype(float))


def entropy(odds: np.ndarray) -> np.ndarray:
    """Of rows of probabilities (n, k), in [0, 1]: 1 where all are equal; 0 where nothing was read."""
    filled = np.nan_to_num(odds).astype(float)
    return -np.sum(filled * np.log(np.maximum(filled, 1e-12)), axis=1) / np.log(odds.shape[1])


def disagreement(pool: Pool, against: Sequence[Classification] | None = None) -> Doubt:
    """A sentiment against the score or against all its themes, and a second model that reads the text otherwise."""
    found = [_contradictions(row, said) for row, said in zip(pool.rows, pool.said, strict=True)]
    for conflicts, said, other in zip(found, pool.said, against or (), strict=bool(against)):
        conflicts += _between(said, other, dict(zip(pool.theme_ids, pool.theme_labels, strict=True)))
    best = [max(conflicts, default=(0.0, "")) for conflicts in found]
    return Doubt(np.array([strength for strength, _ in best], float), lambda row: best[row][1])


def _contradictions(row: LabelledRow, said: Classification) -> list[tuple[float, str]]:
    if said.sentiment is None or said.ranking is None:
        return []
    mood, sure = said.sentiment.label, said.sentiment.confidence
    out = []
    if row.score is not None and AGAINST_SCORE.get(said.ranking.group or "") == mood:
        out.append((sure, f"{_scored(row)} is a {said.ranking.group}'s, but the text is read as {mood}"))
    moods = {tag.sentiment.label for tag in said.themes}
    if mood in OPPOSITE and moods == {OPPOSITE[mood]}:
        weight = min(sure, *(tag.sentiment.confidence for tag in said.themes))
        out.append((weight, f"read as {mood} as a whole, but as {OPPOSITE[mood]} about {said.themes[0].label}"))
    return out


def _scored(row: LabelledRow) -> str:
    name = {"nps": "NPS", "csat": "CSAT", "ces": "CES"}.get(row.metric or "", "the score")
    return f"{name} {row.score:g}"


def _between(said: Classification, other: Classification, labels: dict[str, str]) -> list[tuple[float, str]]:
    if said.sentiment is None or other.sentiment is None:
        return []
    out = []
    one, two = said.sentiment.label, other.sentiment.label
    if one != two:
        sure = min(said.sentiment.confidence, other.sentiment.confidence)
        weight = sure * (1.0 if OPPOSITE.get(one) == two else NEUTRAL_GAP)
        out.append((weight, f"two models disagree on the sentiment: {one} here, {two} there"))
    here = {tag.id: tag.confidence for tag in said.themes}
    there = {tag.id: tag.confidence for tag in other.themes}
    for theme in sorted(here.keys() ^ there.keys()):
        sure = here.get(theme, there.get(theme, 0.0))
        where = "only this one" if theme in here else "only the other"
        out.append((THEME_GAP * sure, f"two models disagree: {where} finds {labels.get(theme, theme)}"))
    return out


def rarity(pool: Pool, labelled: Sequence[LabelledRow]) -> list[tuple[str, int, Doubt]]:
    """For each predicted theme with few labelled examples: its id, their number, and the rows that show it."""
    examples = Counter(theme for row in labelled for theme in row.theme_ids)
    rows: dict[str, dict[int, float]] = {}
    for index, said in enumerate(pool.said):
        for tag in said.themes:
            if tag.id != GENERAL and examples[tag.id] < FEW:
                rows.setdefault(tag.id, {})[index] = tag.confidence
    names = dict(zip(pool.theme_ids, pool.theme_labels, strict=True))
    return [
        (theme, examples[theme], _rare(len(pool), found, names[theme], examples[theme]))
        for theme, found in sorted(rows.items())
    ]


def _rare(count: int, found: dict[int, float], label: str, examples: int) -> Doubt:
    strength = np.zeros(count)
    strength[list(found)] = list(found.values())
    some = f"{examples} labelled example{'s' * (examples != 1)}"
    return Doubt(strength, lambda row: f"predicted as {label}, which has {some}")


def _by_model(said: Classification) -> bool:
    return said.justification is not None and said.justification.kind in ("reason", "verdict_only")


def _ranked(part: np.ndarray) -> np.ndarray:
    """Ranks in (0, 1] of what is above the floor, among themselves; 0 for the rest."""
    above = part >= FLOOR
    out = np.zeros(len(part))
    if above.any():
        out[above] = rankdata(part[above]) / above.sum()
    return out


def _two_moods(odds: np.ndarray) -> str:
    first, second = np.argsort(-odds, kind="stable")[:2]
    return f"{MOODS[first]} {odds[first]:.2f}, {MOODS[second]} {odds[second]:.2f}"
