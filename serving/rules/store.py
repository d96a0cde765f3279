"""The rule sets of a workspace: every version that was in force, the newest of them in force."""

from datetime import datetime

from sqlalchemy import Connection, RowMapping, func, insert, select

from serving.store.loop_tables import rule_sets

NONE_SAVED = 0
"""The version where a workspace has saved no rules."""


def current_version(connection: Connection, workspace: str) -> int:
    """0 where the workspace has saved none: the set that ships is in force."""
    newest = select(func.max(rule_sets.c.version)).where(rule_sets.c.workspace == workspace)
    return connection.execute(newest).scalar() or NONE_SAVED


def source_of(connection: Connection, workspace: str, version: int) -> str | None:
    """A version's YAML as it was written; None where there is no such version."""
    found = select(rule_sets.c.source).where(rule_sets.c.workspace == workspace, rule_sets.c.version == version)
    return connection.execute(found).scalar()


def save(connection: Connection, workspace: str, source: str, by: str, now: datetime) -> int:
    """Puts checked rules in force; the new version."""
    version = current_version(connection, workspace) + 1
    row = {"workspace": workspace, "version": version, "at": now, "by": by, "source": source}
    connection.execute(insert(rule_sets).values(**row))
    return version


def versions(connection: Connection, workspace: str, before: int | None, limit: int) -> list[RowMapping]:
    """Who put which version in force, the newest first."""
    columns = (rule_sets.c.version, rule_sets.c.at, rule_sets.c.by)
    found = select(*columns).where(rule_sets.c.workspace == workspace).order_by(rule_sets.c.version.desc())
    if before is not None:
        found = found.where(rule_sets.c.version < before)
    return list(connection.execute(found.limit(limit)).mappings())
