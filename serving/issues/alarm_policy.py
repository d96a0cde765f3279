"""How easily a workspace is told of what rises: the values of `data/policies/emerging.yaml` and a workspace's own."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from sqlalchemy import Connection, select

from nlp.emerging import Sensitivity
from nlp.errors import PolicyError
from nlp.nodes import Node
from serving.store.language import language_of
from serving.store.tables import workspaces

KEY = "emerging"
"""In `workspaces.settings`: the level and the zone, where a workspace sets them itself."""
LANGUAGES = ("pl", "uk", "ru", "en")
OWN = ("level", "zone")
_MOST = 10_000
_LONGEST_QUIET = 365


@dataclass(frozen=True, slots=True)
class AlarmPolicy:
    """What is worth telling, and the language and zone it is told in."""

    version: str
    level: str
    language: str
    zone: ZoneInfo
    levels: Mapping[str, Sensitivity]

    @property
    def sensitivity(self) -> Sensitivity:
        return self.levels[self.level]

    def overlaid(self, own: Mapping[str, Any], source: str) -> "AlarmPolicy":
        """With what a workspace sets itself; PolicyError names `source` and the key that is wrong."""
        root = Node(own, source)
        root.check_keys((), optional=OWN)
        return replace(
            self,
            level=root.at("level").one_of(tuple(self.levels)) if root.has("level") else self.level,
            zone=_zone(root.at("zone")) if root.has("zone") else self.zone,
        )


def parse_alarm_policy(data: Any, source: str) -> AlarmPolicy:
    """PolicyError names `source` and the key that is wrong."""
    root = Node(data, source)
    root.check_keys(("version", "language", *OWN, "levels"))
    levels = root.at("levels")
    if not isinstance(levels.value, Mapping) or not levels.value:
        raise levels.wrong("must be a mapping that is not empty")
    parsed = {str(name): _sensitivity(levels.at(name)) for name in levels.value}
    return AlarmPolicy(
        version=root.at("version").text(),
        level=root.at("level").one_of(tuple(parsed)),
        language=root.at("language").one_of(LANGUAGES),
        zone=_zone(root.at("zone")),
        levels=parsed,
    )


@cache
def load_alarm_policy(data_dir: Path) -> AlarmPolicy:
    path = data_dir / "policies" / "emerging.yaml"
    try:
        data = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise PolicyError(f"{path}: cannot be read: {error}") from None
    return parse_alarm_policy(data, str(path))


def policy_of(connection: Connection, workspace: str, shipped: AlarmPolicy) -> AlarmPolicy:
    """The shipped policy with what a workspace has set itself, in its language where there are sentences in that."""
    asked = select(workspaces.c.settings).where(workspaces.c.id == workspace)
    settings = connection.execute(asked).scalar_one_or_none() or {}
    policy = shipped.overlaid(settings.get(KEY, {}), f"workspace {workspace}: settings: {KEY}")
    language = language_of(connection, workspace)
    return replace(policy, language=language) if language in LANGUAGES else policy


def _sensitivity(node: Node) -> Sensitivity:
    node.check_keys(("rate", "support", "ratio", "surplus", "quiet", "most"))
    return Sensitivity(
        rate=node.at("rate").number(0.0, 1.0),
        support=_whole(node.at("support"), 2, _MOST),
        ratio=node.at("ratio").number(1.0, _MOST),
        surplus=node.at("surplus").number(0.0, _MOST),
        quiet=_whole(node.at("quiet"), 1, _LONGEST_QUIET),
        most=_whole(node.at("most"), 1, _MOST),
    )


def _whole(node: Node, low: int, high: int) -> int:
    value = node.number(low, high)
    if value != int(value):
        raise node.wrong(f"must be a whole number, is {value!r}")
    return int(value)


def _zone(node: Node) -> ZoneInfo:
    name = node.text()
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise node.wrong(f"there is no time zone {name!r}; use one like Europe/Warsaw") from None
