"""Alarms over a real database: what is told, once, in words, and what is left alone."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from insight_rows import Rows, day
from loop import ROOT, START, Api, Clock
from sqlalchemy import insert, select, update

from nlp.errors import PolicyError
from serving.issues.alarm_policy import load_alarm_policy, policy_of
from serving.issues.alarm_routes import router
from serving.issues.watch import run_once
from serving.parts import Parts
from serving.store.database import Database
from serving.store.issue_tables import alarms, cluster_lineage, cluster_members, clusters
from serving.store.language import language_of
from serving.store.loop_tables import events
from serving.store.tables import workspaces

HISTORY = 28
A_DAY = 20
USUAL = (("staff.attitude", "positive"), ("price.level", "negative"), ("delivery.time", "negative"))


def usual(workspace: str = "acme", days: int = HISTORY) -> Rows:
    """Four weeks of answers, a few about each of three themes, up to the tests' Monday."""
    rows = Rows(workspace)
    for number in range(days):
        for place in range(A_DAY):
            theme = USUAL[place % 3]
            at = day(number - days + place / A_DAY)
            themes = (theme,) if place < 6 else ()
            more = {"touchpoint": "shop" if place % 2 else "app", "sentiment": theme[1] if themes else "neutral"}
            rows.answer(at=at, themes=themes, **more)
    return rows


def surge(rows: Rows, count: int, theme: str = "digital.reliability", hours: float = 40, **more: Any) -> list[str]:
    """Complaints about a theme in the hours before the tests' Monday, nine."""
    said = {"sentiment": "negative", "touchpoint": "app", "language": "pl"} | more
    return [
        rows.answer(at=START - timedelta(hours=hours * (place + 0.5) / count), themes=((theme, "negative"),), **said)
        for place in range(count)
    ]


def cluster(database: Database, members: list[str], id: str = "k1", workspace: str = "acme", **more: Any) -> None:
    """An issue made long ago that these answers belong to."""
    at = START - timedelta(days=90)
    row = {"workspace": workspace, "id": id, "state": "active", "label": "app, crash", "keywords": [], "quotes": []}
    row |= {"facts": {}, "size": len(members), "encoder": "e", "centroid": b"", "made_at": at, "updated_at": at}
    own = {"workspace": workspace, "cluster": id, "strength": 0.9, "by": "run", "since": at}
    with database.write() as connection:
        connection.execute(insert(clusters).values({**row, "version": 1, **more}))
        connection.execute(insert(cluster_members), [{**own, "response": uid} for uid in members])


def settings(database: Database, workspace: str = "acme", **values: Any) -> None:
    with database.write() as connection:
        row = {"id": workspace, "name": workspace, "settings": values, "created_at": START}
        connection.execute(insert(workspaces).values(row))


def told(database: Database, workspace: str = "acme") -> list[dict[str, Any]]:
    with database.read() as connection:
        asked = select(alarms).where(alarms.c.workspace == workspace).order_by(alarms.c.id)
        return [dict(row) for row in connection.execute(asked).mappings()]


def sent(database: Database) -> list[dict[str, Any]]:
    with database.read() as connection:
        return [dict(row) for row in connection.execute(select(events).order_by(events.c.id)).mappings()]


def test_a_surge_is_told_once_with_its_sentence_and_event(parts: Parts, database: Database, clock: Clock) -> None:
    settings(database)
    rows = usual()
    surge(rows, 15)
    rows.write(database)
    assert run_once(parts) == 1
    [alarm], [event] = told(database), sent(database)
    assert (alarm["kind"], alarm["subject"], alarm["direction"]) == ("theme", "digital.reliability", "rising")
    assert alarm["observed"] == 15 and alarm["expected"] < 1 and alarm["p"] <= alarm["q"] < 0.01
    assert alarm["sentence"] == (
        "15 complaints about App and site reliability since Saturday, fewer than one expected; 100 % from app"
    )
    assert (event["type"], event["subject"]) == ("theme.spike", "theme:digital.reliability")
    assert event["id"] == alarm["event"] and event["data"]["sentence"] == alarm["sentence"]
    assert event["data"]["theme"] == "digital.reliability" and event["data"]["observed"] == 15
    for hours in (1, 24):
        clock.forward(hours=hours)
        assert run_once(parts) == 0
    assert len(told(database)) == 1


@pytest.mark.parametrize(("more", "alarms_in_all"), [(26, 2), (10, 1)])
def test_what_has_doubled_in_as_many_days_is_told_again_within_the_quiet_period(
    parts: Parts, database: Database, clock: Clock, more: int, alarms_in_all: int
) -> None:
    settings(database)
    rows = usual()
    surge(rows, 12, hours=20)
    rows.write(database)
    assert run_once(parts) == 1
    clock.forward(hours=23)
    late = Rows()
    for place in range(more):
        at = START + timedelta(hours=(1 + place) * 0.8)
        late.answer(uid=f"m{place}", at=at, themes=(("digital.reliability", "negative"),), sentiment="negative")
    late.write(database)
    run_once(parts)
    assert len(told(database)) == alarms_in_all


