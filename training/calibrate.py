"""Makes logits into honest probabilities and chooses thresholds, on development rows only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize, minimize_scalar

from nlp.heads import Calibration, blend, choose, score_bin, sigmoid, softmax
from nlp.types import MOODS
from training.dataset import UNKNOWN, Targets

PRIOR_SCALE = 6.0  # strength of the pull towards the shared calibration, in rows' worth of evidence
PRIOR_THRESHOLD = 15.0  # positives a theme needs before its own threshold outweighs the shared one
GRID = np.arange(0.10, 0.86, 0.02)
FINE_GRID = np.arange(0.04, 0.81, 0.01)
NEUTRAL = 0.5  # of cuts that do equally well, the one next to it is taken
WEIGHTS = np.arange(0.0, 2.01, 0.25)
SCORE_BINS = 5
SCORE_PRIOR = 2.0  # rows of every mood assumed at every score, so that none is impossible
SCORE_WEIGHTS = np.arange(0.0, 0.61, 0.1)  # at most: clear words must win against a slip of the finger on the scale
SIGNAL_FLOOR = 0.3  # a signal changes whom to call first: below this it is not believed, whatever F1 says


def calibrate(
    logits: Mapping[str, np.ndarray],
    wanted: Targets,
    general: int | None,
    scores: "Scores | None" = None,
    each_theme: bool = False,
) -> Calibration:
    """Fits scales, shifts, temperatures and thresholds to development logits (see finetune.predict).

    Thresholds serve the micro-F1 over all themes, in which frequent ones weigh most; or with `each_theme` the F1 of
    each theme, which finds more of the rare ones at hardly any cost to the others; 0.5 where no row has the theme.
    """
    theme_scale, theme_shift = _platt_per_label(logits["themes"], wanted.themes)
    signal_scale, signal_shift = _platt_per_label(logits["signals"], wanted.signals)
    (justified_scale,), (justified_shift,) = _platt_per_label(logits["justified"][:, None], wanted.justified[:, None])
    sentiment_temperature = _temperature(logits["sentiment"], wanted.sentiment)
    mood_temperature = _temperature(logits["moods"].reshape(-1, logits["moods"].shape[-1]), wanted.moods.reshape(-1))
    themes = sigmoid(theme_scale * logits["themes"] + theme_shift)
    cuts = _theme_thresholds(themes, wanted.themes) if each_theme else micro_thresholds(themes, wanted.themes)
    fallback = _fallback(themes, wanted.themes, cuts, general)
    signals = sigmoid(signal_scale * logits["signals"] + signal_shift)
    moods = softmax(logits["moods"] / mood_temperature)
    sentiment = softmax(logits["sentiment"] / sentiment_temperature)
    score_weight = _score_weight(sentiment, wanted.sentiment, scores) if scores else 0.0
    if scores:
        sentiment = sentiment_with_scores(sentiment, scores, score_weight)
    single = _mood_weight(moods, sentiment, wanted, lambda count: count == 1)
    many = _mood_weight(moods, sentiment, wanted, lambda count: count > 1)
    return Calibration(
        theme_scale=theme_scale.astype(np.float32),
        theme_shift=theme_shift.astype(np.float32),
        theme_threshold=cuts.astype(np.float32),
        signal_scale=signal_scale.astype(np.float32),
        signal_shift=signal_shift.astype(np.float32),
        signal_threshold=_signal_thresholds(signals, wanted.signals).astype(np.float32),
        justified_scale=float(justified_scale),
        justified_shift=float(justified_shift),
        sentiment_temperature=sentiment_temperature,
        mood_temperature=mood_temperature,
        mood_weight=single,
        mood_weight_many=many,
        fallback=fallback,
        score_table=scores.table.astype(np.float32) if scores else None,
        score_weight=score_weight,
    )


@dataclass(frozen=True, slots=True)
class Scores:
    """A score table (see nlp.heads.Calibration) and the development rows' positions, None where no score was given."""

    table: np.ndarray
    positions: Sequence[float | None]


