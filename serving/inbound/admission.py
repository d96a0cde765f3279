"""From a signed request to stored responses: counts where it was taken, a problem where the vendor should try again."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from starlette.concurrency import run_in_threadpool

from serving import logs
from serving.batcher import Closed, Overloaded
from serving.classify import Sent, read_json
from serving.engine import NotReady
from serving.inbound import book, formbricks
from serving.inbound.book import Connector
from serving.inbound.fetching import Apis, Unanswered, complete
from serving.inbound.qualtrics import from_form
from serving.inbound.reading import MAX_REFUSED, Reading, Refused, read, whole
from serving.inbound.settings import Settings, Typeform
from serving.inbound.signature import Request, form_of, verify
from serving.inbound.submission import Unreadable
from serving.ingest.take import Arrival, Taken, take
from serving.parts import Parts
from serving.problems import Code, InvalidParam, ProblemError, problem
from serving.schemas import clean

RETRY_SECONDS = "30"
"""When a vendor whose API did not answer should deliver again."""
MAX_REFUSAL = 500
"""Characters of the last refusal that an admin is shown."""

_NOBODY = Connector("", "", "typeform", "0" * 32, Typeform())
"""Stands for a connector that is not there: its signature is checked too, so that the time tells nothing."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """What became of one request."""

    created: int = 0
    updated: int = 0
    duplicate: int = 0
    ignored: int = 0
    refused: tuple[Refused, ...] = ()


async def admit(parts: Parts, id: str, request: Request, apis: Apis) -> Admitted:
    """Answers when everything is durable; raises ProblemError (401, 404, 422, 503)."""
    connector = await run_in_threadpool(book.open_connector, parts.database, id)
    known = connector or _NOBODY
    genuine = verify(known.kind, request, known.secret, known.settings, parts.clock())
    if connector is None:
        raise problem(Code.NOT_FOUND, "there is no connector at this address, or it is disabled")
    if connector.kind == "formbricks" and formbricks.is_test(request.body):
        return Admitted(ignored=1)
    if not genuine:
        raise problem(Code.BAD_SIGNATURE, "the signature does not fit this body and the connector's secret")
    reading = await _read(parts, connector, request, apis)
    taken = await _take(parts, connector, reading)
    return await _told(parts, connector, reading, taken)


async def interpret(kind: str, request: Request, settings: Settings, apis: Apis) -> Reading:
    """What a body gives; raises Unanswered where the vendor's API is asked in vain."""
    try:
        payload = await run_in_threadpool(_parse, kind, request)
        payload = await complete(payload, settings, apis)
    except ProblemError as error:
        return whole(error)
    except Unreadable as error:
        return Reading(refused=(Refused(None, "unreadable", str(error)),))
    return await run_in_threadpool(read, kind, payload, settings)


def _parse(kind: str, request: Request) -> object:
    if kind == "qualtrics" and request.is_form:
        return from_form(form_of(request.body))
    return read_json(Sent(request.body))


async def _read(parts: Parts, connector: Connector, request: Request, apis: Apis) -> Reading:
    try:
        return await interpret(connector.kind, request, connector.settings, apis)
    except Unanswered as error:
        await _note(parts, connector, [Refused(None, "unanswered", str(error))])
        raise problem(Code.NOT_READY, f"{error}; deliver again", Retry_After=RETRY_SECONDS) from None


async def _take(parts: Parts, connector: Connector, reading: Reading) -> Sequence[Taken]:
    if not reading.items:
        return []
    arrivals = [Arrival(item, None) for item in reading.items]
    try:
        return await take(parts, connector.workspace, arrivals, actor=f"connector:{connector.id}")
    except (NotReady, Closed):
        raise problem(Code.NOT_READY, "the model is not ready; deliver again", Retry_After=RETRY_SECONDS) from None
    except Overloaded as error:
        wait = str(error.retry_after)
        raise problem(Code.OVERLOADED, "too many texts wait; deliver again", Retry_After=wait) from None


async def _told(parts: Parts, connector: Connector, reading: Reading, taken: Sequence[Taken]) -> Admitted:
    failed = [Refused(one.id, one.error.code, one.error.detail) for one in taken if one.error is not None]
    refused = [*reading.refused, *failed][:MAX_REFUSED]
    if refused:
        await _note(parts, connector, refused)
    count = {outcome: sum(one.outcome == outcome for one in taken) for outcome in ("created", "updated", "duplicate")}
    if refused and not any(count.values()):
        _refuse(refused)
    return Admitted(**count, ignored=reading.ignored, refused=tuple(refused))


def _refuse(refused: Sequence[Refused]) -> NoReturn:
    params = [InvalidParam(one.id or "body", one.detail) for one in refused]
    code = Code.BAD_JSON if refused[0].code == Code.BAD_JSON.value else Code.VALIDATION_FAILED
    raise problem(code, f"nothing in this body can be taken: {refused[0].detail}", params)


async def _note(parts: Parts, connector: Connector, refused: Sequence[Refused]) -> None:
    """For the admin: a line of the log, and the connector's last refusal."""
    first = refused[0]
    # names of questions come from outside, and PostgreSQL keeps no NUL
    detail = clean(first.detail).replace("\x00", "")[:MAX_REFUSAL]
    logs.get_logger().warning(
        "inbound_refused",
        connector=connector.id,
        kind=connector.kind,
        refused=len(refused),
        code=first.code,
        detail=detail,
    )

    def write() -> None:
        with parts.database.write() as connection:
            values = {"refused_at": parts.clock(), "refusal": f"{first.code}: {detail}"}
            book.change(connection, connector.workspace, connector.id, values)

    await run_in_threadpool(write)
