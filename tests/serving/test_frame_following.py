"""What a merge that is made, sent elsewhere or taken out does to cases and issues, and how much one change may do."""

from collections.abc import Callable
from typing import Any

import pytest
from loop import Api
from outbox_helpers import add_case
from sqlalchemy import Table, insert, select
from starlette.testclient import TestClient
from test_frame_routes import put, send, step, themes_of
from test_issues_routes import Answers

from serving.app import ROUTERS
from serving.audit import record
from serving.parts import Parts
from serving.store.issue_tables import clusters
from serving.store.loop_tables import cases


@pytest.fixture
def client(api: Callable[..., Api]) -> TestClient:
    return api(*ROUTERS).client()


def add_cases(parts: Parts, items: list[dict[str, Any]], theme: str) -> list[str]:
    """A case of each answer about this theme, in place of those that were opened by themselves."""
    with parts.database.write() as connection:
        connection.execute(cases.delete().where(cases.c.response.in_([item["uid"] for item in items])))
    return [add_case(parts, response=item["uid"], theme=theme) for item in items]


def add_issue(parts: Parts, id: str, theme: str, promoted: str | None = None) -> None:
    """An issue linked to a theme, and, where it is told, the theme that was made of it once."""
    row = {"workspace": "acme", "id": id, "state": "active", "label": "x", "keywords": [], "quotes": []}
    facts = {"languages": {}, "sentiment": {}, "themes": {}, "touchpoints": {}, "units": {}}
    facts |= {"mean_score": None, "score_gap": None, "scale": None}
    at = parts.clock()
    row |= {"facts": facts, "size": 3, "encoder": "e", "centroid": b"", "made_at": at, "updated_at": at}
    with parts.database.write() as connection:
        connection.execute(insert(clusters).values(**row, theme=theme, version=1))
        if promoted:
            record(connection, "acme", "ola", "cluster.promote", f"cluster:{id}", {"theme": promoted}, at)


def about(parts: Parts, table: Table) -> dict[str, tuple[str, int]]:
    """Theme and version of each case or issue."""
    with parts.database.read() as connection:
        rows = connection.execute(select(table.c.id, table.c.theme, table.c.version)).all()
    return {row.id: (row.theme, row.version) for row in rows}


def mixed_up(client: TestClient, parts: Parts) -> dict[str, str]:
    """Cases by what they are about: of a theme that is merged into another one, of that one, and of one of neither."""
    late, own, lost = send(client, "late", "own", "lost")
    path = "/v1/responses/{}/corrections"
    client.post(path.format(own["uid"]), json={"themes": ["process.waiting"]})
    [a] = add_cases(parts, [late], "delivery.time")
    [b] = add_cases(parts, [own], "process.waiting")
    assert step(client, "delivery.time", "merge", into="process.waiting").status_code == 200
    # what it was opened for, and what its answer says no more
    client.post(path.format(lost["uid"]), json={"themes": ["price.level"]})
    [c] = add_cases(parts, [lost], "process.waiting")
    assert about(parts, cases)[a] == ("process.waiting", 2)
    return {"merged": a, "own": b, "lost": c}


@pytest.mark.parametrize(
    ("own", "place"), [({"merges": {"delivery.time": "staff.attitude"}}, "staff.attitude"), ({}, "delivery.time")]
)
def test_cases_follow_a_merge_that_goes_elsewhere_or_back(
    client: TestClient, parts: Parts, own: dict[str, Any], place: str
) -> None:
    ids = mixed_up(client, parts)
    assert put(client, own).status_code == 200
    found = about(parts, cases)
    assert found[ids["merged"]] == (place, 3)
    assert found[ids["own"]] == found[ids["lost"]] == ("process.waiting", 1), "what is its own stays"


def test_cases_part_where_both_themes_go_on(client: TestClient, parts: Parts) -> None:
    ids = mixed_up(client, parts)
    assert put(client, {"merges": {"delivery.time": "staff.attitude", "process.waiting": "price.level"}}).is_success
    found = {name: about(parts, cases)[id][0] for name, id in ids.items()}
    assert found == {"merged": "staff.attitude", "own": "price.level", "lost": "price.level"}


def test_issues_follow_the_theme_that_was_made_of_them(client: TestClient, parts: Parts) -> None:
    put(client, {"themes": [{"id": "weather.rain", "label": "Rain"}]})
    add_issue(parts, "rain", "weather.rain", "weather.rain")
    add_issue(parts, "linked", "process.waiting")
    add_issue(parts, "elsewhere", "process.waiting", "price.level")
    themes = client.get("/v1/taxonomy").json()["own"]["themes"]
    for into in ("process.waiting", "staff.attitude", None):
        merges = {"weather.rain": into} if into else {}
        assert put(client, {"themes": themes, "merges": merges}).status_code == 200
        found = {id: theme for id, (theme, _) in about(parts, clusters).items()}
        expected = into or "weather.rain"
        assert found == {"rain": expected, "linked": "process.waiting", "elsewhere": "process.waiting"}
    assert about(parts, clusters)["rain"] == ("weather.rain", 4)


def test_a_theme_that_others_were_merged_into_is_retired_with_them(client: TestClient) -> None:
    [old] = send(client, "a")
    step(client, "delivery.time", "merge", into="process.waiting")
    assert step(client, "process.waiting", "retire").status_code == 200
    [new] = send(client, "b")
    assert (themes_of(client, old["uid"]), themes_of(client, new["uid"])) == (["process.waiting"], [])
    assert step(client, "price.level", "merge", into="process.waiting").json()["code"] == "wrong_state"


def test_issues_follow_the_theme_they_are_linked_to(client: TestClient, parts: Parts) -> None:
    Answers(parts.database).about("courier", 3)
    add_issue(parts, "c1", "delivery.time")
    assert step(client, "delivery.time", "merge", into="price.level").json()["reach"]["issues"] == 1
    found = client.get("/v1/clusters/c1").json()
    assert (found["theme"], found["version"]) == ("price.level", 2)
    for name in ("delivery.time", "price.level", "price"):
        assert [each["id"] for each in client.get("/v1/clusters", params={"theme": name}).json()["items"]] == ["c1"]
