"""What a worker of `holos serve` holds in memory: started, classifying, and finding issues behind the answers.

python tests/benchmarks/memory.py [--requests 300] [--rows 3000] [--rounds 1]

Lists of 1 to 100 texts are classified, long ones among them; then answers are taken in, get their vectors in the
background, and issues are looked for in full and by births. Printed is what is resident after each step and the most
it was while the step lasted, mapped files included. `--rounds` repeats it all: what grows then never comes back.
"""

import argparse
import csv
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import select, update

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "serving")]

from durability import WORKSPACE, bearer, environment, key_for
from issue_texts import TEXTS
from server_process import running

from serving.assembly import open_database
from serving.issues.window import count_unread
from serving.settings import Settings
from serving.store.issue_tables import clusters, discoveries
from serving.store.tables import responses, vectors

WANTED_MIB = 1.2 * 1024
CALLERS = 8
LIST = 100
LONG_EVERY, LONG = 50, 10_000  # every so many texts, one of the longest that is taken
PATIENCE = 600.0  # seconds for the background to have done what was given to it
PEAK_AGAIN = "5"  # written to clear_refs, it makes the kernel count the peak anew


@dataclass(frozen=True, slots=True)
class Held:
    """Of a process, in MiB: resident now, the most it was, and how much of it now is its own."""

    now: float
    peak: float
    own: float


@dataclass(frozen=True, slots=True)
class Worker:
    """The process that answers, as Linux tells of it."""

    pid: int

    def held(self) -> Held:
        """Since this was asked last."""
        of = Path(f"/proc/{self.pid}")
        lines = (line.split() for line in (of / "status").read_text("utf-8").splitlines())
        told = {line[0]: int(line[1]) / 1024 for line in lines if line[0] in ("VmRSS:", "VmHWM:", "RssAnon:")}
        (of / "clear_refs").write_text(PEAK_AGAIN, "utf-8")
        return Held(told["VmRSS:"], told["VmHWM:"], told["RssAnon:"])


def sample_texts() -> list[str]:
    """The answers of the sample file that say something."""
    with (ROOT / "data" / "sample" / "feedback.csv").open(encoding="utf-8", newline="") as file:
        return [row["text"] for row in csv.DictReader(file) if row["text"].strip()]


def requests(count: int, rng: random.Random) -> Iterator[list[dict[str, Any]]]:
    """Lists of 1 to 100 texts, some as long as they may be."""
    texts, number = sample_texts(), 0
    for _ in range(count):
        items = []
        for _ in range(rng.randint(1, LIST)):
            number += 1
            items.append(
                {"id": f"r{number}", "text": _long(texts, rng) if not number % LONG_EVERY else rng.choice(texts)}
            )
        yield items


def _long(texts: list[str], rng: random.Random) -> str:
    text = ""
    while len(text) < LONG:
        text += rng.choice(texts) + " "
    return text[:LONG]


def answers(count: int, name: str, days: float, rng: random.Random) -> list[dict[str, Any]]:
    """Answers to a survey: one of three problems told in one of four languages, or what the sample says."""
    texts, now = sample_texts(), datetime.now(UTC)
    spoken = [list(told) for languages in TEXTS.values() for told in languages.values()]
    found = []
    for number in range(count):
        words = [rng.choice(rng.choice(spoken))] if rng.random() < 0.3 else []
        words += [rng.choice(texts)] if not words or rng.random() < 0.5 else []
        when = now - timedelta(days=days * rng.random())
        item = {"id": f"{name}-{number}", "text": " ".join(words), "answered_at": when.isoformat()}
        found.append({**item, "metric": "nps", "score": float(rng.randint(0, 10)), "source": "memory"})
    return found


def classify(client: httpx.Client, count: int, rng: random.Random) -> None:
    """Several callers at once."""
    with ThreadPoolExecutor(CALLERS) as pool:
        for answer in pool.map(lambda items: client.post("/v1/classify", json={"items": items}), requests(count, rng)):
            answer.raise_for_status()


def take(client: httpx.Client, items: list[dict[str, Any]]) -> None:
    """One list after another, as an import sends them."""
    for start in range(0, len(items), LIST):
        client.post("/v1/responses", json={"items": items[start : start + LIST]}).raise_for_status()


