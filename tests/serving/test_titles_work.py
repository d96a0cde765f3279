"""Issues get their titles beside everything else, lose them with what those were made of; people have the last word."""

import asyncio
import json
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from completions import KEY, says, told, with_titles
from issue_rows import PROBLEMS, Answers, issue_of
from loop import START, Api, Clock
from receivers import Receiver, hang
from sqlalchemy import select
from title_rows import Issues, turn

from serving import background
from serving.background import TASKS
from serving.issues import discovery
from serving.issues.routes import router
from serving.parts import Parts
from serving.store.database import Database
from serving.store.issue_tables import clusters
from serving.store.language import set_language
from serving.store.loop_tables import audit
from serving.titles import endpoint, store
from serving.titles.work import run_once


@pytest.fixture
def issues(parts: Parts) -> Issues:
    return Issues(parts)


def lines(parts: Parts) -> list[tuple[str, str, Any]]:
    with parts.database.read() as connection:
        return [*connection.execute(select(audit.c.by, audit.c.subject, audit.c.detail).order_by(audit.c.id))]


def test_nothing_happens_where_no_endpoint_is_set(
    parts: Parts, issues: Issues, monkeypatch: pytest.MonkeyPatch
) -> None:
    issues.add("courier")

    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("nobody is asked, and the database is left alone")

    for place, name in ((asyncio, "to_thread"), (endpoint.httpcore, "AsyncConnectionPool"), (Database, "connected")):
        monkeypatch.setattr(place, name, never)
    assert turn(parts) == 0


def test_every_issue_gets_its_title_once(parts: Parts, issues: Issues, api: Callable[..., Api]) -> None:
    uids = issues.add("courier", 9)
    issues.add("invoice", 6)
    issues.add("queue", 7, parent="courier")
    issues.add("screen", state="dismissed")
    issues.add("heating", quotes=[])
    with Receiver(says("Late"), [says("Couriers come late."), says("Wrong sums"), says("Queues")]) as receiver:
        asked = with_titles(parts, receiver, titles_key=KEY)
        assert [turn(asked) for _ in range(4)] == [1, 1, 1, 0]
    client = api(router).client()
    found = {row["id"]: (row["title"], row["title_by"]) for row in client.get("/v1/clusters").json()["items"]}
    assert found == {
        "courier": ("Couriers come late", "endpoint"),
        "invoice": ("Wrong sums", "endpoint"),
        "heating": ("heating", "words"),
    }
    assert client.get("/v1/clusters/courier").json()["parts"][0]["title"] == "Queues"
    first = told(receiver.received[0])
    assert first["themes"] == ["Delivery time"] and first["keywords"] == ["parcel", "courier", "late"]
    assert first["quotes"] == [each["text"] for each in issues.quotes(uids[:3])]
    sent = receiver.received[0].body.decode()
    assert all(word not in sent for word in (*uids, "acme", "web", "nps", "24.0", "3.0", "-4", "2026", KEY))
    assert "English" in json.loads(receiver.received[0].body)["messages"][0]["content"]
    assert lines(parts)[0] == ("titles", "cluster:courier", {"model": "small", "quotes": 3})


def test_the_title_is_in_the_workspaces_language(parts: Parts, issues: Issues) -> None:
    issues.add("courier")
    with Receiver(says("Late couriers"), [says("Couriers")]) as receiver:
        asked = with_titles(parts, receiver)
        assert (turn(asked), turn(asked)) == (1, 0)
        with parts.database.write() as connection:
            set_language(connection, "acme", "uk")
        assert (turn(asked), turn(asked)) == (1, 0)
    assert "Ukrainian" in json.loads(receiver.received[1].body)["messages"][0]["content"]
    assert issues.row("courier")["title"] == "Late couriers"


def test_a_title_is_written_anew_when_most_of_its_quotes_are_others(parts: Parts, issues: Issues) -> None:
    uids = issues.add("courier")
    with Receiver(says("Lost parcels"), [says("Late couriers")]) as receiver:
        asked = with_titles(parts, receiver)
        turn(asked)
        issues.change("courier", quotes=issues.quotes([uids[1], uids[2], uids[3]]))
        assert turn(asked) == 0
        issues.change("courier", quotes=issues.quotes([uids[2], uids[3], uids[4]]))
        assert issues.row("courier")["title"] == "Late couriers"
        assert turn(asked) == 1
    assert issues.row("courier")["title"] == "Lost parcels"


def test_a_persons_name_wins(parts: Parts, issues: Issues, api: Callable[..., Api]) -> None:
    issues.add("courier")
    issues.add("invoice", name="Billing")
    client = api(router).client()
    with Receiver(says("Late couriers")) as receiver:
        asked = with_titles(parts, receiver)
        turn(asked)
        given = {"json": {"name": "Our couriers"}, "headers": {"If-Match": "*"}}
        answer = client.patch("/v1/clusters/courier", **given).json()
        assert (answer["title"], answer["title_by"], answer["label"]) == ("Our couriers", "person", "parcel")
        issues.change("courier", title=None, title_of=None)
        assert turn(asked) == 0 and len(receiver.received) == 1


