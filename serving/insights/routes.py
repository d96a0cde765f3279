"""`/v1/insights/...`: figures about a period, as JSON; with `POST /v1/outcomes`, what became of people."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query
from sqlalchemy import Connection

from nlp.errors import InputError
from serving.access import Caller, allowed
from serving.frame.store import frame_of
from serving.insights import digest, drivers, frame, loop, outcome_routes, retention, scores, themes, value, volumes
from serving.insights.outcomes import NO_NUL
from serving.insights.window import Every, Window, period
from serving.openapi_parts import problems
from serving.parts import Given, Parts
from serving.problems import Code, problem
from serving.rules.lineage import Lineage, lineage_of
from serving.schemas import Instant
from serving.store.columns import NAME

router = APIRouter(prefix="/v1", tags=["insights"])
router.include_router(outcome_routes.router)

Reader = Annotated[Caller, Depends(allowed("read"))]
Named = Annotated[str | None, Query(min_length=1, max_length=NAME, pattern=NO_NUL)]
ThemeId = Annotated[str, Path(min_length=1, max_length=NAME, pattern=NO_NUL, description="as in `delivery.time`")]
Groups = Annotated[int, Query(ge=1, le=1000, description="groups shown, the largest first; the answer counts the rest")]
Steps = Annotated[Every, Query(description="what the trend is cut into; weeks begin on Monday, days are UTC's")]
_PROBLEMS = problems(401, 403, 422, 429)


def window(
    parts: Given,
    start: Annotated[Instant | None, Query(alias="from", description="90 days before `to` if absent")] = None,
    to: Annotated[Instant | None, Query(description="not included; now if absent")] = None,
    survey: Named = None,
    touchpoint: Named = None,
    unit: Named = None,
    metric: Annotated[Literal["nps", "csat", "ces", "rating", "custom"] | None, Query()] = None,
) -> Window:
    """The period and filters of a request; a 422 for a period that cannot be."""
    try:
        return Window(period(start, to, parts.clock()), survey, touchpoint, unit, metric)
    except InputError as error:
        raise problem(Code.VALIDATION_FAILED, str(error)) from None


Asked = Annotated[Window, Depends(window)]


@router.get(
    "/insights/volumes",
    operation_id="insights_volumes",
    summary="How many responses, by group and over time, and against the period before",
    responses=_PROBLEMS,
)
def get_volumes(
    caller: Reader, parts: Given, asked: Asked, by: volumes.By | None = None, every: Steps = "week", limit: Groups = 100
) -> volumes.Volumes:
    with parts.database.read() as connection:
        return volumes.volumes(connection, caller.workspace, asked, by, every, limit)


@router.get(
    "/insights/themes",
    operation_id="insights_themes",
    summary="Themes with their sentiment and trend, and against the period before",
    responses=_PROBLEMS,
)
def get_themes(caller: Reader, parts: Given, asked: Asked, every: Steps = "week", limit: Groups = 100) -> themes.Themes:
    with parts.database.read() as connection:
        lineage = _lineage(connection, parts, caller)
        return themes.themes(connection, caller.workspace, asked, every, limit, lineage)


@router.get(
    "/insights/themes/{id}",
    operation_id="insights_theme",
    summary="The digest of one theme and what lies under it: praise, complaints, places, quotes, trend",
    responses=problems(401, 403, 404, 422, 429),
)
def get_theme(
    caller: Reader,
    parts: Given,
    asked: Asked,
    id: ThemeId,
    every: Steps = "week",
) -> digest.Digest:
    with parts.database.read() as connection:
        held = frame_of(connection, caller.workspace, parts.taxonomy())
        # a merged theme's id is another name of what it became, and nothing is tagged with it any more
        theme, lineage = held.named(id), lineage_of(held)
        if not frame.known_theme(connection, caller.workspace, theme, lineage):
            raise problem(Code.NOT_FOUND, "no response of this workspace was ever tagged with this theme")
        return digest.digest(connection, caller.workspace, asked, theme, every, lineage)


@router.get(
    "/insights/scores",
    operation_id="insights_scores",
    summary="Scores by theme, touchpoint, unit, employee, survey, channel or language, with trend and comparison",
    responses=_PROBLEMS,
)
def get_scores(
    caller: Reader, parts: Given, asked: Asked, by: scores.By | None = None, every: Steps = "month", limit: Groups = 100
) -> scores.Scores:
    with parts.database.read() as connection:
        return scores.scores(connection, caller.workspace, asked, by, every, limit)


@router.get(
    "/insights/drivers",
    operation_id="insights_drivers",
    summary="Which moments matter: the effect of each theme and touchpoint on the score",
    responses=_PROBLEMS,
)
def get_drivers(caller: Reader, parts: Given, asked: Asked, outcome: drivers.Outcome = "score") -> drivers.Drivers:
    with parts.database.read() as connection:
        return drivers.drivers(connection, caller.workspace, asked, outcome)


@router.get(
    "/insights/loop",
    operation_id="insights_loop",
    summary="Whether the loop is closed: contacted against planned, in time, satisfied, and what came of it",
    responses=_PROBLEMS,
)
def get_loop(caller: Reader, parts: Given, asked: Asked, by: loop.By | None = None, limit: Groups = 100) -> loop.Loop:
    with parts.database.read() as connection:
        return loop.loop(connection, caller.workspace, asked, by, parts.clock(), limit)


@router.get(
    "/insights/retention",
    operation_id="insights_retention",
    summary="Low scorers contacted against not contacted, on what followed",
    responses=_PROBLEMS,
)
def get_retention(
    caller: Reader,
    parts: Given,
    asked: Asked,
    landmark_days: Annotated[int, Query(ge=0, le=90, description="contacted within so many days of the answer")] = 14,
    horizon_days: Annotated[int, Query(ge=1, le=1100, description="outcomes up to so many days after it")] = 180,
) -> retention.Retention:
    if horizon_days <= landmark_days:
        raise problem(Code.VALIDATION_FAILED, "horizon_days must be more than landmark_days")
    with parts.database.read() as connection:
        return retention.retention(connection, caller.workspace, asked, landmark_days, horizon_days, parts.clock())


@router.get(
    "/insights/value",
    operation_id="insights_value",
    summary="What promoters, passives and detractors are worth, and the value at risk by theme",
    responses=_PROBLEMS,
)
def get_value(caller: Reader, parts: Given, asked: Asked, limit: Groups = 100) -> value.Value:
    with parts.database.read() as connection:
        return value.value(connection, caller.workspace, asked, limit)


def _lineage(connection: Connection, parts: Parts, caller: Caller) -> Lineage:
    return lineage_of(frame_of(connection, caller.workspace, parts.taxonomy()))
