"""What the tests of durability share: workers to be killed, callers that never give up, and the books they keep."""

import itertools
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psutil
from databases import copied
from server_process import HERE, ROOT, free_port

from serving.assembly import open_database
from serving.keys import SCOPES, ensure_workspace, make_key
from serving.settings import Settings
from serving.store.database import new_id

WORKSPACE = "acme"
RULES = """
mode: all
rules:
  - {id: thanks, when: score >= 9.0, then: {thank: true}}
  - {id: couriers, when: 'theme("delivery", "negative") && score <= 3.0', then: {assign: {team: couriers}, tag: late}}
  - {id: middling, when: score == 5.0, then: {webhook: WEBHOOK}}
"""
"""Every kind of thing that follows from a response: a case with its team and label, and events of three types."""
RETRY_SECONDS = 0.05
PAUSE_SECONDS = 0.02
FILE_ROWS = 300
"""More than a chunk of an import, so that a kill can fall between two."""
Key = tuple[str, str]


# where it is kept


@contextmanager
def new_database(kind: str, folder: Path, postgresql: str | None) -> Iterator[str]:
    """The address of an empty database, which the service itself brings up to date."""
    if kind == "sqlite":
        yield f"sqlite:///{folder}/holos.db"
        return
    assert postgresql is not None
    with copied(postgresql, "template0") as address:
        yield address


def key_for(address: str) -> str:
    """A key for everything in the workspace of the test."""
    database, now = open_database(Settings(database=address)), datetime.now(UTC)
    with database.write() as connection:
        ensure_workspace(connection, WORKSPACE, now)
        key = make_key(connection, WORKSPACE, "test", SCOPES, now).key
    database.close()
    return key


def environment(address: str, folder: Path) -> dict[str, str]:
    """Of a server over this database that may tell receivers on this machine."""
    settings = {"DATABASE": address, "WEBHOOK_PRIVATE": "true", "CACHE_DIR": str(folder / "cache")}
    return {f"HOLOS_{name}": value for name, value in settings.items()}


# workers to be killed


@dataclass(slots=True)
class Workers:
    """Processes that serve one address, each forked from one that has imported everything."""

    url: str
    _commands: "subprocess.Popen[str]"
    pids: list[int] = field(default_factory=list)

    def start(self, number: int) -> None:
        """Listens anew, as a server that was started again does, and waits until it is ready."""
        self._say(f"open {self.url.rsplit(':', 1)[1]}")
        for _ in range(number):
            self.fork()
        wait_until(self._ready, "a worker is ready")

    def fork(self) -> None:
        self.pids.append(int(self._say("fork")))

    def kill(self, pid: int, number: int = signal.SIGKILL) -> None:
        os.kill(pid, number)
        self.reap(pid)

    def kill_all(self) -> None:
        for pid in self.pids:
            os.kill(pid, signal.SIGKILL)
        for pid in tuple(self.pids):
            self.reap(pid)
        self._say("close")

    def reap(self, pid: int) -> int:
        """Waits for its end; the exit status, negative for a signal."""
        self.pids.remove(pid)
        return int(self._say(f"reap {pid}"))

    def _say(self, command: str) -> str:
        given, answers = self._commands.stdin, self._commands.stdout
        assert given and answers
        given.write(f"{command}\n")
        given.flush()
        answer = answers.readline().strip()
        assert answer, "the process that forks is gone"
        return answer

    def _ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz", timeout=5).status_code == 200
        except httpx.HTTPError:
            return False


