"""`/v1/models`: which model answers, how it came to that, and changing it."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated, Any

from fastapi import FastAPI, Request
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError, model_validator
from starlette.responses import JSONResponse, Response

from nlp.errors import HolosError
from serving.access import allowed_near
from serving.classify import Sent, read_json
from serving.models import Fixed, Models, NotPassed, Unknown
from serving.openapi_models import MODELS, PROMOTE, ROLLBACK
from serving.problems import Code, problem, validation_failed
from serving.registry import NothingEarlier
from serving.schemas import invalids

CODES: tuple[tuple[type[HolosError], Code], ...] = (
    (Unknown, Code.NOT_FOUND),
    (NotPassed, Code.GATE_NOT_PASSED),
    (Fixed, Code.MODEL_FIXED),
    (NothingEarlier, Code.NOTHING_EARLIER),
    (HolosError, Code.MODEL_REFUSED),
)
"""The first that fits."""

Note = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]


class RollbackIn(BaseModel):
    """The body of a rollback; `{}` will do."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)

    note: Note | None = None


class PromoteIn(RollbackIn):
    """The body of a promotion; a version that never passed the gate needs `force` and a `note` that says why."""

    force: bool = False

    @model_validator(mode="after")
    def _explained(self) -> "PromoteIn":
        if self.force and self.note is None:
            raise ValueError("force needs a note that says why")
        return self


def add(app: FastAPI) -> None:
    """Puts the routes into the app; `app.state.models` is what they ask, once the service has made it."""

    @app.api_route(MODELS, methods=["GET", "HEAD"], include_in_schema=False)
    async def models(request: Request) -> Response:
        await allowed_near(request, "read")
        return await _described(_models(app))

    @app.post(PROMOTE, include_in_schema=False)
    async def promote(version: str, request: Request) -> Response:
        await allowed_near(request, "admin")
        body = await _read(request, PromoteIn)
        change = partial(_models(app).promote, version, force=body.force, note=body.note)
        return await _changed(app, change)

    @app.post(ROLLBACK, include_in_schema=False)
    async def rollback(request: Request) -> Response:
        await allowed_near(request, "admin")
        body = await _read(request, RollbackIn)
        return await _changed(app, partial(_models(app).rollback, note=body.note))


def _models(app: FastAPI) -> Models:
    found = getattr(app.state, "models", None)
    if found is None:
        raise problem(Code.NOT_READY, "the server is starting; try again shortly", Retry_After="1")
    return found


async def _changed(app: FastAPI, change: Callable[[], Awaitable[None]]) -> Response:
    try:
        await change()
    except HolosError as error:
        code = next(code for kind, code in CODES if isinstance(error, kind))
        raise problem(code, str(error)) from None
    return await _described(_models(app))


async def _described(models: Models) -> Response:
    return JSONResponse(await models.describe(), headers={"Cache-Control": "no-store"})


async def _read(request: Request, kind: type[RollbackIn]) -> Any:
    """The body. It must be sent as JSON: a page of another site cannot do that in its visitor's name."""
    sent = Sent(await request.body(), request.headers.get("content-type", "-"))
    data = read_json(sent)
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        wrong = [(invalid.path, invalid.code, invalid.reason) for invalid in invalids(error)]
    raise validation_failed(wrong)
