"""A change that reaches more answers than one transaction may rewrite: in force at once, written after it."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from loop import Api, Clock
from sqlalchemy import Connection, select
from starlette.testclient import TestClient
from structlog.testing import capture_logs
from test_frame_following import about, mixed_up
from test_frame_routes import put, send, step, themes_of

from serving.app import ROUTERS
from serving.frame import rewriting
from serving.frame.effective import Frame
from serving.parts import Parts
from serving.store.jobs import LEASE, Held, Lost
from serving.store.loop_tables import audit, cases
from serving.store.tables import responses, tags

DAY = {"to": "2026-11-03T00:00:00Z"}


@pytest.fixture
def client(api: Callable[..., Api]) -> TestClient:
    return api(*ROUTERS).client()


@pytest.fixture(autouse=True)
def _few_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rewriting, "MOST_AT_ONCE", 1)
    monkeypatch.setattr(rewriting, "BATCH", 1)
    monkeypatch.setattr(rewriting, "BATCHES", 2)


def tagged(parts: Parts) -> list[str]:
    """Stored tags, of the answer that came first first."""
    asked = select(tags.c.theme).order_by(tags.c.response, tags.c.theme)
    with parts.database.read() as connection:
        return list(connection.execute(asked).scalars())


def work(parts: Parts) -> list[int]:
    done = []
    while count := rewriting.run_once(parts):
        done.append(count)
    return done


def jobs_of(client: TestClient) -> list[dict[str, Any]]:
    return client.get("/v1/jobs").json()["items"]


def test_a_large_merge_is_in_force_at_once_and_written_after_it(client: TestClient, parts: Parts) -> None:
    items = send(client, *"abcde")
    tried = step(client, "delivery.time", "merge", into="process.waiting", dry_run=True).json()
    assert tried["reach"]["answers"] == 5 and tried["rewriting"] == {"job": None, "left": 5}
    done = step(client, "delivery.time", "merge", into="process.waiting").json()
    (job,) = jobs_of(client)
    assert done["rewriting"] == {"job": job["id"], "left": 5} and job["kind"] == "rewrite"
    assert tagged(parts) == ["delivery.time"] * 5, "nothing was rewritten yet"
    seen = []
    while True:
        for theme in ("process.waiting", "process", "delivery.time"):
            found = client.get("/v1/responses", params={"theme": theme}).json()["items"]
            assert len(found) == 5, theme
            assert {tag["id"] for each in found for tag in each["classification"]["themes"]} == {"process.waiting"}
        assert client.get("/v1/responses", params={"theme": "delivery"}).json()["items"] == []
        assert {theme for each in items for theme in themes_of(client, each["uid"])} == {"process.waiting"}
        figures = client.get("/v1/insights/themes/process.waiting", params=DAY).json()
        assert figures["n"] == 5
        listed = client.get("/v1/insights/themes", params=DAY).json()["themes"]
        assert {each["id"]: each["n"] for each in listed} == {"process.waiting": 5, "process": 5}
        if not (count := rewriting.run_once(parts)):
            break
        seen.append((count, (client.get("/v1/taxonomy").json()["rewriting"] or {}).get("left"), tagged(parts)))
    old, new = "delivery.time", "process.waiting"
    assert seen == [(2, 3, [old, old, old, new, new]), (2, 1, [old, new, new, new, new]), (1, None, [new] * 5)]
    (job,) = jobs_of(client)
    assert (job["state"], job["done"], job["total"], job["result"]) == ("done", 5, 5, {"answers": 5})
    with parts.database.read() as connection:
        stored = connection.execute(select(responses.c.effective)).scalars().all()
        (line,) = connection.execute(select(audit.c.detail).where(audit.c.action == "taxonomy.rewrite")).scalars()
    assert {tag["id"] for each in stored for tag in each["themes"]} == {new}
    assert (line["version"], line["answers"]) == (1, 5)


def test_what_comes_in_meanwhile_is_kept_by_the_new_frame(client: TestClient, parts: Parts) -> None:
    send(client, *"abc")
    step(client, "delivery.time", "merge", into="process.waiting")
    (new,) = send(client, "d")
    assert new["classification"]["themes"][0]["id"] == "process.waiting"
    assert work(parts) == [2, 1], "and is not written again"
    assert tagged(parts) == ["process.waiting"] * 4


def test_cases_follow_a_merge_at_once(client: TestClient, parts: Parts) -> None:
    send(client, *"ab")
    with parts.database.write() as connection:
        connection.execute(cases.update().values(theme="delivery.time"))
    step(client, "delivery.time", "merge", into="process.waiting")
    assert tagged(parts) == ["delivery.time"] * 2
    assert {theme for theme, _ in about(parts, cases).values()} == {"process.waiting"}


def test_a_merge_that_is_taken_back_is_written_after_it_and_cases_follow_at_the_end(
    client: TestClient, parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(rewriting, "MOST_AT_ONCE", 100)
        ids = mixed_up(client, parts)
        send(client, *"xyz")
    before = {id: theme for id, (theme, _) in about(parts, cases).items()}
    assert put(client, {}).json()["rewriting"]["left"] > 1
    assert {id: theme for id, (theme, _) in about(parts, cases).items()} == before
    work(parts)
    found = about(parts, cases)
    assert found[ids["merged"]][0] == "delivery.time"
    assert found[ids["own"]][0] == found[ids["lost"]][0] == "process.waiting"
    assert tagged(parts).count("delivery.time") == 4


def test_a_second_merge_waits_and_all_else_does_not(client: TestClient, parts: Parts) -> None:
    send(client, *"abc")
    step(client, "delivery.time", "merge", into="process.waiting")
    for refused in (
        step(client, "price.level", "merge", into="staff.attitude"),
        step(client, "process.waiting", "merge", into="staff.attitude", dry_run=True),
        put(client, {}),
    ):
        assert (refused.status_code, refused.json()["code"]) == (409, "wrong_state")
        assert "3 answers are still rewritten" in refused.json()["detail"]
    assert client.get("/v1/taxonomy").json()["version"] == 1
    assert step(client, "process.waiting", "move", parent="staff.attitude").is_success
    assert step(client, "price.level", "retire").is_success
    work(parts)
    assert step(client, "process.waiting", "merge", into="staff.attitude").json()["rewriting"]["left"] == 3
    work(parts)
    assert tagged(parts) == ["staff.attitude"] * 3


def test_a_process_that_dies_is_followed_by_another_where_it_was(
    client: TestClient, parts: Parts, clock: Clock
) -> None:
    send(client, *"abcd")
    step(client, "delivery.time", "merge", into="process.waiting")
    dead = _claimed(parts)
    uids = rewriting.uids_of_job(parts, dead)
    rewriting._batch(parts, dead, uids[:1], 1)
    assert rewriting.run_once(parts) == 0, "another has it"
    clock.forward(seconds=LEASE.total_seconds() + 1)
    assert work(parts) == [2, 1]
    with pytest.raises(Lost):
        rewriting._batch(parts, dead, uids[1:2], 2)
    assert tagged(parts) == ["process.waiting"] * 4 and jobs_of(client)[0]["done"] == 4


def _claimed(parts: Parts) -> Held:
    with parts.database.write() as connection:
        found = rewriting.jobs.claim(connection, "rewrite", "dead", parts.clock())
    assert found is not None
    return found


def test_an_answer_that_cannot_be_rewritten_holds_up_no_other(
    client: TestClient, parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rewriting, "BATCH", 3)
    items = send(client, *"abcdefgh")
    bad = [items[7]["uid"], items[2]["uid"]]  # the first that is come to, and one of a later run
    _break(monkeypatch, bad)
    step(client, "delivery.time", "merge", into="process.waiting")
    with capture_logs() as told:
        assert work(parts) == [6, 2]
    assert [line["response"] for line in told if line["event"] == "answer_not_rewritten"] == bad
    (job,) = jobs_of(client)
    assert (job["state"], job["done"], job["result"]) == ("done", 8, {"answers": 6, "failed": 2})
    found = dict(zip([each["uid"] for each in items], tagged(parts), strict=True))
    assert {uid for uid, theme in found.items() if theme == "delivery.time"} == set(bad)
    assert client.get("/v1/taxonomy").json()["rewriting"] is None, "the next merge need not wait"


@pytest.mark.parametrize(("faults", "good", "left"), [(2, 0, 4), (5, 0, 4), (2, 1, 3)])
def test_a_fault_that_is_not_of_the_answers_passes_over_none(
    client: TestClient, parts: Parts, monkeypatch: pytest.MonkeyPatch, clock: Clock, faults: int, good: int, left: int
) -> None:
    monkeypatch.setattr(rewriting, "FAULTS", faults)
    monkeypatch.setattr(rewriting, "BATCHES", 10)
    items = send(client, *"abcd")
    step(client, "delivery.time", "merge", into="process.waiting")
    with monkeypatch.context() as patch:
        _break(patch, [each["uid"] for each in items[: len(items) - good]])  # the last to arrive is come to first
        with pytest.raises(ZeroDivisionError):
            rewriting.run_once(parts)
    assert client.get("/v1/taxonomy").json()["rewriting"]["left"] == left
    clock.forward(seconds=LEASE.total_seconds() + 1)
    assert work(parts) == [left] and tagged(parts) == ["process.waiting"] * 4


def _break(monkeypatch: pytest.MonkeyPatch, uids: list[str]) -> None:
    def renew(connection: Connection, parts: Parts, workspace: str, some: Sequence[str], after: Frame) -> None:
        assert not set(some) & set(uids) or 1 // 0
        renewed(connection, parts, workspace, some, after)

    renewed = rewriting.renew
    monkeypatch.setattr(rewriting, "renew", renew)


def test_it_cannot_be_stopped_half_way(client: TestClient, parts: Parts) -> None:
    send(client, *"ab")
    id = step(client, "delivery.time", "merge", into="process.waiting").json()["rewriting"]["job"]
    refused = client.post(f"/v1/jobs/{id}/cancel")
    assert (refused.status_code, refused.json()["code"]) == (409, "wrong_state")
    assert work(parts) == [2, 1] and jobs_of(client)[0]["state"] == "done"


def test_a_correction_meanwhile_stands(client: TestClient, parts: Parts) -> None:
    items = send(client, *"abc")
    step(client, "delivery.time", "merge", into="process.waiting")
    said = {"themes": ["delivery.time", "price.level"]}
    answer = client.post(f"/v1/responses/{items[0]['uid']}/corrections", json=said)
    assert {tag["id"] for tag in answer.json()["classification"]["themes"]} == {"process.waiting", "price.level"}
    work(parts)
    assert set(themes_of(client, items[0]["uid"])) == {"process.waiting", "price.level"}


def test_other_workspaces_are_left_alone(api: Callable[..., Api], parts: Parts) -> None:
    served = api(*ROUTERS)
    one, other = served.client(), served.client("other")
    send(one, *"ab")
    theirs = send(other, *"ab")
    step(one, "delivery.time", "merge", into="process.waiting")
    assert other.get("/v1/taxonomy").json()["rewriting"] is None
    assert step(other, "price.level", "merge", into="staff.attitude").is_success
    work(parts)
    assert [themes_of(other, each["uid"]) for each in theirs] == [["delivery.time"]] * 2
