"""`/v1/imports` and `/v1/jobs`: files taken in the background, how far they are, and what was wrong with their rows."""

import asyncio
import csv
import io
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Path, Response, UploadFile
from starlette.responses import JSONResponse

from nlp.errors import PolicyError
from serving.audit import record
from serving.files import KINDS
from serving.idempotency import Answer, Key, asked, once
from serving.ingest import models as to
from serving.ingest.asking import Reader, Sender
from serving.ingest.imports import KIND, read_mapping
from serving.openapi_parts import problems
from serving.paging import DEFAULT, Cursor, Limit, decode, id_in, moment_in, page
from serving.parts import Given, Parts
from serving.problems import Code, problem
from serving.schemas import clean
from serving.store import jobs

router = APIRouter(tags=["imports"])

MAX_MAPPING = 20_000
MAX_FILE_NAME = 200
JobId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")]
_ONE = problems(401, 403, 404, 422, 429)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@router.post(
    "/imports",
    operation_id="import_responses",
    summary="Take a file of responses, in the background",
    status_code=202,
    response_model=to.JobOut,
    responses={
        202: {"headers": {"Location": {"description": "the job", "schema": {"type": "string"}}}},
        **problems(400, 401, 403, 409, 410, 413, 415, 422, 429),
    },
)
async def import_responses(
    parts: Given,
    caller: Sender,
    file: Annotated[UploadFile, File(description=f"one of {', '.join(KINDS)}")],
    mapping: Annotated[
        str | None, Form(max_length=MAX_MAPPING, description="which column is which field: a mapping file's YAML")
    ] = None,
    key: Key = None,
) -> JSONResponse:
    data, name = await file.read(), clean(file.filename or "").replace("\x00", "")[-MAX_FILE_NAME:]
    _check(name, data, mapping)

    async def work() -> Answer:
        row = await asyncio.to_thread(_create, parts, caller, {"name": name, "mapping": mapping}, data)
        body = to.JobOut.model_validate(to.job_out(row)).model_dump(mode="json")
        return Answer(202, body)

    sent = (name.encode(), (mapping or "").encode(), data)
    return await once(parts, asked(caller.workspace, key, "imports", *sent) if key else None, work, _location)


@router.get(
    "/jobs",
    operation_id="list_jobs",
    summary="Jobs, newest first",
    response_model=to.JobList,
    responses=problems(400, 401, 403, 422, 429),
)
def list_jobs(parts: Given, caller: Reader, limit: Limit = DEFAULT, cursor: Cursor = None) -> dict[str, Any]:
    with parts.database.read() as connection:
        found = jobs.listed(connection, caller.workspace, limit + 1, after(cursor))
    kept = page(found, limit, lambda row: (row["created_at"].isoformat(), row["id"]))
    return {"items": [to.job_out(row) for row in kept.items], "next": kept.next}


@router.get("/jobs/{id}", operation_id="get_job", summary="How far a job is", response_model=to.JobOut, responses=_ONE)
def get_job(parts: Given, caller: Reader, id: JobId) -> dict[str, Any]:
    with parts.database.read() as connection:
        return to.job_out(_found(jobs.find(connection, caller.workspace, id)))


@router.post(
    "/jobs/{id}/cancel",
    operation_id="cancel_job",
    summary="Stop a job; what it has taken stays",
    response_model=to.JobOut,
    responses=problems(401, 403, 404, 409, 422, 429),
)
def cancel_job(parts: Given, caller: Sender, id: JobId) -> dict[str, Any]:
    now = parts.clock()
    with parts.database.write() as connection:
        before = _found(jobs.find(connection, caller.workspace, id))
        if before["kind"] in jobs.TO_THE_END and before["state"] in jobs.OPEN:
            raise problem(Code.WRONG_STATE, f"a {before['kind']} cannot be stopped half way; it ends by itself")
        if not jobs.cancel(connection, caller.workspace, id, now):
            raise problem(Code.WRONG_STATE, f"the job is {before['state']}; only one that is not over can be stopped")
        record(connection, caller.workspace, caller.actor, "job.cancel", f"job:{id}", {"kind": before["kind"]}, now)
        return to.job_out(_found(jobs.find(connection, caller.workspace, id)))


@router.get(
    "/jobs/{id}/refused",
    operation_id="get_refused_rows",
    summary="The rows that were not taken, as CSV: row, code, detail",
    response_class=Response,
    responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}, **_ONE},
)
def get_refused_rows(parts: Given, caller: Reader, id: JobId) -> Response:
    with parts.database.read() as connection:
        _found(jobs.find(connection, caller.workspace, id))
        found = jobs.refused_rows(connection, caller.workspace, id)
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(("row", "code", "detail"))
    writer.writerows((each.row, each.code, _plain(each.detail)) for each in found)
    named = {"Content-Disposition": f'attachment; filename="refused-{id}.csv"'}
    return Response(out.getvalue().encode(), media_type="text/csv; charset=utf-8", headers=named)


def after(cursor: str | None) -> tuple[datetime, str] | None:
    """The time and id in a cursor; a 400 where it has none."""
    if cursor is None:
        return None
    at, id = decode(cursor, 2)
    return moment_in(at), id_in(id)


def _check(name: str, data: bytes, mapping: str | None) -> None:
    if not name.lower().endswith(KINDS):
        raise problem(Code.UNSUPPORTED_MEDIA_TYPE, f"the file's name should end in one of {', '.join(KINDS)}")
    if not data:
        raise problem(Code.VALIDATION_FAILED, "the file is empty; it should have a header and a row for each response")
    try:
        read_mapping(mapping)
    except PolicyError as error:
        raise problem(Code.VALIDATION_FAILED, str(error)) from None


def _create(parts: Parts, caller: Sender, params: dict[str, Any], data: bytes) -> Mapping[str, Any]:
    now = parts.clock()
    with parts.database.write() as connection:
        row = jobs.create(connection, caller.workspace, KIND, caller.actor, params, data, now)
        record(connection, caller.workspace, caller.actor, "import.create", f"job:{row['id']}", {}, now)
    return row


def _location(job: Mapping[str, Any]) -> dict[str, str]:
    return {"Location": f"/v1/jobs/{job['id']}"}


def _found(row: Mapping[str, Any] | None) -> Mapping[str, Any]:
    if row is None:
        raise problem(Code.NOT_FOUND, "there is no such job")
    return row


def _plain(detail: str) -> str:
    """Never a formula to the spreadsheet that opens it."""
    return f"'{detail}" if detail.startswith(_FORMULA) else detail
