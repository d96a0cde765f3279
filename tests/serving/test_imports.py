"""Files taken in the background: every row once, whatever dies on the way, and every refused row named."""

import asyncio
import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from loop import Api, Clock
from sqlalchemy import MetaData, Table, func, select
from starlette.testclient import TestClient

from nlp.pipeline import Analysis
from nlp.types import Response
from serving.batcher import Overloaded
from serving.engine import NotReady
from serving.ingest import imports
from serving.ingest.routes import router
from serving.ingest.whole_file import import_file
from serving.mapping import ColumnMapping
from serving.parts import Parts
from serving.store import jobs, loop_tables, statistics, tables
from serving.store.database import Database

LATE = "The courier was two days late"


@pytest.fixture
def client(api: Callable[..., Api]) -> TestClient:
    return api(router).client()


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, "CHUNK", 10)


def csv_file(count: int) -> bytes:
    rows = [f"r-{number},{LATE} {number},{number % 11}" for number in range(count)]
    return "\n".join(["id,text,score", *rows]).encode()


def upload(client: TestClient, data: bytes, name: str = "answers.csv", **form: Any) -> Any:
    headers = form.pop("headers", {})
    return client.post("/v1/imports", files={"file": (name, data)}, data=form, headers=headers)


def work(parts: Parts) -> int:
    return asyncio.run(imports.run_once(parts))


def count(parts: Parts, table: Any = tables.responses) -> int:
    with parts.database.read() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


def job_of(client: TestClient, answer: Any) -> dict[str, Any]:
    return client.get(answer.headers["Location"]).json()


def failing(parts: Parts, after: int, error: BaseException) -> Parts:
    """Parts whose model breaks down after so many calls."""
    calls = 0

    async def analyse(responses: Sequence[Response]) -> list[Analysis]:
        nonlocal calls
        calls += 1
        if calls > after:
            raise error
        return await parts.analyse(responses)

    return replace(parts, analyse=analyse)


def test_a_file_is_taken_in_the_background_with_progress_and_an_event(client: TestClient, parts: Parts) -> None:
    answer = upload(client, csv_file(25), mapping="constants:\n  metric: nps\n")
    assert answer.status_code == 202 and answer.headers["Location"] == f"/v1/jobs/{answer.json()['id']}"
    assert (answer.json()["state"], answer.json()["done"], count(parts)) == ("queued", 0, 0)
    assert work(parts) == 25 and work(parts) == 0
    found = job_of(client, answer)
    assert (found["state"], found["done"], found["total"], found["error"]) == ("done", 25, 25, None)
    assert found["result"] == {"created": 25, "updated": 0, "duplicate": 0, "refused": 0}
    assert found["finished_at"] and count(parts) == 25
    assert count(parts, loop_tables.job_files) == 0, "the file is not kept"
    with parts.database.read() as connection:
        ended = loop_tables.events.c.type == "import.finished"
        (event,) = connection.execute(select(loop_tables.events).where(ended)).mappings()
    assert event["data"]["file"] == "answers.csv" and event["data"]["result"]["created"] == 25


def test_rows_that_are_refused_are_listed_by_number_and_reason(client: TestClient, parts: Parts) -> None:
    data = "id,text,metric,score\na,fine,nps,9\nb,fine,nps,99\nc,fine,nps,many\nd,fine,nps,8\n"
    answer = upload(client, data.encode())
    work(parts)
    assert job_of(client, answer)["result"] == {"created": 2, "updated": 0, "duplicate": 0, "refused": 2}
    refused = client.get(answer.headers["Location"] + "/refused")
    assert refused.headers["Content-Type"].startswith("text/csv")
    found = list(csv.DictReader(io.StringIO(refused.text)))
    assert [(row["row"], row["code"]) for row in found] == [("3", "invalid_score"), ("4", "invalid_row")]
    assert all(row["detail"] for row in found)


def test_every_kind_of_file_is_read(client: TestClient, parts: Parts) -> None:
    frame = pl.DataFrame({"id": ["x", "y"], "text": [LATE, "fine"]})
    made: dict[str, bytes] = {"a.jsonl": b'{"id": "x", "text": "late"}\n{"id": "y", "text": "fine"}\n'}
    for name, write in (("b.parquet", frame.write_parquet), ("c.xlsx", frame.write_excel)):
        stream = io.BytesIO()
        write(stream)
        made[name] = stream.getvalue()
    for name, data in made.items():
        answer = upload(client, data, name, mapping=f"constants:\n  source: {name}\n")
        work(parts)
        assert job_of(client, answer)["result"]["created"] == 2, name


