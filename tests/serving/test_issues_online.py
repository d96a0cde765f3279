"""New answers join issues as they come in, and leave nothing behind when they go."""

import asyncio
from collections.abc import Callable

import pytest
from issue_rows import Answers, issue_of, issues, members
from loop import Api, Clock
from sqlalchemy import select, update

from serving.ingest.arrivals import Arrival
from serving.ingest.take import take
from serving.issues.discovery import run_once
from serving.issues.forgetting import UNNAMED
from serving.issues.routes import router
from serving.issues.vectors import run_once as run_vectors
from serving.parts import Parts
from serving.privacy.erase import erase
from serving.schemas import ResponseIn
from serving.store.issue_tables import cluster_members, clusters
from serving.store.tables import responses

NAMES = ("courier", "invoice", "queue", "screen")


@pytest.fixture
def answers(parts: Parts) -> Answers:
    return Answers(parts.database)


@pytest.fixture
def groups(parts: Parts, answers: Answers) -> dict[str, list[str]]:
    found = {name: answers.about(name, 20, respondent=f"person-of-{name}") for name in NAMES}
    run_once(parts)
    return found


def send(parts: Parts, *texts: str, id: str = "n") -> list[str]:
    """Answers taken in, and read by which issue they belong to as the background work does it right after."""
    uids = take_in(parts, *texts, id=id)
    assert run_vectors(parts) == len(set(uids))
    return uids


def take_in(parts: Parts, *texts: str, id: str = "n") -> list[str]:
    items = [Arrival(ResponseIn(id=f"{id}-{number}", text=text), None) for number, text in enumerate(texts)]
    return [taken.uid for taken in asyncio.run(take(parts, "acme", items, "test"))]


def joined(parts: Parts, uid: str) -> dict[str, tuple[float, str]]:
    of = cluster_members.c
    with parts.database.read() as connection:
        rows = connection.execute(select(of.cluster, of.strength, of.by).where(of.response == uid)).all()
    return {row.cluster: (row.strength, row.by) for row in rows}


def sizes(parts: Parts, ids: dict[str, str]) -> dict[str, int]:
    with parts.database.read() as connection:
        rows = issues(connection)
    return {name: rows[id]["size"] for name, id in ids.items()}


def ids_of(parts: Parts, groups: dict[str, list[str]]) -> dict[str, str]:
    with parts.database.read() as connection:
        return {name: issue_of(connection, uids) for name, uids in groups.items()}


def test_new_answers_join_the_nearest_issue(parts: Parts, groups: dict[str, list[str]]) -> None:
    ids = ids_of(parts, groups)
    one, two, other = send(parts, "the courier was rude", "a wrong invoice", "nice weather")
    assert set(joined(parts, one)) >= {ids["courier"]} and set(joined(parts, two)) >= {ids["invoice"]}
    strength, by = joined(parts, one)[ids["courier"]]
    assert by == "online" and 0.5 < strength <= 1
    assert ids["courier"] not in joined(parts, other)
    with parts.database.read() as connection:
        row = issues(connection)[ids["courier"]]
    assert row["size"] == 21


def test_they_join_what_an_issue_was_merged_into(
    parts: Parts, groups: dict[str, list[str]], api: Callable[..., Api]
) -> None:
    ids = ids_of(parts, groups)
    send(parts, "the courier was rude")  # the centroids are in the process's memory now
    api(router).client().post(f"/v1/clusters/{ids['courier']}/merge", json={"into": ids["queue"]})
    (uid,) = send(parts, "another courier", id="m")
    assert ids["queue"] in joined(parts, uid)


def test_a_changed_text_changes_its_issue(parts: Parts, groups: dict[str, list[str]], clock: Clock) -> None:
    ids = ids_of(parts, groups)
    (uid,) = send(parts, "the courier was rude")
    assert ids["courier"] in joined(parts, uid)
    with parts.database.write() as connection:
        quoted = {"quotes": [{"response": uid, "text": "the courier was rude"}]}
        connection.execute(update(clusters).where(clusters.c.id == ids["courier"]).values(quoted))
    assert take_in(parts, "the queue was long") == [uid]
    assert joined(parts, uid) == {}  # and no issue says the old words, nor counts it
    with parts.database.read() as connection:
        assert issues(connection)[ids["courier"]]["quotes"] == []
    run_vectors(parts)
    assert ids["queue"] in joined(parts, uid) and ids["courier"] not in joined(parts, uid)
    assert sizes(parts, ids) == {"courier": 20, "invoice": 20, "queue": 21, "screen": 20}


def test_without_issues_nothing_is_joined(parts: Parts, answers: Answers) -> None:
    answers.noise(1)
    (uid,) = send(parts, "the courier was rude")
    assert joined(parts, uid) == {}


def test_what_joined_stays_at_the_next_run(parts: Parts, groups: dict[str, list[str]], clock: Clock) -> None:
    ids = ids_of(parts, groups)
    uids = send(parts, *(f"the courier number {word} was rude" for word in ("ash", "bay", "fir")))
    since = {uid: clock.now for uid in uids}
    clock.forward(days=1)
    send(parts, "one more queue", id="m")
    assert run_once(parts) == 1
    with parts.database.read() as connection:
        assert set(uids) <= members(connection, ids["courier"])
        of = cluster_members.c
        rows = connection.execute(select(of.response, of.since).where(of.cluster == ids["courier"])).all()
    assert {uid: at for uid, at in rows if uid in since} == since


def test_erasing_a_person_takes_their_quotes_and_words(
    parts: Parts, groups: dict[str, list[str]], clock: Clock
) -> None:
    ids = ids_of(parts, groups)
    with parts.database.write() as connection:
        kept = groups["queue"][:2]  # two answers of somebody else in the issue
        connection.execute(update(responses).where(responses.c.uid.in_(kept)).values(respondent="else"))
        connection.execute(update(clusters).where(clusters.c.id == ids["queue"]).values(name="A long queue"))
        before = {id: dict(row) for id, row in issues(connection).items()}
        for name in ("courier", "queue"):
            erase(connection, "acme", f"person-of-{name}", "test", clock.now)
    with parts.database.read() as connection:
        after = issues(connection)
    assert after[ids["courier"]]["quotes"] == [] and after[ids["courier"]]["size"] == 0
    assert (after[ids["courier"]]["label"], after[ids["courier"]]["keywords"]) == (UNNAMED, [])
    assert {quote["response"] for quote in after[ids["queue"]]["quotes"]} <= set(kept)
    assert (after[ids["queue"]]["size"], after[ids["queue"]]["name"]) == (2, "A long queue")
    assert set(after[ids["queue"]]["keywords"]) <= set(before[ids["queue"]]["keywords"])
    assert dict(after[ids["invoice"]]) == before[ids["invoice"]]


def test_an_answer_erased_while_a_run_is_at_work_is_not_brought_back(
    parts: Parts, answers: Answers, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    from serving.issues import discovery

    for name in NAMES:
        answers.about(name, 20, respondent=f"person-of-{name}")
    look = discovery.look

    def slow(*given):
        with parts.database.write() as connection:
            erase(connection, "acme", "person-of-queue", "test", clock.now)
        return look(*given)

    monkeypatch.setattr(discovery, "look", slow)
    assert run_once(parts) == 1
    with parts.database.read() as connection:
        assert not [row for row in issues(connection).values() if "queue" in str(row["quotes"])]
        alive = set(connection.execute(select(responses.c.uid)).scalars())
        assert set(connection.execute(select(cluster_members.c.response)).scalars()) <= alive
