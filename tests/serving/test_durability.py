"""Durability of the served store: killed, stopped and overrun, it keeps what it promised, once."""

import random
import re
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from durability import (
    Books,
    Caller,
    Importer,
    bearer,
    environment,
    item_of,
    key_for,
    new_database,
    post,
    set_up,
    wait_until,
    workers,
)
from durable_checks import check, check_end, expire_leases, quiet
from receivers import Receiver, drip, hang, reset, status
from server_process import Running, running
from sqlalchemy import func, select

from serving.outbox.wire import TIMEOUT
from serving.store.database import Database, new_id, untangled
from serving.store.loop_tables import jobs, webhooks

KINDS = ("sqlite", "postgresql")
CALLERS = 4
AT_ONCE = 2
"""Worker processes of a server."""


@pytest.fixture(params=KINDS)
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database that nobody has open."""
    needed = request.getfixturevalue("postgresql") if request.param == "postgresql" else None
    with new_database(request.param, tmp_path, needed) as made:
        yield made


def killed_under_load(address: str, folder: Path, kills: int, seed: int) -> tuple[Books, int]:
    """Kills workers at random moments, half the time all of them, and looks at the database while none is up."""
    chance, books, key = random.Random(seed), Books(), key_for(address)
    database = Database(address)
    with Receiver(usual=status(204)) as receiver, workers(address, folder) as server:
        server.start(AT_ONCE)
        webhook = set_up(server.url, key, receiver.url)
        threads = [Caller(f"caller{number}", server.url, key, books) for number in range(CALLERS)]
        threads.append(Importer(server.url, key, books))
        for thread in threads:
            thread.start()
        for number in range(kills):
            _load(books, chance)
            # the last one is of all: what workers held that died alone is free after it
            if number == kills - 1 or chance.random() < 0.5:
                server.kill_all()
                check(database, books)
                expire_leases(database)
                server.start(AT_ONCE)
            else:
                server.kill(chance.choice(server.pids))
                server.fork()
        for thread in threads:
            thread.finish()
        for thread in threads:
            thread.join(60)
            assert not thread.is_alive(), thread.name
        wait_until(lambda: quiet(database), "everything is sent")
        check_end(database, books, webhook, receiver.received)
    database.close()
    return books, len(receiver.received)


def _load(books: Books, chance: random.Random) -> None:
    """Until some requests went through, mostly; else only a moment, in which a worker may not even be up."""
    if chance.random() < 0.8:
        enough = books.answered + chance.randint(1, 12)
        wait_until(lambda: books.answered >= enough, "callers are answered")
    time.sleep(chance.uniform(0, 0.4))


def test_ids_of_one_process_sort_as_they_were_made() -> None:
    """Events of one transaction have one time: their ids alone keep a case's opening before its assignment."""
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: [new_id() for _ in range(2000)], range(4)))
    assert all(ids == sorted(ids) for ids in made)
    assert len({id for ids in made for id in ids}) == 8000
    assert {(uuid.UUID(id).version, uuid.UUID(id).variant) for id in made[0]} == {(7, uuid.RFC_4122)}


@pytest.mark.server
def test_nothing_is_lost_or_doubled_by_kills(address: str, tmp_path: Path) -> None:
    books, heard = killed_under_load(address, tmp_path, kills=3, seed=1)
    assert books.failures and heard and books.rows


@pytest.mark.server
@pytest.mark.slow
def test_nothing_is_lost_or_doubled_by_twenty_kills(address: str, tmp_path: Path) -> None:
    books, _ = killed_under_load(address, tmp_path, kills=20, seed=2)
    assert min(books.failures, books.outcomes["updated"], books.outcomes["duplicate"], len(books.rows)) > 0


# the whole server, as it is served


@dataclass(frozen=True, slots=True)
class Served:
    """A server of two worker processes with its database and a key."""

    server: Running
    database: Database
    key: str

    def send(self, items: Sequence[Mapping[str, Any]]) -> httpx.Response:
        return post(self.server.url, "/v1/responses", self.key, json={"items": items})

    def webhook(self, receiver: str) -> str:
        answer = post(self.server.url, "/v1/webhooks", self.key, json={"url": receiver, "types": ["response.thanked"]})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])


@contextmanager
def serving(address: str, folder: Path, key: str) -> Iterator[Served]:
    database = Database(address)
    with running(folder, AT_ONCE, "durable_service:Holos", environment=environment(address, folder)) as server:
        wait_until(lambda: server.log.count('"event": "ready"') >= AT_ONCE, "all workers are ready")
        yield Served(server, database, key)
    database.close()


@pytest.fixture(scope="module", params=KINDS)
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    needed = request.getfixturevalue("postgresql") if request.param == "postgresql" else None
    folder = tmp_path_factory.mktemp("served")
    with (
        new_database(request.param, folder, needed) as address,
        serving(address, folder, key_for(address)) as found,
    ):
        set_up(found.server.url, found.key, None)
        yield found


@pytest.mark.server
def test_many_callers_with_overlapping_ids_make_one_row_each(served: Served) -> None:
    books, ids = Books(), range(40)

    def ask(caller: int) -> None:
        mixed = random.Random(caller).sample(ids, 20)
        for batch in (mixed[:10], mixed[10:]):
            items = [item_of("same", number) for number in batch]
            books.ask(items)
            answer = served.send(items)
            assert answer.status_code == 200, answer.text
            books.promised(items, answer.json()["items"])

    with ThreadPoolExecutor(32) as callers:
        list(callers.map(ask, range(32)))
    assert books.outcomes == {"created": len(ids), "duplicate": 32 * 20 - len(ids)}
    assert len({uid for uid, _ in books.acknowledged.values()}) == len(books.acknowledged) == len(ids)
    check(served.database, books)


