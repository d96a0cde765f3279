"""Rules over HTTP and the command line: read, saved, versioned, tried, applied again; each workspace its own."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import typer
from loop import START, Api, Clock
from rules_data import store
from sqlalchemy import select
from typer.testing import CliRunner

from serving.cases.book import open_or_join
from serving.cases.policy import load_case_policy
from serving.parts import Parts
from serving.rules import commands
from serving.rules.decision import Decision
from serving.rules.routes import router
from serving.rules.ruleset import current, shipped
from serving.store.database import Database
from serving.store.loop_tables import audit, cases, events
from serving.store.tables import metadata, responses

YAML = "mode: first\nrules:\n  - {id: low, when: score <= 3, then: {assign: {team: calls}, tag: low}}\n"
BETTER = YAML.replace("score <= 3", 'theme("delivery")').replace("tag: low", "tag: late, priority: 1")


@pytest.fixture
def client(api: Callable[..., Api]) -> Any:
    return api(router).client()


def put(client: Any, source: str, **headers: str) -> Any:
    return client.put("/v1/rules", content=source, headers={"Content-Type": "text/yaml", **headers})


def test_the_shipped_rules_hold_until_others_are_saved(client: Any) -> None:
    found = client.get("/v1/rules")
    assert (found.status_code, found.headers["etag"], found.json()["version"]) == (200, '"0"', 0)
    assert [rule["id"] for rule in found.json()["rules"]] == [rule.id for rule in shipped().rules]
    saved = put(client, YAML)
    assert (saved.status_code, saved.headers["etag"]) == (200, '"1"')
    again = client.get("/v1/rules").json()
    assert again == saved.json()
    assert again["source"] == YAML
    assert again["rules"][0] | {"id": "low"} == {
        **{"id": "low", "description": None, "when": "score <= 3", "team": "calls", "person": None, "priority": None},
        **{"tags": ["low"], "notify": [], "webhooks": [], "thank": False, "suppress_contact": False, "stop": False},
    }


def test_saving_as_json_is_versioned_and_audited(client: Any, parts: Parts) -> None:
    assert client.put("/v1/rules", json={"source": YAML}).status_code == 200
    assert client.put("/v1/rules", json={"source": BETTER}).json()["version"] == 2
    first = client.get("/v1/rules/versions", params={"limit": 1}).json()
    assert [(item["version"], item["by"]) for item in first["items"]] == [(2, "key:test-acme")]
    second = client.get("/v1/rules/versions", params={"limit": 1, "cursor": first["next"]}).json()
    assert ([item["version"] for item in second["items"]], second["next"]) == ([1], None)
    assert client.get("/v1/rules/versions/1").json()["source"] == YAML
    assert client.get("/v1/rules/versions/3").json()["code"] == "not_found"
    assert client.get("/v1/rules/versions", params={"cursor": "W10"}).json()["code"] == "bad_cursor"
    with parts.database.read() as connection:
        assert [row.action for row in connection.execute(select(audit))] == ["rules.put", "rules.put"]
        assert current(connection, "acme").version == 2
        assert current(connection, "acme") is current(connection, "acme"), "compiled once"
        assert current(connection, "other").version == 0


def test_rules_that_somebody_else_changed_are_not_overwritten(client: Any) -> None:
    assert put(client, YAML, **{"If-Match": '"0"'}).status_code == 200
    refused = put(client, BETTER, **{"If-Match": '"0"'})
    assert (refused.status_code, refused.json()["code"]) == (412, "version_changed")
    assert put(client, BETTER, **{"If-Match": 'W/"1"'}).status_code == 200
    assert put(client, BETTER, **{"If-Match": "*"}).status_code == 200


def test_mistakes_are_all_told_with_their_place(client: Any) -> None:
    answer = put(client, YAML.replace("score", "scor") + '  - {id: b, when: band == "lov"}\n')
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")
    assert [wrong["reason"][:30] for wrong in answer.json()["invalid_params"]] == [
        "line 3, column 21: rule low: w",
        "line 4, column 27: rule b: whe",
    ]
    assert client.get("/v1/rules").json()["version"] == 0


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"\xff", "text/yaml", 400),
        (b"{", "application/json", 400),
        (b'{"source": 3}', "application/json", 422),
        (b'{"source": "mode: all", "x": 1}', "application/json", 422),
        (b"{}", "text/html", 415),
        (b"mode: a\x00", "text/yaml", 422),
        (b"x" * 300_000, "text/yaml", 422),
    ],
)
def test_bodies_that_are_no_rules(client: Any, body: bytes, kind: str, status: int) -> None:
    assert client.put("/v1/rules", content=body, headers={"Content-Type": kind}).status_code == status


def test_scopes_and_workspaces(api: Callable[..., Api]) -> None:
    made = api(router)
    put(made.client("acme"), YAML)
    reader = made.client("other", scopes=["read"])
    assert reader.get("/v1/rules").json()["version"] == 0
    assert put(reader, YAML).status_code == 403
    assert reader.post("/v1/rules/apply", json={}).status_code == 403
    assert reader.get("/v1/rules/versions/1").status_code == 404
    assert made.client("acme", scopes=["ingest"]).get("/v1/rules").status_code == 403


def fill(parts: Parts) -> list[dict[str, Any]]:
    late = [("delivery.time", "negative")]
    theme = {"id": "delivery.time", "sentiment": {"label": "negative"}}
    effective = {"effective": {"themes": [theme], "sentiment": None, "justification": None}}
    with parts.database.write() as connection:
        first = store(connection, late, **effective, score=2.0, priority=3, priority_reason="low", respondent="c-1")
        other = store(connection, late, **effective, score=8.0, respondent="c-2")
        store(connection, late, workspace="other", score=2.0, priority=3)
        policy = load_case_policy(parts.settings.data_dir)
        row = connection.execute(select(responses).where(responses.c.uid == first["uid"])).mappings().one()
        open_or_join(connection, "acme", row, Decision(), policy, START)
    return [first, other]


def test_rules_are_tried_before_they_go_live(client: Any, parts: Parts, clock: Clock) -> None:
    rows = fill(parts)
    clock.forward(hours=1)
    answer = client.post("/v1/rules/test", json={"source": BETTER, "from": "2026-11-01T00:00:00Z"})
    assert answer.status_code == 200
    found = answer.json()
    assert (found["from"], found["to"], found["cut"]) == ("2026-11-01T00:00:00Z", "2026-11-02T10:00:00Z", False)
    report = found["report"]
    assert (report["responses"], report["changed"], report["opens"]) == (2, 2, 1)
    assert report["priorities"]["1"] == {"before": 0, "after": 2}
    assert {example["uid"] for example in report["examples"]} == {row["uid"] for row in rows}
    assert client.get("/v1/rules").json()["version"] == 0, "nothing was saved"
    assert client.post("/v1/rules/test", json={}).json()["report"]["changed"] == 0
    assert client.post("/v1/rules/test", json={"source": "mode: x"}).status_code == 422


@pytest.mark.parametrize(
    "body",
    [
        {"from": "2026-11-03T00:00:00Z", "to": "2026-11-02T00:00:00Z"},
        {"from": "yesterday"},
        {"to": "0001-01-01T00:00:00Z"},
        {"limit": 0},
        {"since": "2026-11-01T00:00:00Z"},
    ],
)
def test_periods_that_are_none(client: Any, body: dict[str, Any]) -> None:
    assert client.post("/v1/rules/test", json=body).status_code == 422


def test_applying_again_moves_open_cases_and_tells_nobody(client: Any, parts: Parts, clock: Clock) -> None:
    fill(parts)
    put(client, BETTER.replace("tag: late", "tag: late, thank: true, notify: manager"))
    with parts.database.read() as connection:
        before = connection.execute(select(events.c.type)).scalars().all()
    clock.forward(hours=1)
    done = client.post("/v1/rules/apply", json={})
    assert done.json() == {"responses": 1, "relabelled": 1, "cases": 1, "opened": 0}
    assert client.post("/v1/rules/apply", json={}).json() == {"responses": 1, "relabelled": 0, "cases": 0, "opened": 0}
    with parts.database.read() as connection:
        (case,) = connection.execute(select(cases)).mappings()
        assert (case["priority"], case["team"], case["tags"]) == (1, "calls", ["late"])
        after = connection.execute(select(events.c.type)).scalars().all()
        assert set(after[len(before) :]) <= {"case.assigned"}
    opened = client.post("/v1/rules/apply", json={"open": True}).json()
    assert opened == {"responses": 2, "relabelled": 1, "cases": 0, "opened": 1}


def test_applying_to_too_much_is_refused(client: Any, parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(parts)
    monkeypatch.setattr("serving.rules.applying.MOST", 1)
    answer = client.post("/v1/rules/apply", json={"open": True, "to": "2026-11-03T00:00:00Z"})
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")


def test_the_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"sqlite:///{tmp_path}/holos.db"
    monkeypatch.setenv("HOLOS_DATABASE", url)
    database = Database(url)
    metadata.create_all(database.engine)
    from serving.parts import utc_now

    at = utc_now() - timedelta(days=1)
    with database.write() as connection:
        store(connection, score=2.0, workspace="acme", answered_at=at, received_at=at)
    database.close()
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text(YAML, "utf-8")
    bad.write_text(YAML.replace("score", "scor"), "utf-8")
    app = typer.Typer()
    app.command("other")(lambda: None)
    commands.register(app)
    run = CliRunner()
    checked = run.invoke(app, ["rules", "check", str(good)])
    assert (checked.exit_code, "1 rules, mode first" in checked.output) == (0, True)
    wrong = run.invoke(app, ["rules", "check", str(bad)])
    assert (wrong.exit_code, "bad.yaml: line 3, column 21: rule low" in wrong.output) == (2, True)
    tried = run.invoke(app, ["rules", "test", str(good), "--workspace", "acme"])
    assert tried.exit_code == 0, tried.output
    assert tried.output.startswith("1 responses from")
    assert "team calls: 0 -> 1" in tried.output
    assert run.invoke(app, ["rules", "check", str(tmp_path / "none.yaml")]).exit_code == 2


def test_the_document_describes_both_kinds_of_body(api: Callable[..., Api]) -> None:
    body = api(router).app.openapi()["paths"]["/v1/rules"]["put"]["requestBody"]["content"]
    assert set(body) == {"text/yaml", "application/json"}
    assert json.dumps(body)