@pytest.mark.parametrize(("state", "again"), [("ended", []), ("active", ["k2"])])
def test_what_was_told_of_an_issue_that_went_into_another_is_not_told_of_that_one(
    parts: Parts, database: Database, clock: Clock, state: str, again: list[str]
) -> None:
    settings(database)
    rows = usual()
    members = surge(rows, 15)
    rows.write(database)
    cluster(database, members)
    assert run_once(parts) == 1
    with database.write() as connection:
        connection.execute(update(clusters).values(state=state))
        connection.execute(cluster_members.delete())
        line = {"workspace": "acme", "at": clock.now, "kind": "merge", "from": "k1", "to": "k2", "by": "run"}
        connection.execute(insert(cluster_lineage).values(line))
    cluster(database, members, "k2")
    clock.forward(hours=1)
    run_once(parts)
    assert [alarm["subject"] for alarm in told(database)] == ["k1", *again]


def test_nothing_is_told_where_nothing_happens(parts: Parts, database: Database, clock: Clock) -> None:
    settings(database)
    settings(database, "empty")
    usual().write(database)
    assert [run_once(parts), told(database), sent(database)] == [0, [], []]


def test_theme_issue_and_touchpoint_of_the_same_answers_are_told_once(parts: Parts, database: Database) -> None:
    settings(database)
    rows = usual()
    members = surge(rows, 15)
    rows.write(database)
    cluster(database, members)
    assert run_once(parts) == 1
    [alarm], [event] = told(database), sent(database)
    assert (alarm["kind"], alarm["subject"], event["type"]) == ("cluster", "k1", "cluster.emerging")
    assert event["data"]["label"] == "app, crash"


def test_two_issues_at_one_time_are_both_told(parts: Parts, database: Database) -> None:
    settings(database)
    rows = usual()
    surge(rows, 15)
    surge(rows, 14, "trust.safety", touchpoint="shop")
    rows.write(database)
    assert run_once(parts) == 2
    assert {alarm["subject"] for alarm in told(database)} == {"digital.reliability", "trust.safety"}


def test_of_many_at_once_the_clearest_are_told_and_the_rest_when_there_is_room(
    parts: Parts, database: Database, clock: Clock
) -> None:
    settings(database)
    rows = usual()
    for number in range(7):
        surge(rows, 12 + number, f"theme{number}.x", touchpoint=None)
    rows.write(database)
    assert run_once(parts) == 5
    assert {alarm["subject"] for alarm in told(database)} == {f"theme{number}.x" for number in range(2, 7)}
    clock.forward(hours=1)
    assert run_once(parts) == 0
    clock.forward(hours=23)
    assert run_once(parts) == 2


@pytest.mark.parametrize(
    ("state", "subjects"),
    [
        ({"muted_until": START + timedelta(days=1)}, set()),
        ({"muted_until": START - timedelta(days=1)}, {("cluster", "k1")}),
        ({"state": "dismissed"}, {("theme", "digital.reliability")}),
    ],
)
def test_what_people_have_muted_or_dismissed_is_not_told(
    parts: Parts, database: Database, state: dict[str, Any], subjects: set[tuple[str, str]]
) -> None:
    settings(database)
    rows = usual()
    members = surge(rows, 15)
    rows.write(database)
    cluster(database, members, **state)
    run_once(parts)
    assert {(alarm["kind"], alarm["subject"]) for alarm in told(database)} == subjects


def test_complaints_at_one_touchpoint_are_measured_against_the_answers_there(parts: Parts, database: Database) -> None:
    settings(database)
    rows = usual()
    for place in range(40):  # more are asked in the shop, none complains
        rows.answer(at=START - timedelta(hours=place / 2), touchpoint="shop", sentiment="positive")
    for place in range(16):
        rows.answer(
            at=START - timedelta(hours=place), touchpoint="lift", sentiment="positive" if place % 2 else "negative"
        )
    for place in range(24):
        rows.answer(at=START - timedelta(hours=place * 0.9), touchpoint="app", sentiment="negative")
    rows.write(database)
    run_once(parts)
    assert [(alarm["kind"], alarm["subject"]) for alarm in told(database)] == [("touchpoint", "app")]


def test_what_falls_is_listed_and_wakes_nobody(parts: Parts, database: Database, clock: Clock) -> None:
    settings(database)
    rows = usual()
    for number in range(14):
        for place in range(8):
            rows.answer(at=day(number - HISTORY + place / 9), themes=(("digital.usability", "negative"),))
    rows.write(database)
    assert run_once(parts) == 1
    [alarm] = told(database)
    assert (alarm["subject"], alarm["direction"], alarm["event"]) == ("digital.usability", "falling", None)
    assert sent(database) == []


