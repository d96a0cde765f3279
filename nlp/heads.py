"""Reads a verbatim's token vectors: which themes, how they are spoken of, what sentiment, whether there is a reason."""

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from typing import Any

import numpy as np

from nlp.errors import ModelError
from nlp.types import MOODS, SIGNALS, Span

EVIDENCE_SHARE = 0.5  # a span is evidence when it draws at least half the attention of the strongest one


@dataclass(frozen=True, slots=True)
class HeadWeights:
    """Trained arrays, float32; labels are the themes, then the signals, then `justified`; d is the encoder's width.

    query (labels + 1, d), the last row pools for the sentiment; weight (labels, d); bias (labels,);
    sentiment_weight (4, d), sentiment_bias (4,); mood_in_weight (h, d), mood_in_bias (h,); mood_out_weight (4, h),
    mood_out_bias (4,).
    """

    query: np.ndarray
    weight: np.ndarray
    bias: np.ndarray
    sentiment_weight: np.ndarray
    sentiment_bias: np.ndarray
    mood_in_weight: np.ndarray
    mood_in_bias: np.ndarray
    mood_out_weight: np.ndarray
    mood_out_bias: np.ndarray

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], themes: int, dimension: int) -> "HeadWeights":
        """From named arrays as stored; ModelError where one is missing or of another shape."""
        lacking = [name for name in cls.__dataclass_fields__ if name not in arrays]
        if lacking:
            raise ModelError(f"the model's heads lack the array {lacking[0]!r}: the folder is damaged, train it again")
        out = {name: np.ascontiguousarray(arrays[name], np.float32) for name in cls.__dataclass_fields__}
        labels, moods, hidden = themes + len(SIGNALS) + 1, len(MOODS), len(out["mood_in_weight"])
        shapes = {
            "query": (labels + 1, dimension),
            "weight": (labels, dimension),
            "bias": (labels,),
            "sentiment_weight": (moods, dimension),
            "sentiment_bias": (moods,),
            "mood_in_weight": (hidden, dimension),
            "mood_in_bias": (hidden,),
            "mood_out_weight": (moods, hidden),
            "mood_out_bias": (moods,),
        }
        for name, shape in shapes.items():
            if out[name].shape != shape:
                raise ModelError(f"the model's array {name!r} is {out[name].shape}, {shape} is expected")
        return cls(**out)


@dataclass(frozen=True, slots=True)
class Calibration:
    """Turns logits into probabilities that hold: p = sigmoid(scale x + shift), softmax(x / temperature).

    theme_* and signal_* are float32 (themes,) and (signals,); thresholds are on calibrated probabilities.
    `mood_weight` says how much the verbatim's sentiment speaks for a theme's mood when it is the only theme, and
    `fallback` is the probability at which the best theme is taken although none cleared its threshold.
    `score_table` float32 (bins, 4) holds log P(mood | score) / P(mood) for scores from the lowest to the highest, and
    `score_weight` how far it may tip the sentiment where the words leave room.
    """

    theme_scale: np.ndarray
    theme_shift: np.ndarray
    theme_threshold: np.ndarray
    signal_scale: np.ndarray
    signal_shift: np.ndarray
    signal_threshold: np.ndarray
    justified_scale: float
    justified_shift: float
    sentiment_temperature: float
    mood_temperature: float
    mood_weight: float
    mood_weight_many: float
    fallback: float
    score_table: np.ndarray | None = None
    score_weight: float = 0.0

    @classmethod
    def from_values(cls, values: Mapping[str, Any], themes: int) -> "Calibration":
        """From named numbers and lists as stored; ModelError where one is missing, unknown or of another length."""
        known = {field.name: field.default is MISSING for field in fields(cls)}
        wrong = [name for name, required in known.items() if required and name not in values]
        wrong += [name for name in values if name not in known]
        if wrong:
            raise ModelError(f"{wrong[0]} is {'unknown' if wrong[0] in values else 'missing'}")
        out = {name: _value(name, value) for name, value in values.items()}
        lengths = dict.fromkeys(("theme_scale", "theme_shift", "theme_threshold"), (themes,))
        lengths |= dict.fromkeys(("signal_scale", "signal_shift", "signal_threshold"), (len(SIGNALS),))
        if out.get("score_table") is not None:
            lengths["score_table"] = (max(1, len(np.atleast_1d(out["score_table"]))), len(MOODS))
        for name in known:
            if np.shape(out.get(name)) != lengths.get(name, ()):
                raise ModelError(f"{name} is {np.shape(out.get(name))}, {lengths.get(name, ())} is expected")
        return cls(**out)


