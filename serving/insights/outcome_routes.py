"""`POST /v1/outcomes`: what became of people, as JSON or as the CSV file it comes in."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.responses import JSONResponse

from nlp.errors import InputError
from serving.access import Caller, allowed
from serving.classify import Sent, read_json
from serving.idempotency import Answer, Key, creating
from serving.insights.outcomes import MOST_ITEMS, OutcomeIn, Read, Taken, read_csv, take
from serving.openapi_parts import problems
from serving.parts import Given, Parts
from serving.problems import Code, problem, validation_failed
from serving.schemas import invalids

router = APIRouter()

Sender = Annotated[Caller, Depends(allowed("ingest"))]


class OutcomesIn(BaseModel):
    """What became of people, as JSON."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)

    items: list[OutcomeIn] = Field(max_length=MOST_ITEMS)


_LIST = {"type": "array", "maxItems": MOST_ITEMS, "items": OutcomeIn.model_json_schema()}
_JSON = {"type": "object", "required": ["items"], "additionalProperties": False, "properties": {"items": _LIST}}
_CSV = "respondent,kind,at,value\nc-77,retained,2026-12-01T00:00:00Z,1\nc-77,spent,2026-12-03,120.50\n"
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": _JSON},
            "text/csv": {"schema": {"type": "string"}, "example": _CSV},
        },
    }
}


@router.post(
    "/outcomes",
    operation_id="outcomes",
    summary="Takes what became of people: later scores, whether they stayed, what they spent",
    description="A row with the person, kind and time of one that is here replaces its value; sending twice is safe.",
    response_model=Taken,
    responses=problems(400, 401, 403, 409, 410, 413, 415, 422, 429),
    openapi_extra=_BODY,
)
async def post_outcomes(caller: Sender, parts: Given, request: Request, key: Key = None) -> JSONResponse:
    headers = request.headers
    sent = Sent(await request.body(), headers.get("content-type", ""), headers.get("content-encoding", ""))
    return await creating(parts, caller, key, "outcomes", sent.body, lambda: _take(parts, caller, sent))


def _take(parts: Parts, caller: Caller, sent: Sent) -> Answer:
    read = _read(sent)
    with parts.database.write() as connection:
        taken = take(connection, caller.workspace, read, caller.actor, parts.clock())
    return Answer(200, asdict(taken))


def _read(sent: Sent) -> Read:
    if sent.content_type.split(";")[0].strip().lower() != "text/csv":
        return _read_json(sent)
    try:
        return read_csv(sent.body.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise problem(Code.BAD_REQUEST, f"the CSV is not UTF-8 (byte {error.start}); save it as UTF-8") from None
    except InputError as error:
        raise problem(Code.VALIDATION_FAILED, str(error)) from None


def _read_json(sent: Sent) -> Read:
    try:
        return Read(tuple(OutcomesIn.model_validate(read_json(sent)).items), ())
    except ValidationError as error:
        wrong = [(invalid.path, invalid.code, invalid.reason) for invalid in invalids(error)]
    raise validation_failed(wrong)
