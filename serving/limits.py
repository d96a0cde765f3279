"""How many requests a key may send: a token bucket for each key and scope, in the memory of each process."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from threading import Lock

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SAID = "rate_fields"
"""In the state of a request: what its answer says of the caller's rate."""
MOST_BUCKETS = 10_000
"""Beyond this many, buckets that are full again (as good as none) are dropped."""


@dataclass(frozen=True, slots=True)
class Rate:
    """So many requests in so many seconds; all of them may come at once."""

    requests: int
    seconds: float = 60.0


RATES: Mapping[str, Rate] = {
    # a survey tool that sends one answer a request; an archive goes by import or 1,000 a request
    "ingest": Rate(12_000),
    # a page of the web interface asks for some ten things, and integrations poll
    "read": Rate(6_000),
    # people's work, and scripts that clean up after it
    "act": Rate(3_000),
    # settings: nobody changes ten a second for long
    "admin": Rate(1_200),
}
"""What a key may do by the minute, by the scope a route asks for; they stop loops gone wild, not work."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a request may pass, and what is left in the bucket after it."""

    passed: bool
    rate: Rate
    tokens: float
    at: datetime

    @property
    def remaining(self) -> int:
        return math.floor(self.tokens)

    @property
    def wait(self) -> int:
        """Whole seconds until the next request may pass; 0 where it may now."""
        return max(0, math.ceil((1 - self.tokens) * self.rate.seconds / self.rate.requests))


def draw(before: Verdict | None, rate: Rate, now: datetime) -> Verdict:
    """Takes one token if there is one; a clock that went back refills nothing."""
    if before is None:
        return Verdict(True, rate, rate.requests - 1.0, now)
    gone = max(0.0, (now - before.at).total_seconds())
    tokens = min(float(rate.requests), before.tokens + gone * rate.requests / rate.seconds)
    passed = tokens >= 1
    return Verdict(passed, rate, tokens - 1 if passed else tokens, max(now, before.at))


class Limiter:
    """The buckets of one process; safe between threads."""

    def __init__(self, rates: Mapping[str, Rate] = RATES) -> None:
        self._rates = rates
        self._buckets: dict[tuple[str, str], Verdict] = {}
        self._lock = Lock()

    def ask(self, key: str, scope: str, now: datetime) -> Verdict:
        """One request of a key for a scope."""
        with self._lock:
            found = draw(self._buckets.get((key, scope)), self._rates[scope], now)
            self._buckets[key, scope] = found
            if len(self._buckets) > MOST_BUCKETS:
                self._drop_full(now)
            return found

    def _drop_full(self, now: datetime) -> None:
        def full(last: Verdict) -> bool:
            return (now - last.at).total_seconds() >= last.rate.seconds

        self._buckets = {key: last for key, last in self._buckets.items() if not full(last)}


class RateFields:
    """Wraps an app: every answer tells of the caller's rate, also one that a route made for itself."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        state = scope.setdefault("state", {})

        async def telling(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=list(message.get("headers", ())))
                for name, value in state.get(SAID, {}).items():
                    headers.setdefault(name, value)
                message = {**message, "headers": headers.raw}
            await send(message)

        await self.app(scope, receive, telling)


def headers(scope: str, verdict: Verdict) -> dict[str, str]:
    """The RateLimit fields of an answer (IETF draft "RateLimit header fields for HTTP"), and when to come back."""
    rate = verdict.rate
    found = {
        "RateLimit-Policy": f'"{scope}";q={rate.requests};w={rate.seconds:.0f}',
        "RateLimit": f'"{scope}";r={verdict.remaining};t={verdict.wait}',
    }
    return found if verdict.passed else {**found, "Retry-After": str(verdict.wait)}
