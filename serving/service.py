"""The BentoML shell: one service, one API, no model logic. Beside the model store, `bentoml` is imported here alone."""

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

# before bentoml is imported anywhere: it counts imports as well
os.environ["BENTOML_DO_NOT_TRACK"] = "True"

import bentoml
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Scope

from serving import logs, modelstore
from serving.batcher import Classifier
from serving.classify import Sent, classify
from serving.issues.encoder import BareEncoder
from serving.loading import open_pipeline
from serving.metrics import Metrics
from serving.middleware import Border
from serving.openapi import CLASSIFY, bare_app
from serving.parts import IssueVectors
from serving.problems import ProblemError
from serving.registry import Registry
from serving.schemas import ResponseIn
from serving.settings import Settings, load_settings
from serving.worker import Worker

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
app = bare_app()
"""What BentoML mounts; it has routes once a worker has started."""


def carried() -> Any:
    """The model that travels in a Bento: the one baked in, or the champion, which a build will bake in."""
    baked = modelstore.baked()
    if baked is not None:
        return baked
    return modelstore.champion(Registry(load_settings().models_dir))


@cache
def _route_namer() -> Callable[[Scope], str | None]:
    from serving.app import route_namer

    return route_namer(app, BENTOML_ROUTES)


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
            route_of=lambda scope: _route_namer()(scope),
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
        self.worker = Worker(app, self.settings, metrics, lambda settings: load(settings), issue_vectors, baked)
        self.engine = self.worker.engine

    @bentoml.on_startup
    async def start(self) -> None:
        await self.worker.start()

    @bentoml.on_shutdown
    async def stop(self) -> None:
        await self.worker.stop()

    @bentoml.api(route=CLASSIFY, input_spec=ClassifyBody, output_spec=ClassifyAnswer)
    async def classify(self, body: Asked, /) -> Any:
        """Classifies responses; stores nothing."""
        from serving.access import allowed_near

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
