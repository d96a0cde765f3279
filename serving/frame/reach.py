"""How far a change of the code frame reaches: answers, cases and issues that have a theme, rules that name it."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, Table, func, select

from serving.issues.known import ENDED
from serving.rules.rule import Rule
from serving.rules.ruleset import current
from serving.rules.tokens import tokens
from serving.store.issue_tables import clusters
from serving.store.loop_tables import cases
from serving.store.tables import tags


@dataclass(frozen=True, slots=True)
class Reach:
    """How many there are of each."""

    answers: int
    rules: int
    cases: int
    issues: int


def reach(connection: Connection, workspace: str, themes: Collection[str]) -> Reach:
    """What has, or names, one of these themes now."""
    ids = sorted(themes)
    tagged = select(func.count(func.distinct(tags.c.response)))
    found = tagged.where(tags.c.workspace == workspace, tags.c.theme.in_(ids))
    naming = sum(_names(rule, themes) for rule in current(connection, workspace).rules)
    return Reach(
        connection.execute(found).scalar_one(),
        naming,
        _count(connection, cases, workspace, cases.c.theme.in_(ids)),
        _count(connection, clusters, workspace, clusters.c.theme.in_(ids), clusters.c.state != ENDED),
    )


def _names(rule: Rule, themes: Collection[str]) -> bool:
    words = tokens(rule.condition.source)
    return any(word.kind == "string" and word.value in themes for word in words)


def _count(connection: Connection, table: Table, workspace: str, *conditions: ColumnElement[bool]) -> int:
    asked = select(func.count()).select_from(table).where(table.c.workspace == workspace, *conditions)
    return connection.execute(asked).scalar_one()
