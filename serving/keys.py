"""Workspaces and their API keys: made, listed, rotated, revoked; of a secret only a digest is kept."""

import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, RowMapping, and_, func, insert, literal, or_, select, tuple_, update

from nlp.errors import InputError
from serving.store import database as store
from serving.store.access_tables import keys
from serving.store.columns import NAME
from serving.store.database import Database
from serving.store.tables import workspaces

SCOPES = ("ingest", "read", "act", "admin")
"""Send responses; read everything; work on cases, corrections and issues; rules, webhooks, keys, models, erasure."""
PREFIX = "holos"
DEFAULT_WORKSPACE = "default"
"""Where the first key belongs."""
OVERLAP = timedelta(hours=24)
"""How long the secret before a rotation stays good: a day to bring the new one to every sender."""
LONGEST_OVERLAP = timedelta(days=30)
USED_EVERY = timedelta(minutes=1)
"""`used_at` is not written more often: it tells keys in use from keys forgotten, not one request from the next."""

_WORKSPACE = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_FIRST_KEY_LOCK = 0x484F4C4F53  # any number, the same in every process


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key as it is shown once, when it is made; only a digest is kept."""

    id: str
    key: str


def make_key(
    connection: Connection,
    workspace: str,
    name: str,
    scopes: Sequence[str],
    now: datetime,
    expires_at: datetime | None = None,
    by: str = "command line",
) -> NewKey:
    """Raises InputError for a scope that there is none of."""
    unknown = [scope for scope in scopes if scope not in SCOPES]
    if unknown or not scopes:
        raise InputError(f"scopes {', '.join(unknown) or '(none)'}: give some of {', '.join(SCOPES)}")
    if not 0 < len(name) <= NAME:
        raise InputError(f"the name of a key has 1 to {NAME} characters, this one has {len(name)}")
    ordered = [scope for scope in SCOPES if scope in scopes]
    found, secret = secrets.token_hex(8), secrets.token_urlsafe(32)
    row = {"id": found, "workspace": workspace, "name": name, "digest": digest(secret), "scopes": ordered, "by": by}
    connection.execute(insert(keys).values(**row, created_at=now, expires_at=expires_at))
    return NewKey(found, f"{PREFIX}_{found}_{secret}")


def first_key(database: Database, now: datetime) -> NewKey | None:
    """The key of a new installation, for everything in its first workspace; None where there is or was any key.

    Of several processes that start at once, one gets it.
    """
    with database.write() as connection:
        if not database.is_sqlite:
            connection.execute(select(func.pg_advisory_xact_lock(_FIRST_KEY_LOCK)))
        if connection.execute(select(keys.c.id).limit(1)).first():
            return None
        ensure_workspace(connection, DEFAULT_WORKSPACE, now)
        return make_key(connection, DEFAULT_WORKSPACE, "first", SCOPES, now, by="first start")


def find_key(connection: Connection, id: str) -> RowMapping | None:
    """A key by its public half, of whatever workspace: it is the key that tells the workspace."""
    return connection.execute(select(keys).where(keys.c.id == id)).mappings().one_or_none()


def list_keys(
    connection: Connection, workspace: str, limit: int, after: tuple[datetime, str] | None = None
) -> list[RowMapping]:
    """Up to `limit` keys, revoked ones too, by the time they were made."""
    asked = select(keys).where(keys.c.workspace == workspace)
    if after:
        asked = asked.where(
            tuple_(keys.c.created_at, keys.c.id) > tuple_(literal(after[0], keys.c.created_at.type), after[1])
        )
    return list(connection.execute(asked.order_by(keys.c.created_at, keys.c.id).limit(limit)).mappings())


def name_taken(connection: Connection, workspace: str, name: str, now: datetime) -> bool:
    """Whether a key in force has this name: the audit names keys, so two in force at a time must not share one."""
    asked = select(keys.c.id).where(keys.c.workspace == workspace, keys.c.name == name, _in_force(now))
    return connection.execute(asked.limit(1)).first() is not None


def rotate_key(connection: Connection, workspace: str, id: str, now: datetime, overlap: timedelta) -> NewKey | None:
    """A new secret for a key; the one before stays good for `overlap`. None where no such key is in force."""
    if not timedelta() <= overlap <= LONGEST_OVERLAP:
        raise InputError(f"the overlap is {overlap}; give none to {LONGEST_OVERLAP.days} days")
    secret = secrets.token_urlsafe(32)
    kept = {"old_digest": keys.c.digest, "old_until": now + overlap} if overlap else _NO_OLD
    here = and_(keys.c.workspace == workspace, keys.c.id == id, _in_force(now))
    done = connection.execute(update(keys).where(here).values(digest=digest(secret), **kept))
    return NewKey(id, f"{PREFIX}_{id}_{secret}") if done.rowcount else None


def revoke_key(connection: Connection, workspace: str, id: str, now: datetime) -> bool:
    """Whether there was such a key; one that was revoked before stays revoked since then."""
    here = and_(keys.c.workspace == workspace, keys.c.id == id)
    since = func.coalesce(keys.c.revoked_at, now)
    return bool(connection.execute(update(keys).where(here).values(revoked_at=since, **_NO_OLD)).rowcount)


def touch_key(database: Database, id: str, now: datetime) -> None:
    """Notes that a key was used, unless that was noted less than a minute ago."""
    stale = or_(keys.c.used_at.is_(None), keys.c.used_at <= now - USED_EVERY)
    with database.write() as connection:
        connection.execute(update(keys).where(keys.c.id == id, stale).values(used_at=now))


def create_workspace(connection: Connection, id: str, name: str, now: datetime) -> None:
    """Raises InputError for an id that is taken or is none."""
    if not _WORKSPACE.fullmatch(id):
        raise InputError(f"{id!r} is no id of a workspace; give 1 to 63 of a-z 0-9 _ -, a letter or digit first")
    if not ensure_workspace(connection, id, now, name):
        raise InputError(f"there is a workspace {id} already")


def ensure_workspace(connection: Connection, id: str, now: datetime, name: str | None = None) -> bool:
    """Whether the workspace was made now."""
    row = {"id": id, "name": name or id, "settings": {}, "created_at": now}
    # psycopg tells no row count of an INSERT
    statement = store.insert(connection, workspaces).values(**row).on_conflict_do_nothing().returning(workspaces.c.id)
    return connection.execute(statement).first() is not None


def list_workspaces(connection: Connection) -> list[RowMapping]:
    asked = select(workspaces.c.id, workspaces.c.name, workspaces.c.created_at).order_by(workspaces.c.id)
    return list(connection.execute(asked).mappings())


def digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _in_force(now: datetime) -> ColumnElement[bool]:
    return and_(keys.c.revoked_at.is_(None), or_(keys.c.expires_at.is_(None), keys.c.expires_at > now))


_NO_OLD = {"old_digest": None, "old_until": None}