def test_a_name_given_while_the_endpoint_thinks_stands(parts: Parts, issues: Issues) -> None:
    issues.add("courier")

    def renamed(handler: Any) -> None:
        issues.change("courier", name="Our couriers")
        says("Late couriers")(handler)

    with Receiver(says(""), [renamed]) as receiver:
        turn(with_titles(parts, receiver))
    row = issues.row("courier")
    assert (row["name"], row["title"], row["title_due"]) == ("Our couriers", None, None)


def test_a_run_and_a_restart_keep_the_title(parts: Parts, clock: Clock) -> None:
    answers = Answers(parts.database)
    uids = {name: answers.about(name, 20) for name in ("courier", "invoice")}
    assert discovery.run_once(parts)
    with Receiver(says("Late couriers")) as receiver:
        asked = with_titles(parts, receiver)
        while turn(asked):
            pass
        told_once = len(receiver.received)
        for name in uids:
            answers.about(name, 2, clock.forward(days=1))
        database = Database(parts.database.url)
        try:
            assert discovery.run_once(replace(parts, database=database)) == 1
            with database.read() as connection:
                for each in uids.values():
                    id = issue_of(connection, each)
                    found = connection.execute(select(clusters.c.title).where(clusters.c.id == id)).scalar_one()
                    assert found == "Late couriers"
        finally:
            database.close()
    assert told_once >= 2


def test_two_processes_do_not_ask_twice(parts: Parts, issues: Issues, clock: Clock) -> None:
    issues.add("courier")
    with parts.database.write() as connection:
        first = store.claim(connection, "acme", "courier", parts.taxonomy(), "small", clock())
    with parts.database.read() as connection:
        assert first is not None and store.waiting(connection, "acme", clock()) is None
    with parts.database.write() as connection:
        assert store.claim(connection, "acme", "courier", parts.taxonomy(), "small", clock()) is None
        # a process that died lets go of it in the end, and what it says later is not listened to
        second = store.claim(connection, "acme", "courier", parts.taxonomy(), "small", clock.forward(minutes=5))
        assert second is not None and second.until > first.until
        assert store.keep(connection, first, "Stale", clock()) is False
        assert store.keep(connection, second, "Late couriers", clock()) is True
        assert store.put_off(connection, first, clock(), clock()) == 0
    assert issues.row("courier")["title"] == "Late couriers"


def test_many_at_once_ask_once_each(parts: Parts, issues: Issues) -> None:
    names = ("courier", "invoice", "queue")
    for name in names:
        issues.add(name)

    async def together(asked: Parts) -> None:
        await asyncio.gather(*(run_once(asked) for _ in range(3)))

    with Receiver(says("Late")) as receiver:
        asked = with_titles(parts, receiver)
        for _ in names:
            asyncio.run(together(asked))
    said = sorted(told(each)["keywords"][0] for each in receiver.received)
    assert said == sorted(PROBLEMS[name][1] for name in names)
    assert all(issues.row(name)["title"] == "Late" for name in names)


def test_one_workspaces_words_are_not_anothers(parts: Parts, issues: Issues) -> None:
    issues.add("courier")
    other = Issues(parts, "other")
    other.add("invoice")
    with Receiver(says("Late"), [says("First"), says("Second")]) as receiver:
        assert turn(with_titles(parts, receiver)) == 2
    assert (issues.row("courier")["title"], other.row("invoice")["title"]) == ("First", "Second")
    assert "invoice" not in receiver.received[0].body.decode() and "courier" not in receiver.received[1].body.decode()


def test_the_background_does_it_and_stops_while_the_endpoint_is_silent(parts: Parts, issues: Issues) -> None:
    issues.add("courier")
    over, task = threading.Event(), next(task for task in TASKS if task.name == "titles")

    async def main(asked: Parts) -> None:
        stop = asyncio.Event()
        loop = asyncio.create_task(background.run(asked, stop, (task,)))
        async with asyncio.timeout(20):
            while not receiver.received:
                await asyncio.sleep(0.01)
        stop.set()
        async with asyncio.timeout(endpoint.TIMEOUT / 2):
            await loop

    with pytest.MonkeyPatch.context() as patch, Receiver(hang(over)) as receiver:
        patch.setattr(background, "STOP_SECONDS", 0.2)
        asyncio.run(main(with_titles(parts, receiver)))
        over.set()
    row = issues.row("courier")
    assert (row["title"], row["title_due"]) == (None, START + store.LEASE)