def score_table(positions: Sequence[float | None], sentiments: Sequence[str | None]) -> np.ndarray:
    """log P(mood | score) / P(mood), float64 (SCORE_BINS, 4), smoothed, from rows that have both."""
    counts = np.full((SCORE_BINS, len(MOODS)), SCORE_PRIOR)
    for position, mood in zip(positions, sentiments, strict=True):
        if position is not None and mood is not None:
            counts[score_bin(position, SCORE_BINS), MOODS.index(mood)] += 1
    return np.log(counts / counts.sum(1, keepdims=True) / (counts.sum(0) / counts.sum()))


def sentiment_with_scores(sentiment: np.ndarray, scores: Scores, weight: float) -> np.ndarray:
    """Sentiment probabilities (n, 4) tipped by the scores given with the rows."""
    out = sentiment.copy()
    for index, position in enumerate(scores.positions):
        if position is not None:
            out[index] *= np.exp(weight * scores.table[score_bin(position, len(scores.table))])
    return out / out.sum(axis=1, keepdims=True)


def _score_weight(sentiment: np.ndarray, labels: np.ndarray, scores: Scores) -> float:
    known = labels != UNKNOWN
    if not known.any():
        return 0.0

    def accuracy(weight: float) -> float:
        return float((sentiment_with_scores(sentiment, scores, weight).argmax(1) == labels)[known].mean())

    return float(max(SCORE_WEIGHTS, key=accuracy))


def _nll(parameters: np.ndarray, x: np.ndarray, y: np.ndarray, centre: np.ndarray, strength: float) -> float:
    z = parameters[0] * x + parameters[1]
    fit = np.logaddexp(0, -np.where(y, z, -z)).sum()
    return float(fit + strength * ((parameters - centre) ** 2).sum())


def _platt(x: np.ndarray, y: np.ndarray, centre: np.ndarray, strength: float) -> np.ndarray:
    if not len(x):
        return centre
    best = minimize(_nll, centre, args=(x, y, centre, strength), method="Nelder-Mead", options={"maxiter": 400})
    return np.array([max(best.x[0], 0.05), best.x[1]])