@pytest.mark.server
def test_no_receiver_is_held_up_by_those_that_fail(served: Served) -> None:
    """Every bad manner at once; the good receiver has all events while the one that hangs has not answered yet."""
    free = threading.Event()
    manners = [hang(free), drip(free), reset, status(500), status(429, Retry_After="3600"), status(410)]
    with ExitStack() as stack:
        good, elsewhere = (stack.enter_context(Receiver(usual=status(204))) for _ in range(2))
        manners.append(status(302, Location=elsewhere.url))
        bad = [stack.enter_context(Receiver(usual=manner)) for manner in manners]
        stack.callback(free.set)
        hooks = [served.webhook(receiver.url) for receiver in (*bad, good)]
        items = [item_of("thanked", 11 * number + 10) for number in range(30)]
        sent_at = time.monotonic()
        assert served.send(items).status_code == 200
        wait_until(lambda: len(set(good.ids)) == len(items), "the good receiver has everything", 4 * TIMEOUT)
        taken = time.monotonic() - sent_at
        assert taken < TIMEOUT, f"{taken:.1f} s: as long as one that hangs is waited for"
        wait_until(lambda: all(receiver.received for receiver in bad), "all were tried")
        assert not elsewhere.received, "redirects are not followed"
        gone = hooks[manners.index(manners[5])]
        wait_until(lambda: _disabled(served, gone), "who is gone is told nothing more")
        for id in hooks:
            httpx.delete(f"{served.server.url}/v1/webhooks/{id}", headers=bearer(served.key), timeout=30)


def _disabled(served: Served, webhook: str) -> bool:
    with served.database.read() as connection:
        asked = select(webhooks.c.disabled_at).where(webhooks.c.id == webhook)
        return connection.execute(asked).scalar_one() is not None


@pytest.mark.server
@pytest.mark.slow
def test_the_whole_server_is_killed_and_stopped(address: str, tmp_path: Path) -> None:
    """One of its workers, then all of its processes; and a stop under load finishes what was accepted."""
    books, key, database = Books(), key_for(address), Database(address)
    with serving(address, tmp_path, key) as found:
        set_up(found.server.url, key, None)
        with loaded(found.server.url, key, books):
            found.server.workers()[0].kill()
            enough = books.answered + CALLERS
            wait_until(lambda: books.answered >= enough, "the other worker answers")
            processes = psutil.Process(found.server.process.pid)
            for process in (processes, *processes.children(recursive=True)):
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            found.server.process.wait(10)
        check(database, books)
    expire_leases(database)
    with serving(address, tmp_path, key) as found:
        with loaded(found.server.url, key, books), ThreadPoolExecutor(1) as pool:
            before = metric(found.server, "holos_batch_size_sum")
            asked = pool.submit(found.send, [item_of("last", number) for number in range(200)])
            wait_until(lambda: metric(found.server, "holos_batch_size_sum") >= before + 200, "it is read")
            assert found.server.stop() == 0
            assert [each["outcome"] for each in asked.result().json()["items"]] == ["created"] * 200
        assert "Traceback" not in found.server.log
    check(database, books)
    with database.read() as connection:
        states = connection.execute(select(jobs.c.state, jobs.c.leased_by)).all()
    assert {(state, lease) for state, lease in states} <= {("done", None), ("queued", None)}
    database.close()


def metric(server: Running, name: str) -> float:
    """The sum of a metric over its labels."""
    lines = httpx.get(f"{server.url}/metrics", timeout=10).text.splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if re.match(rf"{name}[ {{]", line))


@contextmanager
def loaded(url: str, key: str, books: Books) -> Iterator[None]:
    """Callers and an importer at work; they may fail, and give up at the end."""
    threads = [Caller(f"{new_id()[-8:]}", url, key, books) for _ in range(CALLERS)]
    threads.append(Importer(url, key, books))
    for thread in threads:
        thread.start()
    enough = books.answered + 2 * CALLERS
    wait_until(lambda: books.answered >= enough and books.rows, "there is load")
    try:
        yield
    finally:
        for thread in threads:
            thread.stop()
        for thread in threads:
            thread.join(40)


@pytest.mark.parametrize("address", ["postgresql"], indirect=True)
def test_a_transaction_that_a_deadlock_ended_is_tried_again(address: str) -> None:
    """Two writers that lock the same two rows in opposite orders: PostgreSQL ends one, and both get their work done."""
    met = threading.Barrier(2, timeout=10)
    key_for(address)
    database, tries = Database(address), []

    def work(first: int, second: int) -> None:
        tries.append(first)
        with database.write() as connection:
            connection.execute(select(func.pg_advisory_xact_lock(first)))
            if len(tries) <= 2:
                met.wait()
            connection.execute(select(func.pg_advisory_xact_lock(second)))

    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(untangled, partial(work, *order)) for order in ((1, 2), (2, 1))]
        assert [each.result(30) for each in both] == [None, None]
    assert len(tries) == 3
    database.close()
