"""The outermost layer of the server: request ids, the body's limit, one access line, and problems for every error."""

import asyncio
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving import logs
from serving.metrics import Metrics
from serving.problems import MEDIA_TYPE, REQUEST_ID, Code, ProblemError, from_status, problem

REQUEST_ID_HEADER = "X-Request-ID"
BODY_SECONDS = 30.0
"""A sender that stalls in the middle of a body would hold its connection, and a stopping server, for ever."""
QUIET_ROUTES = frozenset({"/livez", "/readyz", "/metrics"})
"""Asked every few seconds by machines: logged only when they fail."""
KEPT_HEADERS = ("allow", "retry-after", "www-authenticate")
"""What a framework's error answer says beyond its body."""
DROPPED_HEADERS = ("server", "x-bentoml-request-id")
"""What BentoML adds to its own routes alone; a second request id would only confuse."""
UNMATCHED = "unmatched"
"""Route label of a path nobody serves; the path itself is a sender's text and goes nowhere."""

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_SAFE_ID = re.compile(r"[A-Za-z0-9._\-]{1,128}", re.ASCII)


@dataclass(slots=True)
class _Exchange:
    """What is known of one request while it is answered."""

    scope: Scope
    id: str
    started: float = field(default_factory=perf_counter)
    status: int = 0
    replaced: bool = False


class Border:
    """Wraps the whole server; the wrapped app sees complete bodies within the limit and never an unknown page."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        metrics: Metrics,
        max_body_bytes: int,
        larger: Mapping[str, int] | None = None,
        route_of: Callable[[Scope], str | None],
        hidden: tuple[str, ...] = (),
        body_seconds: float = BODY_SECONDS,
    ) -> None:
        self.app, self._metrics, self._limit = app, metrics, max_body_bytes
        self._larger = larger or {}  # bytes that may come to these paths
        self._route_of, self._hidden, self._body_seconds = route_of, hidden, body_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        exchange = _Exchange(scope, _request_id(scope))
        token = REQUEST_ID.set(exchange.id)
        answer = _answering(exchange, send)
        try:
            await self._handle(scope, receive, answer)
        except ProblemError as error:
            await _send_problem(exchange, error, scope, receive, answer)
        except Exception as error:
            logs.get_logger().error("request_failed", request_id=exchange.id, **logs.where(error))
            await _send_problem(exchange, ProblemError(from_status(500)), scope, receive, answer)
        finally:
            REQUEST_ID.reset(token)
            self._account(exchange)

    async def _handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"].startswith(self._hidden):
            raise ProblemError(from_status(404))
        limit = self._larger.get(scope["path"], self._limit)
        body = await self._read(Headers(scope=scope), receive, limit)
        await self.app(scope, _replay(body, receive), send)

    async def _read(self, headers: Headers, receive: Receive, limit: int) -> bytes:
        """The whole body, counted as it comes, so that a chunked one is held to the limit as well."""
        declared = headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > limit:
            raise _too_large(limit)
        chunks: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(self._body_seconds):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise ProblemError(from_status(400))
                    chunks.append(message.get("body", b""))
                    size += len(chunks[-1])
                    if size > limit:
                        raise _too_large(limit)
                    if not message.get("more_body", False):
                        return b"".join(chunks)
        except TimeoutError:
            raise ProblemError(from_status(408)) from None

    def _account(self, exchange: _Exchange) -> None:
        seconds = perf_counter() - exchange.started
        method = exchange.scope["method"] if exchange.scope["method"] in _METHODS else "OTHER"
        route = self._route_of(exchange.scope) or UNMATCHED
        self._metrics.requests.labels(method, route, str(exchange.status)).inc()
        self._metrics.latency.labels(route).observe(seconds)
        if route in QUIET_ROUTES and exchange.status < 400:
            return
        logs.get_logger().info(
            "request",
            method=method,
            route=route,
            status=exchange.status,
            ms=round(seconds * 1000, 1),
            request_id=exchange.id,
        )


def _too_large(limit: int) -> ProblemError:
    # the rest of the body is not read, so the connection cannot be used again
    return problem(Code.PAYLOAD_TOO_LARGE, f"the body may have {limit} bytes; send fewer items", Connection="close")


def _request_id(scope: Scope) -> str:
    """The sender's id where it is safe to log and to send back, else a new one."""
    given = Headers(scope=scope).get(REQUEST_ID_HEADER, "")
    return given if _SAFE_ID.fullmatch(given) else uuid.uuid4().hex


def _answering(exchange: _Exchange, send: Send) -> Send:
    """A `send` that adds the request id and puts a problem in the place of every foreign error answer."""

    async def forward(message: Message) -> None:
        if message["type"] == "http.response.start":
            exchange.status = message["status"]
            headers = MutableHeaders(raw=list(message.get("headers", ())))
            if message["status"] >= 400 and not headers.get("content-type", "").startswith(MEDIA_TYPE):
                exchange.replaced = True
                await _send_replacement(exchange, headers, send)
                return
            for name in DROPPED_HEADERS:
                del headers[name]
            headers[REQUEST_ID_HEADER] = exchange.id
            message = {**message, "headers": headers.raw}
        elif exchange.replaced:
            return
        await send(message)

    return forward


async def _send_replacement(exchange: _Exchange, headers: MutableHeaders, send: Send) -> None:
    kept = {name: headers[name] for name in KEPT_HEADERS if name in headers}
    response = from_status(exchange.status, kept).to_response()
    response.headers[REQUEST_ID_HEADER] = exchange.id
    await response(exchange.scope, _nothing, send)


async def _send_problem(exchange: _Exchange, error: ProblemError, scope: Scope, receive: Receive, send: Send) -> None:
    if exchange.status == 0:
        await error.problem.to_response()(scope, receive, send)


def _replay(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body once, then what the connection says (a disconnect)."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


async def _nothing() -> Any:
    return {"type": "http.disconnect"}
