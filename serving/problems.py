"""What goes wrong over HTTP: RFC 9457 problems with a closed set of codes, told in one place."""

import json
import re
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.responses import Response

from serving import logs
from serving.store.database import Unreachable

MEDIA_TYPE = "application/problem+json"
MAX_INVALID_PARAMS = 100
"""A thousand wrong items would answer with more than was sent; the detail says how many there are in all."""

REQUEST_ID: ContextVar[str] = ContextVar("holos_request_id", default="")
"""The id of the request being answered; the outermost middleware sets it."""

_SURROGATE = re.compile("[\ud800-\udfff]")


class Code(StrEnum):
    """Every `code` a problem can carry."""

    BAD_REQUEST = "bad_request"
    BAD_JSON = "bad_json"
    BAD_CURSOR = "bad_cursor"
    BAD_SIGNATURE = "bad_signature"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    GATE_NOT_PASSED = "gate_not_passed"
    MODEL_REFUSED = "model_refused"
    MODEL_FIXED = "model_fixed"
    NOTHING_EARLIER = "nothing_earlier"
    WRONG_STATE = "wrong_state"
    KEY_REUSED = "key_reused"
    IN_PROGRESS = "in_progress"
    GONE = "gone"
    VERSION_CHANGED = "version_changed"
    VERSION_REQUIRED = "version_required"
    RATE_LIMITED = "rate_limited"
    REQUEST_TIMEOUT = "request_timeout"
    PAYLOAD_TOO_LARGE = "payload_too_large"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    VALIDATION_FAILED = "validation_failed"
    TOO_MANY_ITEMS = "too_many_items"
    INTERNAL_ERROR = "internal_error"
    NOT_READY = "not_ready"
    OVERLOADED = "overloaded"
    TIMEOUT = "timeout"


STATUS: Mapping[Code, int] = {
    Code.BAD_REQUEST: 400,
    Code.BAD_JSON: 400,
    Code.BAD_CURSOR: 400,
    Code.BAD_SIGNATURE: 401,
    Code.UNAUTHENTICATED: 401,
    Code.FORBIDDEN: 403,
    Code.NOT_FOUND: 404,
    Code.METHOD_NOT_ALLOWED: 405,
    Code.GATE_NOT_PASSED: 409,
    Code.MODEL_REFUSED: 409,
    Code.MODEL_FIXED: 409,
    Code.NOTHING_EARLIER: 409,
    Code.WRONG_STATE: 409,
    Code.KEY_REUSED: 409,
    Code.IN_PROGRESS: 409,
    Code.GONE: 410,
    Code.VERSION_CHANGED: 412,
    Code.VERSION_REQUIRED: 428,
    Code.RATE_LIMITED: 429,
    Code.REQUEST_TIMEOUT: 408,
    Code.PAYLOAD_TOO_LARGE: 413,
    Code.UNSUPPORTED_MEDIA_TYPE: 415,
    Code.VALIDATION_FAILED: 422,
    Code.TOO_MANY_ITEMS: 422,
    Code.INTERNAL_ERROR: 500,
    Code.NOT_READY: 503,
    Code.OVERLOADED: 503,
    Code.TIMEOUT: 504,
}

_BY_STATUS: Mapping[int, tuple[Code, str]] = {
    404: (Code.NOT_FOUND, "there is nothing at this address; /openapi.json lists what there is"),
    405: (Code.METHOD_NOT_ALLOWED, "this address does not answer that method; the Allow header lists those it does"),
    408: (Code.REQUEST_TIMEOUT, "the request did not arrive in time; send it again"),
    413: (Code.PAYLOAD_TOO_LARGE, "the body is too large; send fewer items in one request"),
    415: (Code.UNSUPPORTED_MEDIA_TYPE, "send Content-Type: application/json"),
    422: (Code.VALIDATION_FAILED, "the request does not have the shape that /openapi.json gives"),
    503: (Code.NOT_READY, "the model is not loaded; try again shortly, or see the server's log if this lasts"),
    504: (Code.TIMEOUT, "the request took too long and was given up; send fewer items in one request"),
}
_CLIENT_FALLBACK = (Code.BAD_REQUEST, "the request cannot be answered")
_SERVER_FALLBACK = (Code.INTERNAL_ERROR, "something failed in the server; its log has this request_id")


