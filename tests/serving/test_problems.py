"""Problems (RFC 9457) and the border that turns every error into one, over small apps without BentoML."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from fastapi import FastAPI, Query
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send

from serving import logs
from serving.metrics import Metrics
from serving.middleware import Border
from serving.problems import MAX_INVALID_PARAMS, MEDIA_TYPE, STATUS, Code, install, problem, validation_failed

LIMIT = 1000
MARKER = "Kurier-spóźnił-się-marker"


def make_app() -> FastAPI:
    app = FastAPI(openapi_url=None)
    install(app)

    @app.post("/echo")
    async def echo(request: Request) -> Response:
        return Response(await request.body())

    @app.get("/teapot")
    async def teapot() -> Response:
        return JSONResponse([{"error": MARKER}], status_code=418)

    @app.get("/plain/{status}")
    async def plain(status: int) -> Response:
        return PlainTextResponse(MARKER, status_code=status, headers={"Retry-After": "7"})

    @app.get("/raise/{status}")
    async def raising(status: int) -> Response:
        raise HTTPException(status, MARKER)

    @app.get("/crash")
    async def crash() -> Response:
        raise ValueError(MARKER)

    @app.get("/own")
    async def own() -> Response:
        raise problem(Code.OVERLOADED, "too many", Retry_After="3")

    @app.get("/number")
    async def number(limit: int = Query(le=1000)) -> Response:
        return PlainTextResponse(str(limit))

    return app


def bordered(app: Any, **options: Any) -> Border:
    return Border(app, metrics=Metrics(), max_body_bytes=LIMIT, route_of=lambda scope: None, **options)


@pytest.fixture
def client() -> Iterator[TestClient]:
    with TestClient(bordered(make_app(), hidden=("/hidden",))) as client:
        yield client


def check(answer: Any, status: int, code: Code) -> dict[str, Any]:
    assert answer.status_code == status
    assert answer.headers["content-type"] == MEDIA_TYPE
    body: dict[str, Any] = answer.json()
    assert body["status"] == status and body["code"] == code
    assert body["type"] == "about:blank" and body["title"] and body["detail"]
    assert body["request_id"] == answer.headers["x-request-id"]
    assert MARKER not in answer.text
    return body


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/nothing", 404, Code.NOT_FOUND),
        ("/hidden/page.js", 404, Code.NOT_FOUND),
        ("/echo", 405, Code.METHOD_NOT_ALLOWED),
        ("/teapot", 418, Code.BAD_REQUEST),
        ("/plain/429", 429, Code.BAD_REQUEST),
        ("/plain/500", 500, Code.INTERNAL_ERROR),
        ("/plain/502", 502, Code.INTERNAL_ERROR),
        ("/plain/504", 504, Code.TIMEOUT),
        ("/raise/503", 503, Code.NOT_READY),
        ("/raise/404", 404, Code.NOT_FOUND),
        ("/crash", 500, Code.INTERNAL_ERROR),
        ("/own", 503, Code.OVERLOADED),
        ("/number?limit=5000", 422, Code.VALIDATION_FAILED),
    ],
)
def test_every_error_is_a_problem_without_the_frameworks_text(
    client: TestClient, path: str, status: int, code: Code
) -> None:
    check(client.get(path), status, code)


def test_headers_that_say_what_to_do_are_kept(client: TestClient) -> None:
    assert client.get("/echo").headers["allow"] == "POST"
    assert client.get("/plain/429").headers["retry-after"] == "7"
    assert client.get("/own").headers["retry-after"] == "3"


def test_a_wrong_parameter_is_named_and_not_quoted(client: TestClient) -> None:
    body = check(client.get("/number", params={"limit": MARKER}), 422, Code.VALIDATION_FAILED)
    assert [param["name"] for param in body["invalid_params"]] == ["query.limit"]


def test_a_crash_is_logged_with_its_place_and_without_its_message(
    client: TestClient, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure()
    client.get("/crash")
    logged = capsys.readouterr()
    assert "ValueError" in logged.out + logged.err and "crash" in logged.out + logged.err
    assert MARKER not in logged.out + logged.err


def test_an_app_that_dies_without_an_answer_is_a_problem() -> None:
    async def dying(scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError(MARKER)

    check(TestClient(bordered(dying)).get("/"), 500, Code.INTERNAL_ERROR)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("order-77.b_2", True),
        ("x" * 128, True),
        ("x" * 129, False),
        ("two words", False),
        ("a\tb", False),
        ("żółw".encode().decode("latin-1"), False),
        ("", False),
    ],
)
def test_a_safe_request_id_is_kept_and_any_other_replaced(client: TestClient, given: str, kept: bool) -> None:
    answer = client.get("/nothing", headers={"X-Request-ID": given.encode("latin-1")})
    assert (answer.headers["x-request-id"] == given) is kept
    check(answer, 404, Code.NOT_FOUND)


def test_a_body_at_the_limit_passes_whole(client: TestClient) -> None:
    body = bytes(range(250)) * 4
    assert client.post("/echo", content=body).content == body


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_above_the_limit_is_refused(client: TestClient, chunked: bool) -> None:
    body = b"x" * (LIMIT + 1)
    content: Any = iter([body[:600], body[600:]]) if chunked else body
    answer = client.post("/echo", content=content)
    assert "1000 bytes" in check(answer, 413, Code.PAYLOAD_TOO_LARGE)["detail"]
    assert answer.headers["connection"] == "close"


def exchange(app: Any, messages: AsyncIterator[Message], length: int | None = None) -> list[Message]:
    """What an app sends when it receives exactly these messages."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return await anext(messages)

    headers = [] if length is None else [(b"content-length", str(length).encode())]
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/echo",
        "headers": headers,
        "query_string": b"",
        "root_path": "",
    }
    asyncio.run(app(scope, receive, send))
    return sent


