"""Rules over HTTP: reading them, putting others in force, trying them on what is stored, applying them again."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Request, Response
from pydantic import ValidationError
from sqlalchemy.exc import IntegrityError

from nlp.errors import InputError
from serving import paging
from serving.access import Caller, allowed
from serving.audit import record
from serving.classify import Sent, read_json
from serving.frame.store import frame_of
from serving.openapi_parts import problems
from serving.paging import Cursor, Limit
from serving.parts import Given, Parts
from serving.problems import Code, problem, validation_failed
from serving.rules import store
from serving.rules.applying import apply_again
from serving.rules.document import parse_rules, read_rules
from serving.rules.places import MAX_SOURCE
from serving.rules.rule import RuleSet
from serving.rules.ruleset import current
from serving.rules.schemas import (
    Applied,
    ApplyIn,
    PeriodIn,
    RulesIn,
    RulesOut,
    RuleTrialOut,
    TrialIn,
    VersionOut,
    Versions,
    shown,
)
from serving.rules.testing import try_rules
from serving.rules.wrong import RulesError
from serving.schemas import invalids

router = APIRouter(prefix="/v1", tags=["rules"])

Reader = Annotated[Caller, Depends(allowed("read"))]
Admin = Annotated[Caller, Depends(allowed("admin"))]
Number = Annotated[int, Path(ge=1, le=2**31 - 1)]
IfMatch = Annotated[str | None, Header(max_length=200, description="the ETag of the rules that these replace")]

PERIOD = timedelta(days=90)
"""What is replayed when no beginning is given."""
YAML_TYPES = ("text/yaml", "application/yaml", "application/x-yaml", "text/x-yaml", "text/plain")
_ETAG = re.compile(r'(?:W/)?"(\d{1,9})"', re.ASCII)
_ERRORS = problems(400, 401, 403, 404, 412, 415, 422, 429)
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "text/yaml": {"schema": {"type": "string", "maxLength": MAX_SOURCE}},
            "application/json": {"schema": RulesIn.model_json_schema()},
        },
    }
}


async def _source(request: Request) -> str:
    """The YAML in a body, sent as it is or in JSON."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    body = await request.body()
    try:
        if kind in YAML_TYPES:
            return RulesIn(source=body.decode("utf-8")).source
        return RulesIn.model_validate(read_json(Sent(body, kind or "-"))).source
    except UnicodeDecodeError:
        raise problem(Code.BAD_REQUEST, "the body is not UTF-8") from None
    except ValidationError as error:
        raise validation_failed([(wrong.path, wrong.code, wrong.reason) for wrong in invalids(error)]) from None


@router.get("/rules", operation_id="get_rules", summary="The rules in force", responses=_ERRORS)
def get_rules(parts: Given, caller: Reader, answer: Response) -> RulesOut:
    with parts.database.read() as connection:
        rules = current(connection, caller.workspace)
    answer.headers["ETag"] = f'"{rules.version}"'
    return shown(rules)


@router.put("/rules", operation_id="put_rules", summary="Put rules in force", responses=_ERRORS, openapi_extra=_BODY)
def put_rules(
    parts: Given,
    caller: Admin,
    source: Annotated[str, Depends(_source)],
    answer: Response,
    if_match: IfMatch = None,
) -> RulesOut:
    rules, now = _parsed(parts, caller, source), parts.clock()
    try:
        with parts.database.write() as connection:
            _check_version(if_match, store.current_version(connection, caller.workspace))
            version = store.save(connection, caller.workspace, source, caller.actor, now)
            detail = {"version": version, "rules": len(rules.rules), "mode": rules.mode}
            record(connection, caller.workspace, caller.actor, "rules.put", f"rules:{version}", detail, now)
    except IntegrityError:
        raise problem(Code.VERSION_CHANGED, "somebody else saved rules just now; read them and try again") from None
    answer.headers["ETag"] = f'"{version}"'
    return shown(read_rules(source, version))


@router.get("/rules/versions", operation_id="list_rule_versions", summary="All versions", responses=_ERRORS)
def list_versions(parts: Given, caller: Reader, limit: Limit = paging.DEFAULT, cursor: Cursor = None) -> Versions:
    with parts.database.read() as connection:
        rows = store.versions(connection, caller.workspace, paging.version_in(cursor), limit + 1)
    page = paging.page(rows, limit, lambda row: [row["version"]])
    return Versions(items=[VersionOut(**row) for row in page.items], next=page.next)


@router.get(
    "/rules/versions/{version}", operation_id="get_rule_version", summary="An earlier version", responses=_ERRORS
)
def get_version(parts: Given, caller: Reader, version: Number) -> RulesOut:
    with parts.database.read() as connection:
        source = store.source_of(connection, caller.workspace, version)
    if source is None:
        raise problem(Code.NOT_FOUND, f"there is no version {version} of the rules")
    return shown(read_rules(source, version))


@router.post("/rules/test", operation_id="test_rules", summary="What rules would change", responses=_ERRORS)
def run_trial(parts: Given, caller: Reader, body: TrialIn) -> RuleTrialOut:
    since, until = _period(parts, body)
    given = _parsed(parts, caller, body.source) if body.source is not None else None
    with parts.database.read() as connection:
        most, shown_ = body.limit, body.examples
        frame = frame_of(connection, caller.workspace, parts.taxonomy())
        trial = try_rules(connection, caller.workspace, given, frame, since, until, most, shown_)
    return RuleTrialOut(since=trial.since, to=until, cut=trial.since > since, report=trial.report)


@router.post("/rules/apply", operation_id="apply_rules", summary="Apply the rules again", responses=_ERRORS)
def apply_rules(parts: Given, caller: Admin, body: ApplyIn) -> Applied:
    (since, until), now = _period(parts, body), parts.clock()
    try:
        done = apply_again(parts, caller.workspace, since, until, body.open, caller.actor, now)
    except InputError as error:
        raise validation_failed([("from", "period", str(error))]) from None
    found = Applied(responses=done.responses, relabelled=done.relabelled, cases=done.cases, opened=done.opened)
    detail = {"from": since.isoformat(), "to": until.isoformat(), "open": body.open, **found.model_dump()}
    with parts.database.write() as connection:
        record(connection, caller.workspace, caller.actor, "rules.apply", None, detail, now)
    return found


def _parsed(parts: Parts, caller: Caller, source: str) -> RuleSet:
    with parts.database.read() as connection:
        frame = frame_of(connection, caller.workspace, parts.taxonomy())
    try:
        return parse_rules(source, "source", frame)
    except RulesError as error:
        raise validation_failed([("source", "rules", str(fault)) for fault in error.faults]) from None


def _check_version(if_match: str | None, version: int) -> None:
    if if_match is None or if_match.strip() == "*":
        return
    if str(version) not in _ETAG.findall(if_match):
        raise problem(Code.VERSION_CHANGED, f"the rules in force are version {version}; read them and try again")


def _period(parts: Parts, body: PeriodIn) -> tuple[datetime, datetime]:
    until = (body.to or parts.clock()).astimezone(UTC)
    try:
        since = (body.since or until - PERIOD).astimezone(UTC)
    except OverflowError:
        raise validation_failed([("to", "period", "is too early")]) from None
    if since >= until:
        raise validation_failed([("from", "period", "must be before `to`")])
    return since, until
