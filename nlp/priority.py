"""Whom to call first: the bands of a score, and the rules that place a response by band, reason and signals."""

from collections.abc import Sequence
from dataclasses import dataclass

from nlp.policy import Band, Metric, Policy, Rule, StandIn, band_end
from nlp.types import Justification, Ranking, Response, Scale, Sentiment, ThemeTag

_FRACTION_OF = {"low": "third", "middle": "two_thirds"}
_NAMES = {"nps": "NPS", "csat": "CSAT", "ces": "CES", "rating": "rating", "custom": "score"}
_SIGNAL_WORDS = {
    "contact_request": "the customer asks to be contacted",
    "churn_intent": "the customer means to leave",
    "legal_threat": "the customer threatens legal steps",
    "safety_risk": "someone was or could be harmed",
    "suggestion": "the customer proposes an improvement",
}


SILENT = frozenset({"empty", "non_answer", "junk"})  # kinds of comment that say nothing


@dataclass(frozen=True, slots=True)
class _Placed:
    """Where a score lies: its band and group, if any, and the sentence that says so."""

    band: str | None
    group: str | None
    words: str


def rank(
    policy: Policy,
    response: Response,
    sentiment: Sentiment,
    themes: tuple[ThemeTag, ...],
    justification: Justification,
    signals: tuple[str, ...],
) -> Ranking:
    """The group, the priority (None: no case) and the rule that gave it, in words."""
    silent = justification.kind in SILENT  # what a model reads into "n/a" is no mood and no complaint
    placed = _place(policy, response, None if silent else sentiment)
    consent = response.respondent.contact_consent if response.respondent else None
    negative = [tag.label for tag in themes if tag.sentiment.label == "negative" and not silent]
    for rule in policy.rules:
        if (
            (not rule.bands or placed.band in rule.bands)
            and (not rule.groups or placed.group in rule.groups)
            and (not rule.signals or not set(rule.signals).isdisjoint(signals))
            and rule.justified in (None, justification.justified)
            and rule.contact_consent in (None, consent)
            and rule.negative_theme in (None, bool(negative))
        ):
            words = [placed.words, *_conditions(rule, negative, signals)]
            return Ranking(placed.group, rule.priority, " and ".join(words))
    return Ranking(placed.group, None, f"{placed.words} and nothing else calls for a case")


def band(policy: Policy, metric: str | None, score: float | None, scale: Scale | None = None) -> str | None:
    """The band a score lies in, None where there is no score or no scale to read it on."""
    found = _find(policy, metric, score, scale)
    return found[0].name if found else None


def group(policy: Policy, metric: str | None, score: float | None, scale: Scale | None = None) -> str | None:
    """Detractor, passive or promoter, None where there is no score or no scale to read it on."""
    found = _find(policy, metric, score, scale)
    return found[0].group if found else None


def position(policy: Policy, metric: str | None, score: float | None, scale: Scale | None = None) -> float | None:
    """Where a score stands between its scale's ends, in [0, 1]; None without a score or a scale that has two ends."""
    entry = policy.metrics.get(metric or "custom")
    scale = scale or (entry.scale if entry else None)
    if score is None or scale is None or scale.min >= scale.max:
        return None
    return min(1.0, max(0.0, (score - scale.min) / (scale.max - scale.min)))


def _find(
    policy: Policy, metric: str | None, score: float | None, scale: Scale | None
) -> tuple[Band, float | None, float] | None:
    """The band of a score, where the band below it ends (None for the lowest) and where it ends itself."""
    entry = policy.metrics.get(metric or "custom")
    scale = scale or (entry.scale if entry else None)
    if entry is None or score is None or scale is None:
        return None
    below: float | None = None
    for candidate in _bands_on(entry, scale):
        end = band_end(candidate, scale)
        if score <= end or candidate.up_to is None:
            return candidate, below, end
        below = end
    return None


def _bands_on(entry: Metric, scale: Scale) -> tuple[Band, ...]:
    """The bands of a metric; by thirds, and so without a passive band, on a scale that is not its own."""
    if entry.scale in (None, scale):
        return entry.bands
    kept = (item for item in entry.bands if item.up_to is None or item.name in _FRACTION_OF)
    return tuple(Band(item.name, item.group, item.up_to and _FRACTION_OF[item.name]) for item in kept)


def _place(policy: Policy, response: Response, sentiment: Sentiment | None) -> _Placed:
    found = _find(policy, response.metric, response.score, response.scale)
    if found is None:
        return _place_without_score(policy.no_score, response, sentiment)
    entry, below, end = found
    metric = response.metric or "custom"
    scale = response.scale or policy.metrics[metric].scale
    assert scale is not None and response.score is not None
    stretch = _stretch(scale.min, below, end, response.score)
    words = f"{_NAMES[metric]} {response.score:g} is in the {entry.name} band {stretch}"
    return _Placed(entry.name, entry.group, words)


def _place_without_score(stand_in: StandIn, response: Response, sentiment: Sentiment | None) -> _Placed:
    missing = "no score was given" if response.score is None else "the score came without metric or scale"
    if sentiment is None or sentiment.label != stand_in.sentiment or sentiment.confidence < stand_in.min_confidence:
        return _Placed(None, None, missing)
    words = f"{missing}, {sentiment.label} sentiment (confidence {sentiment.confidence:.2f}) stands in for the"
    return _Placed(stand_in.band, None, f"{words} {stand_in.band} band")


def _stretch(bottom: float, below: float | None, end: float, score: float) -> str:
    if below is not None and not all(float(value).is_integer() for value in (below, end, score)):
        return f"over {below:g} to {end:g}"
    start = bottom if below is None else below + 1
    if start == end:
        return f"{start:g}"
    return f"{start:g}-{end:g}" if start >= 0 else f"{start:g} to {end:g}"


def _conditions(rule: Rule, negative: Sequence[str], signals: Sequence[str]) -> list[str]:
    words = [_SIGNAL_WORDS[signal] for signal in rule.signals if signal in signals]
    if rule.justified is not None:
        words.append(f"the comment gives {'a' if rule.justified else 'no'} reason")
    if rule.contact_consent is not None:
        words.append(f"the customer {'agreed' if rule.contact_consent else 'did not agree'} to be contacted")
    if rule.negative_theme is not None:
        words.append(f"the customer is unhappy with {', '.join(negative)}" if negative else "no theme is negative")
    return words