@dataclass(frozen=True, slots=True)
class Reading:
    """What the heads say of one verbatim, calibrated.

    themes float32 (t,) probabilities; moods float32 (t, 4); sentiment float32 (4,); justified in [0, 1];
    signals float32 (s,); evidence float32 (t + s + 1, spans), the share of each label's attention that a span draws.
    """

    themes: np.ndarray
    moods: np.ndarray
    sentiment: np.ndarray
    justified: float
    signals: np.ndarray
    evidence: np.ndarray


class Heads:
    """Attention pooling per label over token vectors, linear read-outs, and their calibration."""

    def __init__(self, weights: HeadWeights, calibration: Calibration, themes: int) -> None:
        self.weights = weights
        self.calibration = calibration
        self.themes = themes

    def read(self, tokens: np.ndarray, membership: np.ndarray, position: float | None = None) -> Reading:
        """tokens float32 (n, d), membership float32 (n, spans) with one 1 a row -> a Reading.

        `position` in [0, 1] is where the score given with the text stands on its scale.
        """
        weights, fit = self.weights, self.calibration
        attention = softmax(tokens @ weights.query.T, axis=0)  # (n, labels + 1)
        pooled = attention.T @ tokens
        logits = np.einsum("ld,ld->l", pooled[:-1], weights.weight) + weights.bias
        sentiment_logits = weights.sentiment_weight @ pooled[-1] + weights.sentiment_bias
        themes, signals = logits[: self.themes], logits[self.themes : -1]
        return Reading(
            themes=sigmoid(fit.theme_scale * themes + fit.theme_shift),
            moods=softmax(self._mood_logits(pooled[: self.themes]) / fit.mood_temperature, axis=1),
            sentiment=tip(softmax(sentiment_logits / fit.sentiment_temperature), fit, position),
            justified=float(sigmoid(fit.justified_scale * logits[-1] + fit.justified_shift)),
            signals=sigmoid(fit.signal_scale * signals + fit.signal_shift),
            evidence=attention[:, :-1].T @ membership,
        )

    def chosen_themes(self, reading: Reading, general: int | None) -> list[int]:
        """Numbers of the themes to tag: all above their thresholds, else the best above the fallback.

        `general` stands only where nothing more telling does.
        """
        return choose(reading.themes, self.calibration.theme_threshold, self.calibration.fallback, general)

    def theme_moods(self, reading: Reading, chosen: Sequence[int]) -> np.ndarray:
        """Mood probabilities of the chosen themes, float32 (chosen, 4), informed by the verbatim's sentiment."""
        fit = self.calibration
        weight = fit.mood_weight if len(chosen) == 1 else fit.mood_weight_many
        return blend(reading.moods[list(chosen)], reading.sentiment, weight)

    def mood_at(self, pooled: np.ndarray, sentiment: np.ndarray, alone: bool) -> np.ndarray:
        """Mood probabilities, float32 (4,), of what one pooled vector (d,) speaks of; `alone`: it is the only theme."""
        fit = self.calibration
        moods = softmax(self._mood_logits(pooled[None]) / fit.mood_temperature, axis=1)
        return blend(moods, sentiment, fit.mood_weight if alone else fit.mood_weight_many)[0]

    def _mood_logits(self, pooled: np.ndarray) -> np.ndarray:
        weights = self.weights
        hidden = gelu(pooled @ weights.mood_in_weight.T + weights.mood_in_bias)
        return hidden @ weights.mood_out_weight.T + weights.mood_out_bias