def _platt_per_label(logits: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Platt scaling (Platt 1999), each label's drawn towards the fit over all of them."""
    known = labels != UNKNOWN
    shared = _platt(logits[known], labels[known] == 1, np.array([1.0, 0.0]), 0.01)
    fits = [
        _platt(logits[known[:, k], k], labels[known[:, k], k] == 1, shared, PRIOR_SCALE) for k in range(labels.shape[1])
    ]
    return np.array([fit[0] for fit in fits]), np.array([fit[1] for fit in fits])


def _temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """Temperature scaling (Guo et al. 2017)."""
    known = labels != UNKNOWN
    rows, classes = logits[known], labels[known]
    if not len(rows):
        return 1.0

    def loss(temperature: float) -> float:
        probabilities = softmax(rows / temperature)
        return -float(np.log(np.maximum(probabilities[np.arange(len(rows)), classes], 1e-9)).mean())

    return float(minimize_scalar(loss, bounds=(0.3, 5.0), method="bounded").x)


def _counts(probabilities: np.ndarray, labels: np.ndarray, cut: float) -> tuple[int, int, int]:
    known = labels != UNKNOWN
    said, true = (probabilities >= cut) & known, labels == 1
    return int((said & true).sum()), int((said & ~true).sum()), int((~said & true).sum())


def _f1(tp: float, fp: float, fn: float) -> float:
    return 2 * tp / (2 * tp + fp + fn) if tp + fp + fn else 0.0


def micro_thresholds(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """A threshold a theme for the best micro-F1, drawn to the shared one where positives are few."""
    shared = max(GRID, key=lambda cut: (_f1(*_counts(probabilities, labels, cut)), -abs(cut - NEUTRAL)))
    thresholds = np.full(labels.shape[1], shared)
    for _ in range(3):
        for k in range(labels.shape[1]):
            thresholds[k] = _best_alone(probabilities, labels, thresholds, k, shared)
    return thresholds


def expected_f1_thresholds(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The threshold of each theme at which its expected F1 is highest, if the probabilities hold (Lipton et al. 2014).

    Labels only say which rows are labelled: the few positives of a rare theme would make a poor threshold.
    """

    def expected(column: np.ndarray, cut: float) -> float:
        above = column >= cut
        return float(2 * column[above].sum() / max(1e-9, above.sum() + column.sum()))

    columns = [probabilities[labels[:, k] != UNKNOWN, k] for k in range(labels.shape[1])]
    return np.array([max(FINE_GRID, key=lambda cut, own=column: expected(own, cut)) for column in columns])


def _theme_thresholds(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """As `expected_f1_thresholds`; neutral for themes without positives, whose probabilities nothing proves."""
    return np.where((labels == 1).any(axis=0), expected_f1_thresholds(probabilities, labels), NEUTRAL)


def _fallback(probabilities: np.ndarray, labels: np.ndarray, thresholds: np.ndarray, general: int | None) -> float:
    def score(cut: float) -> tuple[float, float]:
        return _chosen_f1(probabilities, labels, thresholds, cut, general), -abs(cut - NEUTRAL)

    return float(max(GRID, key=score))


def _best_alone(probabilities, labels, thresholds, k: int, shared: float) -> float:
    rest = [_counts(probabilities[:, [j]], labels[:, [j]], thresholds[j]) for j in range(labels.shape[1]) if j != k]
    tp, fp, fn = np.array(rest).reshape(-1, 3).sum(axis=0)

    def micro(cut: float) -> float:
        a, b, c = _counts(probabilities[:, [k]], labels[:, [k]], cut)
        return _f1(tp + a, fp + b, fn + c)

    scores = np.array([micro(cut) for cut in GRID])
    best = float(np.mean(GRID[scores >= scores.max() - 1e-9]))
    positives = int((labels[:, k] == 1).sum())
    return (positives * best + PRIOR_THRESHOLD * shared) / (positives + PRIOR_THRESHOLD)


def _chosen_f1(probabilities, labels, thresholds, fallback: float, general: int | None) -> float:
    tp = fp = fn = 0
    for row, truth in zip(probabilities, labels, strict=True):
        chosen = {k for k in choose(row, thresholds, fallback, general) if truth[k] != UNKNOWN}
        right = set(np.flatnonzero(truth == 1).tolist())
        tp, fp, fn = tp + len(chosen & right), fp + len(chosen - right), fn + len(right - chosen)
    return _f1(tp, fp, fn)


def _signal_thresholds(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    def best(k: int) -> float:
        cuts = [cut for cut in GRID if cut >= SIGNAL_FLOOR]
        column, known = probabilities[:, [k]], labels[:, [k]]
        return max(cuts, key=lambda cut: (_f1(*_counts(column, known, cut)), -abs(cut - NEUTRAL)))

    return np.array([best(k) for k in range(labels.shape[1])])


def _mood_weight(moods: np.ndarray, sentiment: np.ndarray, wanted: Targets, applies) -> float:
    known = wanted.moods != UNKNOWN
    counts = np.where((wanted.themes != UNKNOWN).any(axis=1), (wanted.themes == 1).sum(axis=1), known.sum(axis=1))
    rows = [i for i in range(len(moods)) if applies(counts[i]) and known[i].any()]
    if not rows:
        return 0.0

    def accuracy(weight: float) -> float:
        right = [
            (blend(moods[i][known[i]], sentiment[i], weight).argmax(1) == wanted.moods[i][known[i]]).tolist()
            for i in rows
        ]
        return float(np.mean([hit for row in right for hit in row]))

    return float(max(WEIGHTS, key=accuracy))
