"""What is left of a person who was erased: a keyed hash, so that it can be proved of a known id and read by nobody."""

import hashlib
import hmac
import secrets
from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import Connection, select, update

from serving.keys import ensure_workspace
from serving.store.access_tables import tombstones
from serving.store.database import insert
from serving.store.tables import workspaces

KEY = "erasure_key"
"""In `workspaces.settings`: 32 random bytes, hexadecimal."""


def pseudonym(connection: Connection, workspace: str, respondent: str, now: datetime) -> str:
    """The keyed hash of a person's id: 64 hexadecimal digits; makes the workspace's key where there is none."""
    ensure_workspace(connection, workspace, now)
    asked = select(workspaces.c.settings).where(workspaces.c.id == workspace).with_for_update()
    settings = connection.execute(asked).scalar_one()
    if KEY not in settings:
        settings = {**settings, KEY: secrets.token_hex(32)}
        connection.execute(update(workspaces).where(workspaces.c.id == workspace).values(settings=settings))
    return _hash(settings[KEY], respondent)


def bury(
    connection: Connection,
    workspace: str,
    digest: str,
    by: str,
    blocked: bool,
    counts: Mapping[str, int],
    now: datetime,
) -> None:
    """Leaves a tombstone, or adds to the one there is; who was blocked once stays so."""
    here = (tombstones.c.workspace == workspace, tombstones.c.digest == digest)
    before = connection.execute(select(tombstones).where(*here).with_for_update()).mappings().one_or_none()
    if before is not None:
        names = sorted({*before["counts"], *counts})
        counts = {name: before["counts"].get(name, 0) + counts.get(name, 0) for name in names}
        blocked = blocked or before["blocked"]
    row = {"at": now, "by": by, "blocked": blocked, "counts": dict(counts)}
    statement = insert(connection, tombstones).values(workspace=workspace, digest=digest, **row)
    connection.execute(statement.on_conflict_do_update(index_elements=["workspace", "digest"], set_=row))


def is_buried(connection: Connection, workspace: str, digest: str) -> bool:
    here = (tombstones.c.workspace == workspace, tombstones.c.digest == digest)
    return connection.execute(select(tombstones.c.at).where(*here)).first() is not None


def blocked(connection: Connection, workspace: str, respondents: Collection[str]) -> frozenset[str]:
    """Those of these people who were erased for good: what arrives from them is to be refused."""
    here = (tombstones.c.workspace == workspace, tombstones.c.blocked)
    buried = set(connection.execute(select(tombstones.c.digest).where(*here)).scalars())
    if not buried:
        return frozenset()
    key = connection.execute(select(workspaces.c.settings).where(workspaces.c.id == workspace)).scalar_one()[KEY]
    return frozenset(respondent for respondent in respondents if _hash(key, respondent) in buried)


def _hash(key: str, respondent: str) -> str:
    return hmac.digest(bytes.fromhex(key), respondent.encode("utf-8", "surrogatepass"), hashlib.sha256).hex()
