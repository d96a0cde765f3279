"""The code frame over HTTP: versions, changes and what they do to answers, rules, cases and issues."""

from collections.abc import Callable
from typing import Any

import pytest
from loop import Api
from sqlalchemy import select
from starlette.testclient import TestClient

from serving.app import ROUTERS
from serving.frame.store import frame_of, whole_frame
from serving.ingest.export import export
from serving.parts import Parts
from serving.store.loop_tables import audit, cases
from serving.store.tables import analyses, tags

LATE = {"text": "The courier was two days late", "metric": "nps", "score": 2}
ANY = {"If-Match": "*"}
RULE = "mode: all\nrules:\n  - {{id: a, when: 'theme(\"{0}\")', then: {{tag: seen}}}}\n"


@pytest.fixture
def client(api: Callable[..., Api]) -> TestClient:
    return api(*ROUTERS).client()


def send(client: TestClient, *ids: str) -> list[dict[str, Any]]:
    answer = client.post("/v1/responses", json={"items": [{**LATE, "id": id} for id in ids]})
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


def themes_of(client: TestClient, uid: str) -> list[str]:
    return [tag["id"] for tag in client.get(f"/v1/responses/{uid}").json()["classification"]["themes"]]


def step(client: TestClient, theme: str, action: str, **body: Any) -> Any:
    return client.post(f"/v1/themes/{theme}/{action}", json=body)


def put(client: TestClient, body: dict[str, Any], seen: str = "*") -> Any:
    return client.put("/v1/taxonomy", json=body, headers={"If-Match": seen})


def test_the_models_frame_holds_until_the_workspace_changes_it(client: TestClient, parts: Parts) -> None:
    found = client.get("/v1/taxonomy")
    body = found.json()
    assert (found.status_code, found.headers["etag"], body["version"], body["name"]) == (200, '"0"', 0, "default-1")
    assert [theme["id"] for theme in body["themes"]] == list(parts.taxonomy().ids)
    assert {(theme["own"], theme["found_by"], theme["state"]) for theme in body["themes"]} == {
        (False, "model", "active")
    }
    assert body["own"] == {"themes": [], "moves": {}, "merges": {}, "retired": []}


