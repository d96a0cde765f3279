"""`/v1/responses` over HTTP: kept once, read as it stands, corrected with all that follows."""

from collections.abc import Callable
from typing import Any

import pytest
from loop import Api, Clock
from starlette.testclient import TestClient

from serving.idempotency import ABANDONED, KEPT, asked
from serving.ingest.routes import router
from serving.parts import Parts
from serving.store.access_tables import idempotency
from serving.store.database import insert

LATE = "The courier was two days late"


@pytest.fixture
def client(api: Callable[..., Api]) -> TestClient:
    return api(router).client()


def item(id: str, **fields: Any) -> dict[str, Any]:
    return {"id": id, "text": LATE, "metric": "nps", "score": 2, **fields}


def send(client: TestClient, *items: dict[str, Any], **headers: str) -> Any:
    return client.post("/v1/responses", json={"items": list(items)}, headers=headers)


def test_each_item_is_answered_in_order_once_it_is_kept(client: TestClient) -> None:
    answer = send(client, item("a"), item("b", score=99), item("a"), item("a", text="Fine in the end", score=9))
    assert answer.status_code == 200
    found = answer.json()["items"]
    assert [each["outcome"] for each in found] == ["created", "error", "duplicate", "updated"]
    assert found[1]["error"]["code"] == "invalid_score" and found[1]["uid"] is None
    assert found[0]["classification"]["priority"] == 1 and found[3]["classification"]["text"] == "Fine in the end"
    detail = client.get(f"/v1/responses/{found[0]['uid']}").json()
    assert detail["revision"] == 2 and [each["revision"] for each in detail["analyses"]] == [1, 2]
    assert len(detail["cases"]) == 1


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "bad_json"),
        (b'{"items": [{"text": "x", "scor": 1}]}', 422, "validation_failed"),
        (b'{"items": [' + b",".join([b'{"text": ""}'] * 1001) + b"]}", 422, "too_many_items"),
    ],
)
def test_a_body_of_the_wrong_shape_is_refused_as_a_whole(
    client: TestClient, body: bytes, status: int, code: str
) -> None:
    answer = client.post("/v1/responses", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert client.get("/v1/responses").json() == {"items": [], "next": None}


def test_the_same_key_gives_the_stored_answer_and_another_body_under_it_is_refused(client: TestClient) -> None:
    first = send(client, item("a"), **{"Idempotency-Key": "k-1"})
    assert "Idempotent-Replayed" not in first.headers
    again = send(client, item("a"), **{"Idempotency-Key": "k-1"})
    assert again.json() == first.json() and again.headers["Idempotent-Replayed"] == "true"
    other = send(client, item("b"), **{"Idempotency-Key": "k-1"})
    assert (other.status_code, other.json()["code"]) == (409, "key_reused")
    assert send(client, item("a"), **{"Idempotency-Key": "k-2"}).json()["items"][0]["outcome"] == "duplicate"


def test_a_key_is_forgotten_after_a_day(client: TestClient, clock: Clock) -> None:
    send(client, item("a"), **{"Idempotency-Key": "k-1"})
    clock.now += KEPT
    clock.forward(seconds=1)
    answer = send(client, item("b"), **{"Idempotency-Key": "k-1"})
    assert answer.json()["items"][0]["outcome"] == "created"


def test_a_request_at_work_holds_its_key_until_its_process_must_be_dead(
    client: TestClient, parts: Parts, clock: Clock
) -> None:
    body = b'{"items": [{"text": "fine", "id": "a"}]}'
    held = asked("acme", "k-1", "responses", body)
    row = {"workspace": "acme", "key": "k-1", "route": "responses", "digest": held.digest, "at": clock.now}
    with parts.database.write() as connection:
        connection.execute(insert(connection, idempotency).values(**row))
    headers = {"Idempotency-Key": "k-1", "Content-Type": "application/json"}
    busy = client.post("/v1/responses", content=body, headers=headers)
    assert (busy.status_code, busy.json()["code"]) == (409, "in_progress")
    clock.now += ABANDONED
    assert client.post("/v1/responses", content=body, headers=headers).json()["items"][0]["outcome"] == "created"


def test_an_answer_that_was_erased_with_a_person_is_gone_and_its_work_is_not_done_again(
    client: TestClient, parts: Parts
) -> None:
    send(client, item("a"), **{"Idempotency-Key": "k-1"})
    gone = {"status": 410, "answer": {"code": "gone", "detail": "erased"}}
    with parts.database.write() as connection:
        connection.execute(idempotency.update().values(**gone))
    again = send(client, item("a"), **{"Idempotency-Key": "k-1"})
    assert (again.status_code, again.json()["code"], again.json()["detail"]) == (410, "gone", "erased")


def test_a_request_that_failed_leaves_its_key_free(api: Callable[..., Api], parts: Parts) -> None:
    from dataclasses import replace

    from serving.engine import NotReady

    async def nothing_yet(responses: Any) -> Any:
        raise NotReady

    made = api(router)
    client = made.client()
    made.app.state.parts = replace(parts, analyse=nothing_yet)
    refused = send(client, item("a"), **{"Idempotency-Key": "k-1"})
    assert (refused.status_code, refused.json()["code"]) == (503, "not_ready") and refused.headers["Retry-After"] == "1"
    made.app.state.parts = parts
    assert send(client, item("a"), **{"Idempotency-Key": "k-1"}).json()["items"][0]["outcome"] == "created"


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ({}, ["c", "b", "a"]),
        ({"from": "2026-10-02T00:00:00Z", "to": "2026-10-03T00:00:00Z"}, ["b"]),
        ({"theme": "delivery"}, ["b", "a"]),
        ({"theme": "delivery.time"}, ["b", "a"]),
        ({"theme": "support"}, []),
        ({"sentiment": "positive"}, ["c"]),
        ({"priority": 1}, ["b", "a"]),
        ({"group": "detractor"}, ["b", "a"]),
        ({"unit": "Lublin"}, ["a"]),
        ({"language": "pl"}, ["b"]),
        ({"source": ""}, ["b", "a"]),
        ({"source": "web"}, ["c"]),
        ({"respondent": "p-1"}, ["a"]),
        ({"q": "KURIER"}, ["b"]),
        ({"q": "50%"}, ["c"]),
        ({"q": "%"}, ["c"]),
        ({"needs_review": "true"}, []),
    ],
)
def test_filters_find_what_they_ask_for_newest_first(client: TestClient, query: dict[str, Any], ids: list[str]) -> None:
    send(
        client,
        item("a", answered_at="2026-10-01T10:00:00Z", unit="Lublin", respondent={"id": "p-1"}),
        item("b", answered_at="2026-10-02T10:00:00Z", text="Kurier znów się spóźnił"),
        item("c", answered_at="2026-10-03T10:00:00Z", text="50% off, lovely", score=10, source="web"),
    )
    answer = client.get("/v1/responses", params=query)
    assert answer.status_code == 200, answer.text
    assert [each["id"] for each in answer.json()["items"]] == ids


