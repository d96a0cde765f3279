"""The policy of a workspace on whom to call first: its values, and how they are read from a loaded file."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from nlp.nodes import Node
from nlp.types import MOODS, SIGNALS, Scale

METRICS = ("nps", "csat", "ces", "rating", "custom")
BANDS = ("low", "middle", "passive", "high")
GROUPS = ("detractor", "passive", "promoter")
PRIORITIES = (1, 2, 3, 4)

_THIRDS = {"third": 1, "two_thirds": 2}


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


def band_end(item: Band, scale: Scale) -> float:
    """The highest score of a band on a scale."""
    if item.up_to is None:
        return scale.max
    if isinstance(item.up_to, str):
        return scale.min + math.floor(_THIRDS[item.up_to] * (scale.max - scale.min) / 3)
    return item.up_to


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
    ends = [band_end(item, scale or Scale(0, 3)) for item in bands[:-1]]
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
