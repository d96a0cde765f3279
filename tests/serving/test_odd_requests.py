"""What is well-formed on the wire and no text, no number or no end of brackets: refused or kept, and never a crash."""

import base64
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from everywhere import fill
from fastapi import FastAPI
from loop import Api
from starlette.testclient import TestClient
from test_walls import MARK, VALID, Operation, address, body, operations

from serving import openapi
from serving.access import Gate
from serving.app import create_app
from serving.limits import RATES, Limiter, Rate
from serving.metrics import Metrics
from serving.parts import Parts
from serving.store.tables import metadata

ODD_TEXTS = ("a\x00b", "a\ud800b", "\x00", "x" * 100_000, "\u202e\ufeff\U0010ffff", "0001-01-01T00:00:00+23:59")
ODD_NUMBERS = (10**400, -(2**63) - 1, 1e308, 2**31)
ODD_QUERIES = ("%00", "%ff%fe", "9" * 5000, "-1", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00%2B23:59")
ODD_KEYS = (
    *([10**30], [None], ["\x00"], ["a\ud800"], [1e308], [True], [[[]]], [{}], [], ["0001-01-01T00:00:00+23:59"]),
    *(["9999-12-31T23:59:59-23:59", "x"], ["2026-11-02T09:00:00+00:00", 10**30], ["2026-11-02", "x"], [None, None]),
    *([1, "2026-11-02T09:00:00+00:00", "x"], [10**30, None, "\x00"], ["a", "b", "c"], [1, None, 1], ["x", "\x00"]),
)
JSON = {"Content-Type": "application/json"}
DEEP = "[" * 100_000
UNREADABLE = (b"", b"\xff\xfe", b"{", b"NaN", b'{"a": 1e999}', DEEP.encode(), b'{"a":' * 50_000, b"null", b"[]", b'"a"')


@pytest.fixture
def app(parts: Parts) -> FastAPI:
    with parts.database.write() as connection:
        fill(connection, metadata, "acme", MARK, VALID)
    found = create_app(Metrics())
    found.state.parts = parts
    found.state.gate = Gate(Limiter({scope: Rate(10**9) for scope in RATES}))
    return found


@pytest.fixture
def client(app: FastAPI, api: Callable[..., Api]) -> TestClient:
    key = api().client().headers["Authorization"]
    return TestClient(app, headers={"Authorization": key, "If-Match": "*"}, raise_server_exceptions=False)


def changed(value: Any, odd: Any, kind: type) -> Iterator[Any]:
    """The value with each of its leaves of a kind exchanged in turn."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from ({**value, name: each} for each in changed(inner, odd, kind))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from ([*value[:place], each, *value[place + 1 :]] for each in changed(inner, odd, kind))
    elif type(value) is kind:
        yield odd


def bodies(operation: Operation, document: Any) -> Iterator[bytes]:
    good = body(operation, document, "acme")
    for odd in ODD_TEXTS:
        yield from (json.dumps(each).encode() for each in changed(good, odd, str))
        if isinstance(good, dict):
            yield json.dumps({**good, odd: odd}).encode()
    for number in ODD_NUMBERS:
        yield from (json.dumps(each).encode() for each in [*changed(good, number, int), *changed(good, number, float)])
    yield from UNREADABLE


def held(answer: Any, operation: Operation, sent: Any) -> None:
    told = f"{operation.method} {answer.request.url!s:.300} {sent!r:.300}: {answer.status_code} {answer.text:.300}"
    assert answer.status_code < 500, told


def test_bodies(client: TestClient, app: FastAPI) -> None:
    document = openapi.document(app)
    for operation in operations(document):
        if "requestBody" in operation.about:
            for sent in bodies(operation, document):
                how, path = operation.method.upper(), address(operation, "acme")
                held(
                    client.request(how, path, content=sent, headers={"Content-Type": "application/json"}),
                    operation,
                    sent,
                )


def test_queries_and_paths(client: TestClient, app: FastAPI) -> None:
    for operation in operations(openapi.document(app)):
        how, path = operation.method.upper(), address(operation, "acme")
        named = [found["name"] for found in operation.parameters if found["in"] == "query"]
        for odd in ODD_QUERIES:
            for name in named:
                held(client.request(how, f"{path}?{name}={odd}"), operation, odd)
            if "{" in operation.path:
                before, _, after = operation.path.partition("{")
                held(client.request(how, before + odd + after.partition("}")[2]), operation, odd)


def test_cursors(client: TestClient, app: FastAPI) -> None:
    for operation in operations(openapi.document(app)):
        if any(found["name"] == "cursor" for found in operation.parameters):
            for key in ODD_KEYS:
                cursor = base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")
                held(client.get(address(operation, "acme"), params={"cursor": cursor}), operation, key)
            for cursor in ("", "é", "%", DEEP[:1999], base64.urlsafe_b64encode(DEEP[:1400].encode()).decode()):
                answer = client.get(address(operation, "acme"), params={"cursor": cursor})
                assert answer.status_code in (400, 422), (operation.path, cursor[:20])
