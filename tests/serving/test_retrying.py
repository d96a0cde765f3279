"""Requests that get into a knot with others in the database, and answers that tell of the caller's rate."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from databases import copied
from fastapi import FastAPI, Request
from loop import Api
from sqlalchemy import func, select
from starlette.testclient import TestClient

from serving import problems
from serving.app import ROUTERS, create_app
from serving.metrics import Metrics
from serving.parts import Parts
from serving.retrying import Retrying
from serving.store.database import ATTEMPTS, Database


@pytest.fixture
def knotted(postgresql: str) -> Iterator[Database]:
    with copied(postgresql) as address:
        database = Database(address)
        yield database
        database.close()


def serving(database: Database, met: threading.Barrier) -> tuple[FastAPI, list[str]]:
    """An app with a route that locks two things in the order that its body says."""
    app, tries = FastAPI(), []
    problems.install(app)
    app.add_middleware(Retrying)

    @app.post("/locks")
    async def lock(request: Request) -> dict[str, str]:
        said = (await request.body()).decode()
        tries.append(said)
        first, second = (int(word) for word in said.split())

        def work() -> None:
            with database.write() as connection:
                connection.execute(select(func.pg_advisory_xact_lock(first)))
                if len(tries) <= 2:
                    met.wait()
                connection.execute(select(func.pg_advisory_xact_lock(second)))

        await asyncio.to_thread(work)
        return {"done": said}

    return app, tries


def test_a_request_that_a_deadlock_ended_is_done_anew_with_its_body(knotted: Database) -> None:
    app, tries = serving(knotted, threading.Barrier(2, timeout=20))
    with ThreadPoolExecutor(2) as pool:
        sent = [pool.submit(TestClient(app).post, "/locks", content=body) for body in ("1 2", "2 1")]
        answers = [each.result(60) for each in sent]
    assert [(answer.status_code, answer.json()["done"]) for answer in answers] == [(200, "1 2"), (200, "2 1")]
    assert len(tries) == 3


def test_what_is_ended_again_and_again_is_told_when_to_come_back(knotted: Database) -> None:
    app = FastAPI()
    problems.install(app)
    app.add_middleware(Retrying)
    tries = []

    @app.post("/ended")
    def ended() -> None:
        tries.append(1)
        with knotted.write() as connection:
            connection.exec_driver_sql("DO $$ BEGIN RAISE EXCEPTION 'knot' USING ERRCODE = '40P01'; END $$")

    answer = TestClient(app).post("/ended")
    assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "overloaded", "1")
    assert len(tries) == ATTEMPTS


def test_other_faults_are_not_tried_again(knotted: Database) -> None:
    app = FastAPI()
    problems.install(app)
    app.add_middleware(Retrying)
    tries = []

    @app.post("/wrong")
    def wrong() -> None:
        tries.append(1)
        with knotted.write() as connection:
            connection.exec_driver_sql("SELECT 1 / 0")

    answer = TestClient(app, raise_server_exceptions=False).post("/wrong")
    assert (answer.status_code, len(tries)) == (500, 1)


def test_every_answer_tells_of_the_rate(parts: Parts, api: Callable[..., Api]) -> None:
    made = api(*ROUTERS)
    client = made.client()
    made.app = create_app(Metrics())
    made.app.state.parts = parts
    whole = TestClient(made.app, headers=client.headers)
    key = {"Idempotency-Key": "k-1"}
    body = {"items": [{"text": "fine", "id": "a"}]}
    answers = [whole.post("/v1/responses", json=body, headers=key) for _ in range(2)]
    answers += [whole.get("/v1/taxonomy"), whole.post("/v1/themes/nope/retire", json={})]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 404]
    assert [answer.headers["ratelimit"].split(";")[0] for answer in answers] == [
        *('"ingest"', '"ingest"', '"read"', '"admin"')
    ]
    assert answers[1].headers["idempotent-replayed"] == "true"