@contextmanager
def workers(address: str, folder: Path) -> Iterator[Workers]:
    """The forking process, and nothing of it left afterwards; what the service logs is in `server.out`."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("HOLOS_", "BENTOML_"))}
    env |= {"PYTHONPATH": os.pathsep.join([str(ROOT), str(HERE)]), "BENTOML_HOME": str(folder / "bentoml")}
    env |= {"OMP_NUM_THREADS": "1", **environment(address, folder)}
    command = [sys.executable, str(HERE / "durable_service.py")]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with (
        (folder / "server.out").open("wb") as log,
        subprocess.Popen(command, cwd=folder, env=env, stderr=log, **pipes) as process,
    ):
        found = Workers(f"http://127.0.0.1:{free_port()}", process)
        try:
            yield found
        finally:
            for child in psutil.Process(process.pid).children():
                child.kill()
            process.kill()


def wait_until(holds: Any, what: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not in {seconds} s: {what}"
        time.sleep(RETRY_SECONDS)


# who calls


@dataclass(slots=True)
class Books:
    """What callers were promised, and what they asked for without an answer yet; shared between their threads."""

    acknowledged: dict[Key, tuple[str, str]] = field(default_factory=dict)
    """By source and id: our uid and the text."""
    asked: dict[Key, set[str]] = field(default_factory=lambda: defaultdict(set))
    rows: dict[str, list[Mapping[str, Any]]] = field(default_factory=dict)
    """Of each import that was accepted."""
    outcomes: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    failures: int = 0
    """Requests without an answer, or with another than 200."""
    answered: int = 0
    changed_uids: list[Key] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def ask(self, items: Sequence[Mapping[str, Any]]) -> None:
        with self.lock:
            for item in items:
                self.asked[item["source"], item["id"]].add(item["text"])

    def promised(self, items: Sequence[Mapping[str, Any]], answers: Sequence[Mapping[str, Any]]) -> None:
        with self.lock:
            self.answered += 1
            for item, answer in zip(items, answers, strict=True):
                key = item["source"], item["id"]
                assert (answer["id"], answer["error"]) == (item["id"], None), answer
                before = self.acknowledged.get(key)
                if before is not None and before[0] != answer["uid"]:
                    self.changed_uids.append(key)
                self.acknowledged[key] = answer["uid"], item["text"]
                self.outcomes[answer["outcome"]] += 1


def item_of(caller: str, number: int, revision: int = 1) -> dict[str, Any]:
    """A third complains of lateness, scores go from 0 to 10, and each person answers several times."""
    words = "the parcel came late again" if number % 3 == 0 else "all was as it should be"
    again = f", said anew {revision}" if revision > 1 else ""
    item = {"id": f"{caller}-{number}", "source": "shop", "text": f"{words} {caller} {number}{again}"}
    item |= {"metric": "nps", "score": number % 11, "answered_at": "2026-11-02T09:30:00+01:00"}
    if number % 2:
        item["respondent"] = {"id": f"person-{caller}-{number % 10}"}
    return item


def shared_item(number: int) -> dict[str, Any]:
    """One that every caller sends, and all send alike."""
    return item_of("shared", number)


class Sender(threading.Thread):
    """Goes on until it is told to finish what it is at, or to stop at once."""

    def __init__(self, name: str, url: str, key: str, books: Books) -> None:
        super().__init__(name=name, daemon=True)
        self._url, self._key, self._books = url, key, books
        self._ending, self._stopped = threading.Event(), threading.Event()

    def finish(self) -> None:
        self._ending.set()

    def stop(self) -> None:
        self._ending.set()
        self._stopped.set()


class Caller(Sender):
    """Sends batches of new, changed, repeated and shared answers; the same batch again until it is acknowledged."""

    def run(self) -> None:
        chance = random.Random(self.name)
        for number in itertools.count():
            if self._ending.wait(PAUSE_SECONDS):
                return
            batch = self._batch(number, chance)
            self._books.ask(batch)
            self._send(batch, new_id() if chance.random() < 0.5 else None)

    def _batch(self, number: int, chance: random.Random) -> list[dict[str, Any]]:
        batch = [item_of(self.name, number * 4 + each) for each in range(4)]
        if number:
            earlier = chance.randrange(number)
            batch.append(item_of(self.name, earlier * 4 + 1))  # sent before, never changed
            batch.append(item_of(self.name, earlier * 4, revision=number + 1))
        batch.append(shared_item(number))
        return batch

    def _send(self, batch: list[dict[str, Any]], word: str | None) -> None:
        while not self._stopped.wait(RETRY_SECONDS if self._books.failures else 0):
            try:
                answer = post(self._url, "/v1/responses", self._key, word, json={"items": batch})
            except httpx.HTTPError:
                answer = None
            if answer is not None and answer.status_code == 200:
                return self._books.promised(batch, answer.json()["items"])
            if answer is not None and answer.status_code == 409:
                word = None  # the request with this key died: sent without it, as ids are enough
            self._books.failures += 1


class Importer(Sender):
    """Sends a file, waits until its import is through, and sends the next."""

    def __init__(self, url: str, key: str, books: Books) -> None:
        super().__init__(f"files-{new_id()[-8:]}", url, key, books)

    def run(self) -> None:
        for number in itertools.count():
            job = self._send(f"{self.name}-{number}")
            while job is not None and self._state(job) not in ("done", "failed", "cancelled"):
                if self._stopped.wait(RETRY_SECONDS):
                    return
            if self._ending.is_set():
                return

    def _send(self, name: str) -> str | None:
        """The id of the job; None where it was stopped before there was one."""
        rows = [item_of(name, each) for each in range(FILE_ROWS)]
        lines = [f"{each['id']},{each['source']},{each['text']},nps,{each['score']}" for each in rows]
        data = "\n".join(["id,source,text,metric,score", *lines]).encode()
        while not self._stopped.wait(RETRY_SECONDS):
            try:
                answer = post(self._url, "/v1/imports", self._key, files={"file": (f"{name}.csv", data)})
                answer.raise_for_status()
            except httpx.HTTPError:
                continue
            job = str(answer.json()["id"])
            self._books.rows[job] = rows
            return job
        return None

    def _state(self, job: str) -> str:
        try:
            answer = httpx.get(f"{self._url}/v1/jobs/{job}", headers=bearer(self._key), timeout=120)
            return str(answer.json()["state"])
        except (httpx.HTTPError, ValueError, KeyError):
            return "unknown"


def post(url: str, path: str, key: str, word: str | None = None, **what: Any) -> httpx.Response:
    """A request on a connection of its own; `word` is its Idempotency-Key."""
    headers = bearer(key) | ({"Idempotency-Key": word} if word else {})
    return httpx.post(url + path, headers=headers, timeout=120, **what)


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def set_up(url: str, key: str, receiver: str | None) -> str:
    """The rules, and a webhook for every type of event where there is a receiver; the webhook's id."""
    webhook = "nobody"
    if receiver is not None:
        answer = post(url, "/v1/webhooks", key, json={"url": receiver})
        assert answer.status_code == 201, answer.text
        webhook = str(answer.json()["id"])
    source = RULES.replace("WEBHOOK", webhook)
    saved = httpx.put(f"{url}/v1/rules", headers=bearer(key), json={"source": source}, timeout=120)
    assert saved.status_code == 200, saved.text
    return webhook
