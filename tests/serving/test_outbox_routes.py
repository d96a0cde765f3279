"""Webhooks, channels, events and deliveries over HTTP, on both databases."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from loop import Api, Clock
from outbox_helpers import add_event, private
from receivers import Receiver, status
from sqlalchemy import select
from standardwebhooks import Webhook
from starlette.testclient import TestClient

from serving.outbox import deliver, spread
from serving.outbox.routes import router
from serving.parts import Parts
from serving.store.loop_tables import audit

MAILTO = "mailto://bob:hunter2@example.com/team@example.com"


@pytest.fixture
def parts(parts: Parts) -> Parts:
    return private(parts)


@pytest.fixture
def client(api: Callable[..., Api]) -> TestClient:
    return api(router).client()


@dataclass(slots=True)
class Hook:
    """A webhook made over HTTP, and its receiver."""

    client: TestClient
    receiver: Receiver
    made: dict[str, object]

    @property
    def path(self) -> str:
        return f"/v1/webhooks/{self.made['id']}"


@pytest.fixture
def hook(client: TestClient) -> Iterator[Hook]:
    with Receiver(status(200)) as receiver:
        answer = client.post("/v1/webhooks", json={"url": receiver.url})
        assert answer.status_code == 201, answer.text
        assert answer.headers["location"] == f"/v1/webhooks/{answer.json()['id']}"
        yield Hook(client, receiver, answer.json())


def send(parts: Parts) -> int:
    while spread.run_once(parts):
        pass
    return asyncio.run(deliver.run_once(parts))


def test_the_secret_is_shown_once_and_is_the_key_that_signs(hook: Hook, parts: Parts, clock: Clock) -> None:
    clock.now = datetime.now(UTC)
    secret = str(hook.made["secret"])
    assert secret.startswith("whsec_")
    sent = hook.client.post(f"{hook.path}/test")
    assert sent.status_code == 202
    assert send(parts) == 1
    [got] = hook.receiver.received
    body = Webhook(secret).verify(got.body, got.headers)
    assert body["type"] == "webhook.ping"
    assert got.headers["webhook-id"] == sent.json()["event"]
    again = hook.client.get(hook.path)
    assert again.status_code == 200
    assert secret not in again.text and "secret" not in again.json()
    assert secret not in hook.client.get("/v1/webhooks").text


def test_after_a_rotation_both_secrets_sign_until_the_overlap_ends(hook: Hook, parts: Parts, clock: Clock) -> None:
    now = clock.now = datetime.now(UTC)
    old = Webhook(str(hook.made["secret"]))
    rotated = hook.client.post(f"{hook.path}/rotate", json={"overlap_hours": 1})
    assert rotated.status_code == 200
    new = Webhook(rotated.json()["secret"])
    assert len(rotated.json()["secrets"]) == 2
    add_event(parts)
    send(parts)
    [got] = hook.receiver.received
    for key in (old, new):
        assert key.verify(got.body, got.headers)["type"] == "case.opened"
    clock.now = now + timedelta(hours=1)
    assert len(hook.client.get(hook.path).json()["secrets"]) == 1
    add_event(parts)
    send(parts)
    assert len(hook.receiver.received[1].headers["webhook-signature"].split()) == 1


def test_a_replay_sends_a_range_again_with_the_ids_it_had(hook: Hook, parts: Parts, clock: Clock) -> None:
    ids = []
    for type in ("case.opened", "case.resolved", "case.opened", "case.opened"):
        ids.append(add_event(parts, type))
        clock.forward(minutes=10)
    send(parts)
    start = clock.now - timedelta(minutes=40)
    asked = {"from": start.isoformat(), "to": (start + timedelta(minutes=30)).isoformat(), "types": ["case.opened"]}
    answer = hook.client.post(f"{hook.path}/replay", json=asked)
    assert (answer.status_code, answer.json()) == (202, {"queued": 2})
    assert hook.client.post(f"{hook.path}/replay", json={**asked, "types": None}).json() == {"queued": 3}
    assert send(parts) == 5
    again = sorted(hook.receiver.ids[4:])
    assert again == sorted([ids[0], ids[2], *ids[:3]])
    items = hook.client.get(f"{hook.path}/deliveries").json()["items"]
    assert sorted(item["replay"] for item in items) == [0, 0, 0, 0, 1, 1, 2, 2, 2]


def test_a_replay_brings_what_was_missed_while_disabled(hook: Hook, parts: Parts, clock: Clock) -> None:
    hook.receiver.manners.append(status(410))
    start = clock.now
    first = add_event(parts)
    send(parts)
    clock.forward(minutes=1)
    missed = add_event(parts)
    send(parts)
    assert hook.client.get(hook.path).json()["disabled_for"] == "the receiver answered 410 Gone"
    asked = {"from": start.isoformat(), "to": (clock.now + timedelta(seconds=1)).isoformat()}
    for action in ("test", "replay"):
        refused = hook.client.post(f"{hook.path}/{action}", json=asked if action == "replay" else None)
        assert (refused.status_code, refused.json()["code"]) == (409, "wrong_state")
    assert hook.client.post(f"{hook.path}/enable").json()["disabled_at"] is None
    assert hook.client.post(f"{hook.path}/replay", json=asked).json() == {"queued": 2}
    send(parts)
    assert sorted(hook.receiver.ids[1:]) == sorted([first, missed])


def test_dead_letters_are_seen_with_their_tries_and_can_be_sent_again(hook: Hook, parts: Parts, clock: Clock) -> None:
    hook.receiver.usual = status(500)
    event = add_event(parts)
    while send(parts):
        clock.forward(hours=30)
    [dead] = hook.client.get(f"{hook.path}/deliveries", params={"state": "dead"}).json()["items"]
    assert (dead["event"], dead["type"], dead["tries"]) == (event, "case.opened", 10)
    assert hook.client.get(f"{hook.path}/deliveries", params={"state": "pending"}).json()["items"] == []
    path = f"/v1/deliveries/{dead['id']}"
    log = hook.client.get(path).json()["log"]
    assert [(item["status"], item["error"]) for item in log] == [(500, "HTTP 500")] * 10
    hook.receiver.usual = status(200)
    assert hook.client.post(f"{path}/retry").json()["state"] == "pending"
    assert send(parts) == 1
    found = hook.client.get(path).json()
    assert (found["state"], found["reason"], len(found["log"])) == ("delivered", None, 11)
    assert hook.client.post(f"{path}/retry").json()["code"] == "wrong_state"


def test_lists_go_page_by_page(hook: Hook, parts: Parts) -> None:
    ids = [add_event(parts) for _ in range(5)]
    send(parts)
    for path, name in ((f"{hook.path}/deliveries", "event"), ("/v1/events", "id")):
        seen, cursor = [], None
        while True:
            found = hook.client.get(path, params={"limit": 2, **({"cursor": cursor} if cursor else {})}).json()
            seen += [item[name] for item in found["items"]]
            cursor = found["next"]
            if cursor is None:
                break
        assert sorted(seen) == sorted(ids)
        assert len(seen) == len(set(seen))
    for cursor in ("nonsense", "WzFd", "WyJcdTAwMDAiXQ"):
        assert hook.client.get("/v1/events", params={"cursor": cursor}).json()["code"] == "bad_cursor"
    assert hook.client.get("/v1/events", params={"type": "case.resolved"}).json()["items"] == []


def test_a_webhook_is_changed_and_deleted(hook: Hook, parts: Parts) -> None:
    changed = hook.client.patch(hook.path, json={"types": ["case.opened"], "mode": "cloudevents"})
    assert (changed.json()["types"], changed.json()["mode"]) == (["case.opened"], "cloudevents")
    assert changed.json()["url"] == hook.receiver.url
    add_event(parts, "case.resolved")
    add_event(parts)
    send(parts)
    [got] = hook.receiver.received
    assert got.headers["content-type"] == "application/cloudevents+json"
    assert hook.client.delete(hook.path).status_code == 204
    assert hook.client.get(hook.path).status_code == 404
    with parts.database.read() as connection:
        actions = connection.execute(select(audit.c.action).order_by(audit.c.id)).scalars().all()
    assert actions == ["webhook.create", "webhook.change", "webhook.delete"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"url": "http//x"},
        {"url": "ftp://example.com/"},
        {"url": "https://example.com/", "types": ["case.lost"]},
        {"url": "https://example.com/", "mode": "xml"},
        {"url": "https://example.com/", "secret": "whsec_mine"},
        {"url": "https://example.com/", "description": "a\0b"},
        {"url": "https://example.com/" + "x" * 2000},
    ],
)
def test_a_webhook_that_is_wrong_is_refused(client: TestClient, body: dict[str, object]) -> None:
    answer = client.post("/v1/webhooks", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")
    assert client.get("/v1/webhooks").json()["items"] == []


def test_a_request_sent_twice_makes_one_webhook(client: TestClient) -> None:
    key, body = {"Idempotency-Key": "k-1"}, {"url": "https://example.com/hook"}
    first, second = (client.post("/v1/webhooks", json=body, headers=key) for _ in range(2))
    assert first.json() == second.json()
    assert second.headers["idempotent-replayed"] == "true"
    assert second.headers["location"] == first.headers["location"]
    assert len(client.get("/v1/webhooks").json()["items"]) == 1
    other = client.post("/v1/webhooks", json={"url": "https://example.com/other"}, headers=key)
    assert other.json()["code"] == "key_reused"


def test_a_stranger_sees_and_changes_nothing(hook: Hook, api: Callable[..., Api], parts: Parts) -> None:
    add_event(parts)
    send(parts)
    [delivery] = hook.client.get(f"{hook.path}/deliveries").json()["items"]
    stranger = api(router).client("globex")
    for method, path in (
        ("GET", hook.path),
        ("PATCH", hook.path),
        ("DELETE", hook.path),
        ("GET", f"{hook.path}/deliveries"),
        ("POST", f"{hook.path}/rotate"),
        ("POST", f"{hook.path}/test"),
        ("POST", f"{hook.path}/enable"),
        ("GET", f"/v1/deliveries/{delivery['id']}"),
        ("POST", f"/v1/deliveries/{delivery['id']}/retry"),
    ):
        body = {} if method in ("PATCH", "POST") else None
        assert stranger.request(method, path, json=body).status_code == 404, path
    for path in ("/v1/webhooks", "/v1/events", "/v1/channels"):
        assert stranger.get(path).json()["items"] == []


def test_logs_are_read_with_read_and_changed_with_admin_alone(hook: Hook, api: Callable[..., Api]) -> None:
    reader, sender = api(router).client(scopes=["read", "act"]), api(router).client(scopes=["ingest"])
    assert reader.get(f"{hook.path}/deliveries").status_code == 200
    assert reader.post(f"{hook.path}/rotate", json={}).status_code == 403
    assert reader.post("/v1/webhooks", json={"url": "https://example.com/"}).status_code == 403
    assert sender.get("/v1/events").status_code == 403


CHANNEL = {
    "name": "Kraków",
    "url": MAILTO,
    "role": "frontline",
    "scope": {"units": ["Kraków"]},
    "language": "pl",
    "zone": "Europe/Warsaw",
    "digest": {"at": ["08:00", "14:00"], "days": ["mon", "fri"]},
    "quiet": {"from": "20:00", "to": "07:30"},
    "dedupe_minutes": 5,
}


def test_a_channel_is_kept_as_given_without_showing_its_password(client: TestClient) -> None:
    made = client.post("/v1/channels", json=CHANNEL)
    assert made.status_code == 201, made.text
    found = client.get(made.headers["location"])
    assert found.json() == made.json()
    assert "hunter2" not in found.text
    same = ("name", "role", "language", "zone", "digest", "quiet", "dedupe_minutes")
    assert {name: found.json()[name] for name in same} == {name: CHANNEL[name] for name in same}
    assert found.json()["scope"] == {"teams": [], "units": ["Kraków"], "employees": [], "themes": []}
    assert "case.opened" in found.json()["types"]


def test_a_channel_is_changed_and_what_is_null_is_taken_away(client: TestClient) -> None:
    path = client.post("/v1/channels", json=CHANNEL).headers["location"]
    changed = client.patch(path, json={"digest": None, "language": "uk", "name": None}).json()
    assert (changed["digest"], changed["language"], changed["name"]) == (None, "uk", "Kraków")
    assert changed["quiet"] == CHANNEL["quiet"]
    assert client.delete(path).status_code == 204
    assert client.get(path).status_code == 404


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "json://example.com/"},
        {"zone": "Mars/Base"},
        {"zone": "../etc/passwd"},
        {"language": "de"},
        {"role": "boss"},
        {"digest": {"at": ["25:00"]}},
        {"digest": {"at": []}},
        {"quiet": {"from": "20:00"}},
        {"dedupe_minutes": -1},
        {"scope": {"countries": ["PL"]}},
    ],
)
def test_a_channel_that_is_wrong_is_refused(client: TestClient, wrong: dict[str, object]) -> None:
    answer = client.post("/v1/channels", json={**CHANNEL, **wrong})
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")
    assert "hunter2" not in answer.text
