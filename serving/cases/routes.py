"""`/v1/cases`: the closed loop over HTTP."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from sqlalchemy import RowMapping, select
from starlette.responses import JSONResponse

from nlp.errors import InputError
from serving import etags
from serving.access import Caller
from serving.audit import Reading
from serving.cases import actions, brief, listing, rows
from serving.cases import schemas as to
from serving.cases.asking import Actor, Asked, CaseId, Reader, working
from serving.cases.book import open_or_join
from serving.cases.briefs import load_briefs
from serving.cases.showing import etag, item, shown, whole
from serving.cases.work import Work
from serving.frame.effective import Frame
from serving.frame.store import frame_of
from serving.idempotency import Answer, Key, answer, creating
from serving.openapi_parts import problems
from serving.paging import Cursor, Limit, decode, page
from serving.parts import Given, Parts
from serving.problems import Code, problem
from serving.rules.decision import Decision
from serving.rules.lineage import lineage_of
from serving.schemas import Instant
from serving.store.tables import responses

router = APIRouter(prefix="/v1/cases", tags=["cases"])

_STEP: dict[str, Any] = {
    "openapi_extra": {"parameters": [etags.if_match("case")]},
    "response_model": to.CaseOut,
    "responses": {200: {"headers": etags.HEADERS}, **problems(400, 401, 403, 404, 409, 412, 422, 428, 429)},
}
_TRIED: dict[str, Any] = {**_STEP, "responses": _STEP["responses"] | problems(410)}
_READ = problems(401, 403, 404, 422, 429)


@router.get("", operation_id="list_cases", summary="Cases, the most urgent first", responses={**_READ, **problems(400)})
def list_cases(
    parts: Given,
    caller: Reader,
    reads: Reading,
    state: Annotated[list[to.State] | None, Query(max_length=8)] = None,
    priority: Annotated[to.Priority | None, Query()] = None,
    team: Annotated[to.Name | None, Query()] = None,
    assignee: Annotated[to.Name | None, Query()] = None,
    unit: Annotated[to.Name | None, Query()] = None,
    theme: Annotated[to.Name | None, Query(description="covers the themes below it")] = None,
    overdue: Annotated[bool | None, Query()] = None,
    due_before: Annotated[Instant | None, Query(description="first contacts owed by then")] = None,
    respondent: Annotated[to.Name | None, Query()] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> to.CaseList:
    fields = (tuple(state or ()), priority, team, assignee, unit, theme, overdue, due_before, respondent)
    now = parts.clock()
    with parts.database.read() as connection:
        frame = frame_of(connection, caller.workspace, parts.taxonomy())
        wanted = listing.Filter(*fields, lineage_of(frame))
        found = listing.listed(connection, caller.workspace, wanted, now, limit + 1, _after(cursor))
    kept = page(found, limit, listing.key_of)
    reads.note(caller, "case.list", count=len(kept.items))
    return to.CaseList(items=[item(row, now) for row in kept.items], next=kept.next)


@router.get("/summary", operation_id="count_cases", summary="Cases counted", responses=_READ)
def count_cases(parts: Given, caller: Reader, opened_after: Annotated[Instant | None, Query()] = None) -> to.Summary:
    with parts.database.read() as connection:
        counts = listing.counted(connection, caller.workspace, opened_after, parts.clock())
    met, missed = counts.pop("met"), counts.pop("missed")
    share = round(met / (met + missed), 4) if met + missed else None
    return to.Summary(**counts, sla=to.Sla(met=met, missed=missed, share=share))


@router.post(
    "",
    operation_id="open_case",
    summary="Open a case by hand",
    status_code=201,
    response_model=to.CaseOut,
    responses={
        200: {
            "model": to.CaseOut,
            "description": "the response was, or now is, in a case that is open",
            "headers": etags.HEADERS,
        },
        201: {"headers": etags.HEADERS | {"Location": {"description": "the case", "schema": {"type": "string"}}}},
        **problems(400, 401, 403, 404, 409, 410, 422, 429),
    },
)
async def open_case(parts: Given, caller: Actor, body: to.OpenIn, key: Key = None) -> JSONResponse:
    return await creating(parts, caller, key, "cases", body, lambda: _opened(parts, caller, body), _made)


def _opened(parts: Parts, caller: Caller, body: to.OpenIn) -> Answer:
    with working(parts, caller) as work:
        response = _response(work, body.response)
        if body.priority is None and response["priority"] is None:
            raise InputError("priority: the response has none of its own, so give one, 1 to 4")
        decision = Decision(priority=body.priority, team=body.team, assignee=body.assignee)
        policy = work.policy.within(_frame(parts, work))
        opened = open_or_join(work.connection, work.workspace, response, decision, policy, work.now, work.by)
        assert opened is not None
        case = whole(work, rows.find_case(work.connection, work.workspace, opened.case))
    return answer(201 if opened.outcome == "opened" else 200, case)


def _made(case: Mapping[str, Any]) -> dict[str, str]:
    return {"Location": f"/v1/cases/{case['id']}", "ETag": etag(case)}


@router.get(
    "/{id}",
    operation_id="get_case",
    summary="A case with all that belongs to it",
    responses={200: {"headers": etags.HEADERS}, **_READ},
)
def get_case(parts: Given, caller: Reader, reads: Reading, id: CaseId, answer: Response) -> to.CaseOut:
    with working(parts, caller, change=False) as work:
        row = rows.find_case(work.connection, work.workspace, id)
        reads.note(caller, "case.read", f"case:{id}")
        return shown(work, row, answer)


@router.get(
    "/{id}/brief",
    operation_id="brief_case",
    summary="What the caller should know and say",
    responses={**_READ, **problems(409)},
)
def brief_case(
    parts: Given,
    caller: Actor,
    id: CaseId,
    language: Annotated[brief.LanguageCode | None, Query(description="instead of the customer's")] = None,
) -> brief.Brief:
    with working(parts, caller) as work:
        # who learns how to reach a person is on record before they do
        work.audit(id, "brief", {})
        briefs, lineage = load_briefs(parts.settings.data_dir), lineage_of(_frame(parts, work))
        return brief.compose(work.connection, work.workspace, id, briefs, lineage, language)


@router.post("/{id}/assign", operation_id="assign_case", summary="Give a case to a team or person", **_STEP)
def assign_case(asked: Asked, body: to.AssignIn) -> to.CaseOut:
    return asked.take(actions.assign, body.team, body.assignee)


@router.post("/{id}/start", operation_id="start_case", summary="Begin the work", **_STEP)
def start_case(asked: Asked) -> to.CaseOut:
    return asked.take(actions.start)


@router.post("/{id}/wait", operation_id="pause_case", summary="Stop the clock", **_STEP)
def wait_case(asked: Asked, body: to.ReasonIn) -> to.CaseOut:
    return asked.take(actions.wait, body.reason)


@router.post("/{id}/resume", operation_id="resume_case", summary="Let the clock go on", **_STEP)
def resume_case(asked: Asked) -> to.CaseOut:
    return asked.take(actions.resume)


@router.post(
    "/{id}/attempts", operation_id="attempt_case", summary="Take down an attempt to reach the person", **_TRIED
)
async def attempt_case(asked: Asked, body: to.AttemptIn, key: Key = None) -> JSONResponse:
    tried = actions.Tried(body.channel, body.result, body.notes, body.call_at)
    route = f"cases/{asked.id}/attempts"

    def work() -> Answer:
        return answer(200, asked.take(actions.attempt, tried))

    return await creating(asked.parts, asked.caller, key, route, body, work, lambda case: {"ETag": etag(case)})


@router.post("/{id}/resolve", operation_id="resolve_case", summary="End the work with its outcome", **_STEP)
def resolve_case(asked: Asked, body: to.Outcome) -> to.CaseOut:
    return asked.take(actions.resolve, body.model_dump(mode="json"))


@router.post("/{id}/close", operation_id="close_case", summary="Put a case away", **_STEP)
def close_case(asked: Asked) -> to.CaseOut:
    return asked.take(actions.close)


@router.post("/{id}/reopen", operation_id="reopen_case", summary="Take a case up again", **_STEP)
def reopen_case(asked: Asked, body: to.ReasonIn) -> to.CaseOut:
    return asked.take(actions.reopen, body.reason)


def _frame(parts: Parts, work: Work) -> Frame:
    return frame_of(work.connection, work.workspace, parts.taxonomy())


def _response(work: Work, uid: str) -> RowMapping:
    here = (responses.c.workspace == work.workspace, responses.c.uid == uid)
    row = work.connection.execute(select(responses).where(*here)).mappings().one_or_none()
    if row is None:
        raise problem(Code.NOT_FOUND, f"there is no response {uid} in this workspace")
    return row


def _after(cursor: str | None) -> Sequence[Any] | None:
    return listing.key_in(decode(cursor, 3)) if cursor else None
