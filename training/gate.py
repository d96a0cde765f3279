"""Whether a candidate may become the champion: figures on the same rows against the margins of a policy."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from typing import Any, Literal

from nlp.nodes import Node

Kind = Literal["overall", "language", "severe_theme"]
KINDS: tuple[Kind, ...] = ("overall", "language", "severe_theme")
ALL = "all"
ROUNDING = 1e-9
"""A drop of exactly the margin is within it, whatever the arithmetic makes of the last digit."""


@dataclass(frozen=True, slots=True)
class Limit:
    """How far a figure may fall, and how many labels it must rest on to count."""

    margin: float
    support: int


@dataclass(frozen=True, slots=True)
class GatePolicy:
    """The margins of a workspace; severe themes are patterns of ids."""

    version: str
    limits: Mapping[Kind, Limit]
    severe_themes: tuple[str, ...]

    def is_severe(self, theme: str) -> bool:
        return any(fnmatchcase(theme, pattern) for pattern in self.severe_themes)


@dataclass(frozen=True, slots=True)
class Compared:
    """One figure of champion and candidate on the same rows, in [0, 1]; `support` is the labels it rests on."""

    figure: str
    kind: Kind
    group: str
    support: int
    champion: float
    candidate: float

    @property
    def change(self) -> float:
        return self.candidate - self.champion

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "champion": round(self.champion, 4), "candidate": round(self.candidate, 4)}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gate says: the reasons refuse, the remarks only tell."""

    passed: bool
    reasons: tuple[str, ...]
    figures: tuple[Compared, ...] = ()
    remarks: tuple[str, ...] = ()


def judge(figures: Sequence[Compared], policy: GatePolicy, *, new: int = 0) -> Verdict:
    """The verdict on figures; `new` labels are of themes that the champion does not know, which it cannot be better at.

    A candidate is refused as well where no figure has the labels to count: nothing would be known of it.
    """
    counted = [each for each in figures if each.support >= policy.limits[each.kind].support]
    reasons = [_reason(each, policy) for each in counted if _is_worse(each, policy)]
    if not counted and new < policy.limits["overall"].support:
        most = max((each.support for each in figures), default=new)
        reasons.append(
            f"too little to judge by: no figure rests on more than {most} labels, "
            f"{policy.limits['overall'].support} are needed overall; give more labelled rows with --data"
        )
    small = sorted({each.group for each in figures if each not in counted and each.kind != "overall"})
    remarks = (f"too few labels to count: {', '.join(small)}",) if small else ()
    return Verdict(not reasons, tuple(reasons), tuple(figures), remarks)


def parse_gate(data: Mapping[str, Any], source: str) -> GatePolicy:
    """A policy from loaded YAML; PolicyError names `source` and the key that is wrong."""
    root = Node(data, source)
    root.check_keys(("version", *KINDS, "severe_themes"))
    severe = root.at("severe_themes")
    return GatePolicy(
        version=root.at("version").text(),
        limits={kind: _limit(root.at(kind)) for kind in KINDS},
        severe_themes=() if severe.value == [] else tuple(node.text() for node in severe.items()),
    )


def _limit(node: Node) -> Limit:
    node.check_keys(("margin", "support"))
    support = node.at("support").number(1, 1_000_000)
    if not isinstance(support, int):
        raise node.at("support").wrong(f"must be a whole number, is {support}")
    return Limit(float(node.at("margin").number(0, 1)), support)


def _is_worse(each: Compared, policy: GatePolicy) -> bool:
    return -each.change > policy.limits[each.kind].margin + ROUNDING


def _reason(each: Compared, policy: GatePolicy) -> str:
    where = {"overall": "overall", "language": f"in {each.group}", "severe_theme": f"of the severe theme {each.group}"}
    limit = policy.limits[each.kind]
    return (
        f"{each.figure} {where[each.kind]}: {each.candidate:.3f} against the champion's {each.champion:.3f} on "
        f"{each.support} labels, {-each.change:.3f} worse; the margin is {limit.margin:.3f}"
    )
