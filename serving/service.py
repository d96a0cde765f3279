"""The BentoML shell: one service, one API, no model logic. Beside the model store, `bentoml` is imported here alone."""

import asyncio
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

# before bentoml is imported anywhere: it counts imports as well
os.environ["BENTOML_DO_NOT_TRACK"] = "True"

import bentoml
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from nlp.errors import HolosError
from serving import background, logs, modelstore
from serving.access import allowed_near
from serving.app import create_app, route_namer
from serving.assembly import assemble, open_database
from serving.batcher import Classifier
from serving.classify import Sent, classify
from serving.engine import Engine
from serving.issues.encoder import BareEncoder
from serving.loading import open_pipeline
from serving.metrics import Metrics
from serving.middleware import Border
from serving.models import Models
from serving.openapi import CLASSIFY
from serving.parts import IssueVectors, Parts
from serving.problems import ProblemError
from serving.registry import Registry
from serving.schemas import ResponseIn
from serving.settings import Settings, load_settings

TIMEOUT_SECONDS = 300
"""Four MiB of text on a slow processor take minutes; BentoML cancels and answers 504 after this."""
KEEP_ALIVE_SECONDS = 75
"""Longer than clients and load balancers keep an idle connection (httpx 5 s, AWS 60 s): where the server closes first,
a request sent at that moment is lost."""
BENTOML_ROUTES = frozenset({CLASSIFY, "/livez", "/readyz", "/healthz", "/schema.json"})
IMPORTS = "/v1/imports"
HIDDEN = ("/static_content", "/assets")
"""BentoML's own pages, which load scripts from third parties."""


load: Callable[[Settings], Classifier] = open_pipeline
"""What a worker serves; replaced where something else than the model folder is to be served."""

issue_vectors: Callable[[Settings], IssueVectors] = BareEncoder
"""What issues are found by; replaced along with it."""

metrics = Metrics()
app = create_app(metrics)


def carried() -> Any:
    """The model that travels in a Bento: the one baked in, or the champion, which a build will bake in."""
    baked = modelstore.baked()
    if baked is not None:
        return baked
    return modelstore.champion(Registry(load_settings().models_dir))


@dataclass(frozen=True, slots=True)
class Asked:
    """A body and the request that brought it."""

    sent: Sent
    request: Request


class ClassifyBody(bentoml.IODescriptor):
    """The body of `POST /v1/classify`. It is read by `serving.classify`: BentoML's reading logs what it refuses."""

    __root_input__ = True
    items: list[ResponseIn]

    @classmethod
    async def from_http_request(cls, request: Request, serde: Any) -> Any:
        headers = request.headers
        body = await request.body()
        sent = Sent(body, headers.get("content-type", ""), headers.get("content-encoding", ""))
        # BentoML's own app took the request, which knows neither our parts nor our keys
        return Asked(sent, Request({**request.scope, "app": app}))


class ClassifyAnswer(bentoml.IODescriptor):
    """The answer of `POST /v1/classify`: one classification for each item, in order."""

    items: list[dict[str, Any]]


class BorderedService(bentoml.Service):
    """A service whose whole app, BentoML's own middleware and errors included, stands behind `Border`."""

    def to_asgi(self, is_main: bool = True) -> ASGIApp:
        settings = load_settings()
        return Border(
            super().to_asgi(is_main=is_main),
            metrics=metrics,
            max_body_bytes=settings.max_body_bytes,
            larger={IMPORTS: settings.max_import_bytes},
            route_of=route_namer(app, BENTOML_ROUTES),
            hidden=HIDDEN,
        )


@bentoml.service(
    service_class=BorderedService,
    workers=1,
    traffic={"timeout": TIMEOUT_SECONDS},
    # ours count and log with closed labels and no paths, and do not forbid a second app in one process
    metrics={"enabled": False},
    logging={"access": {"enabled": False}},
)
@bentoml.asgi_app(app, path="/")
class Holos:
    """Reads survey verbatims: themes, sentiment, reasons, signals and whom to call first."""

    model = carried()

    def __init__(self) -> None:
        logs.configure()
        self.settings = load_settings()
        baked = modelstore.folder_of(modelstore.baked())
        self.models = Models(self.settings, lambda settings: load(settings), partial(Engine, metrics=metrics), baked)
        self.engine = self.models.engine
        self.parts: Parts | None = None
        self.stopping = asyncio.Event()
        self.working: asyncio.Task[None] | None = None
        app.state.models = self.models

    @bentoml.on_startup
    async def start(self) -> None:
        self.models.start()
        try:
            database = await asyncio.to_thread(open_database, self.settings)
            bare = issue_vectors(self.settings)
            self.parts = app.state.parts = assemble(database, self.settings, self.engine, bare)
        except HolosError as error:
            # texts can still be classified; what needs the store answers 503
            logs.get_logger().error("store_not_opened", reason=str(error))
            return
        if self.settings.background:
            self.working = asyncio.create_task(background.run(self.parts, self.stopping), name="holos-background")

    @bentoml.on_shutdown
    async def stop(self) -> None:
        self.stopping.set()
        if self.working is not None:
            await self.working
        await self.models.close()
        if self.parts is not None:
            self.parts.database.close()
            app.state.parts = None

    @bentoml.api(route=CLASSIFY, input_spec=ClassifyBody, output_spec=ClassifyAnswer)
    async def classify(self, body: Asked, /) -> Any:
        """Classifies responses; stores nothing."""
        try:
            await allowed_near(body.request, "ingest")
            content = await classify(body.sent, self.engine, metrics, self.settings.max_items)
        except ProblemError as error:
            return error.problem.to_response()
        return Response(content, media_type="application/json")

    async def __is_alive__(self) -> bool:
        return _holds(lambda: self.engine.alive)

    async def __is_ready__(self) -> bool:
        return _holds(lambda: self.engine.ready)


def _holds(state: Callable[[], bool]) -> bool:
    # an exception here leaves BentoML's probe without an answer until the traffic timeout
    try:
        return state()
    except Exception as error:
        logs.get_logger().error("probe_failed", **logs.where(error))
        return False


def run(target: str, host: str, port: int, workers: int) -> None:
    """Serves `target` ("module:Name") in production mode until SIGTERM or SIGINT."""
    from _bentoml_impl.server.serving import serve_http
    from bentoml._internal.configuration.containers import BentoMLContainer

    service: Any = bentoml.load(target)
    service.config["workers"] = workers
    service.inject_config()
    with tempfile.TemporaryDirectory(prefix="holos-metrics-") as folder:
        # BentoML's default is one folder for every server of a user, emptied by each start
        BentoMLContainer.prometheus_multiproc_dir.set(folder)
        # `bentoml.serve` has no word for how long an idle connection is kept
        serve_http(target, host=host, port=port, timeout_keep_alive=KEEP_ALIVE_SECONDS)
