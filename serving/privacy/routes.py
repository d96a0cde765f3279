"""`/v1/respondents/{id}`: a person's data given out and erased; `/v1/retention`: how long anything is kept."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from serving.access import Caller, allowed
from serving.audit import record
from serving.openapi_parts import problems
from serving.parts import Given
from serving.privacy import retention_policy
from serving.privacy.erase import erase, settle, subject_of
from serving.privacy.export import export
from serving.privacy.originals import UnderWayError
from serving.privacy.retention_policy import LONGEST, load_retention
from serving.privacy.tombstones import pseudonym
from serving.problems import Code, ProblemError, problem
from serving.store.columns import NAME

router = APIRouter(prefix="/v1", tags=["privacy"])

Admin = Annotated[Caller, Depends(allowed("admin"))]
RespondentId = Annotated[
    str, Path(min_length=1, max_length=NAME, pattern=r"^[^\x00]+$", description="the sender's id of the person")
]
Block = Annotated[bool, Query(description="refuse what arrives of this person later")]
Days = Annotated[int | None, Field(ge=1, le=LONGEST, description="days; null: until it is deleted by hand")]


class PersonOut(BaseModel):
    """Everything that is kept of a person: rows by table."""

    id: str
    exported_at: datetime
    tables: dict[str, list[dict[str, Any]]]


class ErasedOut(BaseModel):
    """What was erased."""

    subject: str = Field(description="what the audit and the tombstone call the person from now on")
    erased_at: datetime
    blocked: bool = Field(description="whether this request asked to refuse what arrives later")
    counts: dict[str, int] = Field(description="rows by table; `... cleaned`: rows that the person was taken out of")


class DaysIn(BaseModel):
    """Days that the workspace sets itself; what is left out follows the policy of the installation."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)

    responses: Days = None
    originals: Days = None
    events: Days = None
    idempotency: Days = None
    audit: Days = None


class DaysOut(BaseModel):
    """Days by kind; null: kept until it is deleted by hand."""

    responses: int | None
    originals: int | None
    events: int | None
    idempotency: int | None
    audit: int | None


class RetentionOut(BaseModel):
    """How long anything of this workspace is kept, and which of it the workspace set itself."""

    policy: str
    days: DaysOut
    own: list[str]


@router.get(
    "/respondents/{id:path}",
    operation_id="export_respondent",
    summary="Everything that is kept of a person",
    responses=problems(401, 403, 404, 422, 429, 503),
)
def export_respondent(caller: Admin, parts: Given, id: RespondentId) -> PersonOut:
    now = parts.clock()
    with parts.database.write() as connection:
        subject = subject_of(pseudonym(connection, caller.workspace, id, now))
        tables = export(connection, caller.workspace, id, subject)
        record(connection, caller.workspace, caller.actor, "respondent.export", subject, {"found": bool(tables)}, now)
    if not tables:
        raise _nobody()
    return PersonOut(id=id, exported_at=now, tables=tables)


@router.delete(
    "/respondents/{id:path}",
    operation_id="erase_respondent",
    summary="Erase a person everywhere: texts, vectors, labels, cases, queued events",
    responses=problems(401, 403, 404, 409, 422, 429, 503),
)
def erase_respondent(caller: Admin, parts: Given, id: RespondentId, block: Block = False) -> ErasedOut:
    now = parts.clock()
    try:
        with parts.database.write() as connection:
            done = erase(connection, caller.workspace, id, caller.actor, now, block=block)
    except UnderWayError as error:
        raise problem(Code.WRONG_STATE, str(error)) from None
    if not done.known and not block:
        raise _nobody()
    settle(parts.database)
    return ErasedOut(subject=done.subject, erased_at=now, blocked=block, counts=done.counts)


@router.get(
    "/retention",
    operation_id="get_retention",
    summary="How long anything is kept",
    responses=problems(401, 403, 422, 429, 503),
)
def get_retention(caller: Admin, parts: Given) -> RetentionOut:
    with parts.database.read() as connection:
        own = retention_policy.own_days(connection, caller.workspace)
    return _retention(parts, own)


@router.put(
    "/retention",
    operation_id="set_retention",
    summary="Set how long anything of this workspace is kept",
    responses=problems(400, 401, 403, 422, 429, 503),
)
def set_retention(caller: Admin, parts: Given, body: DaysIn) -> RetentionOut:
    own, now = body.model_dump(exclude_unset=True), parts.clock()
    with parts.database.write() as connection:
        retention_policy.set_days(connection, caller.workspace, own, now)
        record(connection, caller.workspace, caller.actor, "retention.set", None, own, now)
    return _retention(parts, own)


def _retention(parts: Given, own: retention_policy.Days) -> RetentionOut:
    policy = load_retention(parts.settings.data_dir)
    return RetentionOut(policy=policy.version, days=DaysOut(**policy.overlaid(own).days), own=sorted(own))


def _nobody() -> ProblemError:
    return problem(Code.NOT_FOUND, "nothing is kept of a respondent of this id; ids are the senders' own")
