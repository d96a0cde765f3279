"""What the rest of the service asks of the rules: those in force, and what they decide about a response."""

from functools import lru_cache
from pathlib import Path
from weakref import WeakKeyDictionary

import structlog
from sqlalchemy import Connection, Engine

from serving.rules import store
from serving.rules.decision import Decision
from serving.rules.document import read_rules
from serving.rules.evaluation import Outcome
from serving.rules.facts import Facts
from serving.rules.rule import RuleSet, explain

__all__ = ["RuleSet", "current", "decide", "shipped", "shipped_source"]

SHIPPED = Path(__file__).resolve().parents[2] / "data" / "policies" / "routing.yaml"

_log = structlog.get_logger("holos.rules")
_known: WeakKeyDictionary[Engine, dict[str, RuleSet]] = WeakKeyDictionary()
"""The rules in force as this process last saw them, by database and workspace."""


def current(connection: Connection, workspace: str) -> RuleSet:
    """The rules in force, those that ship where the workspace saved none; compiled once for each version."""
    version = store.current_version(connection, workspace)
    if version == store.NONE_SAVED:
        return shipped()
    known = _known.setdefault(connection.engine, {})
    found = known.get(workspace)
    if found is None or found.version != version:
        source = store.source_of(connection, workspace, version)
        assert source is not None, "versions are never deleted"
        found = known[workspace] = read_rules(source, version)
    return found


def decide(rules: RuleSet, facts: Facts) -> Decision:
    """What the rules say about a response; a rule that cannot be evaluated does not match, and the log counts it."""
    found = explain(rules, facts)
    for rule, verdict in found.steps:
        if verdict.outcome is Outcome.ERROR:
            _log.warning("rule_failed", rule=rule, version=rules.version, reason=verdict.why)
    return found.decision


@lru_cache(maxsize=1)
def shipped() -> RuleSet:
    return read_rules(shipped_source(), store.NONE_SAVED)


def shipped_source() -> str:
    return SHIPPED.read_text("utf-8")
