"""Requests that create can be sent twice: the second time nothing is made, and the first answer comes again."""

import asyncio
import math
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from loop import Api, Clock
from sqlalchemy import event, func, select
from sqlalchemy.engine import ExceptionContext
from starlette.responses import JSONResponse
from starlette.testclient import TestClient

from serving import idempotency, openapi, problems
from serving.app import ROUTERS, create_app
from serving.metrics import Metrics
from serving.parts import Parts
from serving.problems import Code, ProblemError
from serving.retrying import Retrying
from serving.store import access_tables, loop_tables, tables
from serving.store.database import BUSY_SECONDS, Database

HEADER = "Idempotency-Key"
ITEM = {"text": "The courier was late", "metric": "nps", "score": 1, "respondent": {"id": "c-77"}}
OUTCOME = {"respondent": "c-77", "kind": "score", "at": "2026-11-02T09:00:00Z", "value": 9}
CHANNEL = {"name": "team", "role": "manager", "url": "mailto://u:p@example.org"}
TRIED = {"channel": "phone", "result": "no_answer"}
CREATING = [
    ("responses", {"items": [ITEM]}, tables.responses),
    ("cases", {"response": "{response}", "priority": 2}, loop_tables.cases),
    ("cases/{case}/attempts", TRIED, loop_tables.attempts),
    ("outcomes", {"items": [OUTCOME]}, tables.outcomes),
    ("connectors", {"kind": "typeform"}, loop_tables.connectors),
    ("webhooks", {"url": "https://example.org/hook"}, loop_tables.webhooks),
    ("channels", CHANNEL, loop_tables.channels),
    ("keys", {"name": "second", "scopes": ["read"]}, access_tables.keys),
]
TOLD_APART = "a request that creates takes the header; an answer of 201 or 202 says that it creates"


@pytest.fixture
def client(api: Callable[..., Api]) -> TestClient:
    return api(*ROUTERS).client()


def filled(value: Any, ids: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: filled(each, ids) for name, each in value.items()}
    return value.format(**ids) if isinstance(value, str) else value


@pytest.mark.parametrize(("path", "body", "table"), CREATING, ids=[path for path, _, _ in CREATING])
def test_sent_twice_it_makes_one(client: TestClient, parts: Parts, path: str, body: Any, table: Any) -> None:
    ids = {"response": "", "case": ""}
    if "{" in f"{path}{body}":
        ids["response"] = client.post("/v1/responses", json={"items": [ITEM]}).json()["items"][0]["uid"]
        ids["case"] = client.get("/v1/cases").json()["items"][0]["id"]
    headers = {HEADER: "k-1", "If-Match": '"1"'}
    address, sent = f"/v1/{path.format(**ids)}", filled(body, ids)
    first = client.post(address, json=sent, headers=headers)
    assert first.is_success, first.text
    before = count(parts, table)
    second = client.post(address, json=sent, headers=headers)
    assert (second.status_code, second.headers["idempotent-replayed"]) == (first.status_code, "true")
    # the secret of a key is kept nowhere, so it cannot come twice
    assert second.json() == first.json() | ({"key": None} if path == "keys" else {})
    for name in ("location", "etag"):
        assert second.headers.get(name) == first.headers.get(name)
    assert count(parts, table) == before
    other = client.post(address, json={**sent, "more": 1}, headers={**headers, HEADER: "k-2"})
    assert other.status_code == 422


def count(parts: Parts, table: Any) -> int:
    with parts.database.read() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


def test_a_key_of_another_request_is_refused(client: TestClient) -> None:
    for scopes, status in ((["read"], 201), (["act"], 409)):
        answer = client.post("/v1/keys", json={"name": "second", "scopes": scopes}, headers={HEADER: "k-1"})
        assert answer.status_code == status
    assert answer.json()["code"] == "key_reused"


def test_a_refused_request_can_be_mended_under_its_key(client: TestClient) -> None:
    for scopes, status in ((["read"], 201), (["act"], 409)):
        name = {"name": "second", "scopes": scopes}
        assert client.post("/v1/keys", json=name, headers={HEADER: scopes[0]}).status_code == status
    again = {"name": "third", "scopes": ["act"]}
    assert client.post("/v1/keys", json=again, headers={HEADER: "act"}).status_code == 201


def test_a_request_at_work_keeps_its_key_however_long_it_takes(
    parts: Parts, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "ALIVE_SECONDS", 0.01)
    request = idempotency.asked("acme", "k-1", "slow", b"body")

    async def work() -> idempotency.Answer:
        clock.now += 10 * idempotency.ABANDONED
        for _ in range(2_000):
            if said_at(parts) == clock.now:
                break
            await asyncio.sleep(0.01)
        with pytest.raises(ProblemError) as busy:
            await idempotency.once(parts, request, work)
        assert busy.value.problem.code is Code.IN_PROGRESS
        return idempotency.Answer(200, {"done": True})

    answers = [asyncio.run(idempotency.once(parts, request, work)) for _ in range(2)]
    assert [answer.headers.get("idempotent-replayed") for answer in answers] == [None, "true"]


