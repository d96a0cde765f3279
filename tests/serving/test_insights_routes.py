"""The routes of insights: who may ask, what period and filters mean, and nothing of another workspace."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from insight_rows import Rows, day
from loop import START, Api, Clock
from starlette.testclient import TestClient

from serving.insights.routes import router
from serving.store.database import Database

FIGURES = ("volumes", "themes", "scores", "drivers", "loop", "retention", "value")


@pytest.fixture
def client(api: Callable[..., Api], clock: Clock) -> TestClient:
    clock.forward(days=60)
    return api(router).client()


def ask(client: TestClient, path: str, **filters: str) -> dict[str, Any]:
    answer = client.get(f"/v1/insights/{path}", params=filters)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_an_empty_period_is_answered(client: TestClient) -> None:
    for figure in FIGURES:
        found = ask(client, figure)
        assert found["n"] == 0
        # ninety days up to now
        assert found["period"] == {"start": "2026-10-03T09:00:00Z", "end": "2027-01-01T09:00:00Z"}


def test_a_response_without_anything_and_then_one_with_all(client: TestClient, database: Database) -> None:
    rows = Rows()
    rows.answer(None, metric=None)
    rows.write(database)
    assert [ask(client, figure)["n"] for figure in FIGURES] == [1, 1, 0, 0, 0, 0, 1]
    rows = Rows()
    said = {"respondent": "p", "value": 100.0, "unit": "u", "touchpoint": "t", "employee": "e", "text": "Za późno"}
    uid = rows.answer(2, themes=[("delivery.time", "negative")], priority=1, uid="full", **said)
    rows.case(uid, first_contact_at=day(0.5), state="resolved", attempts=1)
    rows.outcome("p", "retained", day(40), 1)
    rows.write(database)
    assert [ask(client, figure)["n"] for figure in FIGURES] == [2, 2, 1, 1, 1, 1, 2]


def test_another_workspace_sees_none_of_it(api: Callable[..., Api], clock: Clock, database: Database) -> None:
    clock.forward(days=60)
    rows = Rows()
    uid = rows.answer(2, themes=[("delivery", "negative")], respondent="p", value=5.0, priority=1)
    rows.case(uid)
    rows.write(database)
    asked = api(router)
    other, empty, mine = (asked.client(name) for name in ("other", "third", "acme"))
    for figure in FIGURES:
        assert ask(mine, figure)["n"] == 1
        assert ask(other, figure) == ask(empty, figure)
    answer = other.get("/v1/insights/themes/delivery")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_reading_needs_its_scope(api: Callable[..., Api]) -> None:
    client = api(router).client(scopes=["ingest", "act"])
    answers = [client.get(f"/v1/insights/{figure}") for figure in (*FIGURES, "themes/x")]
    assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(403, "forbidden")}


def test_filters_and_the_ends_of_a_period(client: TestClient, database: Database) -> None:
    rows = Rows()
    rows.answer(9, START, survey="s", touchpoint="t", unit="u")
    rows.answer(9, START + timedelta(days=1), survey="s", touchpoint="t", unit="v")
    rows.answer(4, START, metric="csat", survey="s")
    rows.write(database)

    def n(**filters: str) -> int:
        return ask(client, "volumes", **filters)["n"]

    assert n() == 3
    assert (n(survey="s"), n(touchpoint="t"), n(unit="u"), n(metric="csat"), n(unit="u", metric="csat")) == (
        3,
        2,
        1,
        1,
        0,
    )
    # the start counts, the end does not
    assert n(**{"from": "2026-11-02T10:00:00+01:00", "to": "2026-11-03T09:00:00Z"}) == 2
    assert n(**{"from": "2026-11-02T09:00:00.000001Z", "to": "2026-11-03T09:00:00.000001Z"}) == 1


WRONG: list[dict[str, str]] = [
    {"from": "2026-11-02T09:00:00"},
    {"from": "2026-11-03T09:00:00Z", "to": "2026-11-02T09:00:00Z"},
    {"from": "2026-11-03T09:00:00Z", "to": "2026-11-03T09:00:00Z"},
    {"from": "1960-01-01T00:00:00Z", "to": "1961-01-01T00:00:00Z"},
    {"to": "0001-01-01T00:00:00Z"},
    {"from": "2000-01-01T00:00:00Z", "to": "2020-01-01T00:00:00Z"},
    {"to": "9999-12-31T23:59:59-14:00"},
    {"metric": "happiness"},
    {"unit": ""},
    {"unit": "a\x00b"},
    {"unit": "x" * 513},
    {"limit": "0"},
    {"every": "year"},
    {"by": "employee; drop table"},
]


def test_what_cannot_be_asked_is_refused(client: TestClient) -> None:
    for wrong in WRONG:
        answer = client.get("/v1/insights/volumes", params=wrong)
        assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed"), wrong


def test_a_landmark_lies_before_the_horizon(client: TestClient) -> None:
    answer = client.get("/v1/insights/retention", params={"landmark_days": 30, "horizon_days": 30})
    assert answer.status_code == 422
