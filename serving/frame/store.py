"""The versions of a workspace's code frame: every one is kept, the newest is in force."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine, RowMapping, func, insert, select

from nlp.taxonomy import Taxonomy
from serving.frame.effective import Frame, effective
from serving.frame.own import Own, examples_of, plain, restored
from serving.store.database import new_id
from serving.store.frame_tables import frames

NONE_SAVED = 0
"""The version where a workspace has changed nothing: the model's frame holds."""
_LOCK = 0x484F4C46  # any number, the same in every process


@dataclass(frozen=True, slots=True)
class _Seen:
    key: str
    base: Taxonomy
    frame: Frame


_seen: WeakKeyDictionary[Engine, dict[str, _Seen]] = WeakKeyDictionary()
"""The frames in force as this process last saw them, by database and workspace."""


def frame_of(connection: Connection, workspace: str, base: Taxonomy) -> Frame:
    """The code frame in force over the model's (`base`); its own themes come without their examples."""
    of = frames.c
    newest = select(of.key, of.version).where(of.workspace == workspace).order_by(of.version.desc()).limit(1)
    row = connection.execute(newest).one_or_none()
    key, version = row or ("", NONE_SAVED)
    known = _seen.setdefault(connection.engine, {})
    found = known.get(workspace)
    if found is None or found.key != key or found.base is not base:
        found = known[workspace] = _Seen(key, base, effective(base, _without_examples(connection, key), version))
    return found.frame


def whole_frame(connection: Connection, workspace: str, base: Taxonomy) -> Frame:
    """The same with the examples of its own themes."""
    version, own = newest(connection, workspace)
    return effective(base, own, version)


def newest(connection: Connection, workspace: str) -> tuple[int, Own]:
    """The workspace's own part in force, with its version; 0 where it has none."""
    row = row_of(connection, workspace)
    return (NONE_SAVED, Own()) if row is None else (row["version"], own_in(row))


def row_of(connection: Connection, workspace: str, version: int | None = None) -> RowMapping | None:
    """A version of a workspace's own part, the newest where none is named."""
    of = frames.c
    asked = select(frames).where(of.workspace == workspace).order_by(of.version.desc()).limit(1)
    if version is not None:
        asked = asked.where(of.version == version)
    return connection.execute(asked).mappings().one_or_none()


def own_in(row: Mapping[str, Any]) -> Own:
    return restored(row["content"], row["examples"])


def save(
    connection: Connection,
    workspace: str,
    version: int,
    own: Own,
    by: str,
    action: str,
    subject: str | None,
    at: datetime,
) -> None:
    """Puts a checked own part in force."""
    row = {"workspace": workspace, "version": version, "key": new_id(), "at": at, "by": by, "action": action}
    kept = {"content": plain(own), "examples": examples_of(own)}
    connection.execute(insert(frames).values(**row, subject=subject, **kept))


def versions(connection: Connection, workspace: str, before: int | None, limit: int) -> list[RowMapping]:
    """Who made which version, the newest first."""
    of = frames.c
    asked = select(of.version, of.at, of.by, of.action, of.subject).where(of.workspace == workspace)
    if before is not None:
        asked = asked.where(of.version < before)
    return list(connection.execute(asked.order_by(of.version.desc()).limit(limit)).mappings())


def hold(connection: Connection, workspace: str, *, change: bool) -> None:
    """Until the transaction ends the frame stays as it is; who changes it waits for those who tag by it.

    On SQLite writers take turns anyway.
    """
    if connection.dialect.name == "postgresql":
        lock = func.pg_advisory_xact_lock if change else func.pg_advisory_xact_lock_shared
        connection.execute(select(lock(_LOCK, func.hashtext(workspace))))


def _without_examples(connection: Connection, key: str) -> Own:
    asked = select(frames.c.content).where(frames.c.key == key)
    content = connection.execute(asked).scalar_one_or_none() if key else None
    return restored(content or {}, {})
