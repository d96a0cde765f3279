"""Retention: what has had its time goes, a little at a time, and what people still work on stays."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest
import yaml
from everywhere import fill
from loop import ROOT, START, Api, Clock
from sqlalchemy import Table, insert, select, update

from nlp.errors import PolicyError
from serving.parts import Parts
from serving.privacy import retention
from serving.privacy.retention_policy import KINDS, load_retention, own_days, parse_own, parse_retention, set_days
from serving.privacy.routes import router
from serving.store.access_tables import idempotency
from serving.store.loop_tables import audit, cases, deliveries, events, job_files
from serving.store.tables import metadata, respondents, responses

SHIPPED = yaml.safe_load((ROOT / "data" / "policies" / "retention.yaml").read_text("utf-8"))
DONE = {"jobs.state": "done", "deliveries.state": "delivered", "cases.state": "closed"}


def rows(parts: Parts, table: Table, workspace: str = "acme") -> int:
    with parts.database.read() as connection:
        return len(connection.execute(select(table).where(table.c.workspace == workspace)).all())


def keep(parts: Parts, days: Mapping[str, int | None], workspace: str = "acme", **fixed: Any) -> None:
    """A row everywhere, and the days that the workspace keeps them."""
    with parts.database.write() as connection:
        fill(connection, metadata, workspace, "kept", DONE | fixed)
        set_days(connection, workspace, dict.fromkeys(KINDS) | dict(days), START)


def test_the_shipped_policy_is_read(parts: Parts) -> None:
    policy = load_retention(ROOT / "data")
    assert policy.days == SHIPPED["days"] and policy.days["responses"] is None
    assert policy.cutoff("events", START) == START - timedelta(days=90)
    assert policy.cutoff("responses", START) is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"days": {**SHIPPED["days"], "events": 0}}, "days.events: must be a number from 1"),
        ({"days": {**SHIPPED["days"], "events": "90"}}, "days.events: must be a number"),
        ({"days": {**SHIPPED["days"], "events": 1.5}}, "days.events: must be whole days"),
        ({"days": {**SHIPPED["days"], "texts": 9}}, "days: unknown key texts"),
        ({"days": {"events": 9}}, "days: responses, originals"),
        ({"version": ""}, "version: must be a text"),
    ],
)
def test_what_is_wrong_with_a_policy_is_said(change: dict[str, Any], said: str) -> None:
    with pytest.raises(PolicyError, match=f"retention.yaml: {said}"):
        parse_retention({**SHIPPED, **change}, "retention.yaml")


def test_a_workspace_sets_some_of_the_days() -> None:
    assert parse_own({"events": 3, "audit": None}, "x") == {"events": 3, "audit": None}
    with pytest.raises(PolicyError, match="unknown key texts"):
        parse_own({"texts": 3}, "x")


@pytest.mark.parametrize(
    ("kind", "table", "others"),
    [
        ("responses", responses, (job_files, events, idempotency, audit)),
        ("originals", job_files, (responses, events, idempotency, audit)),
        ("events", events, (responses, job_files, idempotency, audit)),
        ("idempotency", idempotency, (responses, job_files, events, audit)),
        ("audit", audit, (responses, job_files, events, idempotency)),
    ],
)
def test_each_kind_goes_when_its_days_are_over_and_nothing_else(
    parts: Parts, clock: Clock, kind: str, table: Table, others: tuple[Table, ...]
) -> None:
    keep(parts, {kind: 30})
    keep(parts, {}, "other")
    clock.forward(days=30, seconds=-1)
    assert (retention.run_once(parts), rows(parts, table)) == (0, 1)
    clock.forward(seconds=1)
    assert (retention.run_once(parts), retention.run_once(parts)) == (1, 0)
    assert rows(parts, table) == 0
    assert all(rows(parts, other) >= 1 for other in others)
    assert rows(parts, table, "other") == 1
    if kind != "audit":
        with parts.database.read() as connection:
            line = connection.execute(select(audit).order_by(audit.c.id.desc())).mappings().first()
        assert line is not None
        assert (line["by"], line["action"], line["detail"]) == ("retention", f"retention.{kind}", {"rows": 1})


def test_responses_take_all_that_was_found_in_them_along(parts: Parts, clock: Clock) -> None:
    keep(parts, {"responses": 1})
    clock.forward(days=2)
    retention.run_once(parts)
    gone = ("responses", "analyses", "corrections", "tags", "vectors", "cases", "case_events", "attempts")
    assert [rows(parts, metadata.tables[name]) for name in gone] == [0] * len(gone)
    assert rows(parts, respondents) == 1, "an outcome of theirs is left"


def test_a_person_of_whom_nothing_is_left_goes_too(parts: Parts, clock: Clock) -> None:
    keep(parts, {"responses": 1}, **{"outcomes.respondent": "somebody-else"})
    clock.forward(days=2)
    retention.run_once(parts)
    assert rows(parts, respondents) == 0


@pytest.mark.parametrize("state", ["open", "in_progress", "reopened"])
def test_responses_of_live_cases_stay(parts: Parts, clock: Clock, state: str) -> None:
    keep(parts, {"responses": 1}, **{"cases.state": state})
    clock.forward(days=9)
    assert (retention.run_once(parts), rows(parts, responses)) == (0, 1)
    with parts.database.write() as connection:
        # it is an answer that joined the case, not the one that opened it
        connection.execute(update(cases).values(response="another"))
    assert (retention.run_once(parts), rows(parts, responses)) == (0, 1)
    with parts.database.write() as connection:
        connection.execute(update(cases).values(state="closed"))
    assert (retention.run_once(parts), rows(parts, responses)) == (1, 0)


def test_an_old_answer_that_arrived_today_stays(parts: Parts, clock: Clock) -> None:
    keep(parts, {"responses": 30}, **{"responses.answered_at": START - timedelta(days=900)})
    assert (retention.run_once(parts), rows(parts, responses)) == (0, 1)


def test_what_is_still_to_be_told_stays(parts: Parts, clock: Clock) -> None:
    keep(parts, {"events": 1}, **{"deliveries.state": "pending"})
    keep(parts, {"events": 1}, "other")
    clock.forward(days=2)
    assert retention.run_once(parts) == 1
    assert (rows(parts, events), rows(parts, events, "other")) == (1, 0)
    assert (rows(parts, deliveries), rows(parts, deliveries, "other")) == (1, 0)


def test_the_file_of_an_import_under_way_stays(parts: Parts, clock: Clock) -> None:
    keep(parts, {"originals": 1}, **{"jobs.state": "paused"})
    clock.forward(days=9)
    assert (retention.run_once(parts), rows(parts, job_files)) == (0, 1)


def test_much_goes_a_little_at_a_time(parts: Parts, clock: Clock) -> None:
    keep(parts, {"idempotency": 1})
    with parts.database.write() as connection:
        row = connection.execute(select(idempotency)).mappings().one()
        more = [{**row, "key": f"k{number}"} for number in range(retention.AT_ONCE + 9)]
        connection.execute(insert(idempotency), more)
    clock.forward(days=2)
    assert [retention.run_once(parts) for _ in range(3)] == [retention.AT_ONCE, 10, 0]


def test_days_are_set_over_http_and_the_rest_follows_the_policy(parts: Parts, api: Callable[..., Api]) -> None:
    client = api(router).client()
    assert client.get("/v1/retention").json()["days"] == SHIPPED["days"]
    answer = client.put("/v1/retention", json={"responses": 365, "audit": None}).json()
    assert answer == client.get("/v1/retention").json()
    assert answer["days"] == {**SHIPPED["days"], "responses": 365, "audit": None}
    assert answer["own"] == ["audit", "responses"]
    assert client.put("/v1/retention", json={"responses": 0}).status_code == 422
    assert api(router).client("other").get("/v1/retention").json()["own"] == []
    with parts.database.read() as connection:
        assert own_days(connection, "acme") == {"responses": 365, "audit": None}
    assert client.put("/v1/retention", json={}).json()["days"] == SHIPPED["days"]


def test_two_processes_at_once_delete_each_row_once(parts: Parts, clock: Clock) -> None:
    from threading import Thread

    keep(parts, {"idempotency": 1, "events": 1, "responses": 1})
    clock.forward(days=2)
    found: list[int] = []
    runs = [Thread(target=lambda: found.append(retention.run_once(parts))) for _ in range(4)]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert (len(found), sum(found)) == (4, 3)
    assert rows(parts, responses) == 0
