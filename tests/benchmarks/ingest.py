"""How fast answers are taken in, against how fast they are only classified: the model that ships, a server, SQLite.

python tests/benchmarks/ingest.py --repetitions 9

The same texts go to `POST /v1/classify` and to `POST /v1/responses`, in turn, so that whatever else the machine does
hits both; only the ids of those that are kept are new each time, as a redelivery is not classified again.
"""

import argparse
import csv
import itertools
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import httpx

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "serving")]

from durability import bearer, environment, key_for
from server_process import running

WANTED = 0.7
"""Of the rate of bare classification."""
LIST = 100
Item = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Pair:
    """Seconds that one list of answers took, only classified and taken in."""

    classified: float
    taken: float

    @property
    def ratio(self) -> float:
        return self.classified / self.taken


def samples() -> list[Item]:
    """The answers of the sample files, as a survey tool would send them."""
    found: list[Item] = []
    for name in ("day.csv", "feedback.csv"):
        with (ROOT / "data" / "sample" / name).open(encoding="utf-8", newline="") as file:
            found += [_item(row) for row in csv.DictReader(file)]
    return found


def _item(row: dict[str, str]) -> Item:
    item: Item = {name: row[name] for name in ("id", "text", "language", "touchpoint", "unit") if row.get(name)}
    item |= {"metric": row.get("metric") or "nps", "source": "benchmark"}
    if row["score"]:
        item["score"] = float(row["score"])
    if row["respondent.id"]:
        item["respondent"] = {"id": row["respondent.id"]}
    return item


def measure(url: str, key: str, items: Sequence[Item], repetitions: int) -> Iterator[Pair]:
    """The first pair warms up and is left out."""
    turns = itertools.cycle([items[start : start + LIST] for start in range(0, len(items) - LIST + 1, LIST)])
    with httpx.Client(base_url=url, headers=bearer(key), timeout=300) as client:
        for number, chosen in zip(range(repetitions + 1), turns, strict=False):
            # a person's later answer joins the open case; new people open cases, which costs more
            new = [_renamed(item, number) for item in chosen]
            order = ("/v1/classify", "/v1/responses") if number % 2 else ("/v1/responses", "/v1/classify")
            taken = {path: _seconds(client, path, new) for path in order}
            if number:
                yield Pair(taken["/v1/classify"], taken["/v1/responses"])


def _renamed(item: Item, number: int) -> Item:
    person = item.get("respondent")
    new = {"respondent": {"id": f"{person['id']}-{number}"}} if person else {}
    return {**item, **new, "id": f"{item['id']}-{number}"}


def _seconds(client: httpx.Client, path: str, items: Sequence[Item]) -> float:
    start = time.perf_counter()
    answer = client.post(path, json={"items": items})
    took = time.perf_counter() - start
    answer.raise_for_status()
    wrong = [
        item for item in answer.json()["items"] if item.get("error") or item.get("outcome", "created") != "created"
    ]
    assert not wrong, wrong[:1]
    return took


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=9)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        address = f"sqlite:///{folder}/holos.db"
        key, given = key_for(address), environment(address, Path(folder))
        # the encoder that was filled before serves; an empty cache would only make the start longer
        del given["HOLOS_CACHE_DIR"]
        with running(Path(folder), target="serving.service:Holos", environment=given) as server:
            pairs = []
            for pair in measure(server.url, key, samples(), asked.repetitions):
                pairs.append(pair)
                rates = f"classified {LIST / pair.classified:.1f}/s, taken {LIST / pair.taken:.1f}/s"
                print(f"{rates}, ratio {pair.ratio:.2f}", flush=True)
    found = median(pair.ratio for pair in pairs)
    print(f"median ratio {found:.2f}, wanted {WANTED}")
    return int(found < WANTED)


if __name__ == "__main__":
    raise SystemExit(main())
