"""From answers as they come in to the event that says a new issue is there: births and alarms over a real database."""

from datetime import datetime, timedelta

import pytest
from issue_rows import Answers, issue_of, issues, members
from loop import START, Clock
from sqlalchemy import select, update

from serving.issues import discovery, watch
from serving.issues.writing import put
from serving.parts import Parts
from serving.store.issue_tables import cluster_lineage, clusters
from serving.store.loop_tables import events

DAYS = 20
USUAL = ("courier", "invoice", "queue")
LATE = START + timedelta(days=DAYS, hours=22)
"""Less than a day after the full run: what is new is for the births to find."""


@pytest.fixture
def answers(request: pytest.FixtureRequest, parts: Parts, clock: Clock) -> Answers:
    """A workspace with three problems that somebody complains of every day, looked through in full."""
    answers = Answers(parts.database)
    for day in range(DAYS + 1):
        usual(answers, START + timedelta(days=day))
    if praised := getattr(request, "param", 0):
        answers.about("heating", praised, START + timedelta(days=9), sentiment="positive")
    clock.now = START + timedelta(days=DAYS)
    assert discovery.run_once(parts) == 1
    assert watch.run_once(parts) == 0
    return answers


def usual(answers: Answers, at: datetime) -> None:
    for name in USUAL:
        answers.about(name, 4, at)


def sent(parts: Parts) -> list[dict]:
    with parts.database.read() as connection:
        return [dict(row) for row in connection.execute(select(events).order_by(events.c.id)).mappings()]


def shown(parts: Parts) -> set[str]:
    with parts.database.read() as connection:
        return set(issues(connection))


def join(parts: Parts, id: str, uids: list[str]) -> None:
    """As new answers join an issue that they are near to."""
    with parts.database.write() as connection:
        put(connection, "acme", [((uid, id), 0.5) for uid in uids], "online", parts.clock())


def test_an_issue_that_comes_up_is_found_and_told_within_the_hour(parts: Parts, answers: Answers, clock: Clock) -> None:
    known = shown(parts)
    usual(answers, LATE)
    heating = answers.about("heating", 15, LATE)
    clock.now = LATE + timedelta(minutes=59)
    assert discovery.run_once(parts) == 1
    assert watch.run_once(parts) == 0  # told at once, not with the next round
    with parts.database.read() as connection:
        id = issue_of(connection, heating)
        assert id not in known and members(connection, id) == set(heating)
        row = issues(connection)[id]
        lines = connection.execute(select(cluster_lineage.c.to).where(cluster_lineage.c.kind == "birth")).scalars()
        assert id in set(lines)
    assert row["size"] == 15 and len(row["quotes"]) == 3
    [event] = sent(parts)
    assert (event["type"], event["subject"]) == ("cluster.emerging", f"cluster:{id}")
    expected = f"15 answers about {row['label']} in the last 24 hours, fewer than one expected; 100 % negative"
    assert event["data"]["sentence"].startswith(expected)
    assert event["at"] - LATE < timedelta(hours=1)


def test_it_comes_up_once_and_what_people_dismissed_does_not_again(
    parts: Parts, answers: Answers, clock: Clock
) -> None:
    heating = answers.about("heating", 8, LATE - timedelta(hours=4))
    clock.now = LATE - timedelta(hours=3)
    discovery.run_once(parts)
    watch.run_once(parts)
    before = shown(parts)
    assert len(sent(parts)) == 1
    with parts.database.read() as connection:
        id = issue_of(connection, heating)
    join(parts, id, answers.about("heating", 3, LATE - timedelta(hours=2)))
    clock.now = LATE - timedelta(hours=1)
    assert discovery.run_once(parts) == 1
    assert shown(parts) == before
    with parts.database.write() as connection:
        connection.execute(update(clusters).where(clusters.c.id == id).values(state="dismissed", version=2))
    join(parts, id, answers.about("heating", 3, LATE))
    clock.now = LATE + timedelta(minutes=30)
    assert discovery.run_once(parts) == 1
    watch.run_once(parts)
    assert shown(parts) == before - {id}
    assert [event["type"] for event in sent(parts)].count("cluster.emerging") == 1


