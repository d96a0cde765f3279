"""What is served beside BentoML's own routes: a front page, the OpenAPI document and the metrics."""

import json
import re
from collections.abc import Callable, Iterable
from functools import cache

from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, Response
from starlette.routing import compile_path
from starlette.types import Scope

from serving import access_routes, model_routes, openapi, problems
from serving.cases import routes as case_routes
from serving.frame import routes as frame_routes
from serving.inbound import routes as connector_routes
from serving.ingest import routes as response_routes
from serving.insights import routes as insight_routes
from serving.issues import alarm_routes
from serving.issues import routes as issue_routes
from serving.limits import RateFields
from serving.metrics import Metrics
from serving.outbox import routes as webhook_routes
from serving.privacy import routes as privacy_routes
from serving.retrying import Retrying
from serving.rules import routes as rule_routes

READ = ["GET", "HEAD"]
HIDDEN_ROUTES = ("/docs.json",)
"""Answered, and not told in the OpenAPI document."""
ROUTERS = (
    response_routes.router,
    case_routes.router,
    rule_routes.router,
    insight_routes.router,
    issue_routes.router,
    frame_routes.router,
    alarm_routes.router,
    connector_routes.router,
    webhook_routes.router,
    access_routes.router,
    privacy_routes.router,
)

_PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Holos</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:42rem;margin:3rem auto;padding:0 1rem}
pre{overflow:auto}</style>
</head>
<body>
<h1>Holos</h1>
<p>Reads what customers say in their own words: themes, sentiment, reasons and whom to call first.</p>
<pre>curl -s ADDRESS/v1/classify -H 'Content-Type: application/json' \\
  -d '{"items": [{"text": "Kurier spóźnił się trzy dni", "metric": "nps", "score": 2}]}'</pre>
<ul>
<li><a href="/openapi.json">The API, as an OpenAPI 3.1 document</a></li>
<li><a href="/readyz">Whether the model is loaded</a></li>
<li><a href="/metrics">Metrics</a></li>
</ul>
</body>
</html>
"""

_PAGE_HEADERS = {
    # nothing on the page comes from elsewhere, and nothing may
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


def create_app(metrics: Metrics) -> FastAPI:
    """An app with every route, mounted at `/`."""
    app = openapi.bare_app()
    furnish(app, metrics)
    return app


def furnish(app: FastAPI, metrics: Metrics) -> None:
    """Gives a bare app its routes; its own errors are problems, and it stands before every page that BentoML brings."""
    problems.install(app)
    app.add_middleware(RateFields)
    app.add_middleware(Retrying)

    @app.api_route("/", methods=READ, include_in_schema=False)
    async def page() -> Response:
        return HTMLResponse(_PAGE, headers=_PAGE_HEADERS)

    @cache
    def document() -> bytes:
        return json.dumps(openapi.document(app), ensure_ascii=False).encode("utf-8")

    # BentoML would put its own, partial document at the second address
    @app.api_route("/openapi.json", methods=READ, include_in_schema=False)
    @app.api_route("/docs.json", methods=READ, include_in_schema=False)
    async def openapi_json() -> Response:
        return Response(document(), media_type="application/json")

    @app.api_route("/metrics", methods=READ, include_in_schema=False)
    def metrics_text() -> Response:
        content, media_type = metrics.render()
        return Response(content, headers={"Content-Type": media_type})

    model_routes.add(app)
    for router in ROUTERS:
        app.include_router(router)
    _tell_methods(app)


def _tell_methods(app: FastAPI) -> None:
    """A 405 names every method of an address: Starlette names those of the first route that it finds there."""

    @cache
    def addresses() -> list[tuple[re.Pattern[str], set[str]]]:
        document = openapi.document(app)["paths"]
        return [(compile_path(path)[0], {method.upper() for method in document[path]}) for path in _narrowest(document)]

    @app.exception_handler(405)
    async def not_allowed(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        found = {word.strip() for word in (error.headers or {}).get("Allow", "").split(",")} - {""}
        told = next((methods for pattern, methods in addresses() if pattern.match(request.url.path)), set())
        return problems.from_status(405, {"Allow": ", ".join(sorted(found | told))}).to_response()


def _narrowest(paths: Iterable[str]) -> list[str]:
    """Fixed paths before those with a name in them."""
    return sorted(paths, key=lambda path: (path.count("{"), path))


def route_namer(app: FastAPI, others: frozenset[str]) -> Callable[[Scope], str | None]:
    """A function from a request to the route it belongs to, out of a closed set: the app's and `others`."""

    @cache
    def patterns() -> list[tuple[re.Pattern[str], str]]:
        # the document names every route in full, whatever routers it came through
        paths = _narrowest({*openapi.document(app)["paths"], *HIDDEN_ROUTES})
        return [(compile_path(path)[0], path) for path in paths]

    def name(scope: Scope) -> str | None:
        if scope["path"] in others:
            return str(scope["path"])
        return next((path for pattern, path in patterns() if pattern.match(scope["path"])), None)

    return name