@pytest.mark.parametrize(("rows", "seen"), [(25, True), (24, False)])
def test_after_a_large_file_the_database_knows_its_tables(
    client: TestClient, parts: Parts, monkeypatch: pytest.MonkeyPatch, rows: int, seen: bool
) -> None:
    monkeypatch.setattr(imports, "LARGE", 25)
    answer = upload(client, csv_file(rows))
    work(parts)
    assert job_of(client, answer)["state"] == "done"
    assert known_tables(parts) >= {"responses", "analyses", "tags"} if seen else known_tables(parts) == set()


def test_and_on_the_way_once_it_has_some_rows(
    client: TestClient, parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "EARLY", (15,))
    upload(client, csv_file(40))
    seen: list[bool] = []

    async def analyse(responses: Sequence[Response]) -> list[Analysis]:
        seen.append("responses" in known_tables(parts))
        return await parts.analyse(responses)

    work(replace(parts, analyse=analyse))
    assert seen == [False, False, True, True]


def test_also_after_one_on_the_command_line(parts: Parts, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(imports, "LARGE", 12)
    for rows in (11, 12):
        (file := tmp_path / f"{rows}.csv").write_bytes(csv_file(rows))
        said: list[str] = []
        asyncio.run(import_file(parts, file, ColumnMapping(), "acme", "me", said.append))
        assert said == [] and ("responses" in known_tables(parts)) == (rows == 12)


@pytest.mark.parametrize("state", ["failed", "cancelled"])
def test_also_after_one_that_ended_on_the_way(
    client: TestClient, parts: Parts, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    monkeypatch.setattr(imports, "LARGE", 20)
    answer = upload(client, csv_file(40))

    async def analyse(responses: Sequence[Response]) -> list[Analysis]:
        if count(parts) == 20:
            if state == "failed":
                raise RuntimeError("broken")
            with parts.database.write() as connection:
                assert jobs.cancel(connection, "acme", answer.json()["id"], parts.clock())
        return await parts.analyse(responses)

    work(replace(parts, analyse=analyse))
    assert job_of(client, answer)["state"] == state and count(parts) == 20
    assert "responses" in known_tables(parts)


def test_what_cannot_be_looked_at_is_left_and_the_rest_is_looked_at(client: TestClient, parts: Parts) -> None:
    upload(client, csv_file(5))
    work(parts)
    statistics.refresh(parts.database, [Table("gone", MetaData()), tables.responses])
    assert known_tables(parts) == {"responses"}
    parts.database.close()
    unreachable = Database("sqlite:////nowhere/holos.db")
    statistics.refresh(unreachable)
    unreachable.close()


def known_tables(parts: Parts) -> set[str]:
    """Tables of which the planner knows how many rows they have."""
    with parts.database.read() as connection:
        if not parts.database.is_sqlite:
            asked = "SELECT relname FROM pg_class WHERE relkind = 'r' AND reltuples > 0"
            return set(connection.exec_driver_sql(asked).scalars()) & set(tables.metadata.tables)
        there = connection.exec_driver_sql("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_stat1'").first()
        return set(connection.exec_driver_sql("SELECT tbl FROM sqlite_stat1").scalars()) if there else set()


def test_after_a_crash_the_work_goes_on_at_the_row_reached_and_nothing_is_twice(
    client: TestClient, parts: Parts, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = b"text\n" + b"\n".join(f"{LATE} {number}".encode() for number in range(37))
    answer = upload(client, data)

    def die(*_: Any) -> None:
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(imports, "_pause", die)  # kill -9 leaves no time for it
        with pytest.raises(SystemExit):
            asyncio.run(imports.run_once(failing(parts, 2, SystemExit())))
    found = job_of(client, answer)
    assert (found["state"], found["done"], count(parts)) == ("running", 20, 20)
    assert work(parts) == 0, "the worker may still be alive"
    clock.forward(days=1)
    assert work(parts) == 17
    found = job_of(client, answer)
    assert (found["state"], found["result"]["created"], found["result"]["duplicate"]) == ("done", 37, 0)
    assert count(parts) == count(parts, tables.analyses) == 37


def test_what_breaks_inside_a_chunks_transaction_undoes_the_whole_chunk(
    client: TestClient, parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = upload(client, csv_file(30))
    renew, calls = jobs.renew, 0

    def breaking(*args: Any, **progress: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise RuntimeError("disk full")
        renew(*args, **progress)

    monkeypatch.setattr(jobs, "renew", breaking)
    work(parts)
    found = job_of(client, answer)
    assert (found["state"], found["done"], count(parts)) == ("failed", 10, 10)
    assert "RuntimeError" in found["error"] and "disk full" not in found["error"]


@pytest.mark.parametrize("error", [NotReady(), asyncio.CancelledError()], ids=["not ready", "shutdown"])
def test_a_shutdown_puts_the_job_back_where_it_is(client: TestClient, parts: Parts, error: BaseException) -> None:
    answer = upload(client, csv_file(25))
    try:
        asyncio.run(imports.run_once(failing(parts, 1, error)))
    except asyncio.CancelledError:
        assert isinstance(error, asyncio.CancelledError)
    found = job_of(client, answer)
    assert (found["state"], found["done"]) == ("queued", 10)
    assert work(parts) == 15 and count(parts) == 25


def test_an_import_waits_for_room_in_the_queue(
    client: TestClient, parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = upload(client, csv_file(12))
    full = [Overloaded(0), Overloaded(0)]

    async def analyse(responses: Sequence[Response]) -> list[Analysis]:
        if full:
            raise full.pop()
        return await parts.analyse(responses)

    assert work(replace(parts, analyse=analyse)) == 12
    assert job_of(client, answer)["state"] == "done"


def test_a_file_that_cannot_be_read_fails_with_its_own_name(client: TestClient, parts: Parts) -> None:
    answer = upload(client, b"name,score\nx,1\n", "people.csv")
    assert work(parts) == 0
    found = job_of(client, answer)
    assert found["state"] == "failed" and "people.csv: no column is called text" in found["error"]
    assert "/tmp" not in found["error"] and count(parts, loop_tables.job_files) == 0


@pytest.mark.parametrize(
    ("name", "data", "form", "status"),
    [
        ("a.pdf", b"x", {}, 415),
        ("a.csv", b"", {}, 422),
        ("a.csv", b"text\nx\n", {"mapping": "colums: {}"}, 422),
        ("a.csv", b"text\nx\n", {"mapping": "{"}, 422),
    ],
)
def test_what_can_be_told_at_once_is_refused_at_once(
    client: TestClient, name: str, data: bytes, form: dict[str, str], status: int
) -> None:
    assert upload(client, data, name, **form).status_code == status
    assert client.get("/v1/jobs").json()["items"] == []


def test_a_job_is_stopped_between_chunks_and_cannot_be_stopped_twice(client: TestClient, parts: Parts) -> None:
    answer = upload(client, csv_file(30))
    path = answer.headers["Location"]

    async def analyse(responses: Sequence[Response]) -> list[Analysis]:
        if count(parts) == 10:
            stopped = await asyncio.to_thread(client.post, f"{path}/cancel")
            assert stopped.json()["state"] == "cancelled"
        return await parts.analyse(responses)

    work(replace(parts, analyse=analyse))
    found = client.get(path).json()
    assert (found["state"], found["done"], count(parts)) == ("cancelled", 10, 10)
    assert client.post(f"{path}/cancel").status_code == 409 and work(parts) == 0
    assert count(parts, loop_tables.job_files) == 0


def test_the_same_upload_under_one_key_is_one_job(client: TestClient) -> None:
    headers = {"Idempotency-Key": "k"}
    first, again = (upload(client, csv_file(3), headers=headers) for _ in range(2))
    assert first.json() == again.json() and first.headers["Location"] == again.headers["Location"]
    assert again.headers["Idempotent-Replayed"] == "true"
    assert upload(client, csv_file(4), headers=headers).json()["code"] == "key_reused"
    assert len(client.get("/v1/jobs").json()["items"]) == 1


def test_jobs_are_listed_newest_first_in_pages_and_only_to_their_workspace(
    api: Callable[..., Api], clock: Clock
) -> None:
    made = api(router)
    client = made.client()
    ids = []
    for _ in range(3):
        ids.append(upload(client, csv_file(1)).json()["id"])
        clock.forward(seconds=1)
    first = client.get("/v1/jobs", params={"limit": 2}).json()
    rest = client.get("/v1/jobs", params={"limit": 2, "cursor": first["next"]}).json()
    assert [job["id"] for job in first["items"] + rest["items"]] == ids[::-1] and rest["next"] is None
    other = made.client("other")
    assert other.get("/v1/jobs").json()["items"] == []
    for path in (f"/v1/jobs/{ids[0]}", f"/v1/jobs/{ids[0]}/refused"):
        assert other.get(path).status_code == 404
    assert other.post(f"/v1/jobs/{ids[0]}/cancel").status_code == 404


def test_two_workers_never_have_one_job(client: TestClient, parts: Parts) -> None:
    upload(client, csv_file(5))
    with parts.database.write() as connection:
        first = jobs.claim(connection, imports.KIND, "one", parts.clock())
    with parts.database.write() as connection:
        assert jobs.claim(connection, imports.KIND, "two", parts.clock()) is None
    assert first is not None
    with parts.database.write() as connection, pytest.raises(jobs.Lost):
        jobs.renew(connection, replace(first, worker="two"), parts.clock())


def test_a_run_ends_after_a_while_and_the_next_goes_on(
    client: TestClient, parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "SLICE_SECONDS", 0.0)
    answer = upload(client, csv_file(25))
    assert [work(parts) for _ in range(4)] == [10, 10, 5, 0]
    found = job_of(client, answer)
    assert (found["state"], found["done"], found["result"]["created"], count(parts)) == ("done", 25, 25, 25)
