"""How many days anything is kept: a policy file, and what a workspace sets otherwise."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select, update

from nlp.artifact import read_yaml
from nlp.nodes import Node
from serving.keys import ensure_workspace
from serving.store.tables import workspaces

KINDS = ("responses", "originals", "events", "idempotency", "audit")
LONGEST = 36_500
"""Days; a century is for ever."""
KEY = "retention"
"""In `workspaces.settings`: days by kind, those alone that the workspace sets."""

Days = Mapping[str, int | None]


@dataclass(frozen=True, slots=True)
class Retention:
    """Days by kind; None: kept."""

    version: str
    days: Days

    def cutoff(self, kind: str, now: datetime) -> datetime | None:
        """What is older than this has had its time; None where all is kept."""
        days = self.days[kind]
        return None if days is None else now - timedelta(days=days)

    def overlaid(self, own: Days) -> "Retention":
        return Retention(self.version, {**self.days, **own})


def parse_retention(data: Mapping[str, Any], source: str) -> Retention:
    """PolicyError names `source` and the key that is wrong."""
    root = Node(data, source)
    root.check_keys(("version", "days"))
    days = root.at("days")
    days.check_keys(KINDS)
    return Retention(root.at("version").text(), {kind: _days(days.at(kind)) for kind in KINDS})


def parse_own(data: Mapping[str, Any], source: str) -> Days:
    """What a workspace sets: some of the kinds."""
    root = Node(data, source)
    root.check_keys((), optional=KINDS)
    return {kind: _days(root.at(kind)) for kind in KINDS if kind in data}


@cache
def load_retention(data_dir: Path) -> Retention:
    path = data_dir / "policies" / "retention.yaml"
    return parse_retention(read_yaml(path), str(path))


def own_days(connection: Connection, workspace: str) -> Days:
    """What a workspace has set itself."""
    asked = select(workspaces.c.settings).where(workspaces.c.id == workspace)
    settings = connection.execute(asked).scalar_one_or_none() or {}
    return parse_own(settings.get(KEY, {}), f"workspace {workspace}: settings: {KEY}")


def set_days(connection: Connection, workspace: str, own: Days, now: datetime) -> None:
    """Replaces what a workspace has set itself."""
    ensure_workspace(connection, workspace, now)
    asked = select(workspaces.c.settings).where(workspaces.c.id == workspace).with_for_update()
    settings = {**connection.execute(asked).scalar_one(), KEY: dict(own)}
    connection.execute(update(workspaces).where(workspaces.c.id == workspace).values(settings=settings))


def _days(node: Node) -> int | None:
    if node.value is None:
        return None
    days = node.number(1, LONGEST)
    if days != int(days):
        raise node.wrong(f"must be whole days, is {days!r}")
    return int(days)
