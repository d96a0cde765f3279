"""Who may do what: API keys of a workspace, each with the scopes it was given."""

import hashlib
import hmac
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy import Connection, insert, select

from nlp.errors import InputError
from serving.parts import Given, Parts
from serving.problems import Code, problem
from serving.store.loop_tables import keys

SCOPES = ("ingest", "read", "act", "admin")
"""Send responses; read everything; work on cases, corrections and issues; rules, webhooks, keys, models, erasure."""
PREFIX = "holos"

_BEARER = HTTPBearer(auto_error=False, description="An API key: `Authorization: Bearer holos_...`")


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose request it is: the workspace it is confined to, the key's name for the audit, what it may do."""

    workspace: str
    actor: str
    scopes: tuple[str, ...]


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
) -> NewKey:
    """Raises InputError for a scope that there is none of."""
    unknown = [scope for scope in scopes if scope not in SCOPES]
    if unknown or not scopes:
        raise InputError(f"scopes {', '.join(unknown) or '(none)'}: give some of {', '.join(SCOPES)}")
    found, secret = secrets.token_hex(8), secrets.token_urlsafe(32)
    row = {"id": found, "workspace": workspace, "name": name, "digest": _digest(secret), "scopes": list(scopes)}
    connection.execute(insert(keys).values(**row, created_at=now, expires_at=expires_at))
    return NewKey(found, f"{PREFIX}_{found}_{secret}")


def caller_of(parts: Parts, key: str) -> Caller | None:
    """Whom a key belongs to, None where it is unknown, expired or revoked."""
    prefix, _, rest = key.partition("_")
    found, _, secret = rest.partition("_")
    if prefix != PREFIX or not secret:
        return None
    with parts.database.read() as connection:
        row = connection.execute(select(keys).where(keys.c.id == found)).mappings().one_or_none()
    if row is None or not hmac.compare_digest(row["digest"], _digest(secret)):
        return None
    if row["revoked_at"] or (row["expires_at"] and row["expires_at"] <= parts.clock()):
        return None
    return Caller(row["workspace"], f"key:{row['name']}", tuple(row["scopes"]))


def allowed(scope: str) -> Callable[..., Any]:
    """A dependency that gives the caller where its key has this scope: `caller: Caller = Depends(allowed("read"))`."""
    assert scope in SCOPES

    def check(
        request: Request, parts: Given, given: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)] = None
    ) -> Caller:
        caller = caller_of(parts, given.credentials) if given else None
        if caller is None:
            detail = "send a valid API key: Authorization: Bearer holos_..."
            raise problem(Code.UNAUTHENTICATED, detail, WWW_Authenticate="Bearer")
        if scope not in caller.scopes:
            raise problem(Code.FORBIDDEN, f"this key lacks the scope {scope}")
        return caller

    return check


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
