"""Whether a database holds together: what was promised is there once, and everything that follows from it with it."""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from durability import Books, Key
from issue_points import ENCODER
from receivers import Received
from sqlalchemy import Connection, Table, select, text, update

from serving.store.database import Database
from serving.store.loop_tables import audit, case_events, case_responses, cases, deliveries, events, job_files, jobs
from serving.store.tables import analyses, responses, tags, vectors

LOW, HIGH, MIDDLE = 3, 9, 5
"""Scores that the rules and the classifier of the test act on."""


def check(database: Database, books: Books) -> None:
    """At any moment, also between a kill and the next start."""
    with database.read() as connection:
        stored = rows(connection, responses)
        wrong = [
            *_promises(stored, books),
            *_readings(connection, stored),
            *_cases(connection, stored),
            *_events(connection, stored),
            *_audit(connection, stored),
            *_imports(connection, books),
        ]
        if database.is_sqlite:
            assert connection.execute(text("PRAGMA integrity_check")).scalar_one() == "ok"
            assert connection.execute(text("PRAGMA foreign_key_check")).first() is None
    assert not wrong, f"{len(wrong)} wrong, such as {wrong[:5]}"
    assert not books.changed_uids


def check_end(database: Database, books: Books, webhook: str, received: list[Received]) -> None:
    """When all callers have their answers, all imports are through and nothing waits to be sent."""
    check(database, books)
    with database.read() as connection:
        stored = {(row["source"], row["id"]): row for row in rows(connection, responses)}
        told, sent = rows(connection, events), rows(connection, deliveries)
        ended = {row["id"]: row for row in rows(connection, jobs)}
    of_files = {(row["source"], row["id"]) for each in books.rows.values() for row in each}
    assert set(stored) == set(books.acknowledged) | of_files
    for key, (_, words) in books.acknowledged.items():
        assert stored[key]["text"] == words.upper(), key
    for job, given in books.rows.items():
        assert (ended[job]["state"], ended[job]["done"]) == ("done", len(given)), ended[job]
        counted = ended[job]["result"]
        assert (sum(counted.values()), counted["refused"]) == (len(given), 0), counted
    assert Counter(row["event"] for row in sent if row["target"] == webhook) == Counter(row["id"] for row in told)
    assert {row["state"] for row in sent} == {"delivered"}
    _heard({row["id"]: row for row in told}, received)


def _heard(told: Mapping[str, Mapping[str, Any]], received: list[Received]) -> None:
    """Every event arrived, under its own id, and whenever it came again it was the same."""
    bodies: dict[str, set[bytes]] = {}
    for each in received:
        if len(each.body) < int(each.headers["content-length"]):
            continue  # the sender was killed in the middle of it
        bodies.setdefault(each.headers["webhook-id"], set()).add(each.body)
    assert set(bodies) == set(told), (len(bodies), len(told))
    assert all(len(versions) == 1 for versions in bodies.values())


def expire_leases(database: Database) -> None:
    """The time that leases of the dead still run passes: minutes, which no test waits."""
    past = datetime.now(UTC) - timedelta(seconds=1)
    with database.write() as connection:
        for table in (jobs, deliveries):
            connection.execute(update(table).where(table.c.leased_until.is_not(None)).values(leased_until=past))


def quiet(database: Database) -> bool:
    """Whether every event was spread and every delivery ended."""
    with database.read() as connection:
        unspread = select(events.c.id).where(events.c.spread_at.is_(None)).limit(1)
        waiting = select(deliveries.c.id).where(deliveries.c.state == "pending").limit(1)
        return connection.execute(unspread).first() is None and connection.execute(waiting).first() is None


def rows(connection: Connection, table: Table) -> list[Mapping[str, Any]]:
    return list(connection.execute(select(table)).mappings())


Wrong = Iterator[str]


def _promises(stored: list[Mapping[str, Any]], books: Books) -> Wrong:
    by_key: dict[Key, Mapping[str, Any]] = {(row["source"], row["id"]): row for row in stored}
    if len(by_key) != len(stored):
        yield "a response is there twice"
    for key, (uid, _) in books.acknowledged.items():
        row = by_key.get(key)
        if row is None:
            yield f"{key} was acknowledged and is not there"
        elif row["uid"] != uid:
            yield f"{key} has another uid than was told"
        elif row["text"] not in {words.upper() for words in books.asked[key]}:
            yield f"{key} has a text that nobody sent"


