"""Keys over HTTP: made within their maker's scopes, rotated with an overlap, revoked, limited."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Annotated

import pytest
from fastapi import APIRouter, Depends
from hypothesis import given
from hypothesis import strategies as st
from loop import START, Api, Clock
from sqlalchemy import select
from starlette.testclient import TestClient

from nlp.errors import InputError
from serving import access, keys
from serving.access import SCOPES, Caller, allowed, caller_of
from serving.access_routes import router as access_router
from serving.audit import AuditFilter, Reading, list_audit
from serving.limits import RATES, Limiter, Rate, draw
from serving.parts import Parts
from serving.store.access_tables import keys as key_rows

router = APIRouter()


@router.get("/v1/who")
def who(caller: Annotated[Caller, Depends(allowed("read"))], reads: Reading) -> dict[str, str]:
    reads.note(caller, "who.read", "who:1", seen=1)
    return {"workspace": caller.workspace, "actor": caller.actor}


@pytest.fixture
def asked(api: Callable[..., Api]) -> Api:
    return api(access_router, router)


def with_key(asked: Api, key: str) -> TestClient:
    return TestClient(asked.app, headers={"Authorization": f"Bearer {key}"}, raise_server_exceptions=False)


def test_a_key_is_made_listed_used_and_revoked(asked: Api, clock: Clock) -> None:
    admin = asked.client()
    made = admin.post("/v1/keys", json={"name": "survey tool", "scopes": ["read", "ingest"]})
    assert made.status_code == 201
    mine = with_key(asked, made.json()["key"])
    assert mine.get("/v1/who").json() == {"workspace": "acme", "actor": "key:survey tool"}
    listed = admin.get("/v1/keys").json()
    row = next(row for row in listed["items"] if row["id"] == made.json()["id"])
    assert (row["scopes"], row["by"], row["revoked_at"]) == (["ingest", "read"], "key:test-acme", None)
    assert row["used_at"] is not None
    assert made.json()["key"] not in admin.get("/v1/keys").text
    assert admin.delete(f"/v1/keys/{row['id']}").status_code == 204
    assert mine.get("/v1/who").status_code == 401
    lines = [line["action"] for line in admin.get("/v1/audit", params={"subject": f"key:{row['id']}"}).json()["items"]]
    assert lines == ["key.revoke", "key.create"]


def test_a_key_never_gives_more_than_it_has(asked: Api) -> None:
    weak = asked.client(scopes=["admin", "read"])
    assert weak.post("/v1/keys", json={"name": "a", "scopes": ["act"]}).json()["code"] == "forbidden"
    strong = asked.client().post("/v1/keys", json={"name": "strong", "scopes": ["act"]}).json()["id"]
    assert weak.post(f"/v1/keys/{strong}/rotate", json={}).json()["code"] == "forbidden"
    assert asked.client(scopes=["read", "act", "ingest"]).get("/v1/keys").status_code == 403


def test_two_keys_in_force_never_share_a_name(asked: Api, clock: Clock) -> None:
    admin = asked.client()
    body = {"name": "tool", "scopes": ["read"], "expires_at": (clock() + timedelta(hours=1)).isoformat()}
    assert admin.post("/v1/keys", json=body).status_code == 201
    assert admin.post("/v1/keys", json={"name": "tool", "scopes": ["read"]}).json()["code"] == "wrong_state"
    clock.forward(hours=1)
    assert admin.post("/v1/keys", json={"name": "tool", "scopes": ["read"]}).status_code == 201


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"name": " ", "scopes": ["read"]}, "body.name"),
        ({"name": "a", "scopes": []}, "body.scopes"),
        ({"name": "a", "scopes": ["write"]}, "body.scopes[0]"),
        ({"name": "a", "scopes": ["read"], "expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"name": "a", "scopes": ["read"], "expires_at": "2030-01-01T00:00:00"}, "body.expires_at"),
        ({"name": "a", "scopes": ["read"], "until": None}, "body.until"),
    ],
)
def test_what_no_key_can_be_made_of(asked: Api, body: dict, named: str) -> None:
    answer = asked.client().post("/v1/keys", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")
    assert named in answer.json()["detail"]


def test_rotation_leaves_the_old_secret_good_for_the_overlap(asked: Api, parts: Parts, clock: Clock) -> None:
    admin = asked.client()
    made = admin.post("/v1/keys", json={"name": "tool", "scopes": ["read"]}).json()
    old = with_key(asked, made["key"])
    assert old.get("/v1/who").status_code == 200
    new = with_key(asked, admin.post(f"/v1/keys/{made['id']}/rotate", json={"overlap_hours": 2}).json()["key"])
    assert (old.get("/v1/who").status_code, new.get("/v1/who").status_code) == (200, 200)
    clock.forward(hours=2)
    assert (old.get("/v1/who").status_code, new.get("/v1/who").status_code) == (401, 200)
    newest = admin.post(f"/v1/keys/{made['id']}/rotate", json={"overlap_hours": 0}).json()["key"]
    assert new.get("/v1/who").status_code == 401
    admin.delete(f"/v1/keys/{made['id']}")
    assert caller_of(parts, newest) is None
    assert admin.post(f"/v1/keys/{made['id']}/rotate", json={}).json()["code"] == "wrong_state"


def test_another_workspace_neither_sees_rotates_nor_revokes_it(asked: Api) -> None:
    id = asked.client("acme").post("/v1/keys", json={"name": "tool", "scopes": ["read"]}).json()["id"]
    other = asked.client("other")
    assert id not in other.get("/v1/keys").text
    assert other.post(f"/v1/keys/{id}/rotate", json={}).json()["code"] == "not_found"
    assert other.delete(f"/v1/keys/{id}").json()["code"] == "not_found"
    assert id not in other.get("/v1/audit").text
    assert id in asked.client("acme").get("/v1/audit").text


def test_what_another_process_changed_holds_within_seconds(asked: Api, parts: Parts, clock: Clock) -> None:
    with parts.database.write() as connection:
        made = keys.make_key(connection, "acme", "tool", ["read"], clock())
    client = with_key(asked, made.key)
    assert client.get("/v1/who").status_code == 200
    with parts.database.write() as connection:
        newer = keys.rotate_key(connection, "acme", made.id, clock(), timedelta())
    assert newer and with_key(asked, newer.key).get("/v1/who").status_code == 200
    with parts.database.write() as connection:
        assert keys.revoke_key(connection, "acme", made.id, clock())
    clock.forward(seconds=access.REMEMBERED.total_seconds())
    assert with_key(asked, newer.key).get("/v1/who").status_code == 401


def test_a_key_is_looked_up_and_noted_seldom(asked: Api, parts: Parts, clock: Clock) -> None:
    with parts.database.write() as connection:
        made = keys.make_key(connection, "acme", "tool", ["read"], clock())
    client = with_key(asked, made.key)

    def used() -> object:
        with parts.database.read() as connection:
            return keys.find_key(connection, made.id)["used_at"]

    seen = []
    for seconds in (0, 30, 30):
        clock.forward(seconds=seconds)
        client.get("/v1/who")
        seen.append(used())
    assert seen == [START, START, START + timedelta(minutes=1)]


def test_a_first_key_is_made_once_however_many_start(parts: Parts, clock: Clock) -> None:
    found: list[keys.NewKey | None] = []
    starts = [threading.Thread(target=lambda: found.append(keys.first_key(parts.database, clock()))) for _ in range(8)]
    for start in starts:
        start.start()
    for start in starts:
        start.join()
    made = [key for key in found if key]
    assert (len(found), len(made)) == (8, 1)
    caller = caller_of(parts, made[0].key)
    assert caller and (caller.workspace, caller.scopes) == (keys.DEFAULT_WORKSPACE, SCOPES)


@pytest.mark.parametrize(("demo", "near", "status"), [(True, True, 200), (True, False, 401), (False, True, 401)])
def test_only_a_demo_asked_from_this_machine_is_open(
    parts: Parts, api: Callable[..., Api], demo: bool, near: bool, status: int
) -> None:
    asked = api(router)
    asked.app.state.parts = replace(parts, settings=_Demo(demo))
    client = TestClient(asked.app, client=("127.0.0.1" if near else "203.0.113.9", 5000))
    assert client.get("/v1/who").status_code == status
    assert client.get("/v1/who", headers={"Authorization": "Bearer holos_1_2"}).status_code == 401


class _Demo:
    def __init__(self, demo: bool) -> None:
        self.demo = demo


def test_a_key_that_asks_too_often_waits_and_others_do_not(asked: Api, clock: Clock) -> None:
    access.gate_of(asked.app).limiter = Limiter({**RATES, "read": Rate(3, 60)})
    client, other = asked.client(), asked.client()
    answers = [client.get("/v1/who") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert answers[0].headers["ratelimit"] == '"read";r=2;t=0'
    assert answers[0].headers["ratelimit-policy"] == '"read";q=3;w=60'
    assert (answers[3].json()["code"], answers[3].headers["retry-after"]) == ("rate_limited", "20")
    assert other.get("/v1/who").status_code == 200
    clock.forward(seconds=20)
    assert [client.get("/v1/who").status_code for _ in range(2)] == [200, 429]


@given(st.lists(st.floats(min_value=-30, max_value=90), min_size=1, max_size=60))
def test_no_more_pass_than_the_rate_and_one_bucket_allow(waits: list[float]) -> None:
    rate, now, last, passed = Rate(5, 60), START, None, 0
    times = [now := now + timedelta(seconds=wait) for wait in waits]
    for now in times:
        last = draw(last, rate, now)
        passed += last.passed
        assert last.passed or draw(last, rate, last.at + timedelta(seconds=last.wait)).passed
    assert passed <= rate.requests + (max(times) - times[0]).total_seconds() * rate.requests / rate.seconds + 1e-6


def test_reading_is_audited_after_the_answer_and_pages_are_stable(asked: Api, parts: Parts, clock: Clock) -> None:
    admin = asked.client()
    for _ in range(5):
        admin.get("/v1/who")
    first = admin.get("/v1/audit", params={"limit": 2, "action": "who.read"}).json()
    second = admin.get("/v1/audit", params={"limit": 9, "action": "who.read", "cursor": first["next"]}).json()
    lines = [*first["items"], *second["items"]]
    assert [line["id"] for line in lines] == sorted((line["id"] for line in lines), reverse=True)
    assert len(lines) == 5 and second["next"] is None
    assert lines[0]["detail"] == {"seen": 1} and lines[0]["by"] == "key:test-acme"
    later = {"since": (clock() + timedelta(seconds=1)).isoformat()}
    assert admin.get("/v1/audit", params=later).json()["items"] == []
    with parts.database.read() as connection:
        assert list_audit(connection, "other", AuditFilter(), 10) == []


@pytest.mark.parametrize("path", ["/v1/keys", "/v1/audit"])
@pytest.mark.parametrize(
    "cursor", ["x", "WzEsMl0", "WyIwMDAxLTAxLTAxVDAwOjAwOjAwKzEwOjAwIiwgMV0", "WyJhIiwgIlx1MDAwMCJd"]
)
def test_a_cursor_of_no_list_is_refused(asked: Api, path: str, cursor: str) -> None:
    assert asked.client().get(path, params={"cursor": cursor}).json()["code"] == "bad_cursor"


def test_keys_come_in_pages(asked: Api, clock: Clock) -> None:
    admin = asked.client()
    for number in range(4):
        clock.forward(seconds=1)
        admin.post("/v1/keys", json={"name": f"k{number}", "scopes": ["read"]})
    first = admin.get("/v1/keys", params={"limit": 3}).json()
    second = admin.get("/v1/keys", params={"limit": 3, "cursor": first["next"]}).json()
    names = [row["name"] for row in [*first["items"], *second["items"]]]
    assert (names, second["next"]) == (["test-acme", "k0", "k1", "k2", "k3"], None)


def test_workspaces_are_made_once_with_a_plain_id(parts: Parts, clock: Clock) -> None:
    with parts.database.write() as connection:
        keys.create_workspace(connection, "north", "North", clock())
        with pytest.raises(InputError, match="already"):
            keys.create_workspace(connection, "north", "North", clock())
        with pytest.raises(InputError, match="no id of a workspace"):
            keys.create_workspace(connection, "North Sea", "x", clock())
        assert [row["id"] for row in keys.list_workspaces(connection)] == ["north"]


def test_no_secret_is_kept(parts: Parts, clock: Clock) -> None:
    with parts.database.write() as connection:
        made = keys.make_key(connection, "acme", "tool", ["read"], clock())
        row = connection.execute(select(key_rows).where(key_rows.c.id == made.id)).mappings().one()
    secret = made.key.split("_", 2)[2]
    assert not any(secret in str(value) for value in row.values())