def choose(probabilities: np.ndarray, thresholds: np.ndarray, fallback: float, general: int | None) -> list[int]:
    """See Heads.chosen_themes; probabilities and thresholds float32 (themes,)."""
    above = [int(index) for index in np.flatnonzero(probabilities >= thresholds)]
    if not above and len(probabilities):
        best = int(np.argmax(probabilities))
        above = [best] if probabilities[best] >= fallback else []
    return [index for index in above if index != general] if len(above) > 1 else above


def blend(moods: np.ndarray, sentiment: np.ndarray, weight: float) -> np.ndarray:
    """A product of experts: theme moods (n, 4) times sentiment (4,) to the power `weight`, rows summing to 1."""
    product = moods * np.power(np.maximum(sentiment, 1e-6), weight)
    return product / product.sum(axis=1, keepdims=True)


def tip(sentiment: np.ndarray, fit: Calibration, position: float | None) -> np.ndarray:
    """Sentiment probabilities (4,) weighed with what such a score says of the mood; unchanged without a score."""
    if position is None or fit.score_table is None or not fit.score_weight:
        return sentiment
    row = fit.score_table[score_bin(position, len(fit.score_table))]
    product = sentiment * np.exp(fit.score_weight * row)
    return product / product.sum()


def score_bin(position: float, bins: int) -> int:
    """The row of a score table for a score's position in [0, 1]."""
    return min(bins - 1, int(position * bins))


def evidence_spans(shares: np.ndarray, spans: Sequence[Span]) -> tuple[Span, ...]:
    """The spans that draw enough of a label's attention, in text order; shares float32 (spans,)."""
    if not len(spans):
        return ()
    cut = EVIDENCE_SHARE * float(shares.max())
    return tuple(span for span, share in zip(spans, shares, strict=True) if share >= cut)


def joined_spans(spans: Sequence[Span]) -> tuple[Span, ...]:
    """Ordered spans with those that only a blank parts made one."""
    out: list[Span] = []
    for span in spans:
        if out and span.start - out[-1].end <= 1:
            out[-1] = Span(out[-1].start, span.end)
        else:
            out.append(span)
    return tuple(out)


def membership(offsets: np.ndarray, spans: Sequence[Span]) -> np.ndarray:
    """float32 (tokens, spans): 1 where a token (by its middle) falls in a span, or in the nearest one before it."""
    out = np.zeros((len(offsets), len(spans)), np.float32)
    if not len(spans) or not len(offsets):
        return out
    starts = np.array([span.start for span in spans])
    middle = (offsets[:, 0] + np.maximum(offsets[:, 1] - 1, offsets[:, 0])) / 2
    owner = np.clip(np.searchsorted(starts, middle, side="right") - 1, 0, None)
    out[np.arange(len(offsets)), owner] = 1.0
    return out


def _value(name: str, value: Any) -> Any:
    """A stored number, None, or list as float32; ModelError where it is something else."""
    if name == "score_table" and value is None:
        return None
    if not isinstance(value, list | int | float) or isinstance(value, bool):
        raise ModelError(f"{name} must be a number or a list of numbers")
    try:
        out = np.array(value, np.float32)
    except (TypeError, ValueError):
        raise ModelError(f"{name} must hold numbers only, in rows of one length") from None
    if np.isnan(out).any():
        raise ModelError(f"{name} holds what is no number")
    return out if isinstance(value, list) else value


def sigmoid(x: np.ndarray | float) -> np.ndarray:
    """The logistic function, stable for large |x|."""
    return 0.5 * (1.0 + np.tanh(0.5 * np.asarray(x, np.float64)))


def softmax(x: np.ndarray, axis: int = -1) -> np.ndarray:
    """Probabilities along an axis."""
    shifted = np.exp(x - x.max(axis=axis, keepdims=True))
    return shifted / shifted.sum(axis=axis, keepdims=True)


def gelu(x: np.ndarray) -> np.ndarray:
    """Gaussian error linear unit, tanh form (Hendrycks and Gimpel 2016)."""
    return 0.5 * x * (1.0 + np.tanh(np.sqrt(2.0 / np.pi) * (x + 0.044715 * x**3)))


def mood_of(probabilities: np.ndarray) -> tuple[str, float]:
    """The likeliest mood and its probability."""
    index = int(np.argmax(probabilities))
    return MOODS[index], float(probabilities[index])
