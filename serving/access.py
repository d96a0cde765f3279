"""Who may do what: API keys of a workspace, each with the scopes it was given and a rate it may ask at."""

import asyncio
import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Annotated, Any

from fastapi import BackgroundTasks, Depends, FastAPI, Request, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy import RowMapping

from serving.keys import PREFIX, SCOPES, USED_EVERY, NewKey, digest, find_key, make_key, touch_key
from serving.limits import SAID, Limiter, headers
from serving.parts import Given, Parts, parts_of
from serving.problems import Code, problem

__all__ = ["SCOPES", "Caller", "NewKey", "allowed", "allowed_near", "caller_of", "make_key"]

REMEMBERED = timedelta(seconds=5)
"""A key looked up is not looked up again for so long; so a revoked one may open for that long in other processes."""
MOST_REMEMBERED = 10_000
DEMO_WORKSPACE = "demo"
FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip")
"""What a proxy says of whom it asks for."""

_BEARER = HTTPBearer(auto_error=False, description="An API key: `Authorization: Bearer holos_...`")


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose request it is: the workspace it is confined to, the key's name for the audit, what it may do."""

    workspace: str
    actor: str
    scopes: tuple[str, ...]
    key: str = ""
    """The key's id; empty for the visitor of a demo."""


@dataclass(frozen=True, slots=True)
class _Seen:
    row: RowMapping
    at: datetime


@dataclass(slots=True)
class Gate:
    """What one process remembers of the keys that ask: their rows for seconds, their rates, when use was noted."""

    limiter: Limiter = field(default_factory=Limiter)
    _seen: dict[str, _Seen] = field(default_factory=dict)
    _noted: dict[str, datetime] = field(default_factory=dict)

    def caller(self, parts: Parts, key: str) -> Caller | None:
        """Whom a key belongs to, None where it is unknown, expired or revoked."""
        prefix, _, rest = key.partition("_")
        id, _, secret = rest.partition("_")
        if prefix != PREFIX or not id or not secret:
            return None
        now = parts.clock()
        seen = self._seen.get(id)
        if seen and now - seen.at < REMEMBERED and (found := _opened(seen.row, secret, now)):
            return found
        # asked again where the secret does not fit: it may have been rotated by another process
        return self._looked_up(parts, id, secret, now)

    def _looked_up(self, parts: Parts, id: str, secret: str, now: datetime) -> Caller | None:
        with parts.database.read() as connection:
            row = find_key(connection, id)
        if row is None:
            return None
        if len(self._seen) >= MOST_REMEMBERED:
            self._seen.clear()
        self._seen[id] = _Seen(row, now)
        return _opened(row, secret, now)

    def forget(self, id: str) -> None:
        """After a key was changed here: its next request is looked up."""
        self._seen.pop(id, None)

    def unnoted(self, id: str, now: datetime) -> bool:
        """Whether this use of a key is to be noted: true once a minute."""
        last = self._noted.get(id)
        if last is not None and now - last < USED_EVERY:
            return False
        if len(self._noted) >= MOST_REMEMBERED:
            self._noted.clear()
        self._noted[id] = now
        return True


def gate_of(app: FastAPI) -> Gate:
    """The app's gate; two first requests at once may each make one, and one of them stays."""
    found = getattr(app.state, "gate", None)
    if found is None:
        found = app.state.gate = Gate()
    return found


def caller_of(parts: Parts, key: str) -> Caller | None:
    """Whom a key belongs to, None where it is unknown, expired or revoked; always looked up."""
    return Gate().caller(parts, key)


async def allowed_near(request: Request, scope: str) -> None:
    """Lets a request through that comes from this very computer, or with a key that has this scope.

    For what keeps and shows nothing of a workspace: classifying, and which model answers. A request that a proxy passed
    on is not near, wherever the proxy stands. Raises ProblemError (401, 403, 429, 503).
    """
    if not _is_near(request):
        await asyncio.to_thread(_admit, request, scope)


def _admit(request: Request, scope: str) -> None:
    parts, gate = parts_of(request), gate_of(request.app)
    kind, _, key = request.headers.get("authorization", "").partition(" ")
    caller = gate.caller(parts, key.strip()) if kind.lower() == "bearer" else None
    _admitted(gate, caller, scope, parts.clock())


def _admitted(gate: Gate, caller: Caller | None, scope: str, now: datetime) -> tuple[Caller, dict[str, str]]:
    """The caller, and what the answer's headers say of its rate; raises ProblemError where it may not."""
    if caller is None:
        detail = "send a valid API key: Authorization: Bearer holos_..."
        raise problem(Code.UNAUTHENTICATED, detail, WWW_Authenticate="Bearer")
    said = _limited(gate.limiter, caller, scope, now)
    if scope not in caller.scopes:
        raise problem(Code.FORBIDDEN, f"this key lacks the scope {scope}")
    return caller, said


def allowed(scope: str) -> Callable[..., Any]:
    """A dependency that gives the caller where its key has this scope: `caller: Caller = Depends(allowed("read"))`."""
    assert scope in SCOPES

    def check(
        request: Request,
        response: Response,
        background: BackgroundTasks,
        parts: Given,
        given: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)] = None,
    ) -> Caller:
        gate, now = gate_of(request.app), parts.clock()
        found = gate.caller(parts, given.credentials) if given else _visitor(request, parts)
        caller, said = _admitted(gate, found, scope, now)
        response.headers.update(said)
        setattr(request.state, SAID, said)  # for answers that a route makes for itself
        if caller.key and gate.unnoted(caller.key, now):
            background.add_task(touch_key, parts.database, caller.key, now)
        return caller

    return check


def _opened(row: RowMapping, secret: str, now: datetime) -> Caller | None:
    if row["revoked_at"] or (row["expires_at"] and row["expires_at"] <= now):
        return None
    found = digest(secret)
    old = row["old_digest"] if row["old_until"] and now < row["old_until"] else None
    if not hmac.compare_digest(row["digest"], found) and not (old and hmac.compare_digest(old, found)):
        return None
    return Caller(row["workspace"], f"key:{row['name']}", tuple(row["scopes"]), row["id"])


def _visitor(request: Request, parts: Parts) -> Caller | None:
    """On a demo, whoever asks from this very machine; nobody otherwise."""
    return Caller(DEMO_WORKSPACE, "demo", SCOPES) if parts.settings.demo and _is_near(request) else None


def _is_near(request: Request) -> bool:
    if any(name in request.headers for name in FORWARDED):
        return False
    try:
        return request.client is not None and ip_address(request.client.host).is_loopback
    except ValueError:
        return False


def _limited(limiter: Limiter, caller: Caller, scope: str, now: datetime) -> dict[str, str]:
    """What the answer says of the caller's rate; a 429 where it asks too often."""
    verdict = limiter.ask(caller.key, scope, now)
    said = headers(scope, verdict)
    if not verdict.passed:
        detail = f"this key has sent {verdict.rate.requests} requests for the scope {scope} in too short a time"
        named = {name.replace("-", "_"): value for name, value in said.items()}
        raise problem(Code.RATE_LIMITED, f"{detail}; wait {verdict.wait} s", **named)
    return said
