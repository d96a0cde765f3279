"""`/v1/clusters`: recurring issues over HTTP."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from starlette.responses import JSONResponse

from nlp.taxonomy import Theme
from serving import etags
from serving.audit import Reading
from serving.frame.store import frame_of
from serving.idempotency import Key
from serving.issues import actions, listing
from serving.issues import schemas as to
from serving.issues.asking import Actor, ClusterId, Reader, Seen, created, told, working
from serving.issues.promotion import promote
from serving.issues.showing import improvement, item, shown
from serving.openapi_parts import problems
from serving.paging import Cursor, Limit, decode, id_in, moment_in, page
from serving.parts import Given
from serving.problems import Code, problem
from serving.rules.lineage import descendants

router = APIRouter(prefix="/v1/clusters", tags=["clusters"])

_READ = problems(401, 403, 404, 422, 429)
_LIST = {**problems(400, 401, 403, 422, 429)}
_STEP: dict[str, Any] = {"responses": {200: {"headers": etags.HEADERS}, **problems(401, 403, 404, 409, 422, 429)}}
_MAKE: dict[str, Any] = {"status_code": 201, "responses": problems(400, 401, 403, 404, 409, 422, 429)}


@router.get("", operation_id="list_clusters", summary="Recurring issues", responses=_LIST)
def list_clusters(
    parts: Given,
    caller: Reader,
    reads: Reading,
    sort: Annotated[listing.Sort, Query(description="most first; those without the figure last")] = "size",
    state: Annotated[to.State, Query()] = "active",
    theme: Annotated[
        to.Name | None, Query(description="or one under it: linked to it, or among its most frequent")
    ] = None,
    language: Annotated[to.Name | None, Query(description="of at least a tenth of its answers")] = None,
    touchpoint: Annotated[to.Name | None, Query(description="of at least a tenth of its answers")] = None,
    parent: Annotated[to.Uid | None, Query(description="its sub-issues; without it, issues alone")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> to.ClusterList:
    after = listing.key_in(decode(cursor, 2)) if cursor else None
    with parts.database.read() as connection:
        frame = frame_of(connection, caller.workspace, parts.taxonomy())
        themes = tuple(descendants(theme, frame)) if theme else None
        wanted = listing.Filter(state, themes, language, touchpoint, parent)
        found = listing.listed(connection, caller.workspace, wanted, sort, limit + 1, after)
        outside = listing.count_unclustered(connection, caller.workspace, parts.clock())
    kept = page(found, limit, lambda row: listing.key_of(row, sort))
    reads.note(caller, "cluster.list", count=len(kept.items))
    return to.ClusterList(items=[item(row) for row in kept.items], next=kept.next, unclustered=outside)


@router.get(
    "/unclustered",
    operation_id="list_unclustered",
    summary="Answers in no issue, newest first",
    responses=_LIST,
)
def list_unclustered(
    parts: Given, caller: Reader, reads: Reading, limit: Limit = 100, cursor: Cursor = None
) -> to.UnclusteredList:
    now = parts.clock()
    with parts.database.read() as connection:
        found = listing.unclustered(connection, caller.workspace, now, limit + 1, _moment(cursor))
        outside = listing.count_unclustered(connection, caller.workspace, now)
    kept = page(found, limit, lambda row: [row.answered_at.isoformat(), row.uid])
    reads.note(caller, "cluster.unclustered", count=len(kept.items))
    items = [to.UnclusteredOut(**row._mapping) for row in kept.items]
    return to.UnclusteredList(items=items, next=kept.next, unclustered=outside)


@router.get(
    "/{id}",
    operation_id="get_cluster",
    summary="An issue with all that belongs to it",
    responses={200: {"headers": etags.HEADERS}, **_READ},
)
def get_cluster(parts: Given, caller: Reader, reads: Reading, id: ClusterId, answer: Response) -> to.ClusterOut:
    with told(), parts.database.read() as connection:
        found = shown(connection, caller.workspace, id, parts.clock(), answer)
    reads.note(caller, "cluster.read", f"cluster:{id}")
    return found


@router.get(
    "/{id}/members",
    operation_id="list_cluster_members",
    summary="Its answers, the surest first",
    responses={**_READ, **problems(400)},
)
def list_members(
    parts: Given, caller: Reader, reads: Reading, id: ClusterId, limit: Limit = 100, cursor: Cursor = None
) -> to.ClusterMembers:
    after = decode(cursor, 2) if cursor else None
    with told(), parts.database.read() as connection:
        actions.find(connection, caller.workspace, id)
        found = listing.members_of(connection, caller.workspace, id, limit + 1, after)
    kept = page(found, limit, lambda row: [row.strength, row.uid])
    reads.note(caller, "cluster.members", f"cluster:{id}", count=len(kept.items))
    return to.ClusterMembers(items=[to.ClusterMember(**row._mapping) for row in kept.items], next=kept.next)


@router.patch(
    "/{id}",
    operation_id="edit_cluster",
    summary="Name, assign, mute or link an issue",
    openapi_extra={"parameters": [etags.if_match("cluster")]},
    responses={200: {"headers": etags.HEADERS}, **problems(401, 403, 404, 412, 422, 428, 429)},
)
def edit_cluster(
    parts: Given,
    caller: Actor,
    id: ClusterId,
    body: to.ClusterEditIn,
    answer: Response,
    seen: Seen,
) -> to.ClusterOut:
    given = body.model_fields_set
    if not given:
        names = ", ".join(to.ClusterEditIn.model_fields)
        raise problem(Code.VALIDATION_FAILED, f"the body says nothing; give some of {names}")
    with working(parts, caller) as work:
        actions.edit(work, id, seen, {name: getattr(body, name) for name in given})
        return shown(work.connection, work.workspace, id, work.now, answer)


@router.post("/{id}/merge", operation_id="merge_cluster", summary="Make an issue a part of another", **_STEP)
def merge_cluster(
    parts: Given, caller: Actor, id: ClusterId, body: to.ClusterMergeIn, answer: Response
) -> to.ClusterOut:
    """Answers the issue that has both now."""
    with working(parts, caller) as work:
        actions.merge(work, id, body.into)
        return shown(work.connection, work.workspace, body.into, work.now, answer)


@router.post(
    "/{id}/split",
    operation_id="split_cluster",
    summary="Make an issue of its own of some members",
    response_model=to.ClusterOut,
    **_MAKE,
)
async def split_cluster(
    parts: Given, caller: Actor, id: ClusterId, body: to.ClusterSplitIn, key: Key = None
) -> JSONResponse:
    """Answers the new issue; later runs keep the two apart."""

    def work(found: actions.Work) -> Mapping[str, Any]:
        return _whole(found, actions.split(found, id, body.members, body.name))

    return await created(parts, caller, key, f"clusters/{id}/split", body, work)


@router.post("/{id}/dismiss", operation_id="dismiss_cluster", summary="Take an issue out of list and alarms", **_STEP)
def dismiss_cluster(parts: Given, caller: Actor, id: ClusterId, answer: Response) -> to.ClusterOut:
    with working(parts, caller) as work:
        actions.dismiss(work, id)
        return shown(work.connection, work.workspace, id, work.now, answer)


@router.post("/{id}/restore", operation_id="restore_cluster", summary="Undo a dismissal or a merge", **_STEP)
def restore_cluster(parts: Given, caller: Actor, id: ClusterId, answer: Response) -> to.ClusterOut:
    with working(parts, caller) as work:
        actions.restore(work, id)
        return shown(work.connection, work.workspace, id, work.now, answer)


@router.post(
    "/{id}/promote",
    operation_id="promote_cluster",
    summary="Make a theme of an issue",
    response_model=to.ClusterPromoted,
    **_MAKE,
)
async def promote_cluster(
    parts: Given, caller: Actor, id: ClusterId, body: to.ClusterPromoteIn, key: Key = None
) -> JSONResponse:
    """Its members become training examples; the model knows the theme after the next training."""
    asked = body.theme
    theme = Theme(asked.id, asked.label, asked.description, asked.parent)

    def work(found: actions.Work) -> Mapping[str, Any]:
        done = promote(found, parts, id, theme)
        return {"theme": done.theme, "examples": done.examples, "cluster": _whole(found, id)}

    return await created(parts, caller, key, f"clusters/{id}/promote", body, work)


@router.post(
    "/{id}/improvements",
    operation_id="improve_cluster",
    summary="Note what is done about an issue",
    response_model=to.ImprovementOut,
    **_MAKE,
)
async def improve_cluster(
    parts: Given, caller: Actor, id: ClusterId, body: to.ImprovementIn, key: Key = None
) -> JSONResponse:
    """From its day on the issue's rate is compared with the one before."""

    def work(found: actions.Work) -> Mapping[str, Any]:
        new = actions.improve(found, id, body.action, body.owner, body.on)
        rows = listing.improvements_of(found.connection, found.workspace, id)
        row = next(each for each in rows if each["id"] == new)
        return improvement(found.connection, found.workspace, row, found.now).model_dump(mode="json")

    return await created(parts, caller, key, f"clusters/{id}/improvements", body, work)


@router.get(
    "/{id}/improvements",
    operation_id="list_improvements",
    summary="What was done about an issue, and whether it worked",
    responses=_READ,
)
def list_improvements(parts: Given, caller: Reader, id: ClusterId) -> to.ImprovementList:
    with told(), parts.database.read() as connection:
        actions.find(connection, caller.workspace, id)
        rows = listing.improvements_of(connection, caller.workspace, id)
        found = [improvement(connection, caller.workspace, row, parts.clock()) for row in rows]
    return to.ImprovementList(items=found)


def _whole(work: actions.Work, id: str) -> dict[str, Any]:
    return shown(work.connection, work.workspace, id, work.now, None).model_dump(mode="json", by_alias=True)


def _moment(cursor: str | None) -> tuple[datetime, str] | None:
    if cursor is None:
        return None
    at, uid = decode(cursor, 2)
    return moment_in(at), id_in(uid)


def _words(values: Sequence[Any]) -> tuple[str, str]:
    if not all(isinstance(value, str) and "\x00" not in value for value in values):
        raise problem(Code.BAD_CURSOR, "the cursor is none that this list gave; start again without one")
    return values[0], values[1]