def _readings(connection: Connection, stored: list[Mapping[str, Any]]) -> Wrong:
    """Each revision has its analysis, and tags and vector are those of the last."""
    found: dict[str, dict[int, Any]] = {}
    for row in rows(connection, analyses):
        if row["revision"] in found.setdefault(row["response"], {}):
            yield f"{row['response']} has two analyses of revision {row['revision']}"
        found[row["response"]][row["revision"]] = row["result"]
    tagged = Counter((row["response"], row["theme"]) for row in rows(connection, tags))
    reckoned = Counter((row["uid"], tag["id"]) for row in stored for tag in row["effective"]["themes"])
    if tagged != reckoned:
        yield f"tags differ: {list((tagged - reckoned) + (reckoned - tagged))[:3]}"
    read = [row["response"] for row in rows(connection, vectors) if row["encoder"] != ENCODER]
    if Counter(read) != Counter(row["uid"] for row in stored):
        yield "not every response has one vector of the model"
    if set(found) != {row["uid"] for row in stored}:
        yield "analyses and responses do not belong together"
    for row in stored:
        mine = found.get(row["uid"], {})
        if set(mine) != set(range(1, row["revision"] + 1)) or mine[row["revision"]] != row["effective"]:
            yield f"{row['uid']} of revision {row['revision']} has analyses of {sorted(mine)}"


def _cases(connection: Connection, stored: list[Mapping[str, Any]]) -> Wrong:
    """Each response that calls for a case is in one, a person has one, and each opened and was told of once."""
    linked = Counter(row["response"] for row in rows(connection, case_responses))
    urgent = Counter(row["uid"] for row in stored if row["priority"])
    if linked != urgent:
        yield f"cases and responses differ: {list((linked - urgent) + (urgent - linked))[:3]}"
    opened = rows(connection, cases)
    people = Counter(row["respondent"] for row in opened if row["respondent"])
    yield from (f"{person} has {number} cases" for person, number in people.items() if number > 1)
    ids = Counter(row["id"] for row in opened)
    if Counter(row["case"] for row in rows(connection, case_events) if row["kind"] == "opened") != ids:
        yield "a case was not opened once"
    told = Counter(row["subject"] for row in rows(connection, events) if row["type"] == "case.opened")
    if told != Counter(f"case:{id}" for id in ids):
        yield "a case was not told of once"
    if {row["team"] for row in opened} - {"couriers"}:
        yield "a case is without the team that the rules assign"


def _events(connection: Connection, stored: list[Mapping[str, Any]]) -> Wrong:
    found = rows(connection, events)
    thanked = Counter(row["subject"] for row in found if row["type"] == "response.thanked")
    if thanked != Counter(f"response:{row['uid']}" for row in stored if row["score"] >= HIGH):
        yield "a thank is missing, or twice"
    flagged = Counter(row["subject"] for row in found if row["type"] == "response.flagged")
    if flagged != Counter({f"response:{row['uid']}": row["revision"] for row in stored if row["score"] == MIDDLE}):
        yield "a flag is missing, or twice"
    late = {row["uid"] for row in stored if row["effective"]["themes"] and row["score"] <= LOW}
    yield from (f"{row['uid']} lacks its label" for row in stored if (row["uid"] in late) is not bool(row["labels"]))
    words = Counter(row["dedupe"] for row in found if row["dedupe"])
    yield from (f"event {word} is there {number} times" for word, number in words.items() if number > 1)
    spread = {row["id"] for row in found if row["spread_at"]}
    to = Counter((row["event"], row["target"]) for row in rows(connection, deliveries))
    yield from (f"event {id} has {number} deliveries to one target" for (id, _), number in to.items() if number > 1)
    if {event for event, _ in to} - spread:
        yield "an event has a delivery and is to be spread again"


def _audit(connection: Connection, stored: list[Mapping[str, Any]]) -> Wrong:
    noted: Counter[str] = Counter()
    for row in rows(connection, audit):
        if row["action"] == "response.take":
            noted.update(row["detail"])
    updates = sum(row["revision"] - 1 for row in stored)
    if (noted["created"], noted["updated"]) != (len(stored), updates):
        yield f"the audit tells of {noted}, stored are {len(stored)} and {updates} updates"


def _imports(connection: Connection, books: Books) -> Wrong:
    known = {row["id"]: row for row in rows(connection, jobs)}
    yield from (f"the import {id} was accepted and is gone" for id in books.rows if id not in known)
    told = Counter(row["subject"] for row in rows(connection, events) if row["type"] == "import.finished")
    done = {id: row for id, row in known.items() if row["state"] == "done"}
    if told != Counter(f"job:{id}" for id in done):
        yield "an import's end was not told of once"
    inputs = {row["job"] for row in rows(connection, job_files)}
    if inputs != set(known) - set(done):
        yield "imports that are not over have lost their file, or others kept it"
    for row in known.values():
        counted = sum((row["result"] or {}).values())
        if counted != row["done"]:
            yield f"import {row['id']} counts {counted} of {row['done']} rows"
