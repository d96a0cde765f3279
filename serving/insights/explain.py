"""Which moments matter: what each theme and touchpoint does to the score while the others are held still."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from serving.insights.compare import adjusted
from serving.insights.fits import Fit, least_squares, tell_apart
from serving.insights.frame import Frame, Mentions
from serving.insights.intervals import Difference, Estimate, Interval, difference

MENTIONS = 20
"""Responses an effect needs on either side: below, its interval is wider than anything one could decide by."""
ROWS_PER_EFFECT = 10
"""Responses for each effect that is asked of them; the rarest effects go first where there are not enough."""
MOST_EFFECTS = 150
"""A code frame has some fifty themes, each praised and blamed, and a journey some dozens of touchpoints."""
_POOLED = "\0rare"
"""The name of all touchpoints too rare to have an effect of their own; no sender's name has a NUL."""


@dataclass(frozen=True, slots=True)
class Feature:
    """What a response has or has not: a theme praised or blamed, or a touchpoint."""

    kind: Literal["theme", "touchpoint"]
    name: str | None
    sentiment: Literal["negative", "positive"] | None
    n: int


@dataclass(frozen=True, slots=True)
class Effect:
    """How the score differs with a feature, the others equal: a theme against no mention of it, a touchpoint against
    the mean of all responses. `on_all` is how far it moves the mean of all (effect times share)."""

    feature: Feature
    effect: Difference
    q: float | None
    on_all: Estimate
    told_with: tuple[Feature, ...]
    """Features that go along with this one so closely that the effect is of all of them together."""


@dataclass(frozen=True, slots=True)
class WithoutTheme:
    """The mean score of all if the comments with this theme were like the rest."""

    theme: str
    n: int
    score: Estimate
    gain: Estimate


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A feature without an effect of its own, and why."""

    feature: Feature
    because: Literal["rare", "too_few_responses", "same_as_another"]


@dataclass(frozen=True, slots=True)
class Explained:
    """What the fit found; `explained` is the share of the score's variance it accounts for."""

    effects: tuple[Effect, ...]
    themes: tuple[WithoutTheme, ...]
    left_out: tuple[LeftOut, ...]
    explained: float | None


@dataclass(frozen=True, slots=True)
class _Design:
    """Features, and bool (n, k) that says which responses have them."""

    features: tuple[Feature, ...]
    columns: np.ndarray

    def only(self, places: Sequence[int]) -> "_Design":
        return _Design(tuple(self.features[place] for place in places), self.columns[:, list(places)])


@dataclass(frozen=True, slots=True)
class _Model:
    """A fit of a design whose touchpoints stand against the most common one, which has no column."""

    design: _Design
    fit: Fit
    reference: Feature | None
    share: np.ndarray  # float64 (k,): of the responses that have each feature
    n: int


def explain(found: Frame, mentions: Mentions, outcome: np.ndarray) -> Explained:
    """What themes and touchpoints (the frame's dimension) do to an outcome, float64 (n,)."""
    themes, moments = _themes(found.n, mentions), _touchpoints(found)
    design = _Design(themes.features + moments.features, np.hstack([themes.columns, moments.columns]))
    enough, left_out = _enough(design.features, found.n)
    if not found.n or np.ptp(outcome) == 0 or not enough:
        return Explained((), (), tuple(left_out), None)
    reference = max((f for f in moments.features if f in enough), key=lambda f: f.n, default=None)
    design, along = _separable(design, enough, reference)
    left_out += [LeftOut(feature, "same_as_another") for group in along.values() for feature in group]
    fit = least_squares(design.columns, outcome)
    model = _Model(design, fit, reference, design.columns.mean(axis=0), found.n)
    effects = _effects(model, along)
    return Explained(effects, _without(model, mentions, float(outcome.mean())), tuple(left_out), fit.explained)


def _themes(n: int, mentions: Mentions) -> _Design:
    """A column for each theme blamed and for each praised; a mixed mention is in both."""
    features: list[Feature] = []
    columns: list[np.ndarray] = []
    for sentiment, kind in (("negative", mentions.unhappy), ("positive", mentions.happy)):
        for code, name in enumerate(mentions.themes):
            column = np.zeros(n, dtype=bool)
            column[mentions.row[kind & (mentions.theme == code)]] = True
            features.append(Feature("theme", name, sentiment, int(column.sum())))
            columns.append(column)
    return _Design(tuple(features), np.column_stack(columns) if columns else np.zeros((n, 0), dtype=bool))


