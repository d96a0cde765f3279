"""Whom to call first: the bands of a score, and the rules that place a response by band, reason and signals."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from nlp.nodes import Node
from nlp.types import MOODS, SIGNALS, Justification, Ranking, Response, Scale, Sentiment, ThemeTag

METRICS = ("nps", "csat", "ces", "rating", "custom")
BANDS = ("low", "middle", "passive", "high")
GROUPS = ("detractor", "passive", "promoter")
PRIORITIES = (1, 2, 3, 4)

_THIRDS = {"third": 1, "two_thirds": 2}
_FRACTION_OF = {"low": "third", "middle": "two_thirds"}
_NAMES = {"nps": "NPS", "csat": "CSAT", "ces": "CES", "rating": "rating", "custom": "score"}
_SIGNAL_WORDS = {
    "contact_request": "the customer asks to be contacted",
    "churn_intent": "the customer means to leave",
    "legal_threat": "the customer threatens legal steps",
    "safety_risk": "someone was or could be harmed",
    "suggestion": "the customer proposes an improvement",
}


@dataclass(frozen=True, slots=True)
class Band:
    """A stretch of a scale; `up_to` is a score, `third`, `two_thirds`, or None for the top of the scale."""

    name: str
    group: str
    up_to: float | str | None = None


@dataclass(frozen=True, slots=True)
class Metric:
    """The bands of a metric from the bottom up; `scale` is its own, None where each score brings one."""

    bands: tuple[Band, ...]
    scale: Scale | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """A priority and what must hold for it; None and empty conditions ask for nothing."""

    priority: int
    bands: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    signals: tuple[str, ...] = ()
    justified: bool | None = None
    contact_consent: bool | None = None
    negative_theme: bool | None = None


@dataclass(frozen=True, slots=True)
class StandIn:
    """The sentiment that stands in for a band when there is no score, from this probability on."""

    sentiment: str
    band: str
    min_confidence: float


@dataclass(frozen=True, slots=True)
class Contact:
    """Hours until the first contact by priority, how often to try, and whether weekends and holidays are skipped."""

    due_hours: Mapping[int, float]
    attempts: int
    working_days: bool


@dataclass(frozen=True, slots=True)
class Policy:
    """How a workspace ranks its responses; the first rule that matches wins."""

    version: str
    metrics: Mapping[str, Metric]
    rules: tuple[Rule, ...]
    no_score: StandIn
    contact: Contact


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
    placed = _place(policy, response, sentiment)
    consent = response.respondent.contact_consent if response.respondent else None
    negative = [tag.label for tag in themes if tag.sentiment.label == "negative"]
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
    """Where a score stands between its scale's ends, in [0, 1]; None where there is no score or no scale."""
    entry = policy.metrics.get(metric or "custom")
    scale = scale or (entry.scale if entry else None)
    if score is None or scale is None:
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
        end = _end(candidate, scale)
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


def _end(item: Band, scale: Scale) -> float:
    if item.up_to is None:
        return scale.max
    if isinstance(item.up_to, str):
        return scale.min + math.floor(_THIRDS[item.up_to] * (scale.max - scale.min) / 3)
    return item.up_to


def _place(policy: Policy, response: Response, sentiment: Sentiment) -> _Placed:
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


def _place_without_score(stand_in: StandIn, response: Response, sentiment: Sentiment) -> _Placed:
    missing = "no score was given" if response.score is None else "the score came without metric or scale"
    if sentiment.label != stand_in.sentiment or sentiment.confidence < stand_in.min_confidence:
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