@pytest.mark.parametrize("more", [{"sentiment": "positive"}, {"text": "the heating in our room was broken"}])
def test_praise_and_one_text_many_times_bring_nothing_up(
    parts: Parts, answers: Answers, clock: Clock, more: dict[str, str]
) -> None:
    known = shown(parts)
    answers.about("heating", 12, LATE, **more)
    clock.now = LATE + timedelta(minutes=30)
    assert discovery.run_once(parts) == 1
    assert shown(parts) == known


def test_in_a_workspace_younger_than_three_days_nothing_is_born(parts: Parts, clock: Clock) -> None:
    answers = Answers(parts.database)
    for day in range(2):
        usual(answers, START + timedelta(days=day))
    clock.now = START + timedelta(days=1)
    assert discovery.run_once(parts) == 1
    known = shown(parts)
    clock.forward(hours=2)
    answers.about("heating", 12, clock.now, received_at=clock.now)
    assert discovery.run_once(parts) == 1  # an hourly look
    assert shown(parts) == known
    answers.about("heating", 1, clock.forward(hours=1))  # more than half as many as the full run read
    assert discovery.run_once(parts) == 1
    assert len(shown(parts)) > len(known)


@pytest.mark.parametrize("owner", [None, "ola"])
def test_answers_leave_the_issue_they_were_in_unless_people_work_on_it(
    parts: Parts, answers: Answers, clock: Clock, owner: str | None
) -> None:
    with parts.database.write() as connection:
        [queue] = [id for id, row in issues(connection).items() if "queue" in row["keywords"] + row["label"].split()]
        connection.execute(update(clusters).where(clusters.c.id == queue).values(owner=owner, version=2))
        inside = members(connection, queue)
    heating = answers.about("heating", 12, LATE)
    join(parts, queue, heating)
    clock.now = LATE + timedelta(minutes=30)
    assert discovery.run_once(parts) == 1
    with parts.database.read() as connection:
        assert set(heating) in [members(connection, id) for id in issues(connection)]
        assert members(connection, queue) == (inside | set(heating) if owner else inside)


@pytest.mark.parametrize("answers", [40], indirect=True)
def test_full_runs_leave_it_whole_until_what_brought_it_up_is_old(parts: Parts, answers: Answers, clock: Clock) -> None:
    """The same is praised, so that a full run has complaints and praise in one group."""
    praise = shown(parts)
    usual(answers, LATE)
    heating = answers.about("heating", 12, LATE)
    clock.now = LATE + timedelta(minutes=30)
    assert discovery.run_once(parts) == 1
    [id] = shown(parts) - praise
    for day in (1, 2):  # the first of them the same night
        usual(answers, START + timedelta(days=DAYS + day))
        clock.now = START + timedelta(days=DAYS + day, hours=1)
        assert discovery.run_once(parts) == 1
        assert shown(parts) == praise | {id} and in_issue(parts, id) == set(heating)
        assert fate(parts, id) == [("birth", None, id)]
    clock.now += timedelta(hours=2)
    usual(answers, clock.now)
    assert discovery.run_once(parts) == 1  # an hourly look
    assert shown(parts) == praise | {id}
    clock.now = LATE + timedelta(days=3, hours=4)
    usual(answers, clock.now)
    assert discovery.run_once(parts) == 1
    assert shown(parts) == praise
    [merge] = [line for line in fate(parts, id) if line[0] != "birth"]
    assert merge[:2] == ("merge", id) and set(heating) <= in_issue(parts, merge[2])
    assert [event["type"] for event in sent(parts)].count("cluster.emerging") == 1


def in_issue(parts: Parts, id: str) -> set[str]:
    with parts.database.read() as connection:
        return members(connection, id)


def fate(parts: Parts, id: str) -> list[tuple[str, str | None, str | None]]:
    of = cluster_lineage.c
    with parts.database.read() as connection:
        asked = select(of.kind, of["from"], of.to).where((of["from"] == id) | (of.to == id)).order_by(of.id)
        return [tuple(row) for row in connection.execute(asked)]