@dataclass(frozen=True, slots=True)
class Store:
    """The server's database, looked at from outside."""

    address: str

    def ask(self, question: Callable[[Any], Any]) -> Any:
        database = open_database(Settings(database=self.address))
        try:
            with database.write() as connection:
                return question(connection)
        finally:
            database.close()

    def all_read(self) -> bool:
        """Whether every answer that says something has its vector."""
        asked = select(vectors.c.encoder).limit(1)
        encoder = self.ask(lambda connection: connection.execute(asked).scalar())
        now = datetime.now(UTC)
        return bool(encoder) and not self.ask(lambda connection: count_unread(connection, WORKSPACE, encoder, now))

    def looked(self, column: str, since: datetime) -> bool:
        """Whether a run of this kind has begun since then, and is over."""
        rows = self.ask(lambda connection: connection.execute(select(discoveries)).mappings().all())
        return any(row[column] and row[column] >= since and row["leased_until"] is None for row in rows)

    def make_due(self) -> None:
        """As if all issues had never been looked for."""
        self.ask(lambda connection: connection.execute(update(discoveries).values(full_at=None)))

    def hours_later(self) -> None:
        """As if two hours had gone by since anything came in and issues were looked for."""
        ago = datetime.now(UTC) - timedelta(hours=2)

        def set_back(connection: Any) -> None:
            connection.execute(update(responses).values(received_at=ago))
            connection.execute(update(discoveries).values(full_at=ago, births_at=ago))

        self.ask(set_back)

    def issues(self) -> int:
        """How many there are."""
        return len(self.ask(lambda connection: connection.execute(select(clusters.c.id)).all()))


def wait(until: Callable[[], bool]) -> None:
    """Asks once a second."""
    deadline = time.monotonic() + PATIENCE
    while not until():
        assert time.monotonic() < deadline, "the background work is not done"
        time.sleep(1)


def measure(url: str, key: str, worker: Worker, store: Store, asked: argparse.Namespace) -> Iterator[tuple[str, Held]]:
    """What is held after each step."""
    yield "ready", worker.held()
    rng = random.Random(7)
    with httpx.Client(base_url=url, headers=bearer(key), timeout=300) as client:
        for turn in range(asked.rounds):
            classify(client, asked.requests, rng)
            yield f"{asked.requests} lists classified", worker.held()
            if asked.rows:
                take(client, answers(asked.rows, f"old{turn}", 60, rng))
                yield f"{asked.rows} answers taken in", worker.held()
                wait(store.all_read)
                yield "their vectors made", worker.held()
                began = datetime.now(UTC)
                store.make_due()
                wait(lambda: store.looked("full_at", began))  # noqa: B023 - waited for here
                yield f"looked for issues in full: {store.issues()}", worker.held()
                store.hours_later()
                began = datetime.now(UTC)
                take(client, answers(asked.rows // 10, f"new{turn}", 1, rng))
                wait(lambda: store.looked("births_at", began))  # noqa: B023 - waited for here
                yield "looked for births", worker.held()
                classify(client, asked.requests // 3, rng)
                yield f"{asked.requests // 3} more lists classified", worker.held()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=300)
    parser.add_argument("--rows", type=int, default=3000, help="answers taken in; 0: classification alone")
    parser.add_argument("--rounds", type=int, default=1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        address = f"sqlite:///{folder}/holos.db"
        key, given = key_for(address), environment(address, Path(folder))
        del given["HOLOS_CACHE_DIR"]  # a warm one; an empty one has to be filled first
        given["OMP_NUM_THREADS"] = str(os.cpu_count())
        started = time.monotonic()
        with running(Path(folder), target="serving.service:Holos", environment=given) as server:
            print(f"{'ready after':<44}{time.monotonic() - started:8.1f} s", flush=True)
            (process,) = server.workers()
            most = 0.0
            print(f"{'MiB':<44}{'peak':>8}{'after':>8}{'own':>8}{'seconds':>9}", flush=True)
            began = time.monotonic()
            for step, held in measure(server.url, key, Worker(process.pid), Store(address), asked):
                took, began = time.monotonic() - began, time.monotonic()
                print(f"{step:<44}{held.peak:8.0f}{held.now:8.0f}{held.own:8.0f}{took:9.1f}", flush=True)
                most = max(most, held.peak)
    print(f"the most: {most:.0f} MiB, wanted less than {WANTED_MIB:.0f}")
    return int(most >= WANTED_MIB)


if __name__ == "__main__":
    raise SystemExit(main())