def test_a_heartbeat_that_came_late_does_not_give_the_key_away(parts: Parts, clock: Clock) -> None:
    request, other = (idempotency.asked("acme", key, "slow", b"body") for key in ("k-1", "k-2"))
    again: list[str] = []

    async def twice(asked: idempotency.Asked, later: timedelta) -> None:
        async def done_again() -> idempotency.Answer:
            again.append(asked.key)
            return idempotency.Answer(200, {"done": 2})

        async def work() -> idempotency.Answer:
            clock.now += later
            await idempotency.once(parts, asked, done_again)
            return idempotency.Answer(200, {"done": 1})

        await idempotency.once(parts, asked, work)

    # as long as SQLite keeps a heartbeat waiting, given up and tried once more
    with pytest.raises(ProblemError) as busy:
        asyncio.run(twice(request, timedelta(seconds=2 * BUSY_SECONDS + idempotency.ALIVE_SECONDS)))
    assert (busy.value.problem.code, again) == (Code.IN_PROGRESS, [])
    asyncio.run(twice(other, timedelta(minutes=3, seconds=1)))
    assert again == ["k-2"], "its process died"


class Held:
    """Keeps everybody else from writing down keys, for so many of their tries."""

    def __init__(self, database: Database, tries: float) -> None:
        self.tries, self.refused = tries, 0
        self._other = Database(database.url)
        self._connection = self._other.engine.connect()
        database.engine.dispose()  # the connections to come are less patient
        event.listen(database.engine, "connect", self._impatient)
        event.listen(database.engine, "handle_error", self._refused)

    def take(self) -> None:
        if self._other.is_sqlite:
            self._connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            self._connection.exec_driver_sql("LOCK TABLE idempotency IN EXCLUSIVE MODE")

    def close(self) -> None:
        self._connection.close()
        self._other.close()

    def _impatient(self, connection: Any, _: Any) -> None:
        connection.execute("PRAGMA busy_timeout = 20" if self._other.is_sqlite else "SET lock_timeout = 20")
        connection.commit()

    def _refused(self, _: ExceptionContext) -> None:
        self.refused += 1
        if self.refused == self.tries:
            self._connection.rollback()


@pytest.mark.parametrize("tries", [2, math.inf], ids=["passing", "lasting"])
@pytest.mark.parametrize("status", [201, 404], ids=["done", "refused"])
def test_where_keys_cannot_be_written_down_the_sender_is_told_what_came_of_the_work(
    parts: Parts, monkeypatch: pytest.MonkeyPatch, tries: float, status: int
) -> None:
    monkeypatch.setattr(idempotency, "WAITS", (0.01,) * len(idempotency.WAITS))
    app, held, works = FastAPI(), Held(parts.database, tries), []
    problems.install(app)
    app.add_middleware(Retrying)

    @app.post("/things")
    async def make() -> JSONResponse:
        async def work() -> idempotency.Answer:
            works.append(1)
            await asyncio.to_thread(held.take)
            if status == 404:
                raise problems.problem(Code.NOT_FOUND, "there is no such thing")
            return idempotency.Answer(201, {"made": len(works)})

        return await idempotency.once(parts, idempotency.asked("acme", "k-1", "things", b"body"), work)

    client = TestClient(app)
    first = client.post("/things")
    assert (first.status_code, len(works)) == (status, 1)
    assert held.refused == min(tries, len(idempotency.WAITS) + 1)
    if tries == 2 and status == 201:
        second = client.post("/things")
        assert (second.json(), second.headers["idempotent-replayed"], len(works)) == ({"made": 1}, "true", 1)
    held.close()


def said_at(parts: Parts) -> datetime:
    with parts.database.read() as connection:
        return connection.execute(select(access_tables.idempotency.c.at)).scalar_one()


def test_every_post_that_creates_takes_the_header() -> None:
    paths = openapi.document(create_app(Metrics()))["paths"]
    taking = {
        path
        for path, item in paths.items()
        if any(found.get("name") == HEADER for found in item.get("post", {}).get("parameters", []))
    }
    making = {path for path, item in paths.items() if {"201", "202"} & set(item.get("post", {}).get("responses", {}))}
    listed = {"/v1/" + path.replace("{case}", "{id}") for path, _, _ in CREATING}
    assert making | listed <= taking, TOLD_APART