def test_a_path_that_takes_files_may_have_a_larger_body() -> None:
    client = TestClient(bordered(make_app(), larger={"/echo": 2 * LIMIT}))
    assert [client.post("/echo", content=b"x" * size).status_code for size in (2 * LIMIT, 2 * LIMIT + 1)] == [200, 413]


def test_a_declared_length_does_not_replace_counting() -> None:
    async def lying() -> AsyncIterator[Message]:
        for _ in range(3):
            yield {"type": "http.request", "body": b"x" * 400, "more_body": True}
        pytest.fail("read on after the limit")

    sent = exchange(bordered(make_app()), lying())
    assert sent[0]["status"] == 413


def test_a_declared_length_above_the_limit_is_refused_unread() -> None:
    async def unread() -> AsyncIterator[Message]:
        pytest.fail("read a body that is too large by its own word")
        yield {}

    assert exchange(bordered(make_app()), unread(), length=LIMIT + 1)[0]["status"] == 413


def test_a_sender_that_stalls_is_given_up() -> None:
    async def stalling() -> AsyncIterator[Message]:
        yield {"type": "http.request", "body": b"{", "more_body": True}
        await asyncio.sleep(60)

    sent = exchange(bordered(make_app(), body_seconds=0.05), stalling())
    assert sent[0]["status"] == 408
    assert json.loads(sent[1]["body"])["code"] == Code.REQUEST_TIMEOUT


def test_requests_are_counted_under_closed_labels(client: TestClient) -> None:
    metrics = Metrics()
    border = Border(make_app(), metrics=metrics, max_body_bytes=LIMIT, route_of=lambda scope: None)
    counting = TestClient(border)
    counting.get(f"/{MARKER}")
    counting.request(MARKER.encode("ascii", "ignore").decode(), "/echo")
    text = metrics.render()[0].decode()
    assert 'holos_http_requests_total{method="GET",route="unmatched",status="404"} 1.0' in text
    assert 'method="OTHER"' in text and "Kurier" not in text


def test_many_wrong_places_are_counted_and_cut() -> None:
    found = validation_failed((f"items[{number}].scor", "extra_forbidden", "no") for number in range(500)).problem
    body = found.to_dict("r")
    assert len(body["invalid_params"]) == MAX_INVALID_PARAMS
    assert "500 places" in body["detail"] and "items[0].scor: unknown field" in body["detail"]


def test_a_name_that_has_no_bytes_can_still_be_told() -> None:
    answer = validation_failed([("items[0].\ud800", "extra_forbidden", "no")]).problem.to_response()
    assert json.loads(answer.body)["invalid_params"][0]["name"] == "items[0].\ufffd"


def test_every_code_has_its_status() -> None:
    assert set(STATUS) == set(Code)
    assert all(400 <= status <= 599 for status in STATUS.values())
