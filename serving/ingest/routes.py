"""`/v1/responses`: sending answers, reading them as they stand, correcting how they were read."""

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import JSONResponse

from nlp.errors import InputError
from serving.audit import Reading
from serving.classify import Sent, read_request
from serving.frame.effective import Frame, mapped
from serving.frame.store import frame_of
from serving.idempotency import Answer, Key, asked, once
from serving.ingest import job_routes
from serving.ingest import models as to
from serving.ingest.arrivals import Arrival
from serving.ingest.asking import Actor, Asked, Reader, Sender, Uid, model_at_work
from serving.ingest.effects import corrected
from serving.ingest.take import take
from serving.openapi_parts import problems, ref
from serving.paging import DEFAULT, Cursor, Limit, page
from serving.parts import Given
from serving.problems import Code, problem
from serving.rules.lineage import descendants
from serving.schemas import ClassifyRequest, Instant
from serving.store.responses import find, history
from serving.store.search import Filters, search

router = APIRouter(prefix="/v1")
router.include_router(job_routes.router)

TAGS = ["responses"]
_BODY: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": ref(ClassifyRequest.__name__)}}}
}


@router.post(
    "/responses",
    tags=TAGS,
    operation_id="take_responses",
    summary="Keep responses: classified, with their cases, rules and alerts",
    response_model=to.TakenList,
    responses=problems(400, 401, 403, 409, 410, 413, 415, 422, 429, 503),
    openapi_extra=_BODY,
)
async def take_responses(request: Request, parts: Given, caller: Sender, key: Key = None) -> JSONResponse:
    """Answers when everything is durable; an item that is wrong leaves its neighbours alone."""
    body = await request.body()
    headers = request.headers
    sent = Sent(body, headers.get("content-type", ""), headers.get("content-encoding", ""))
    read = await asyncio.to_thread(read_request, sent, parts.settings.max_items)
    arrivals = [Arrival(item) for item in read.items]

    async def work() -> Answer:
        with model_at_work():
            taken = await take(parts, caller.workspace, arrivals, caller.actor)
        return Answer(200, {"items": [to.taken_out(each) for each in taken]})

    return await once(parts, asked(caller.workspace, key, "responses", body) if key else None, work)


@router.get(
    "/responses",
    tags=TAGS,
    operation_id="list_responses",
    summary="Responses, newest answers first",
    response_model=to.ResponseList,
    responses=problems(400, 401, 403, 422, 429),
)
def list_responses(
    parts: Given,
    caller: Reader,
    reads: Reading,
    since: Annotated[Instant | None, Query(alias="from", description="answered at or after")] = None,
    until: Annotated[Instant | None, Query(alias="to", description="answered before")] = None,
    theme: Annotated[Asked, Query(description="covers the themes below it")] = None,
    sentiment: Annotated[to.Mood | None, Query()] = None,
    group: Asked = None,
    priority: Annotated[int | None, Query(ge=1, le=4)] = None,
    survey: Asked = None,
    touchpoint: Asked = None,
    channel: Asked = None,
    unit: Asked = None,
    employee: Asked = None,
    language: Asked = None,
    source: Annotated[str | None, Query(max_length=512, pattern=r"^[^\x00]*$")] = None,
    respondent: Asked = None,
    q: Annotated[Asked, Query(description="words in the redacted text")] = None,
    needs_review: Annotated[bool | None, Query()] = None,
    limit: Limit = DEFAULT,
    cursor: Cursor = None,
) -> dict[str, Any]:
    fields = (sentiment, group, priority, survey, touchpoint, channel, unit, employee, language, source, respondent)
    with parts.database.read() as connection:
        frame = frame_of(connection, caller.workspace, parts.taxonomy())
        themes = tuple(descendants(theme, frame)) if theme else None
        filters = Filters(since, until, themes, *fields, needs_review, q)
        found = search(connection, caller.workspace, filters, limit + 1, job_routes.after(cursor))
    kept = page(found, limit, lambda row: (row["answered_at"].isoformat(), row["uid"]))
    reads.note(caller, "response.list", responses=len(kept.items), **({"respondent": respondent} if respondent else {}))
    return {"items": [to.response_out(_now(row, frame)) for row in kept.items], "next": kept.next}


@router.get(
    "/responses/{uid}",
    tags=TAGS,
    operation_id="get_response",
    summary="One response with its history",
    response_model=to.ResponseDetail,
    responses=problems(401, 403, 404, 422, 429),
)
def get_response(parts: Given, caller: Reader, reads: Reading, uid: Uid) -> dict[str, Any]:
    with parts.database.read() as connection:
        found = find(connection, caller.workspace, uid)
        if found is None:
            raise _unknown()
        reads.note(caller, "response.read", f"response:{uid}")
        frame = frame_of(connection, caller.workspace, parts.taxonomy())
        return to.detail_out(_now(found, frame), history(connection, caller.workspace, uid))


@router.post(
    "/responses/{uid}/corrections",
    tags=TAGS,
    operation_id="correct_response",
    summary="Say what is right; rules and the case follow",
    response_model=to.ResponseDetail,
    responses=problems(400, 401, 403, 404, 409, 422, 429),
)
async def correct_response(
    parts: Given, caller: Actor, uid: Uid, correction: to.CorrectionIn, key: Key = None
) -> JSONResponse:
    """A person's word stands over every later reading of the same text."""

    async def work() -> Answer:
        return await asyncio.to_thread(_correct, parts, caller, uid, correction)

    body = correction.model_dump_json().encode()
    route = f"responses/{uid}/corrections"
    return await once(parts, asked(caller.workspace, key, route, body) if key else None, work)


def _correct(parts: Given, caller: Actor, uid: str, correction: to.CorrectionIn) -> Answer:
    workspace, actor, now = caller.workspace, caller.actor, parts.clock()
    with parts.database.write() as connection:
        try:
            row = corrected(connection, parts, workspace, uid, correction.fields(), actor, correction.note, now)
        except InputError as error:
            raise problem(Code.VALIDATION_FAILED, str(error)) from None
        if row is None:
            raise _unknown()
        detail = to.detail_out(row, history(connection, workspace, uid))
    return Answer(200, to.ResponseDetail.model_validate(detail).model_dump(mode="json"))


def _now(row: Mapping[str, Any], frame: Frame) -> Mapping[str, Any]:
    """A row whose themes have the names of now, also while a merge is still to be written to it."""
    return {**row, "effective": mapped(row["effective"], frame)}


def _unknown() -> Exception:
    return problem(Code.NOT_FOUND, "there is no such response")
