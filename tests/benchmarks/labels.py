"""Labelled rows read, prepared, split and counted: seconds and memory.

`python -m tests.benchmarks.labels --rows 50000` makes synthetic rows in four languages, a tenth of them duplicates, and
prints a line for each step. Memory is the process's peak, Python and its libraries included.
"""

import argparse
import random
import resource
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import TypeVar

from nlp.types import MOODS
from training.datacard import data_card
from training.dataset import LabelledRow
from training.labels import read_labels, write_labels
from training.prepare import prepare, split_stratified

WORDS = {
    "pl": "kurier spóźnił się trzy dni obsługa była bardzo miła cena za wysoka paczka uszkodzona polecam sklep",
    "uk": "доставка запізнилась персонал дуже привітний ціна висока посилка пошкоджена раджу магазин",
    "ru": "доставка опоздала персонал очень вежливый цена высокая посылка повреждена советую магазин очередь",
    "en": "the parcel came late staff were very kind price too high box damaged would recommend queue long",
}
THEMES = 30
T = TypeVar("T")


def synthetic(count: int, seed: int = 0) -> list[LabelledRow]:
    """Rows of 3 to 60 words; theme n is about twice as frequent as theme 2n."""
    rng = random.Random(seed)
    rows: list[LabelledRow] = []
    for number in range(count):
        language = rng.choice(list(WORDS))
        text = " ".join(rng.choices(WORDS[language].split(), k=rng.randint(3, 60))) + f" {number}"
        if number and rng.random() < 0.1:
            text = rng.choice(rows).text.upper()
        themes = frozenset(f"theme-{int(THEMES ** rng.random())}" for _ in range(rng.randint(0, 3)))
        rows.append(LabelledRow(str(number), text, themes=themes, sentiment=rng.choice(MOODS)))
    return rows


def timed(what: str, work: Callable[[], T]) -> T:
    """Runs and prints how long it took and the memory held at most so far."""
    start = perf_counter()
    out = work()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{what:<28}{perf_counter() - start:8.2f} s {peak:8.0f} MiB", flush=True)
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=50_000)
    arguments = parser.parse_args()
    rows = timed(f"{arguments.rows} rows made", lambda: synthetic(arguments.rows))
    with tempfile.TemporaryDirectory() as folder:
        for name in ("rows.jsonl", "rows.csv", "rows.parquet", "rows.json"):
            path = Path(folder, name)
            timed(f"{name} written", lambda path=path: write_labels(rows, path))
            timed(f"{name} read", lambda path=path: read_labels(path))
    prepared = timed("prepared", lambda: prepare(rows, "synthetic"))
    timed("split", lambda: split_stratified(prepared.rows, 0.15))
    timed("data card", lambda: data_card(prepared))
    print(f"{len(prepared.rows)} rows, {prepared.duplicates} duplicates, {len(prepared.conflicts)} contradictions")


if __name__ == "__main__":
    main()
