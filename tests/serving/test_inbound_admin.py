"""Setting up connectors: secrets shown once, settings checked, nobody else's in sight, trials that store nothing."""

from collections.abc import Callable
from typing import Any

import pytest
from inbound_samples import BODIES, KINDS, SECRET, SETTINGS, STANDARD_SECRET, WORDS, secret_of, typeform
from loop import Api, Clock
from sqlalchemy import func, select
from starlette.testclient import TestClient

from serving.inbound.routes import router
from serving.inbound.settings import MASK
from serving.paging import encode as encode_cursor
from serving.parts import Parts
from serving.store import tables
from serving.store.loop_tables import audit, connectors

Json = dict[str, Any]


@pytest.fixture
def made(api: Callable[..., Api]) -> Api:
    return api(router)


@pytest.fixture
def admin(made: Api) -> TestClient:
    return made.client()


def body(kind: str, **settings: Any) -> Json:
    return {"kind": kind, "secret": secret_of(kind), "settings": {**SETTINGS[kind], **settings}}


def create(client: TestClient, kind: str, **settings: Any) -> Json:
    answer = client.post("/v1/connectors", json=body(kind, **settings))
    assert answer.status_code == 201, answer.text
    return answer.json()


@pytest.mark.parametrize("kind", KINDS)
def test_a_connector_of_every_kind(admin: TestClient, kind: str) -> None:
    found = create(admin, kind)
    assert found["address"] == f"/v1/inbound/{found['id']}"
    assert (found["kind"], found["secret"], found["enabled"]) == (kind, MASK, True)
    assert found["settings"] == SETTINGS[kind]
    assert admin.get(f"/v1/connectors/{found['id']}").json() == found
    assert admin.get("/v1/connectors").json() == {"items": [found], "next": None}


def test_a_secret_made_here_is_shown_once(admin: TestClient) -> None:
    answer = admin.post("/v1/connectors", json={"kind": "typeform", "name": "After delivery"})
    found = answer.json()
    assert answer.headers["location"] == f"/v1/connectors/{found['id']}"
    assert len(found["secret"]) >= 40
    again = admin.get(f"/v1/connectors/{found['id']}").json()
    assert again == {**found, "secret": MASK}


def test_a_token_of_an_api_is_never_shown_and_survives_a_change(admin: TestClient, parts: Parts) -> None:
    found = create(admin, "surveymonkey", api={"token": "monkey-token", "region": "eu"})
    assert found["settings"]["api"] == {"token": MASK, "region": "eu"}
    path = f"/v1/connectors/{found['id']}"
    changed = admin.patch(path, json={"settings": {**found["settings"], "source": "shop"}})
    assert "monkey-token" not in changed.text + admin.get("/v1/connectors").text
    with parts.database.read() as connection:
        (settings,) = connection.execute(select(connectors.c.settings)).scalars()
    assert (settings["api"]["token"], settings["source"]) == ("monkey-token", "shop")


def test_changes_and_their_audit(admin: TestClient, parts: Parts, clock: Clock) -> None:
    path = f"/v1/connectors/{create(admin, 'typeform')['id']}"
    assert admin.patch(path, json={"name": "Shops"}).json()["name"] == "Shops"
    assert admin.patch(path, json={"name": None}).json()["name"] is None
    assert admin.patch(path, json={"enabled": False}).json()["enabled"] is False
    assert admin.patch(path, json={"secret": "another-secret"}).json()["secret"] == MASK
    assert admin.patch(path, json={}).status_code == 200
    assert admin.delete(path).status_code == 204
    assert admin.get(path).status_code == admin.delete(path).status_code == 404
    with parts.database.read() as connection:
        rows = connection.execute(select(audit.c.action, audit.c.detail, audit.c.by).order_by(audit.c.id)).all()
    said = [(action, detail) for action, detail, _ in rows if action.startswith("connector.")]
    assert said == [
        ("connector.create", {"kind": "typeform"}),
        ("connector.change", {"changed": ["name"]}),
        ("connector.change", {"changed": ["name"]}),
        ("connector.change", {"changed": ["enabled"]}),
        ("connector.change", {"changed": ["secret"]}),
        ("connector.delete", {}),
    ]
    assert "another-secret" not in str(rows)


def test_pages_of_connectors(admin: TestClient) -> None:
    ids = [create(admin, "typeform")["id"] for _ in range(3)]
    first = admin.get("/v1/connectors?limit=2").json()
    second = admin.get("/v1/connectors", params={"limit": 2, "cursor": first["next"]}).json()
    assert [one["id"] for one in first["items"] + second["items"]] == sorted(ids)
    assert second["next"] is None
    for word in ("nonsense", encode_cursor(["\ud800"]), encode_cursor([None]), encode_cursor(["\x00"])):
        assert admin.get("/v1/connectors", params={"cursor": word}).json()["code"] == "bad_cursor"


def test_another_workspace_sees_and_changes_nothing(made: Api) -> None:
    found = create(made.client("acme"), "typeform")
    other = made.client("other")
    path = f"/v1/connectors/{found['id']}"
    assert other.get("/v1/connectors").json()["items"] == []
    answers = [
        other.get(path),
        other.patch(path, json={"enabled": False}),
        other.delete(path),
        other.post(f"{path}/test", json={"payload": {}}),
    ]
    assert {answer.status_code for answer in answers} == {404}
    assert made.client("acme").get(path).json() == found


