"""`POST /v1/classify` without its server: bytes in, bytes out."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NoReturn

from pydantic import ValidationError

from nlp.types import Classification, Response
from serving.batcher import Closed, Overloaded
from serving.engine import Engine, NotReady
from serving.metrics import Metrics
from serving.problems import Code, InvalidParam, problem, validation_failed
from serving.schemas import ClassifyRequest, check, invalids

INLINE_BYTES = 64 * 1024
"""Bodies up to here are read on the event loop; larger ones in a thread, so that probes and others are not held up."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A request body as it came, with the headers that say how to read it."""

    body: bytes
    content_type: str = ""
    content_encoding: str = ""


async def classify(sent: Sent, engine: Engine, metrics: Metrics, max_items: int) -> bytes:
    """The JSON answer to one request; raises ProblemError where the request as a whole cannot be answered."""
    small = len(sent.body) <= INLINE_BYTES
    responses = _read(sent, max_items) if small else await asyncio.to_thread(_read, sent, max_items)
    answers = await _answer(responses, engine)
    for answer in answers:
        metrics.items.labels(answer.status).inc()
    return _write(answers) if small else await asyncio.to_thread(_write, answers)


def read_request(sent: Sent, max_items: int) -> ClassifyRequest:
    """The checked request; raises ProblemError (400, 415, 422) that names what is wrong and where."""
    data = read_json(sent)
    items = data.get("items") if isinstance(data, dict) else None
    if isinstance(items, list) and len(items) > max_items:
        reason = f"{len(items)} items; {max_items} at most"
        raise problem(Code.TOO_MANY_ITEMS, f"{reason} in one request", [InvalidParam("items", reason)])
    try:
        return ClassifyRequest.model_validate(data)
    except ValidationError as error:
        wrong = [(invalid.path, invalid.code, invalid.reason) for invalid in invalids(error)]
    raise validation_failed(wrong)


def read_json(sent: Sent) -> Any:
    """The value in a JSON body; raises ProblemError (400, 415) where there is none."""
    _check_media_type(sent)
    try:
        # RFC 8259: JSON between systems is UTF-8; a byte order mark may be ignored
        return json.loads(sent.body.decode("utf-8-sig"), parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise problem(Code.BAD_JSON, f"the body is not UTF-8 (byte {error.start})") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise problem(Code.BAD_JSON, f"the body is not JSON ({error.msg}, {where})") from None
    except (ValueError, RecursionError):
        raise problem(Code.BAD_JSON, "the body has a number or a nesting that cannot be read") from None


def _read(sent: Sent, max_items: int) -> list[Response]:
    now = datetime.now(UTC)
    return [item.to_response(now) for item in read_request(sent, max_items).items]


async def _answer(responses: Sequence[Response], engine: Engine) -> list[Classification]:
    """Content errors are answered here; only what can be classified reaches the model."""
    failures = [check(response) for response in responses]
    fit = [response for response, failure in zip(responses, failures, strict=True) if failure is None]
    try:
        versions = engine.versions
        classified = iter(await engine.classify(fit))
    except NotReady:
        raise problem(Code.NOT_READY, "the model is not loaded yet; try again shortly", Retry_After="1") from None
    except Closed:
        raise problem(Code.NOT_READY, "the server is stopping; try another", Retry_After="1") from None
    except Overloaded as error:
        wait = str(error.retry_after)
        raise problem(Code.OVERLOADED, f"too many texts wait; try again in {wait} s", Retry_After=wait) from None
    return [
        next(classified) if failure is None else Classification(response.id, "error", versions, error=failure)
        for response, failure in zip(responses, failures, strict=True)
    ]


def _write(answers: Sequence[Classification]) -> bytes:
    body: dict[str, Any] = {"items": [answer.to_dict() for answer in answers]}
    return json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8")


def _check_media_type(sent: Sent) -> None:
    kind, _, parameters = sent.content_type.lower().partition(";")
    kind = kind.strip()
    is_json = kind in ("", "application/json") or (kind.startswith("application/") and kind.endswith("+json"))
    charset = parameters.replace(" ", "").partition("charset=")[2].strip('"')
    if not is_json or charset not in ("", "utf-8", "utf8"):
        raise problem(Code.UNSUPPORTED_MEDIA_TYPE, "send Content-Type: application/json, in UTF-8")
    if sent.content_encoding.lower().strip() not in ("", "identity"):
        raise problem(Code.UNSUPPORTED_MEDIA_TYPE, "send the body without Content-Encoding", Accept_Encoding="identity")


def _no_constant(_: str) -> NoReturn:
    raise ValueError
