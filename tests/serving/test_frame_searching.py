"""Themes of a workspace's own in the answers of before: found as in new ones, and nothing follows from it."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from loop import START, Api, Clock
from sqlalchemy import func, select
from starlette.testclient import TestClient
from test_frame_reading import RAIN, Meaning

from nlp.pipeline import Analysis
from nlp.types import Response
from serving.app import ROUTERS
from serving.batcher import Overloaded
from serving.frame import searching
from serving.parts import Parts
from serving.store.jobs import LEASE
from serving.store.loop_tables import audit, cases, events
from serving.store.tables import analyses, responses, tags

OWN = {"id": RAIN.id, "label": RAIN.label, "description": RAIN.description, "parent": RAIN.parent}
SOAKED = "the parcel was soaked by rain"
RULE = f"mode: all\nrules:\n  - {{id: a, when: 'theme(\"{RAIN.id}\")', then: {{tag: wet, priority: 1}}}}\n"


@pytest.fixture
def reading(parts: Parts) -> Parts:
    return replace(parts, analyse=Meaning().analyse)


@pytest.fixture
def client(api: Callable[..., Api], reading: Parts) -> TestClient:
    found = api(*ROUTERS)
    found.app.state.parts = reading
    return found.client()


def send(client: TestClient, *texts: str, at: datetime = START, start: int = 0) -> list[str]:
    items = [{"id": f"{start + n}", "text": text, "answered_at": at.isoformat()} for n, text in enumerate(texts)]
    return [each["uid"] for each in client.post("/v1/responses", json={"items": items}).json()["items"]]


def put(client: TestClient, *themes: dict[str, Any], **more: Any) -> None:
    answer = client.put("/v1/taxonomy", json={"themes": list(themes), **more}, headers={"If-Match": "*"})
    assert answer.status_code == 200, answer.text


def work(parts: Parts, most: int = 100) -> list[int]:
    """Runs until nothing waits; how much each run did."""
    done = []
    while (count := asyncio.run(searching.run_once(parts))) and len(done) < most:
        done.append(count)
    return done


def detail(client: TestClient, uid: str) -> dict[str, Any]:
    return client.get(f"/v1/responses/{uid}").json()


def themes_of(client: TestClient, uid: str) -> list[str]:
    return [tag["id"] for tag in detail(client, uid)["classification"]["themes"]]


def jobs_of(client: TestClient) -> list[dict[str, Any]]:
    return client.get("/v1/jobs").json()["items"]


def test_history_has_the_tags_that_an_answer_sent_now_has(client: TestClient, reading: Parts, clock: Clock) -> None:
    texts = (SOAKED, f"late, {SOAKED}", "a friendly clerk", "late again")
    old = send(client, *texts)
    put(client, OWN)
    clock.forward(seconds=1)
    new = send(client, *texts, start=10)
    assert [themes_of(client, uid) for uid in old] == [[], ["delivery.time"], [], ["delivery.time"]]
    assert work(reading) == [4, 1]
    for before, after in zip(old, new, strict=True):
        found, fresh = (detail(client, uid)["classification"] for uid in (before, after))
        assert found["themes"] == fresh["themes"] and found["versions"] == fresh["versions"] | {
            "taxonomy": found["versions"]["taxonomy"]
        }
    kept = detail(client, old[0])
    assert kept["classification"]["themes"][0]["zero_shot"] is True
    assert [each["classification"]["versions"]["taxonomy"] for each in kept["analyses"]] == ["default-1", "default-1+1"]
    assert kept["analyses"][0]["classification"]["themes"] == [], "history stays as it was"
    assert len(detail(client, old[2])["analyses"]) == 1, "what has nothing new is not written again"
    day = {"to": "2026-11-03T00:00:00Z"}
    assert client.get(f"/v1/insights/themes/{RAIN.id}", params=day).json()["n"] == 4
    assert len(client.get("/v1/responses", params={"theme": RAIN.id}).json()["items"]) == 4


def test_it_is_told_as_a_job_and_audited_once_a_theme(client: TestClient, reading: Parts) -> None:
    send(client, SOAKED, "a friendly clerk")
    fog = {"id": "weather.fog", "label": "dense fog", "description": "nothing was seen"}
    put(client, OWN, fog)
    (job,) = jobs_of(client)
    assert (job["kind"], job["state"], job["done"]) == ("search", "queued", 0)
    assert client.get("/v1/taxonomy").json()["searching"] == [
        {"job": job["id"], "themes": [RAIN.id, fog["id"]], "left": None}
    ]
    asyncio.run(searching.run_once(reading))
    (found,) = client.get("/v1/taxonomy").json()["searching"]
    assert found["left"] == 0
    assert work(reading) == [1]
    (job,) = jobs_of(client)
    assert (job["state"], job["done"], job["total"]) == ("done", 2, 2)
    assert job["result"] == {RAIN.id: 1, fog["id"]: 0}
    assert client.get("/v1/taxonomy").json()["searching"] == []
    with reading.database.read() as connection:
        lines = connection.execute(select(audit).where(audit.c.action == "taxonomy.search")).mappings().all()
    assert {each["subject"]: each["detail"]["found"] for each in lines} == {
        f"theme:{RAIN.id}": 1,
        f"theme:{fog['id']}": 0,
    }
    assert len(lines) == 2


def test_no_rule_fires_no_case_opens_and_nobody_is_told(client: TestClient, reading: Parts) -> None:
    assert client.put("/v1/rules", json={"source": RULE}).status_code == 422, "the theme is not there yet"
    (uid,) = send(client, SOAKED)
    put(client, OWN)
    assert client.put("/v1/rules", json={"source": RULE}).is_success
    with reading.database.read() as connection:
        before = connection.execute(select(func.count()).select_from(events)).scalar_one()
    work(reading)
    assert themes_of(client, uid) == [RAIN.id] and detail(client, uid)["labels"] == []
    with reading.database.read() as connection:
        assert connection.execute(select(func.count()).select_from(cases)).scalar_one() == 0
        assert connection.execute(select(func.count()).select_from(events)).scalar_one() == before
    send(client, SOAKED, start=1)
    with reading.database.read() as connection:
        assert connection.execute(select(func.count()).select_from(cases)).scalar_one() == 1, "a new one has its case"


def test_what_people_said_stands_over_it(client: TestClient, reading: Parts) -> None:
    uids = send(client, SOAKED, SOAKED)
    said = {"themes": ["price.level"]}
    assert client.post(f"/v1/responses/{uids[0]}/corrections", json=said).is_success
    assert client.post(f"/v1/responses/{uids[1]}/corrections", json={"sentiment": "negative"}).is_success
    put(client, OWN)
    work(reading)
    assert [themes_of(client, uid) for uid in uids] == [["price.level"], [RAIN.id]]
    assert detail(client, uids[1])["classification"]["sentiment"]["label"] == "negative"


def test_the_newest_are_read_first_and_what_is_too_old_never(
    client: TestClient, reading: Parts, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "PORTION", 2)
    ages = (timedelta(days=400), timedelta(days=300), timedelta(0), timedelta(days=2), timedelta(days=1))
    uids = [send(client, SOAKED, at=START - age, start=n)[0] for n, age in enumerate(ages)]
    put(client, OWN)
    clock.forward(seconds=1)
    late = send(client, SOAKED, at=START - timedelta(days=3), start=9)
    seen = []
    while asyncio.run(searching.run_once(reading)):
        seen.append([n for n, uid in enumerate(uids) if RAIN.id in themes_of(client, uid)])
    assert seen == [[2, 4], [1, 2, 3, 4], [1, 2, 3, 4]]
    (job,) = jobs_of(client)
    assert (job["done"], job["total"]) == (4, 4)
    assert themes_of(client, late[0]) == [RAIN.id] and len(detail(client, late[0])["analyses"]) == 1


def test_other_words_have_it_searched_again_by_the_newest_alone(client: TestClient, reading: Parts) -> None:
    (uid, other) = send(client, SOAKED, "a broken zip of the bag")
    put(client, {**OWN, "label": "nothing alike", "description": "wholly other words here"})
    put(client, OWN)
    put(client, OWN, moves={"price.level": "delivery"})
    assert [job["kind"] for job in jobs_of(client)] == ["search", "search"], "its place alone is no reason"
    assert work(reading) == [1, 2, 1]
    assert themes_of(client, uid) == [RAIN.id] and themes_of(client, other) == []
    put(client)
    put(client, OWN)
    assert len(jobs_of(client)) == 3, "back in use after a while without it"


def test_a_theme_that_is_gone_or_the_models_is_not_looked_for(client: TestClient, reading: Parts) -> None:
    (uid,) = send(client, SOAKED)
    put(client, OWN)
    put(client)
    assert work(reading) == [1] and themes_of(client, uid) == []
    assert jobs_of(client)[0]["state"] == "done"


def test_a_process_that_dies_is_followed_by_another_where_it_was(
    client: TestClient, reading: Parts, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "PORTION", 1)
    uids = send(client, SOAKED, SOAKED)
    put(client, OWN)
    asyncio.run(searching.run_once(reading))
    dead = searching._claimed(reading)
    portion = searching._next(reading, dead)
    read = asyncio.run(searching.search(reading, "acme", [searching.response_of(row) for row in portion.rows]))
    assert asyncio.run(searching.run_once(reading)) == 0, "another has it"
    clock.forward(seconds=LEASE.total_seconds() + 1)
    assert work(reading) == [1, 1]
    with pytest.raises(searching.Lost):
        searching._keep(reading, dead, portion, read)
    assert [themes_of(client, uid) for uid in uids] == [[RAIN.id]] * 2
    assert {len(detail(client, uid)["analyses"]) for uid in uids} == {2}


def test_a_text_that_changed_while_it_was_read_is_left_as_it_is(client: TestClient, reading: Parts) -> None:
    (uid,) = send(client, SOAKED)
    put(client, OWN)
    job = searching._claimed(reading)
    portion = searching._next(reading, job)
    read = asyncio.run(searching.search(reading, "acme", [searching.response_of(row) for row in portion.rows]))
    send(client, "a friendly clerk")
    searching._keep(reading, job, portion, read)
    assert themes_of(client, uid) == []


def test_it_steps_back_while_the_model_has_no_room(client: TestClient, reading: Parts) -> None:
    (uid,) = send(client, SOAKED)
    put(client, OWN)

    async def full(responses: Sequence[Response]) -> list[Analysis]:
        raise Overloaded(1)

    assert asyncio.run(searching.run_once(replace(reading, analyse=full))) == 0
    assert [(job["state"], job["done"]) for job in jobs_of(client)] == [("queued", 0)]
    work(reading)
    assert themes_of(client, uid) == [RAIN.id]


def test_one_that_cannot_go_on_is_told_as_failed_and_keeps_no_other_waiting(client: TestClient, reading: Parts) -> None:
    async def broken(responses: Sequence[Response]) -> list[Analysis]:
        raise RuntimeError("the words of a customer")

    send(client, SOAKED)
    put(client, OWN)
    assert asyncio.run(searching.run_once(replace(reading, analyse=broken))) == 0
    (job,) = jobs_of(client)
    assert job["state"] == "failed" and "RuntimeError" in job["error"] and "customer" not in job["error"]


def test_a_search_can_be_stopped_and_other_workspaces_are_left_alone(
    api: Callable[..., Api], client: TestClient, reading: Parts
) -> None:
    served = api(*ROUTERS)
    served.app.state.parts = reading
    elsewhere = served.client("other")
    (theirs,) = send(elsewhere, SOAKED)
    (uid,) = send(client, SOAKED)
    put(client, OWN)
    work(reading)
    assert themes_of(client, uid) == [RAIN.id] and themes_of(elsewhere, theirs) == []
    with reading.database.read() as connection:
        of = connection.execute(select(tags.c.workspace, tags.c.theme)).all()
        counts = dict(
            connection.execute(select(analyses.c.workspace, func.count()).group_by(analyses.c.workspace)).all()
        )
    assert of == [("acme", RAIN.id)] and counts == {"acme": 2, "other": 1}
    put(client, {**OWN, "description": "soaked through"})
    job = jobs_of(client)[0]["id"]
    assert client.post(f"/v1/jobs/{job}/cancel").json()["state"] == "cancelled"
    assert work(reading) == []


def test_an_answer_erased_meanwhile_is_passed_over(client: TestClient, reading: Parts) -> None:
    send(client, SOAKED)
    put(client, OWN)
    job = searching._claimed(reading)
    portion = searching._next(reading, job)
    read = asyncio.run(searching.search(reading, "acme", [searching.response_of(row) for row in portion.rows]))
    with reading.database.write() as connection:
        connection.execute(responses.delete().where(responses.c.workspace == "acme"))
    searching._keep(reading, job, portion, read)
    assert work(reading) == [1]
