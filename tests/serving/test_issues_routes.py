"""Working on issues over HTTP, and what of it stands after later runs."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from issue_rows import Answers, issue_of, issues, members
from loop import START, Api, Clock
from sqlalchemy import select
from starlette.testclient import TestClient

from nlp.taxonomy import Theme
from serving.frame.store import frame_of, newest
from serving.ingest.export import export
from serving.issues.discovery import run_once
from serving.issues.routes import router
from serving.parts import Parts
from serving.store.loop_tables import audit
from serving.store.tables import responses

NAMES = ("courier", "invoice", "queue", "screen")
Groups = dict[str, list[str]]


@pytest.fixture
def answers(parts: Parts) -> Answers:
    return Answers(parts.database)


@pytest.fixture
def groups(parts: Parts, answers: Answers) -> Groups:
    """Four problems of twenty answers each, and three answers about nothing else."""
    found = {name: answers.about(name, 20, touchpoint=f"{name}-desk") for name in NAMES}
    run_once(parts)
    answers.noise(3)
    return found


@pytest.fixture
def client(api: Callable[..., Api]) -> TestClient:
    return api(router).client()


def ids_of(parts: Parts, groups: Groups) -> dict[str, str]:
    with parts.database.read() as connection:
        return {name: issue_of(connection, uids) for name, uids in groups.items()}


def more(parts: Parts, answers: Answers, groups: Groups, clock: Clock, runs: int = 3) -> None:
    """Some days with new answers and a run after each."""
    for _ in range(runs):
        for name in NAMES:
            groups[name] += answers.about(name, 3, clock.forward(days=1))
        assert run_once(parts) == 1


def test_issues_are_listed_filtered_and_paged(parts: Parts, groups: Groups, client: TestClient) -> None:
    ids = ids_of(parts, groups)
    answer = client.get("/v1/clusters").json()
    assert {row["id"] for row in answer["items"]} >= set(ids.values()) and answer["unclustered"] == 3
    assert [row["size"] for row in answer["items"]] == sorted([row["size"] for row in answer["items"]], reverse=True)
    for sort in ("size", "trend", "impact", "last_seen"):
        seen, cursor = [], None
        while True:
            given = {"sort": sort, "limit": 1, **({"cursor": cursor} if cursor else {})}
            found = client.get("/v1/clusters", params=given).json()
            seen += [row["id"] for row in found["items"]]
            if (cursor := found["next"]) is None:
                break
        assert sorted(seen) == sorted(row["id"] for row in answer["items"])
    one = client.get("/v1/clusters", params={"touchpoint": "queue-desk"}).json()["items"]
    assert [row["id"] for row in one] == [ids["queue"]]
    assert client.get("/v1/clusters", params={"language": "pl"}).json()["items"] == []
    assert len(client.get("/v1/clusters", params={"theme": "delivery.time"}).json()["items"]) == len(answer["items"])
    assert client.get("/v1/clusters", params={"cursor": "WzEsMl0"}).json()["code"] == "bad_cursor"


def test_members_and_what_is_outside_are_paged(parts: Parts, groups: Groups, client: TestClient) -> None:
    id = ids_of(parts, groups)["queue"]
    first = client.get(f"/v1/clusters/{id}/members", params={"limit": 15}).json()
    rest = client.get(f"/v1/clusters/{id}/members", params={"limit": 15, "cursor": first["next"]}).json()
    rows = first["items"] + rest["items"]
    assert {row["uid"] for row in rows} == set(groups["queue"]) and len(rows) == 20 and rest["next"] is None
    assert [row["strength"] for row in rows] == sorted([row["strength"] for row in rows], reverse=True)
    outside = client.get("/v1/clusters/unclustered", params={"limit": 2}).json()
    last = client.get("/v1/clusters/unclustered", params={"limit": 2, "cursor": outside["next"]}).json()
    assert (outside["unclustered"], len(outside["items"]), len(last["items"])) == (3, 2, 1)
    assert all("oddity" in row["text"] and row["kind"] == "reason" for row in outside["items"] + last["items"])


def test_names_are_given_at_the_version_seen(parts: Parts, groups: Groups, client: TestClient) -> None:
    id = ids_of(parts, groups)["courier"]
    found = client.get(f"/v1/clusters/{id}")
    etag = found.headers["ETag"]
    assert client.patch(f"/v1/clusters/{id}", json={"name": "x"}).status_code == 428
    until = (START + timedelta(days=9)).isoformat()
    body = {"name": "Late couriers", "owner": "ola", "muted_until": until, "theme": "delivery.time"}
    changed = client.patch(f"/v1/clusters/{id}", json=body, headers={"If-Match": etag})
    assert changed.status_code == 200 and changed.headers["ETag"] != etag
    assert {name: changed.json()[name] for name in ("name", "owner", "theme")} == {
        name: body[name] for name in ("name", "owner", "theme")
    }
    assert (changed.json()["title"], found.json()["title"]) == ("Late couriers", found.json()["label"])
    assert client.patch(f"/v1/clusters/{id}", json=body, headers={"If-Match": etag}).status_code == 412
    gone = client.patch(f"/v1/clusters/{id}", json={"owner": None}, headers={"If-Match": "*"}).json()
    assert (gone["owner"], gone["name"]) == (None, "Late couriers")
    assert client.patch(f"/v1/clusters/{id}", json={}, headers={"If-Match": "*"}).status_code == 422
    assert client.get("/v1/clusters/none").status_code == 404
    with parts.database.read() as connection:
        said = connection.execute(select(audit.c.by, audit.c.action).where(audit.c.action == "cluster.edit")).all()
    assert [tuple(line) for line in said] == [("key:test-acme", "cluster.edit")] * 2


def test_a_merge_stands_and_can_be_undone(
    parts: Parts, answers: Answers, groups: Groups, clock: Clock, client: TestClient
) -> None:
    ids = ids_of(parts, groups)
    merged = client.post(f"/v1/clusters/{ids['courier']}/merge", json={"into": ids["invoice"]}).json()
    assert (merged["id"], merged["size"]) == (ids["invoice"], 40)
    more(parts, answers, groups, clock)
    with parts.database.read() as connection:
        assert set(issues(connection)) == {ids[name] for name in ("invoice", "queue", "screen")}
        shown = members(connection, ids["invoice"])
        assert {*groups["courier"], *groups["invoice"]} <= shown and not shown & {*groups["queue"], *groups["screen"]}
        assert issues(connection)[ids["invoice"]]["size"] == len(shown)
    again = client.post(f"/v1/clusters/{ids['courier']}/merge", json={"into": ids["queue"]})
    assert again.json()["code"] == "wrong_state"
    assert client.post(f"/v1/clusters/{ids['courier']}/restore").json()["size"] >= 29
    more(parts, answers, groups, clock, 1)
    assert ids_of(parts, groups) == ids
    with parts.database.read() as connection:
        assert not members(connection, ids["invoice"]) & set(groups["courier"])
    kinds = [line["kind"] for line in client.get(f"/v1/clusters/{ids['courier']}").json()["lineage"]]
    assert kinds == ["birth", "merge", "undo"]


def test_a_split_stands_though_the_vectors_say_otherwise(
    parts: Parts, answers: Answers, groups: Groups, clock: Clock, client: TestClient
) -> None:
    ids = ids_of(parts, groups)
    chosen = groups["queue"][:6]
    body = {"members": chosen, "name": "Queue at the airport"}
    sent = client.post(f"/v1/clusters/{ids['queue']}/split", json=body, headers={"Idempotency-Key": "k-1"})
    new = sent.json()["id"]
    assert sent.status_code == 201 and sent.json()["size"] == 6
    twice = client.post(f"/v1/clusters/{ids['queue']}/split", json=body, headers={"Idempotency-Key": "k-1"})
    assert twice.json()["id"] == new
    more(parts, answers, groups, clock)
    with parts.database.read() as connection:
        assert set(chosen) <= members(connection, new)
        assert not set(chosen) & members(connection, ids["queue"])
        assert set(groups["queue"]) <= members(connection, new) | members(connection, ids["queue"])
        assert issues(connection)[new]["name"] == "Queue at the airport"
    strangers = client.post(f"/v1/clusters/{ids['queue']}/split", json={"members": groups["courier"][:2]})
    assert strangers.status_code == 422


def test_dismissed_issues_stay_away_until_they_are_restored(
    parts: Parts, answers: Answers, groups: Groups, clock: Clock, client: TestClient
) -> None:
    id = ids_of(parts, groups)["screen"]
    assert client.post(f"/v1/clusters/{id}/dismiss").json()["state"] == "dismissed"
    assert client.post(f"/v1/clusters/{id}/dismiss").json()["code"] == "wrong_state"
    more(parts, answers, groups, clock)
    assert id not in {row["id"] for row in client.get("/v1/clusters").json()["items"]}
    assert [row["id"] for row in client.get("/v1/clusters", params={"state": "dismissed"}).json()["items"]] == [id]
    assert client.post(f"/v1/clusters/{id}/restore").json()["state"] == "active"


def test_a_promoted_issue_is_a_theme_with_training_examples(parts: Parts, groups: Groups, client: TestClient) -> None:
    id = ids_of(parts, groups)["screen"]
    theme = {"id": "app.freezes", "label": "App freezes", "description": "The app stops while paying"}
    sent = client.post(f"/v1/clusters/{id}/promote", json={"theme": theme})
    assert sent.status_code == 201, sent.text
    assert (sent.json()["examples"], sent.json()["cluster"]["theme"]) == (20, "app.freezes")
    with parts.database.read() as connection:
        rows = [row for row in export(connection, "acme", "labels") if "app.freezes" in row["themes"]]
        assert len(rows) == 20 and all(row["themes"] == ["delivery.time", "app.freezes"] for row in rows)
        assert newest(connection, "acme")[1].themes == (Theme(**theme),)
        assert "app.freezes" in frame_of(connection, "acme", parts.taxonomy()).ids
        uid = connection.execute(select(responses.c.uid).where(responses.c.corrected)).scalars().first()
    assert uid in groups["screen"]
    again = client.post(f"/v1/clusters/{id}/promote", json={"theme": theme})
    assert again.status_code == 422 and "already" in again.json()["detail"]
    lost = {**theme, "id": "x", "parent": "nowhere"}
    assert client.post(f"/v1/clusters/{id}/promote", json={"theme": lost}).status_code == 422


def test_an_improvement_is_measured(
    parts: Parts, answers: Answers, groups: Groups, clock: Clock, client: TestClient
) -> None:
    id = ids_of(parts, groups)["courier"]
    body = {"action": "A second courier firm", "owner": "ola", "on": "2026-11-03"}
    made = client.post(f"/v1/clusters/{id}/improvements", json=body, headers={"Idempotency-Key": "i-1"})
    assert made.status_code == 201 and made.json()["verdict"] == "too early"
    client.post(f"/v1/clusters/{id}/improvements", json=body, headers={"Idempotency-Key": "i-1"})
    for _ in range(3):
        groups["invoice"] += answers.about("invoice", 60, clock.forward(days=4))
    found = client.get(f"/v1/clusters/{id}/improvements").json()["items"]
    assert len(found) == 1 and found[0]["verdict"] == "rarer"
    assert found[0]["before"] == {"count": 20, "answers": 83, "per_1000": pytest.approx(1000 * 20 / 83)}
    assert found[0]["after"]["count"] == 0 and found[0]["interval"]["high"] < 1
    assert client.get(f"/v1/clusters/{id}").json()["improvements"] == found
    assert client.get("/v1/clusters/none/improvements").status_code == 404


def test_other_workspaces_and_readers_cannot_touch_them(parts: Parts, groups: Groups, api: Callable[..., Api]) -> None:
    ids = ids_of(parts, groups)
    app = api(router)
    other, reader = app.client("other"), app.client(scopes=["read"])
    assert other.get(f"/v1/clusters/{ids['queue']}").status_code == 404
    assert other.post(f"/v1/clusters/{ids['queue']}/dismiss").status_code == 404
    assert other.get("/v1/clusters").json() == {"items": [], "next": None, "unclustered": 0}
    assert other.get("/v1/clusters/unclustered").json()["items"] == []
    assert reader.get(f"/v1/clusters/{ids['queue']}").status_code == 200
    assert reader.post(f"/v1/clusters/{ids['queue']}/dismiss").status_code == 403
    across = app.client().post(f"/v1/clusters/{ids['queue']}/merge", json={"into": "elsewhere"})
    assert across.status_code == 404
