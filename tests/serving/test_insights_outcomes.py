"""Imported outcomes: JSON or CSV, each row once however often it is sent, wrong rows named and nothing of them kept."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from loop import Api
from sqlalchemy import select
from starlette.testclient import TestClient

from nlp.errors import InputError
from serving.insights import outcomes as module
from serving.insights.outcomes import MOST_ITEMS, read_csv
from serving.insights.routes import router
from serving.store.database import Database
from serving.store.loop_tables import audit
from serving.store.tables import outcomes

ROW = {"respondent": "c-77", "kind": "retained", "at": "2026-12-01T01:00:00+01:00", "value": 1}
KEPT = ("c-77", "retained", "2026-12-01T00:00:00+00:00", 1.0)


@pytest.fixture
def client(api: Callable[..., Api]) -> TestClient:
    return api(router).client(scopes=["ingest"])


def kept(database: Database) -> list[tuple[str, str, str, float]]:
    column = outcomes.c
    asked = select(column.workspace, column.respondent, column.kind, column.at, column.value)
    with database.read() as connection:
        rows = connection.execute(asked.order_by(column.respondent, column.kind, column.at)).all()
    assert {row[0] for row in rows} <= {"acme"}
    return [(row[1], row[2], row[3].isoformat(), row[4]) for row in rows]


def send(client: TestClient, *items: Any) -> dict[str, Any]:
    answer = client.post("/v1/outcomes", json={"items": items})
    assert answer.status_code == 200, answer.text
    return {name: number for name, number in answer.json().items() if number}


def test_json_sent_twice_is_there_once(client: TestClient, database: Database) -> None:
    assert send(client, ROW, ROW | {"kind": "spent", "value": 10.5}) == {"created": 2}
    assert send(client, ROW, ROW | {"at": "2026-12-01T00:00:00Z"}) == {"unchanged": 2}
    assert send(client, ROW | {"value": 0}, ROW | {"respondent": "c-78"}) == {"created": 1, "updated": 1}
    assert send(client) == {}
    spent = ("c-77", "spent", KEPT[2], 10.5)
    assert kept(database) == [(*KEPT[:3], 0.0), spent, ("c-78", *KEPT[1:])]
    with database.read() as connection:
        [first, *_] = connection.execute(select(audit.c.action, audit.c.by, audit.c.detail).order_by(audit.c.id)).all()
    assert tuple(first) == ("outcomes.import", "key:test-acme", {"created": 2, "updated": 0, "refused": 0})


def test_csv_as_spreadsheets_write_it(client: TestClient, database: Database) -> None:
    body = (
        '\ufeffsep=;\r\nKind;note;Respondent;AT;value\r\nretained;"a;b";c-77;2026-12-01;1,0\r\n;;;;\r\n'
        "spent;;c-77;2026-12-01T00:00:00Z;dużo\r\nretained;;;2026-12-01;1\r\nretained;;c;yesterday;1\r\n"
        "Retained!;;c;2026-12-01;nan\r\nretained;;c\r\n"
    )
    answer = client.post("/v1/outcomes", content=body.encode(), headers={"Content-Type": "text/csv; charset=utf-8"})
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert (found["created"], found["refused"]) == (1, 5)
    assert [refused["row"] for refused in found["refusals"]] == [2, 3, 4, 5, 6]
    assert found["refusals"][0]["detail"] == "value: should be a number"
    assert found["refusals"][1]["detail"].startswith("respondent: ")
    assert found["refusals"][2]["detail"].startswith("at: ")
    assert "dużo" not in answer.text and "yesterday" not in answer.text
    assert kept(database) == [KEPT]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"value": "1"}, 422),
        ({"value": 1e13}, 422),
        ({"at": "2026-12-01T00:00:00"}, 422),
        ({"at": "9999-12-31T23:59:59-14:00"}, 422),
        ({"respondent": ""}, 422),
        ({"respondent": "a\x00"}, 422),
        ({"respondent": "\ud800"}, 422),
        ({"respondent": "x" * 513}, 422),
        ({"kind": "Kept it"}, 422),
        ({"more": 1}, 422),
    ],
)
def test_a_body_that_is_wrong_is_refused_whole(
    client: TestClient, database: Database, change: dict[str, Any], status: int
) -> None:
    import json

    body = json.dumps({"items": [ROW, ROW | change]})
    answer = client.post("/v1/outcomes", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (status, "validation_failed")
    assert "items[1]" in answer.json()["invalid_params"][0]["name"]
    assert kept(database) == []


def test_bodies_that_cannot_be_read(client: TestClient) -> None:
    def code(content: bytes, kind: str) -> tuple[int, str]:
        answer = client.post("/v1/outcomes", content=content, headers={"Content-Type": kind})
        return answer.status_code, answer.json()["code"]

    assert code(b"{", "application/json") == (400, "bad_json")
    assert code(b'{"items": [{"value": NaN}]}', "application/json") == (400, "bad_json")
    assert code(b"[]", "application/json") == (422, "validation_failed")
    assert code(b"<a/>", "text/xml") == (415, "unsupported_media_type")
    assert code(b"respondent,kind,at\nc,k,2026-12-01", "text/csv") == (422, "validation_failed")
    assert code("respondent,kind,at,value\nż".encode("cp1250"), "text/csv") == (400, "bad_request")
    assert code(b"", "text/csv") == (422, "validation_failed")


def test_the_scope_is_that_of_senders(api: Callable[..., Api]) -> None:
    answer = api(router).client(scopes=["read", "act", "admin"]).post("/v1/outcomes", json={"items": [ROW]})
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


def test_more_rows_than_one_request_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    head = "respondent,kind,at,value\n"
    assert len(read_csv(head + "c,k,2026-12-01,1\n" * 3).items) == 3
    monkeypatch.setattr(module, "MOST_ITEMS", 2)
    with pytest.raises(InputError, match="more than 2 rows"):
        read_csv(head + "c,k,2026-12-01,1\n" * 3)
    assert MOST_ITEMS == 10_000


def test_more_rows_than_one_statement_takes(client: TestClient, database: Database) -> None:
    items = [ROW | {"respondent": f"c-{number:04}"} for number in range(1001)]
    assert send(client, *items) == {"created": 1001}
    assert send(client, *items, ROW) == {"created": 1, "unchanged": 1001}
    assert len(kept(database)) == 1002


@given(st.text(max_size=300), st.sampled_from(["", "respondent,kind,at,value\n", "sep=x\nrespondent;kind;at;value\n"]))
def test_any_text_is_read_or_refused_in_words(text: str, head: str) -> None:
    try:
        found = read_csv(head + text)
    except InputError as error:
        assert "CSV" in str(error)
    else:
        assert all(refused.detail for refused in found.refused)