def test_processes_at_one_time_tell_it_once(parts: Parts, database: Database) -> None:
    settings(database)
    rows = usual()
    surge(rows, 15)
    rows.write(database)
    ready, counts = threading.Barrier(4), []

    def work() -> None:
        ready.wait()
        counts.append(run_once(parts))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(counts) == [0, 0, 0, 1]
    assert len(told(database)) == len(sent(database)) == 1


def test_a_workspace_hears_only_of_itself_in_its_language_and_at_its_level(parts: Parts, database: Database) -> None:
    settings(database, language="pl", emerging={"zone": "Europe/Warsaw"})
    settings(database, "calm", emerging={"level": "calm"})
    for workspace in ("acme", "calm"):
        rows = usual(workspace)
        surge(rows, 12)
        rows.write(database)
    assert run_once(parts) == 1
    assert told(database, "calm") == []
    [alarm] = told(database)
    assert alarm["sentence"].startswith(
        "12 skarg na temat „App and site reliability” od soboty, oczekiwano mniej niż jednej"
    )


@pytest.mark.parametrize(("said", "told_in"), [("ru", "ru"), ("de", "en"), (None, "en")])
def test_alarms_are_told_in_the_one_language_of_the_workspace(
    database: Database, said: str | None, told_in: str
) -> None:
    settings(database, **({"language": said} if said else {}), emerging={"level": "keen"})
    shipped = load_alarm_policy(ROOT / "data")
    with database.read() as connection:
        policy = policy_of(connection, "acme", shipped)
        assert language_of(connection, "acme") == said
    assert (policy.language, policy.level, shipped.language) == (told_in, "keen", "en")


def test_a_language_beside_that_of_the_workspace_is_refused(database: Database) -> None:
    settings(database, language="pl", emerging={"language": "ru"})
    with database.read() as connection, pytest.raises(PolicyError, match=r"acme: .*: unknown key language"):
        policy_of(connection, "acme", load_alarm_policy(ROOT / "data"))


def test_the_longest_names_have_room(parts: Parts, database: Database) -> None:
    settings(database)
    rows = usual()
    surge(rows, 15, touchpoint="ż" * 512, theme="digital.reliability")
    for row in rows.tags:
        row["theme"] = row["theme"].replace("digital.reliability", "x" * 512)
    rows.write(database)
    assert run_once(parts) == 1


def test_alarms_are_listed_newest_first_a_page_at_a_time(
    parts: Parts, database: Database, clock: Clock, api: Callable[..., Api]
) -> None:
    with database.write() as connection:
        for number in range(5):
            row = {"workspace": "other" if number == 4 else "acme", "at": day(number), "kind": "theme", "subject": "a"}
            row |= {"direction": "falling" if number == 1 else "rising", "observed": 9, "expected": 1.5, "days": 2}
            connection.execute(insert(alarms).values({**row, "p": 0.001, "q": 0.01, "sentence": "s", "event": None}))
    client = api(router).client(scopes=("read",))
    first = client.get("/v1/alarms", params={"limit": 3}).json()
    assert [item["at"][:10] for item in first["items"]] == ["2026-11-05", "2026-11-04", "2026-11-03"]
    second = client.get("/v1/alarms", params={"limit": 3, "cursor": first["next"]}).json()
    assert [item["at"][:10] for item in second["items"]] == ["2026-11-02"] and second["next"] is None
    falling = client.get("/v1/alarms", params={"direction": "falling", "kind": "theme"}).json()["items"]
    assert [item["direction"] for item in falling] == ["falling"]
    since = client.get("/v1/alarms", params={"from": day(2).isoformat()}).json()["items"]
    assert len(since) == 2
    assert client.get("/v1/alarms", params={"kind": "cluster"}).json() == {"items": [], "next": None}


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({"cursor": "nonsense"}, 400),
        ({"cursor": "WyJhIl0"}, 400),
        ({"kind": "unit"}, 422),
        ({"from": "2026-11-02"}, 422),
        ({"limit": 0}, 422),
    ],
)
def test_what_cannot_be_asked_is_refused(api: Callable[..., Api], asked: dict[str, Any], status: int) -> None:
    assert api(router).client().get("/v1/alarms", params=asked).status_code == status


def test_without_the_read_scope_there_are_no_alarms(api: Callable[..., Api]) -> None:
    assert api(router).client(scopes=("ingest",)).get("/v1/alarms").status_code == 403


def test_a_wrong_setting_of_one_workspace_is_named(parts: Parts, database: Database) -> None:
    settings(database, emerging={"level": "shrill"})
    usual().write(database)
    with pytest.raises(PolicyError, match="workspace acme: settings: emerging: level: must be one of calm, normal"):
        run_once(parts)
    with database.write() as connection:
        connection.execute(update(workspaces).values(settings={}))
    assert run_once(parts) == 0