def parse_policy(data: Mapping[str, Any], source: str) -> Policy:
    """A policy from loaded YAML; PolicyError names `source` and the key that is wrong."""
    root = Node(data, source)
    root.check_keys(("version", "metrics", "rules", "no_score", "contact"))
    metrics = root.at("metrics")
    metrics.check_keys(METRICS)
    rules = tuple(_rule(node) for node in root.at("rules").items())
    contact = root.at("contact")
    contact.check_keys(("due_hours", "attempts", "working_days"))
    hours = contact.at("due_hours")
    hours.check_keys(PRIORITIES)
    attempts = contact.at("attempts").number(1, math.inf)
    return Policy(
        version=root.at("version").text(),
        metrics={name: _metric(metrics.at(name)) for name in METRICS},
        rules=rules,
        no_score=_stand_in(root.at("no_score")),
        contact=Contact(
            {priority: hours.at(priority).number(0, math.inf) for priority in PRIORITIES},
            int(attempts),
            contact.at("working_days").flag(),
        ),
    )


def _stand_in(node: Node) -> StandIn:
    node.check_keys(("sentiment", "band", "min_confidence"))
    return StandIn(
        node.at("sentiment").one_of(MOODS), node.at("band").one_of(BANDS), node.at("min_confidence").number(0, 1)
    )


def _metric(node: Node) -> Metric:
    node.check_keys(("bands",), optional=("scale",))
    scale = None
    if node.has("scale"):
        ends = node.at("scale")
        ends.check_keys(("min", "max"))
        scale = Scale(ends.at("min").number(), ends.at("max").number())
        if scale.min >= scale.max:
            raise ends.wrong("min must be less than max")
    nodes = node.at("bands").items()
    bands = tuple(_band(item, last=item is nodes[-1]) for item in nodes)
    places = [BANDS.index(item.name) for item in bands]
    if places != sorted(set(places)):
        raise node.at("bands").wrong(f"must be in this order, each once: {', '.join(BANDS)}")
    _check_cuts(node.at("bands"), bands, scale)
    return Metric(bands, scale)


def _band(node: Node, last: bool) -> Band:
    node.check_keys(("band", "group"), optional=("up_to",))
    if node.has("up_to") == last:
        raise node.wrong("the last band has no up_to, it ends at the top" if last else "up_to is missing")
    up_to: float | str | None = None
    if not last:
        end = node.at("up_to")
        up_to = end.one_of(tuple(_THIRDS)) if isinstance(end.value, str) else end.number()
    return Band(node.at("band").one_of(BANDS), node.at("group").one_of(GROUPS), up_to)


def _check_cuts(node: Node, bands: Sequence[Band], scale: Scale | None) -> None:
    # Thirds and numbers can be compared on a known scale only; without one, any that is thirds-only will do.
    ends = [_end(item, scale or Scale(0, 3)) for item in bands[:-1]]
    if scale is None and len({isinstance(item.up_to, str) for item in bands[:-1]}) > 1:
        raise node.wrong("up_to mixes numbers and thirds; give the metric a scale or use one kind")
    if any(low >= high for low, high in pairwise(ends)):
        raise node.wrong("every up_to must be greater than the one before")
    if scale is not None and ends and not (scale.min <= ends[0] and ends[-1] < scale.max):
        raise node.wrong(f"up_to must lie on the scale, from {scale.min:g} to below {scale.max:g}")


def _rule(node: Node) -> Rule:
    node.check_keys(("priority", "when"))
    when = node.at("when")
    choices = {"bands": BANDS, "groups": GROUPS, "signals": SIGNALS}
    flags = ("justified", "contact_consent", "negative_theme")
    when.check_keys((), optional=(*choices, *flags))
    if not when.value:
        raise when.wrong("must name at least one condition")
    listed = {key: known for key, known in choices.items() if when.has(key)}
    lists = {key: tuple(item.one_of(known) for item in when.at(key).items()) for key, known in listed.items()}
    priority = node.at("priority").number(PRIORITIES[0], PRIORITIES[-1])
    if priority not in PRIORITIES:
        raise node.at("priority").wrong(f"must be one of {', '.join(map(str, PRIORITIES))}")
    return Rule(int(priority), **lists, **{key: when.at(key).flag() for key in flags if when.has(key)})