def test_only_admins_set_up_connectors(made: Api) -> None:
    path = f"/v1/connectors/{create(made.client(), 'typeform')['id']}"
    reader = made.client(scopes=["ingest", "read", "act"])
    answers = [
        reader.get("/v1/connectors"),
        reader.post("/v1/connectors", json=body("typeform")),
        reader.get(path),
        reader.patch(path, json={}),
        reader.delete(path),
        reader.post(f"{path}/test", json={"payload": {}}),
    ]
    assert {answer.status_code for answer in answers} == {403}
    reader.headers.pop("Authorization")
    assert reader.get(path).status_code == 401


# body, where it is wrong
WRONG: list[tuple[Json, str]] = [
    ({"kind": "zapier"}, "body"),
    ({"kind": "typeform", "secret": "short"}, "body.typeform.secret"),
    ({"kind": "typeform", "secret": "żółta tajemnica"}, "body.typeform.secret"),
    ({"kind": "typeform", "name": "a\x00b"}, "body.typeform.name"),
    ({"kind": "typeform", "settings": {"text": []}}, "body.typeform.settings.text"),
    ({"kind": "typeform", "settings": {"fields": {"a\x00": "b"}}}, "body.typeform.settings"),
    ({"kind": "typeform", "settings": {"source": "a\x00b"}}, "settings"),
    ({"kind": "typeform", "settings": {"score": {"ref": "a", "metric": "rating"}}}, "body.typeform.settings.score"),
    ({"kind": "surveymonkey", "settings": {"client_id": "c"}}, "body.surveymonkey.secret"),
    (body("surveymonkey", api={"token": "t", "region": "http://inside"}), "body.surveymonkey.settings.api.region"),
    (body("qualtrics", api={"token": "t", "datacenter": "x.evil.com/"}), "body.qualtrics.settings.api.datacenter"),
    (body("formbricks") | {"secret": "not-base64-at-all!"}, "body.formbricks.secret"),
    ({"kind": "formbricks", "secret": STANDARD_SECRET, "settings": {}}, "body.formbricks.settings.text"),
    (body("generic", fields={"id": "a[", "text": "b"}), "body.generic.settings.fields.id"),
]


@pytest.mark.parametrize(("sent", "place"), WRONG)
def test_wrong_connectors_are_refused_with_the_place(admin: TestClient, sent: Json, place: str) -> None:
    answer = admin.post("/v1/connectors", json=sent)
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")
    assert answer.json()["invalid_params"][0]["name"] == place
    assert admin.get("/v1/connectors").json()["items"] == []


@pytest.mark.parametrize(
    ("kind", "sent", "place"),
    [
        ("generic", {"settings": {**SETTINGS["generic"], "fields": {"id": "a[", "text": "b"}}}, "settings.fields.id"),
        ("generic", {"settings": {}}, "settings.auth"),
        ("typeform", {"settings": {"text": ["a"], "source": "x\x00"}}, "settings"),
        ("formbricks", {"secret": "not-base64-at-all!"}, "secret"),
        ("typeform", {"kind": "generic"}, "body.kind"),
    ],
)
def test_a_wrong_change_changes_nothing(admin: TestClient, kind: str, sent: Json, place: str) -> None:
    before = create(admin, kind)
    path = f"/v1/connectors/{before['id']}"
    answer = admin.patch(path, json={**sent, "name": "new"})
    assert answer.status_code == 422
    assert answer.json()["invalid_params"][0]["name"] == place
    assert admin.get(path).json() == before


@pytest.mark.parametrize("kind", KINDS)
def test_a_trial_shows_the_responses_and_stores_nothing(admin: TestClient, parts: Parts, kind: str) -> None:
    found = create(admin, kind)
    answer = admin.post(f"/v1/connectors/{found['id']}/test", json={"payload": BODIES[kind]})
    assert answer.status_code == 200, answer.text
    (one,) = answer.json()["responses"]
    assert (one["text"], one["score"], one["source"]) == (WORDS, 2.0, kind)
    with parts.database.read() as connection:
        assert connection.execute(select(func.count()).select_from(tables.responses)).scalar_one() == 0
    assert admin.get(f"/v1/connectors/{found['id']}").json()["refused_at"] is None


def test_a_trial_says_what_is_refused(admin: TestClient) -> None:
    found = create(admin, "typeform", score={"ref": "why_ref", "metric": "nps"})
    answer = admin.post(f"/v1/connectors/{found['id']}/test", json={"payload": typeform()}).json()
    assert (answer["responses"], answer["refused"][0]["code"]) == ([], "unreadable")
    assert "give settings.score.choices" in answer["refused"][0]["detail"]
    assert SECRET not in str(answer)


def test_a_trial_refuses_what_could_not_be_stored(admin: TestClient) -> None:
    path = f"/v1/connectors/{create(admin, 'generic')['id']}/test"
    broken, far, good, empty = '"comment": "\\ud800"', '"stars": 9', '"stars": 1', '"comment": " "'
    answers = ", ".join(f'{{"key": "\\ud800", {said}}}' for said in (broken, far, good, empty))
    sent = f'{{"payload": {{"answers": [{answers}]}}}}'
    found = admin.post(path, content=sent, headers={"content-type": "application/json"})
    assert found.status_code == 200, found.text
    assert [one["id"] for one in found.json()["responses"]] == ["\ufffd"]
    assert [one["code"] for one in found.json()["refused"]] == ["invalid_text", "invalid_score"]
    assert found.json()["ignored"] == 1


def test_deeply_nested_trials_are_refused(admin: TestClient) -> None:
    path = f"/v1/connectors/{create(admin, 'typeform')['id']}/test"
    nested = '{"payload": ' + "[" * 5000 + "]" * 5000 + "}"
    answer = admin.post(path, content=nested, headers={"content-type": "application/json"})
    assert answer.status_code in (400, 422)