@dataclass(frozen=True, slots=True)
class InvalidParam:
    """One place of a request that is wrong, as a path (`items[3].scor`), and why; never the value given."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Problem:
    """One RFC 9457 problem, ready to be sent; `status` is the code's unless a foreign 4xx or 5xx is passed on."""

    code: Code
    detail: str
    invalid_params: tuple[InvalidParam, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    foreign_status: int | None = None

    @property
    def status(self) -> int:
        return self.foreign_status or STATUS[self.code]

    def to_dict(self, request_id: str) -> dict[str, Any]:
        body: dict[str, Any] = {
            "type": "about:blank",
            "title": _title(self.status),
            "status": self.status,
            "code": self.code.value,
            "detail": self.detail,
            "request_id": request_id,
        }
        if self.invalid_params:
            shown = self.invalid_params[:MAX_INVALID_PARAMS]
            body["invalid_params"] = [{"name": param.name, "reason": param.reason} for param in shown]
        return body

    def to_response(self) -> Response:
        content = json.dumps(self.to_dict(REQUEST_ID.get()), ensure_ascii=False)
        # a lone surrogate in the name of an unknown field has no bytes
        body = _SURROGATE.sub("\ufffd", content).encode("utf-8")
        return Response(body, status_code=self.status, headers=dict(self.headers), media_type=MEDIA_TYPE)


class ProblemError(Exception):
    """Raised where a request cannot be answered; carries the problem to be sent."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.code.value)
        self.problem = problem


def problem(code: Code, detail: str, params: Iterable[InvalidParam] = (), **headers: str) -> ProblemError:
    """A ProblemError; header names are given with underscores (`Retry_After="1"`)."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return ProblemError(Problem(code, detail, tuple(params), named))


def validation_failed(wrong: Iterable[tuple[str, str, str]]) -> ProblemError:
    """A 422 from (path, pydantic error type, message) triples."""
    params = [InvalidParam(path or "body", _reason(kind, message)) for path, kind, message in wrong]
    detail = f"{params[0].name}: {params[0].reason}" if params else "the request is not valid"
    if len(params) > 1:
        detail = f"{len(params)} places are wrong, the first of them {detail}"
    return problem(Code.VALIDATION_FAILED, detail, params)


def from_status(status: int, headers: Mapping[str, str] | None = None) -> Problem:
    """The problem that stands for an error answer of a framework; its own text is dropped, since it may quote input."""
    fallback = _CLIENT_FALLBACK if status < 500 else _SERVER_FALLBACK
    code, detail = _BY_STATUS.get(status, fallback)
    return Problem(code, detail, headers=headers or {}, foreign_status=status)


def install(app: FastAPI) -> None:
    """Makes a FastAPI app answer its own errors as problems."""
    app.add_exception_handler(ProblemError, _on_problem)
    app.add_exception_handler(RequestValidationError, _on_validation)
    app.add_exception_handler(Unreachable, _on_unreachable)
    app.add_exception_handler(Exception, _on_crash)


async def _on_problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, ProblemError)
    return error.problem.to_response()


async def _on_validation(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    if any(item["type"] == "json_invalid" for item in error.errors()):
        return problem(Code.BAD_JSON, "the body is not JSON").problem.to_response()
    wrong = [(_path(item["loc"]), item["type"], item["msg"]) for item in error.errors()]
    return validation_failed(wrong).problem.to_response()


async def _on_unreachable(_: Request, error: Exception) -> Response:
    # the reason names the installation's database: it is for the log
    logs.get_logger().error("store_unreachable", request_id=REQUEST_ID.get(), reason=str(error))
    return problem(
        Code.NOT_READY, "the store does not answer; try again shortly", Retry_After="5"
    ).problem.to_response()


async def _on_crash(_: Request, __: Exception) -> Response:
    return from_status(500).to_response()


def _path(loc: Iterable[int | str]) -> str:
    path = ""
    for part in loc:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
    return path


def _reason(kind: str, message: str) -> str:
    named = {"extra_forbidden": "unknown field", "missing": "required and not given"}
    return named.get(kind, message)


def _title(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"