def test_versions_are_kept_with_who_made_them(client: TestClient, parts: Parts) -> None:
    own = {"themes": [{"id": "weather.rain", "label": "Rain", "parent": "delivery", "examples": ["soaked box"]}]}
    assert client.put("/v1/taxonomy", json=own).json()["code"] == "version_required"
    first = put(client, own, '"0"')
    assert (first.status_code, first.headers["etag"]) == (200, '"1"')
    assert put(client, {}, '"0"').json()["code"] == "version_changed"
    assert put(client, {}, "no etag").status_code == 412
    [rain] = [theme for theme in first.json()["themes"] if theme["own"]]
    assert (rain["found_by"], rain["parent"], rain["examples"]) == ("similarity", "delivery", ["soaked box"])
    assert client.get("/v1/taxonomy").json() == first.json()
    assert put(client, {}, '"1"').json()["name"] == "default-1+2"
    page = client.get("/v1/taxonomy/versions", params={"limit": 1}).json()
    assert [(each["version"], each["by"], each["action"]) for each in page["items"]] == [(2, "key:test-acme", "put")]
    rest = client.get("/v1/taxonomy/versions", params={"cursor": page["next"]}).json()
    assert [each["version"] for each in rest["items"]] == [1] and rest["next"] is None
    earlier = client.get("/v1/taxonomy/versions/1").json()
    assert earlier["own"]["themes"] == [{**own["themes"][0], "description": ""}]
    assert client.get("/v1/taxonomy/versions/3").status_code == 404
    assert client.get("/v1/taxonomy/versions", params={"cursor": "x"}).json()["code"] == "bad_cursor"
    with parts.database.read() as connection:
        lines = connection.execute(select(audit.c.action).where(audit.c.action == "taxonomy.put")).all()
    assert len(lines) == 2


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"themes": [{"id": "Not An Id", "label": "x"}]}, "id"),
        ({"themes": [{"id": "price.level", "label": "x"}]}, "already"),
        ({"moves": {"price.level": "nowhere"}}, "nowhere"),
        ({"merges": {"price.level": "price.level"}}, "itself"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_wrong_own_part_is_refused_whole(client: TestClient, body: dict[str, Any], said: str) -> None:
    answer = put(client, body)
    assert answer.status_code == 422 and said in answer.text
    assert client.get("/v1/taxonomy").json()["version"] == 0


def test_merging_shows_stored_and_new_answers_as_the_other_theme(client: TestClient, parts: Parts) -> None:
    before = send(client, "a", "b")
    client.put("/v1/rules", json={"source": RULE.format("delivery.time")})
    wanted = {"answers": 2, "rules": 1, "cases": 1, "issues": 0}
    with parts.database.write() as connection:
        connection.execute(cases.update().values(theme=None))
        case = connection.execute(select(cases.c.id).limit(1)).scalar_one()
        connection.execute(cases.update().where(cases.c.id == case).values(theme="delivery.time"))
    tried = step(client, "delivery.time", "merge", into="process.waiting", dry_run=True)
    assert tried.json() == {"dry_run": True, "version": 1, "reach": wanted, "rewriting": None}, tried.text
    assert client.get("/v1/taxonomy").json()["version"] == 0
    assert themes_of(client, before[0]["uid"]) == ["delivery.time"]
    done = step(client, "delivery.time", "merge", into="process.waiting")
    assert done.json() == {"dry_run": False, "version": 1, "reach": wanted, "rewriting": None}
    after = send(client, "c")
    for item in (*before, *after):
        assert themes_of(client, item["uid"]) == ["process.waiting"]
    assert after[0]["classification"]["versions"]["taxonomy"] == "default-1+1"
    with parts.database.read() as connection:
        assert set(connection.execute(select(tags.c.theme)).scalars()) == {"process.waiting"}
        assert connection.execute(select(cases.c.theme).where(cases.c.id == case)).scalar_one() == "process.waiting"
        results = connection.execute(select(analyses.c.result)).scalars().all()
        assert {tag["id"] for result in results for tag in result["themes"]} == {"delivery.time"}
    for name in ("delivery.time", "process.waiting"):
        assert len(client.get("/v1/responses", params={"theme": name}).json()["items"]) == 3
    assert client.get(f"/v1/responses/{after[0]['uid']}").json()["labels"] == ["seen"]
    state = {each["id"]: each for each in client.get("/v1/taxonomy").json()["themes"]}["delivery.time"]
    assert (state["state"], state["merged_into"], state["found_by"]) == ("merged", "process.waiting", "none")
    assert step(client, "delivery.time", "retire").json()["code"] == "wrong_state"
    assert step(client, "nope", "retire").status_code == 404
    assert step(client, "process.waiting", "merge", into="process.waiting").json()["code"] == "wrong_state"


def test_taking_a_merge_back_brings_the_theme_back(client: TestClient) -> None:
    [kept] = send(client, "a")
    step(client, "delivery.time", "merge", into="process.waiting")
    [late] = send(client, "b")
    assert put(client, {}, '"1"').status_code == 200
    assert themes_of(client, kept["uid"]) == themes_of(client, late["uid"]) == ["delivery.time"]


def test_insights_know_a_merged_theme_by_either_name(client: TestClient) -> None:
    send(client, "a", "b")
    step(client, "delivery.time", "merge", into="staff.attitude")
    day = {"to": "2026-11-03T00:00:00Z"}
    found = [client.get(f"/v1/insights/themes/{id}", params=day) for id in ("delivery.time", "staff.attitude")]
    assert [each.json()["n"] for each in found] == [2, 2]
    assert found[0].json() == found[1].json() and found[0].json()["theme"]["id"] == "staff.attitude"
    assert client.get("/v1/insights/themes/price.level", params=day).status_code == 404


def test_corrections_know_the_frame(client: TestClient) -> None:
    [item] = send(client, "a")
    path = f"/v1/responses/{item['uid']}/corrections"
    said = {"themes": ["weather.rain", "delivery.time"], "theme_sentiments": {"weather.rain": "negative"}}
    assert client.post(path, json=said).status_code == 422
    put(client, {"themes": [{"id": "weather.rain", "label": "Rain", "parent": "delivery"}]})
    answer = client.post(path, json=said)
    assert [tag["label"] for tag in answer.json()["classification"]["themes"]] == ["Rain", "Delivery time"]
    assert step(client, "weather.rain", "merge", into="delivery.time").status_code == 200
    assert themes_of(client, item["uid"]) == ["delivery.time"]
    by = client.get(f"/v1/responses/{item['uid']}").json()["corrections"]
    assert by[0]["fields"]["themes"] == ["weather.rain", "delivery.time"]
    again = client.post(path, json={"themes": ["weather.rain"]})
    assert [tag["id"] for tag in again.json()["classification"]["themes"]] == ["delivery.time"]


def test_a_retired_theme_stays_where_it_is(client: TestClient) -> None:
    [old] = send(client, "a")
    assert step(client, "delivery.time", "retire").json()["reach"]["answers"] == 1
    [new] = send(client, "b")
    assert (themes_of(client, old["uid"]), themes_of(client, new["uid"])) == (["delivery.time"], [])
    path = "/v1/responses/{}/corrections"
    kept = client.post(path.format(old["uid"]), json={"themes": ["delivery.time", "price.level"]})
    assert kept.status_code == 200 and len(kept.json()["classification"]["themes"]) == 2
    assert client.post(path.format(new["uid"]), json={"themes": ["delivery.time"]}).status_code == 422
    sentiment = client.post(path.format(new["uid"]), json={"sentiment": "neutral"})
    assert sentiment.json()["classification"]["themes"] == []
    assert len(client.get("/v1/responses", params={"theme": "delivery.time"}).json()["items"]) == 1
    rules = client.put("/v1/rules", json={"source": RULE.format("delivery.time")})
    assert rules.status_code == 200, rules.text


def test_rules_filters_and_insights_follow_a_move(client: TestClient) -> None:
    send(client, "a")
    moved = step(client, "delivery.time", "move", parent="process.waiting")
    assert moved.json()["reach"]["answers"] == 1
    assert step(client, "delivery.time", "move", parent="process.waiting").json()["code"] == "wrong_state"
    assert step(client, "process.waiting", "move", parent="delivery.time").json()["code"] == "wrong_state"
    for theme, count in (("process.waiting", 1), ("delivery", 0)):
        assert len(client.get("/v1/responses", params={"theme": theme}).json()["items"]) == count
    day = {"to": "2026-11-03T00:00:00Z"}
    ids = {each["id"] for each in client.get("/v1/insights/themes", params=day).json()["themes"]}
    assert ids == {"delivery.time", "process.waiting", "process"}
    assert client.get("/v1/insights/themes/process.waiting", params=day).json()["theme"]["n"] == 1
    assert client.get("/v1/insights/themes/delivery").status_code == 404
    client.put("/v1/rules", json={"source": RULE.format("process.waiting")})
    [new] = send(client, "b")
    assert client.get(f"/v1/responses/{new['uid']}").json()["labels"] == ["seen"]


def test_splitting_adds_narrower_themes_once_for_each_key(client: TestClient) -> None:
    parts_ = [{"id": "delivery.rain", "label": "Rain", "description": "wet", "examples": ["soaked"]}]
    body = {"into": [*parts_, {"id": "delivery.snow", "label": "Snow"}]}
    key = {"Idempotency-Key": "s-1"}
    tried = client.post("/v1/themes/delivery.time/split", json={**body, "dry_run": True})
    assert tried.json()["version"] == 1 and client.get("/v1/taxonomy").json()["version"] == 0
    done = client.post("/v1/themes/delivery.time/split", json=body, headers=key)
    again = client.post("/v1/themes/delivery.time/split", json=body, headers=key)
    assert done.status_code == 200 and again.json() == done.json() and again.headers["idempotent-replayed"] == "true"
    own = client.get("/v1/taxonomy").json()["own"]["themes"]
    assert [(each["id"], each["parent"]) for each in own] == [
        ("delivery.rain", "delivery.time"),
        ("delivery.snow", "delivery.time"),
    ]
    assert client.post("/v1/themes/delivery.time/split", json=body).status_code == 422


def test_labels_go_out_in_the_frame(client: TestClient, parts: Parts) -> None:
    put(client, {"themes": [{"id": "weather.rain", "label": "Rain", "examples": ["soaked"]}]})
    [item] = send(client, "a")
    client.post(f"/v1/responses/{item['uid']}/corrections", json={"themes": ["delivery.time", "weather.rain"]})
    step(client, "delivery.time", "retire")
    with parts.database.read() as connection:
        frame = whole_frame(connection, "acme", parts.taxonomy())
        [row] = export(connection, "acme", "labels", frame)
        assert frame_of(connection, "acme", parts.taxonomy()).ids == frame.ids
    assert row["themes"] == ["weather.rain"] and row["theme_sentiments"] == {"weather.rain": "negative"}
    assert frame.themes[-1].examples == ("soaked",)


def test_frames_of_workspaces_are_their_own(api: Callable[..., Api]) -> None:
    app = api(*ROUTERS)
    acme, other, reader = app.client(), app.client("other"), app.client(scopes=["read", "act"])
    put(acme, {"themes": [{"id": "weather.rain", "label": "Rain"}]})
    assert "weather.rain" not in other.get("/v1/taxonomy").text
    assert other.get("/v1/taxonomy/versions/1").status_code == 404
    assert reader.get("/v1/taxonomy").status_code == 200
    assert put(reader, {}).status_code == 403
    assert step(reader, "delivery.time", "retire").status_code == 403
