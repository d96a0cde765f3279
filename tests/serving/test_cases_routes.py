"""Cases over HTTP: listed, worked, and never changed by somebody who saw an older version."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from case_rows import ACME, kinds, shipped, store, theme, told, types
from loop import START, Api, Clock
from sqlalchemy import select
from starlette.testclient import TestClient

from serving.cases.book import open_or_join
from serving.cases.routes import router
from serving.parts import Parts
from serving.rules.decision import Decision
from serving.store.database import Database
from serving.store.loop_tables import audit

DAY = timedelta(days=1)
OUTCOME = {
    "root_cause": "delivery.time",
    "compensation": {"amount": 20, "currency": "PLN", "kind": "voucher"},
    "promise": "New parcel by Friday",
    "satisfied": True,
}


@pytest.fixture
def client(api: Callable[..., Api]) -> TestClient:
    return api(router).client()


def opened(database: Database, uid: str = "r1", workspace: str = ACME, **given: Any) -> str:
    at = given.get("at", START)
    with database.write() as connection:
        response = store(connection, uid, workspace=workspace, **given)
        return open_or_join(connection, workspace, response, Decision(), shipped(), at).case


def post(client: TestClient, case: str, step: str, body: Any = None, seen: int | str | None = None):
    if seen is None:
        etag = client.get(f"/v1/cases/{case}").headers["etag"]
    else:
        etag = f'"{seen}"' if isinstance(seen, int) else seen
    return client.post(f"/v1/cases/{case}/{step}", json=body, headers={"If-Match": etag} if etag else {})


def test_a_case_from_the_first_look_to_the_end(client: TestClient, database: Database, clock: Clock):
    case = opened(database, unit="Warszawa 3")
    shown = client.get(f"/v1/cases/{case}")
    assert shown.headers["etag"] == '"1"'
    assert (shown.json()["state"], shown.json()["unit"], shown.json()["overdue"]) == ("assigned", "Warszawa 3", False)
    assert [each["themes"] for each in shown.json()["responses"]] == [["delivery.time"]]

    answer = post(client, case, "assign", {"assignee": "ola"}, seen=1)
    assert (answer.status_code, answer.headers["etag"]) == (200, '"2"')
    assert (answer.json()["assignee"], answer.json()["team"]) == ("ola", None)
    assert post(client, case, "start", seen=2).json()["state"] == "in_progress"
    clock.forward(hours=1)
    tried = post(client, case, "attempts", {"channel": "phone", "result": "no_answer", "notes": "rang twice"})
    # nobody reached on Monday: Tuesday at 10:00 in Warsaw
    assert tried.json()["next_attempt_at"] == "2026-11-03T09:00:00Z"
    assert [(each["result"], each["notes"]) for each in tried.json()["attempt_log"]] == [("no_answer", "rang twice")]
    clock.forward(hours=23)
    reached = post(client, case, "attempts", {"channel": "phone", "result": "reached"}).json()
    assert (reached["first_contact_at"], reached["next_attempt_at"]) == ("2026-11-03T09:00:00Z", None)
    resolved = post(client, case, "resolve", OUTCOME).json()
    assert (resolved["state"], resolved["outcome"]["compensation"]["amount"]) == ("resolved", 20)
    assert resolved["possible"] == ["close", "reopen"]
    assert post(client, case, "close").json()["closed_at"] is not None
    again = post(client, case, "reopen", {"reason": "the parcel did not come"}).json()
    assert (again["state"], again["resolved_at"], again["outcome"]) == ("reopened", None, None)
    assert again["first_contact_at"] == reached["first_contact_at"], "what was met stays met"
    assert types(database) == [
        *("case.opened", "case.assigned", "case.assigned", "case.resolved", "case.reopened"),
    ]
    assert kinds(database, case)[2:] == [
        *("assigned", "started", "attempt", "attempt", "resolved", "closed", "reopened"),
    ]


def test_every_step_is_audited_with_who_did_it(client: TestClient, database: Database):
    case = opened(database)
    post(client, case, "start", seen=1)
    post(client, case, "attempts", {"channel": "phone", "result": "busy", "notes": "secret"}, seen=2)
    client.get(f"/v1/cases/{case}")
    client.get("/v1/cases")
    with database.read() as connection:
        rows = connection.execute(select(audit).where(audit.c.workspace == ACME).order_by(audit.c.id)).all()
    said = [(row.action, row.by) for row in rows if row.action.startswith("case.")]
    assert said[0] == ("case.open", "system")
    assert said[1:] == [(f"case.{step}", "key:test-acme") for step in ("start", "attempt", "read", "list")]
    assert "secret" not in str(rows)


def test_nobody_overwrites_what_they_have_not_seen(client: TestClient, database: Database):
    case = opened(database)
    assert (post(client, case, "start", seen="").status_code) == 428
    assert post(client, case, "start", seen="").json()["code"] == "version_required"
    assert post(client, case, "start", seen=1).status_code == 200
    for stale in (1, 99, "W/x", '"a"'):
        answer = post(client, case, "resolve", {}, seen=stale)
        assert (answer.status_code, answer.json()["code"]) == (412, "version_changed")
    assert post(client, case, "resolve", {}, seen="*").json()["state"] == "resolved"


def test_a_wrong_state_says_what_is_possible(client: TestClient, database: Database):
    case = opened(database)
    answer = post(client, case, "close")
    assert (answer.status_code, answer.json()["code"]) == (409, "wrong_state")
    assert answer.json()["detail"] == (
        "close is not possible while the case is assigned; possible: assign, attempts, resolve, start, wait"
    )


@pytest.mark.parametrize("misses", [["no_answer", "voicemail", "no_answer"], ["wrong_number"]])
def test_who_cannot_be_reached_is_given_up_as_the_policy_says(client: TestClient, database: Database, misses):
    case = opened(database)
    for result in misses:
        answer = post(client, case, "attempts", {"channel": "phone", "result": result}).json()
    assert (answer["state"], answer["next_attempt_at"], answer["attempts"]) == ("unreachable", None, len(misses))
    assert types(database)[-1] == "case.unreachable"
    again = post(client, case, "reopen", {}).json()
    assert (again["state"], again["next_attempt_at"]) == ("reopened", "2026-11-02T09:00:00Z")
    assert post(client, case, "attempts", {"channel": "sms", "result": "no_answer"}).json()["state"] == "in_progress"


def test_who_refused_is_not_tried_again(client: TestClient, database: Database):
    case = opened(database)
    refused = post(client, case, "attempts", {"channel": "phone", "result": "refused"}).json()
    assert (refused["contact"], refused["first_contact_at"]) == (False, "2026-11-02T09:00:00Z")
    for answer in (
        post(client, case, "attempts", {"channel": "phone", "result": "reached"}),
        client.get(f"/v1/cases/{case}/brief"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (409, "wrong_state")
        assert "must not be contacted" in answer.json()["detail"]


def test_without_consent_no_attempt_is_taken(client: TestClient, database: Database):
    case = opened(database, contact_consent=False)
    answer = post(client, case, "attempts", {"channel": "phone", "result": "reached"})
    assert (answer.status_code, answer.json()["code"]) == (409, "wrong_state")
    assert post(client, case, "resolve", {"root_cause": "delivery.time"}).json()["state"] == "resolved"


@pytest.mark.parametrize(
    ("call_at", "status"),
    [
        ("2026-11-07T20:00:00+01:00", 200),  # a Saturday evening, as the customer wished
        (None, 422),
        ("2026-11-02T09:00:00Z", 422),  # now
        ("2027-02-01T09:00:00Z", 422),  # too far ahead
        ("2026-11-07T20:00:00", 422),  # where?
    ],
)
def test_a_customer_is_called_back_when_they_asked_to_be(client: TestClient, database: Database, call_at, status):
    case = opened(database)
    answer = post(client, case, "attempts", {"channel": "phone", "result": "callback_requested", "call_at": call_at})
    assert answer.status_code == status
    if status == 200:
        assert answer.json()["next_attempt_at"] == "2026-11-07T19:00:00Z"


def test_waiting_stops_the_clock(client: TestClient, database: Database, clock: Clock):
    case = opened(database)
    clock.forward(hours=6)
    assert post(client, case, "wait", {"reason": "the courier is asked"}).json()["paused_at"] == "2026-11-02T15:00:00Z"
    assert post(client, case, "start").status_code == 409
    clock.forward(days=2)
    resumed = post(client, case, "resume").json()
    # 18 of 24 hours were left on Monday at 15:00 UTC; from Wednesday 15:00 on that is Thursday 9:00
    assert (resumed["due_at"], resumed["paused_at"], resumed["state"]) == ("2026-11-05T09:00:00Z", None, "in_progress")


def test_lists_are_by_urgency_and_go_on_where_they_ended(client: TestClient, database: Database):
    silent = opened(database, "r0", person="p0", contact_consent=False, priority=1)
    cases = [
        opened(database, f"r{n}", person=f"p{n}", priority=priority, at=START + timedelta(hours=n))
        for n, priority in [(1, 2), (2, 1), (3, 4), (4, 1), (5, 1)]
    ]
    expected = [cases[1], cases[3], cases[4], silent, cases[0], cases[2]]
    pages, cursor = [], None
    while True:
        given = client.get("/v1/cases", params={"limit": 2, **({"cursor": cursor} if cursor else {})}).json()
        pages.append([each["id"] for each in given["items"]])
        if (cursor := given["next"]) is None:
            break
    assert [len(page) for page in pages] == [2, 2, 2]
    assert [id for page in pages for id in page] == expected


def test_filters(client: TestClient, database: Database, clock: Clock):
    late = opened(database, "r1", person="p1", unit="north", employee="ola", themes=(theme("staff.attitude"),))
    calm = opened(database, "r2", person="p2", priority=4, unit="south", themes=(theme("delivery.time"),))
    silent = opened(database, "r3", person="p3", contact_consent=False, themes=(theme("delivery.courier"),))
    post(client, calm, "start")
    clock.forward(hours=25)
    told = {
        "state=in_progress": [calm],
        "state=in_progress&state=assigned&state=closed": [late, silent, calm],
        "state=resolved": [],
        "priority=4": [calm],
        "team=logistics": [silent, calm],
        "assignee=ola": [late],
        "unit=south": [calm],
        "theme=delivery": [silent, calm],
        "theme=delivery.courier": [silent],
        "theme=deliv": [],
        "theme=%25": [],
        "overdue=true": [late],
        "overdue=false": [silent, calm],
        "due_before=2026-11-10T00:00:00Z": [late],
        "respondent=p3": [silent],
    }
    for query, expected in told.items():
        answer = client.get(f"/v1/cases?{query}")
        assert [each["id"] for each in answer.json()["items"]] == expected, query
        assert all(each["overdue"] is (each["id"] == late) for each in answer.json()["items"])


@pytest.mark.parametrize(
    "query",
    ["state=lost", "priority=5", "limit=0", "team=a%00b", "due_before=2026-11-10", "cursor=x", "cursor=WzEsMSwxXQ"],
)
def test_wrong_questions_are_refused(client: TestClient, query: str):
    assert client.get(f"/v1/cases?{query}").status_code in (400, 422)


def test_the_summary_counts_what_was_met_and_missed(client: TestClient, database: Database, clock: Clock):
    cases = [opened(database, f"r{n}", person=f"p{n}") for n in range(4)]
    opened(database, "r9", person="p9", contact_consent=False, priority=3)
    post(client, cases[0], "attempts", {"channel": "phone", "result": "reached"})  # met
    post(client, cases[1], "resolve", {})  # done before its time, nobody reached: neither
    clock.forward(days=2)  # two are overdue
    post(client, cases[2], "attempts", {"channel": "phone", "result": "reached"})  # too late
    assert client.get("/v1/cases/summary").json() == {
        "total": 5,
        "by_state": {"assigned": 2, "in_progress": 2, "resolved": 1},
        "by_priority": {"1": 3, "3": 1},
        "overdue": 1,
        "no_contact": 1,
        "sla": {"met": 1, "missed": 2, "share": 0.3333},
    }
    empty = client.get("/v1/cases/summary", params={"opened_after": "2026-11-03T00:00:00Z"}).json()
    assert (empty["total"], empty["by_state"], empty["sla"]["share"]) == (0, {}, None)


def test_a_case_opened_by_hand(client: TestClient, database: Database):
    with database.write() as connection:
        store(connection, "r1", priority=None)
        store(connection, "r2", priority=2, person="p2")
    refused = client.post("/v1/cases", json={"response": "r1"})
    assert (refused.status_code, refused.json()["code"]) == (422, "validation_failed")
    body = {"response": "r1", "priority": 2, "assignee": "ola"}
    first = client.post("/v1/cases", json=body)
    assert (first.status_code, first.headers["etag"]) == (201, '"1"')
    assert first.headers["location"] == f"/v1/cases/{first.json()['id']}"
    assert (first.json()["reason"], first.json()["assigned_by"]) == ("asked for by hand", "person")
    again = client.post("/v1/cases", json=body)
    assert (again.status_code, again.json()["id"]) == (200, first.json()["id"])
    assert client.post("/v1/cases", json={"response": "r2"}).json()["reason"] == "policy: 2"
    assert client.post("/v1/cases", json={"response": "nope"}).json()["code"] == "not_found"


def test_another_workspace_sees_nothing_and_changes_nothing(
    client: TestClient, api: Callable[..., Api], database: Database
):
    case = opened(database)
    other = api(router).client("other")
    assert other.get("/v1/cases").json() == {"items": [], "next": None}
    assert other.get("/v1/cases/summary").json()["total"] == 0
    for step in ("assign", "start", "wait", "resume", "attempts", "resolve", "close", "reopen"):
        body = {"assign": {"team": "t"}, "attempts": {"channel": "phone", "result": "reached"}}.get(step, {})
        assert post(other, case, step, body, seen=1).status_code == 404
    assert [other.get(f"/v1/cases/{case}{end}").status_code for end in ("", "/brief")] == [404, 404]
    assert other.post("/v1/cases", json={"response": "r1", "priority": 1}).status_code == 404
    assert client.get(f"/v1/cases/{case}").json()["version"] == 1


def test_readers_do_not_act(api: Callable[..., Api], database: Database):
    case = opened(database)
    reader = api(router).client(scopes=["read"])
    assert reader.get(f"/v1/cases/{case}").status_code == 200
    assert post(reader, case, "start").status_code == 403
    assert reader.get(f"/v1/cases/{case}/brief").status_code == 403, "it has what is needed to reach the person"


def test_failed_steps_leave_nothing_behind(client: TestClient, database: Database, parts: Parts):
    case = opened(database)
    before = told(database)
    post(client, case, "close")
    post(client, case, "attempts", {"channel": "phone", "result": "callback_requested"})
    post(client, case, "resolve", {"compensation": {"amount": -1, "currency": "PLN", "kind": "gift"}})
    post(client, case, "assign", {})
    assert told(database) == before
    assert kinds(database, case) == ["opened", "assigned"]
