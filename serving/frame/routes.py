"""`/v1/taxonomy` and `/v1/themes`: the code frame of a workspace over HTTP."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Response
from starlette.responses import JSONResponse

from nlp.errors import InputError
from serving import etags, paging
from serving.access import Caller, allowed
from serving.frame import changing, store
from serving.frame import schemas as to
from serving.frame.changing import Change, FrameChangedError, ThemeStateError, UnknownThemeError, Work
from serving.frame.showing import own_of, own_part, shown, theme_of
from serving.idempotency import Answer, Key, answer, creating
from serving.openapi_parts import problems
from serving.paging import Cursor, Limit
from serving.parts import Given, Parts
from serving.problems import Code, problem

router = APIRouter(prefix="/v1", tags=["taxonomy"])

Reader = Annotated[Caller, Depends(allowed("read"))]
Admin = Annotated[Caller, Depends(allowed("admin"))]
Version = Annotated[int, Path(ge=1, le=2**31 - 1)]
Theme = Annotated[to.KnownId, Path(description="id of a theme of the code frame")]
Seen = Annotated[int | None, Depends(etags.seen_version("taxonomy"))]

CODES: tuple[tuple[type[InputError], Code], ...] = (
    (UnknownThemeError, Code.NOT_FOUND),
    (FrameChangedError, Code.VERSION_CHANGED),
    (ThemeStateError, Code.WRONG_STATE),
    (InputError, Code.VALIDATION_FAILED),
)
"""The first that fits."""
_READ = problems(401, 403, 422, 429)
_STEP: dict[str, Any] = {"responses": problems(400, 401, 403, 404, 409, 422, 429)}
_ETAG = {200: {"headers": etags.HEADERS}}


@router.get("/taxonomy", operation_id="get_taxonomy", summary="The code frame in force", responses={**_ETAG, **_READ})
def get_taxonomy(parts: Given, caller: Reader, answer: Response) -> to.TaxonomyOut:
    with parts.database.read() as connection:
        found = shown(connection, caller.workspace, parts.taxonomy())
    answer.headers["ETag"] = etags.etag(found.version)
    return found


@router.put(
    "/taxonomy",
    operation_id="put_taxonomy",
    summary="Replace the workspace's own part of the code frame",
    openapi_extra={"parameters": [etags.if_match("taxonomy")]},
    responses={**_ETAG, **problems(400, 401, 403, 409, 412, 422, 428, 429)},
)
def put_taxonomy(parts: Given, caller: Admin, body: to.TaxonomyIn, answer: Response, seen: Seen) -> to.TaxonomyOut:
    """Answers that have a theme which is another one now are shown with that; history stays."""
    with working(parts, caller, dry=False) as work:
        changing.put(work, own_of(body), seen)
        found = shown(work.connection, caller.workspace, parts.taxonomy())
    answer.headers["ETag"] = etags.etag(found.version)
    return found


@router.get(
    "/taxonomy/versions",
    operation_id="list_taxonomy_versions",
    summary="Who changed the code frame when, newest first",
    responses=problems(400, 401, 403, 422, 429),
)
def list_versions(
    parts: Given, caller: Reader, limit: Limit = paging.DEFAULT, cursor: Cursor = None
) -> to.TaxonomyVersions:
    with parts.database.read() as connection:
        rows = store.versions(connection, caller.workspace, paging.version_in(cursor), limit + 1)
    kept = paging.page(rows, limit, lambda row: [row["version"]])
    return to.TaxonomyVersions(items=[to.TaxonomyVersion(**row) for row in kept.items], next=kept.next)


@router.get(
    "/taxonomy/versions/{version}",
    operation_id="get_taxonomy_version",
    summary="The workspace's own part of an earlier code frame",
    responses=problems(401, 403, 404, 422, 429),
)
def get_version(parts: Given, caller: Reader, version: Version) -> to.TaxonomyVersionOut:
    with parts.database.read() as connection:
        row = store.row_of(connection, caller.workspace, version)
    if row is None:
        raise problem(Code.NOT_FOUND, f"there is no version {version} of the code frame")
    plain = {name: row[name] for name in to.TaxonomyVersion.model_fields}
    return to.TaxonomyVersionOut(**plain, own=own_part(store.own_in(row)))


@router.post("/themes/{id}/merge", operation_id="merge_theme", summary="Make a theme a part of another", **_STEP)
def merge_theme(parts: Given, caller: Admin, id: Theme, body: to.ThemeMergeIn) -> to.ThemeChanged:
    """Its id stays another name of that one in rules and filters."""
    return _step(parts, caller, body.dry_run, lambda work: changing.merge(work, id, body.into))


@router.post(
    "/themes/{id}/split",
    operation_id="split_theme",
    summary="Put narrower themes under a theme",
    response_model=to.ThemeChanged,
    **_STEP,
)
async def split_theme(parts: Given, caller: Admin, id: Theme, body: to.ThemeSplitIn, key: Key = None) -> JSONResponse:
    """They are found by similarity until a model is trained that knows them."""
    into = [theme_of(each) for each in body.into]

    def work() -> Answer:
        return answer(200, _step(parts, caller, body.dry_run, lambda found: changing.split(found, id, into)))

    return await creating(parts, caller, key, f"themes/{id}/split", body, work)


@router.post("/themes/{id}/move", operation_id="move_theme", summary="Put a theme under another", **_STEP)
def move_theme(parts: Given, caller: Admin, id: Theme, body: to.ThemeMoveIn) -> to.ThemeChanged:
    return _step(parts, caller, body.dry_run, lambda work: changing.move(work, id, body.parent))


@router.post("/themes/{id}/retire", operation_id="retire_theme", summary="Take a theme out of use", **_STEP)
def retire_theme(parts: Given, caller: Admin, id: Theme, body: to.ThemeRetireIn) -> to.ThemeChanged:
    """Answers that have it keep it."""
    return _step(parts, caller, body.dry_run, lambda work: changing.retire(work, id))


@contextmanager
def working(parts: Parts, caller: Caller, dry: bool) -> Iterator[Work]:
    """A transaction in which the caller changes the code frame; what goes wrong in it changes nothing."""
    try:
        with parts.database.read() if dry else parts.database.write() as connection:
            yield Work(connection, parts, caller.workspace, caller.actor, parts.clock(), dry)
    except InputError as error:
        code = next(code for kind, code in CODES if isinstance(error, kind))
        raise problem(code, str(error)) from None


def _step(parts: Parts, caller: Caller, dry: bool, do: Callable[[Work], Change]) -> to.ThemeChanged:
    with working(parts, caller, dry) as work:
        done = do(work)
    reach = to.ThemeReach(**asdict(done.reach))
    later = to.Rewriting(job=done.job, left=done.left) if done.left else None
    return to.ThemeChanged(dry_run=dry, version=done.frame.own_version, reach=reach, rewriting=later)