def test_pages_have_every_response_once_also_where_times_are_equal(client: TestClient) -> None:
    send(client, *(item(f"r-{number}", answered_at="2026-10-01T10:00:00.123456Z") for number in range(7)))
    seen, cursor = [], None
    while True:
        page = client.get("/v1/responses", params={"limit": 3, **({"cursor": cursor} if cursor else {})}).json()
        seen += [each["id"] for each in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert sorted(seen) == [f"r-{number}" for number in range(7)]


@pytest.mark.parametrize("cursor", ["x", "WzEsIDJd", "WyIyMDI2LTEwLTAxIiwgIngiXQ"])
def test_a_cursor_that_the_list_did_not_give_is_refused(client: TestClient, cursor: str) -> None:
    answer = client.get("/v1/responses", params={"cursor": cursor})
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_cursor")


def test_a_correction_stands_moves_the_case_and_is_told(client: TestClient) -> None:
    uid = send(client, item("a")).json()["items"][0]["uid"]
    path = f"/v1/responses/{uid}/corrections"
    said = {"themes": ["price.level"], "theme_sentiments": {"price.level": "neutral"}, "justified": False}
    answer = client.post(path, json={**said, "sentiment": "neutral", "note": "Write to anna.nowak@example.com"})
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found["corrected"] and found["classification"]["priority"] == 2
    (theme,) = found["classification"]["themes"]
    assert (theme["id"], theme["sentiment"]["label"], theme["confidence"]) == ("price.level", "neutral", 1.0)
    assert found["cases"][0]["priority"] == 2
    (correction,) = found["corrections"]
    assert correction["note"] == "Write to <EMAIL>" and correction["by"] == "key:test-acme"
    assert [each["uid"] for each in client.get("/v1/responses", params={"theme": "price"}).json()["items"]] == [uid]
    assert client.get(f"/v1/responses/{uid}").json() == found


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({"themes": ["no.such", "delivery.time", "nor.this"]}, "no.such, nor.this"),
        ({"themes": ["delivery.time"], "theme_sentiments": {"price.level": "negative"}}, "price.level"),
        ({"sentiment": "angry"}, "sentiment"),
        ({"signals": ["shouting"]}, "signals"),
        ({"note": "nothing said"}, "says nothing"),
        ({"moods": {}}, "moods"),
    ],
)
def test_a_wrong_correction_is_refused_by_name_and_changes_nothing(
    client: TestClient, body: dict[str, Any], word: str
) -> None:
    uid = send(client, item("a")).json()["items"][0]["uid"]
    answer = client.post(f"/v1/responses/{uid}/corrections", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")
    assert word in answer.json()["detail"]
    assert client.get(f"/v1/responses/{uid}").json()["corrections"] == []


def test_another_workspace_and_a_key_without_the_scope_get_nothing(api: Callable[..., Api]) -> None:
    made = api(router)
    uid = send(made.client(), item("a")).json()["items"][0]["uid"]
    other = made.client("other")
    assert other.get(f"/v1/responses/{uid}").status_code == 404
    assert other.post(f"/v1/responses/{uid}/corrections", json={"sentiment": "neutral"}).status_code == 404
    assert other.get("/v1/responses").json()["items"] == []
    reader = made.client(scopes=["read"])
    assert send(reader, item("b")).status_code == 403
    assert reader.post(f"/v1/responses/{uid}/corrections", json={"sentiment": "neutral"}).status_code == 403
    assert made.client(scopes=["ingest"]).get("/v1/responses").status_code == 403
