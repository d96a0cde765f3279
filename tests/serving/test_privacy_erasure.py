"""Erasing a person: nothing of them is left anywhere, nothing of anybody else is touched."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from everywhere import fill, name_of
from hypothesis import given
from hypothesis import strategies as st
from loop import START, Api, Clock
from sqlalchemy import Connection, insert, select, update

from serving.parts import Parts
from serving.privacy.elsewhere import DOCUMENTS
from serving.privacy.originals import may_hold
from serving.privacy.person import NOT_OURS
from serving.privacy.routes import router
from serving.privacy.tombstones import blocked
from serving.privacy.traces import ERASED, Traces, without
from serving.store.access_tables import idempotency, tombstones
from serving.store.database import Database
from serving.store.loop_tables import (
    case_responses,
    cases,
    deliveries,
    events,
    job_files,
    jobs,
)
from serving.store.tables import metadata, respondents, responses

PERSON = name_of("respondents", "acme")
MARK = "zanzibar parcel came crushed"

GONE_WITH_THEM = ("respondents", "responses", "analyses", "corrections", "tags", "vectors", "outcomes", "cases")
GONE_WITH_THEM += ("case_responses", "case_events", "attempts", "events", "deliveries", "delivery_tries")
GONE_WITH_THEM += ("cluster_members",)
"""Tables whose rows about a person go."""
OF_THEIR_FILES = {("job_files", "data"), ("idempotency", "answer"), ("idempotency", "key")}
OUR_WORDS = {
    *(("jobs", name) for name in ("workspace", "id", "kind", "state", "by", "leased_by")),
    *(("job_files", name) for name in ("workspace", "job", "name")),
    *(("refusals", name) for name in ("workspace", "job", "code")),
    *(("audit", name) for name in ("workspace", "by", "action")),
    *(("idempotency", name) for name in ("workspace", "route", "digest")),
    # labels and keywords are words that answers of several people share; facts are shares of dimensions
    *(("clusters", name) for name in ("workspace", "id", "parent", "state", "merged_into", "label", "keywords")),
    *(("clusters", name) for name in ("facts", "encoder", "centroid", "owner", "theme")),
    *(("cluster_lineage", name) for name in ("workspace", "kind", "from", "to", "by")),
    *(("cluster_models", name) for name in ("workspace", "encoder", "arrays")),
    *(("discoveries", name) for name in ("workspace", "leased_by", "reading_by")),
    *(("improvements", name) for name in ("workspace", "id", "cluster", "owner", "by")),
    *(("alarms", name) for name in ("workspace", "kind", "subject", "direction", "event")),
    # themes are put in words by people, as rules are; what they quote stands in `examples`
    *(("frames", name) for name in ("workspace", "key", "by", "action", "subject", "content")),
}
"""Columns that only we write, and never anything of a person."""


def may_name(table: str, column: str) -> bool:
    """Whether a person may be named or quoted in a column."""
    documents = {(found.name, name) for found, names in DOCUMENTS for name in names}
    return table in GONE_WITH_THEM or (table, column) in documents | OF_THEIR_FILES


def marked(table: str, column: str) -> str:
    return MARK if may_name(table, column) else "ours"


ABOUT_THEM = {"jobs.state": "done", "events.subject": f"response:{name_of('responses', 'acme')}"}


def everything(connection: Connection, workspace: str | None = None) -> dict[str, list[dict[str, Any]]]:
    found = {}
    for table in metadata.sorted_tables:
        asked = select(table).order_by(*table.primary_key)
        if workspace is not None:
            asked = asked.where((table.c.get("workspace", table.c.get("id"))) == workspace)
        found[table.name] = [dict(row) for row in connection.execute(asked).mappings()]
    return found


def traces_left(database: Database) -> list[str]:
    """Tables, and files of SQLite, in which a word of the person stands."""
    words = (MARK, PERSON, name_of("responses", "acme"), name_of("cases", "acme"))
    with database.read() as connection:
        tables = {name: repr(rows) for name, rows in everything(connection).items()}
    found = [name for name, said in tables.items() if any(word in said for word in words)]
    if database.is_sqlite:
        folder = Path(database.engine.url.database).parent
        found += [
            path.name for path in folder.glob("holos.db*") if any(word.encode() in path.read_bytes() for word in words)
        ]
    return found


def test_every_column_is_erased_ours_or_a_setting() -> None:
    for table in metadata.sorted_tables:
        for column in table.columns:
            textual = column.type.python_type in (str, dict, bytes)
            ours = table.name in NOT_OURS or (table.name, column.name) in OUR_WORDS
            assert not textual or ours or may_name(table.name, column.name), f"{table.name}.{column.name}"


def test_nothing_of_an_erased_person_is_left(parts: Parts, api: Callable[..., Api]) -> None:
    with parts.database.write() as connection:
        fill(connection, metadata, "acme", marked, ABOUT_THEM)
        about_others = {"id": "evt_spike", "type": "theme.spike", "subject": "theme:delivery.time", "at": START}
        data = {"quotes": [{"text": "crushed parcel? ok"}, {"text": MARK}], "responses": [name_of("responses", "acme")]}
        connection.execute(insert(events).values(workspace="acme", **about_others, data=data))
    assert len(traces_left(parts.database)) > len(GONE_WITH_THEM)
    answer = api(router).client().delete(f"/v1/respondents/{PERSON}")
    assert answer.status_code == 200
    assert traces_left(parts.database) == []
    counts = answer.json()["counts"]
    assert all(counts[name] == 1 for name in ("responses", "respondents", "cases", "vectors", "outcomes", "job_files"))
    with parts.database.read() as connection:
        left = connection.execute(select(events.c.data)).scalar_one()
        stone = connection.execute(select(tombstones).where(tombstones.c.by == "key:test-acme")).mappings().one()
        kept = connection.execute(select(idempotency.c.status)).scalars().all()
    assert left == {"quotes": [{"text": "crushed parcel? ok"}, {"text": ERASED}], "responses": [ERASED]}
    assert (stone["counts"], stone["blocked"], stone["at"]) == (counts, False, START)
    assert kept == [] or kept == [410]


def test_the_same_id_in_another_workspace_and_other_people_stay(parts: Parts, api: Callable[..., Api]) -> None:
    same = {"respondent": PERSON, "respondents.id": PERSON, "jobs.state": "done"}
    with parts.database.write() as connection:
        fill(connection, metadata, "acme", marked, ABOUT_THEM)
        fill(connection, metadata, "other", marked, same)
        fill_somebody_else(connection)
        before, others = everything(connection, "other"), somebody_else(connection)
    assert api(router).client().delete(f"/v1/respondents/{PERSON}").status_code == 200
    with parts.database.read() as connection:
        assert everything(connection, "other") == before
        assert somebody_else(connection) == others != []


def fill_somebody_else(connection: Connection) -> None:
    row = connection.execute(select(responses)).mappings().first()
    assert row is not None
    new = {"uid": "u2", "id": "r-2", "respondent": "somebody-else", "text": "Wszystko dobrze, dziękuję"}
    connection.execute(insert(responses).values({**row, **new, "workspace": "acme"}))
    person = connection.execute(select(respondents)).mappings().first()
    connection.execute(insert(respondents).values({**person, "workspace": "acme", "id": "somebody-else"}))


def somebody_else(connection: Connection) -> list[dict[str, Any]]:
    mine = select(responses).where(responses.c.respondent == "somebody-else")
    them = select(respondents).where(respondents.c.id == "somebody-else")
    return [dict(row) for asked in (mine, them) for row in connection.execute(asked).mappings()]


def test_who_is_unknown_is_not_found_and_asking_again_is_no_error(parts: Parts, api: Callable[..., Api]) -> None:
    client = api(router).client()
    assert client.delete("/v1/respondents/nobody").json()["code"] == "not_found"
    with parts.database.write() as connection:
        fill(connection, metadata, "acme", marked, ABOUT_THEM)
    first = client.delete(f"/v1/respondents/{PERSON}").json()
    again = client.delete(f"/v1/respondents/{PERSON}").json()
    assert (again["subject"], again["counts"]) == (first["subject"], {})
    with parts.database.read() as connection:
        stones = connection.execute(select(tombstones.c.counts).where(tombstones.c.by == "key:test-acme")).scalars()
        assert stones.one() == first["counts"]


def test_ids_with_slashes_and_signs_are_ids(parts: Parts, api: Callable[..., Api]) -> None:
    odd = "klient/17 ą?&#"
    with parts.database.write() as connection:
        fill(connection, metadata, "acme", "x", {"respondent": odd, "respondents.id": odd, "jobs.state": "done"})
    client = api(router).client()
    found = client.get(f"/v1/respondents/{quote(odd, safe='')}").json()
    assert found.get("id") == odd, found
    assert client.delete(f"/v1/respondents/{quote(odd, safe='')}").status_code == 200


def test_who_is_blocked_stays_so(parts: Parts, api: Callable[..., Api]) -> None:
    client = api(router).client()
    assert client.delete("/v1/respondents/c-7", params={"block": True}).json()["blocked"] is True
    client.delete("/v1/respondents/c-7")
    with parts.database.read() as connection:
        assert blocked(connection, "acme", ["c-7", "c-8"]) == {"c-7"}
        assert blocked(connection, "other", ["c-7"]) == frozenset()


def test_an_import_under_way_is_waited_for(parts: Parts, api: Callable[..., Api]) -> None:
    with parts.database.write() as connection:
        fill(connection, metadata, "acme", marked, {**ABOUT_THEM, "jobs.state": "paused"})
        before = everything(connection)
    client = api(router).client()
    answer = client.delete(f"/v1/respondents/{PERSON}")
    assert (answer.status_code, answer.json()["code"]) == (409, "wrong_state")
    assert name_of("jobs", "acme") in answer.json()["detail"]
    with parts.database.write() as connection:
        after = everything(connection)
        assert {name: rows for name, rows in after.items() if name not in ("keys", "workspaces")} == {
            name: rows for name, rows in before.items() if name not in ("keys", "workspaces")
        }
        connection.execute(update(jobs).values(state="done"))
    assert client.delete(f"/v1/respondents/{PERSON}").status_code == 200
    with parts.database.read() as connection:
        assert connection.execute(select(job_files)).all() == []


@pytest.mark.parametrize(
    ("data", "held"),
    [
        (b"id,respondent\n1,c-77\n", True),
        (b"id,respondent\n1,c-78\n", False),
        ("1,klient-ą\n".encode("cp1250"), False),
        ("1,c-77\n".encode("utf-16"), True),
        (b'{"respondent": {"id": "c-77"}}', True),
        (b"PK\x03\x04 a workbook", True),
        (b"PAR1 a table", True),
        (b"", False),
    ],
)
def test_which_files_may_hold_a_person(data: bytes, held: bool) -> None:
    assert may_hold(data, ("c-77",)) is held


@pytest.mark.parametrize(
    "data", [name.encode(how) for name in ("klient-ą", "клиент-ї") for how in ("utf-8", "utf-16-le")]
)
def test_names_are_found_in_their_encodings(data: bytes) -> None:
    assert may_hold(b"\n1;" + data + b";", ("klient-ą", "клиент-ї"))


def test_an_alert_that_was_to_be_told_along_is_told_alone(parts: Parts, api: Callable[..., Api]) -> None:
    with parts.database.write() as connection:
        fill(connection, metadata, "acme", marked, {**ABOUT_THEM, "deliveries.state": "pending"})
        event = {"workspace": "acme", "id": "evt_2", "type": "case.opened", "subject": "case:another", "at": START}
        connection.execute(insert(events).values(**event, data={}))
        row = connection.execute(select(deliveries)).mappings().one()
        merged = {"id": "d2", "event": "evt_2", "state": "merged", "merged_into": row["id"]}
        connection.execute(insert(deliveries).values({**row, **merged}))
    api(router).client().delete(f"/v1/respondents/{PERSON}")
    with parts.database.read() as connection:
        left = connection.execute(select(deliveries)).mappings().one()
    assert (left["id"], left["state"], left["merged_into"]) == ("d2", "pending", None)


def test_a_persons_data_are_given_out_whole_and_nobody_elses(parts: Parts, api: Callable[..., Api]) -> None:
    with parts.database.write() as connection:
        fill(connection, metadata, "acme", marked, ABOUT_THEM)
        fill(connection, metadata, "other", marked)
        fill_somebody_else(connection)
    client = api(router).client()
    answer = client.get(f"/v1/respondents/{PERSON}")
    tables = answer.json()["tables"]
    expected = {*GONE_WITH_THEM} - {"deliveries", "delivery_tries"}
    assert expected <= set(tables) <= expected | {"audit"}
    assert all(len(rows) == 1 for name, rows in tables.items() if name != "audit")
    assert "somebody-else" not in answer.text and "data" not in tables["vectors"][0]
    assert tables["responses"][0]["text"] == MARK
    again = client.get(f"/v1/respondents/{PERSON}").json()["tables"]["audit"]
    assert [(line["action"], line["by"]) for line in again] == [("respondent.export", "key:test-acme")]
    assert PERSON not in again[0]["subject"]


def test_only_admins_may_ask(api: Callable[..., Api]) -> None:
    client = api(router).client(scopes=["ingest", "read", "act"])
    assert client.get("/v1/respondents/c-1").status_code == 403
    assert client.delete("/v1/respondents/c-1").status_code == 403
    assert client.put("/v1/retention", json={}).status_code == 403


def test_a_case_of_somebody_else_with_an_answer_of_theirs_stays(parts: Parts, api: Callable[..., Api]) -> None:
    with parts.database.write() as connection:
        fill(connection, metadata, "acme", marked, ABOUT_THEM)
        row = connection.execute(select(cases)).mappings().one()
        connection.execute(insert(cases).values({**row, "id": "theirs", "response": "u9", "respondent": "else"}))
        link = connection.execute(select(case_responses)).mappings().one()
        connection.execute(insert(case_responses).values({**link, "case": "theirs"}))
    api(router).client().delete(f"/v1/respondents/{PERSON}")
    with parts.database.read() as connection:
        assert connection.execute(select(cases.c.id)).scalars().all() == ["theirs"]
        assert connection.execute(select(case_responses)).all() == []


TRACES = Traces("c-12", None, (MARK,))


@pytest.mark.parametrize(
    ("value", "left"),
    [
        ({"respondent": "c-12"}, {"respondent": ERASED}),
        ({"count": "c-12"}, {"count": "c-12"}),  # too short to be told from other words
        ({"respondent": "c-123"}, {"respondent": "c-123"}),
        (["…parcel came crushed…", 1, None], [ERASED, 1, None]),
        ({"a": [{"b": f"They said: {MARK}!"}]}, {"a": [{"b": ERASED}]}),
        ("crushed", "crushed"),
    ],
)
def test_what_is_taken_out_of_nested_values(value: Any, left: Any) -> None:
    assert without(value, TRACES) == left


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.sampled_from([MARK, f"x {MARK}"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(json_values)
def test_nothing_told_is_left_and_what_holds_nothing_is_the_same(value: Any) -> None:
    left = without(value, TRACES)
    assert MARK not in str(left)
    assert (left is value) == (MARK not in str(value))
    assert without(left, TRACES) is left


def test_the_clock_of_the_server_dates_the_tombstone(parts: Parts, api: Callable[..., Api], clock: Clock) -> None:
    clock.forward(days=3)
    answer = api(router).client().delete("/v1/respondents/c-7", params={"block": True}).json()
    assert answer["erased_at"].startswith("2026-11-05T09:00:00")