def _touchpoints(found: Frame) -> _Design:
    """A column for each touchpoint, and for having none; nothing where all responses have the same."""
    counts = Counter(found.dimension)
    names = sorted(counts, key=lambda name: (name is None, name or "")) if len(counts) > 1 else []
    columns = [np.asarray(found.dimension == name, dtype=bool) for name in names]
    features = tuple(Feature("touchpoint", name, None, counts[name]) for name in names)
    return _Design(features, np.column_stack(columns) if columns else np.zeros((found.n, 0), dtype=bool))


def _enough(features: Sequence[Feature], n: int) -> tuple[list[Feature], list[LeftOut]]:
    """The features that enough responses have, and enough have not, the most frequent first; and the others."""
    often = [feature for feature in features if MENTIONS <= feature.n <= n - MENTIONS]
    often.sort(key=lambda feature: (-feature.n, feature.kind, feature.name or "", feature.sentiment or ""))
    room = min(MOST_EFFECTS, n // ROWS_PER_EFFECT)
    left_out = [LeftOut(feature, "rare") for feature in features if feature.n and feature not in often]
    return often[:room], left_out + [LeftOut(feature, "too_few_responses") for feature in often[room:]]


def _separable(
    design: _Design, enough: Sequence[Feature], reference: Feature | None
) -> tuple[_Design, dict[Feature, list[Feature]]]:
    """The columns that the fit can tell apart, and with each kept one those that go along with it."""
    place = {feature: index for index, feature in enumerate(design.features)}
    used = design.only([place[feature] for feature in enough if feature != reference])
    rare = [feature for feature in design.features if feature.kind == "touchpoint" and feature not in enough]
    if rare and reference is not None:
        # or they would pass for responses of the most common touchpoint
        others = design.only([place[feature] for feature in rare]).columns.any(axis=1)
        pool = Feature("touchpoint", _POOLED, None, int(others.sum()))
        used = _Design((*used.features, pool), np.column_stack([used.columns, others]))
    apart = tell_apart(used.columns, range(len(used.features)))
    along: dict[Feature, list[Feature]] = {}
    for dropped, kept in apart.along_with.items():
        along.setdefault(used.features[kept], []).append(used.features[dropped])
    return used.only(apart.kept), along


def _effects(model: _Model, along: dict[Feature, list[Feature]]) -> tuple[Effect, ...]:
    found: list[tuple[Feature, Difference, float]] = []
    for feature in (*model.design.features, *((model.reference,) if model.reference else ())):
        if feature.name is not _POOLED:
            found.append((feature, _measured(model, _weights(model, feature)), feature.n / model.n))
    q = adjusted([effect.p for _, effect, _ in found])
    effects = [
        Effect(feature, effect, each, _scaled(effect, share, feature.n), tuple(along.get(feature, ())))
        for (feature, effect, share), each in zip(found, q, strict=True)
    ]
    return tuple(sorted(effects, key=lambda item: (-abs(item.on_all.value or 0.0), item.feature.name or "")))


def _weights(model: _Model, feature: Feature) -> np.ndarray:
    """What to make of the coefficients, float64 (1 + k,): a touchpoint's less the mean of all touchpoints'."""
    weights = np.zeros(1 + len(model.design.features))
    if feature.kind == "touchpoint":
        for place, other in enumerate(model.design.features, start=1):
            weights[place] = -model.share[place - 1] if other.kind == "touchpoint" else 0.0
    if feature != model.reference:
        weights[1 + model.design.features.index(feature)] += 1.0
    return weights


def _measured(model: _Model, weights: np.ndarray) -> Difference:
    value, error = model.fit.combine(weights)
    freedom = model.n - len(model.design.features) - 1
    return difference(value, error, freedom) if error > 0 else Difference(value, None, None)


def _scaled(effect: Difference, share: float, n: int) -> Estimate:
    between = effect.interval and Interval(effect.interval.low * share, effect.interval.high * share)
    return Estimate(n, effect.value * share, between)


def _without(model: _Model, mentions: Mentions, mean: float) -> tuple[WithoutTheme, ...]:
    found: list[WithoutTheme] = []
    for code, theme in enumerate(mentions.themes):
        weights = np.zeros(1 + len(model.design.features))
        for place, feature in enumerate(model.design.features, start=1):
            if feature.kind == "theme" and feature.name == theme:
                weights[place] = -model.share[place - 1]
        if weights.any():
            n = len(np.unique(mentions.row[mentions.theme == code]))
            found.append(_like_the_rest(theme, n, _measured(model, weights), mean))
    return tuple(sorted(found, key=lambda item: (-(item.gain.value or 0.0), item.theme)))


def _like_the_rest(theme: str, n: int, gain: Difference, mean: float) -> WithoutTheme:
    between = gain.interval
    score = Estimate(n, mean + gain.value, between and Interval(mean + between.low, mean + between.high))
    return WithoutTheme(theme, n, score, Estimate(n, gain.value, between))
