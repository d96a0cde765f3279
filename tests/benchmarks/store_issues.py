"""Issues as the store finds them: labelled answers taken in, read in the background, grouped by a nightly run, scored.

    HOLOS_DATASETS=... python -m tests.benchmarks.store_issues [--rows 3000] [--seed 0] [--set banking77_en]

The answers go the whole way that a customer's go: the shipped model, the database, the vectors made behind it, one
full run. Printed are the adjusted Rand index over all rows (an answer in no issue is a group of its own), the share
of rows in an issue, and the seconds of each step.
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from time import perf_counter
from typing import TypeVar

import numpy as np
from sklearn.metrics import adjusted_rand_score
from sqlalchemy import select

from nlp.artifact import load_pipeline
from serving.assembly import Alone, assemble, open_database
from serving.ingest.arrivals import Arrival
from serving.ingest.take import take
from serving.issues import discovery, vectors
from serving.keys import first_key
from serving.parts import Parts, utc_now
from serving.schemas import ResponseIn
from serving.settings import load_settings
from serving.store.issue_tables import cluster_members, clusters
from serving.store.tables import responses, workspaces
from training.dataset import read_jsonl

CHUNK = 250
T = TypeVar("T")


def timed(what: str, work: Callable[[], T]) -> T:
    """Runs and prints how long it took."""
    start = perf_counter()
    out = work()
    print(f"{what:<32}{perf_counter() - start:8.1f} s", flush=True)
    return out


def take_in(parts: Parts, workspace: str, rows: list[dict]) -> None:
    """Every row as an answer to a survey, spread over the last sixty days."""
    step = timedelta(days=60) / len(rows)
    start = utc_now() - timedelta(days=60)

    async def all_of_them() -> None:
        for first in range(0, len(rows), CHUNK):
            items = [
                Arrival(
                    ResponseIn(id=str(number), text=rows[number]["text"], answered_at=start + number * step), "bench"
                )
                for number in range(first, min(first + CHUNK, len(rows)))
            ]
            taken = await take(parts, workspace, items, "bench")
            assert all(each.outcome == "created" for each in taken)

    asyncio.run(all_of_them())


def read_vectors(parts: Parts) -> None:
    """Passes of the background work until nothing waits."""
    while vectors.run_once(parts):
        pass


def groups(parts: Parts, workspace: str, count: int) -> np.ndarray:
    """The issue of each row as a number, int64; a number of its own for a row in none."""
    joined = cluster_members.join(clusters, clusters.c.id == cluster_members.c.cluster).join(
        responses, responses.c.uid == cluster_members.c.response
    )
    asked = select(responses.c.id, clusters.c.id).select_from(joined)
    mine = (clusters.c.workspace == workspace, responses.c.workspace == workspace, clusters.c.parent.is_(None))
    found = np.arange(count, 2 * count)
    numbers: dict[str, int] = {}
    with parts.database.read() as connection:
        for row, issue in connection.execute(asked.where(*mine)):
            found[int(row)] = numbers.setdefault(issue, len(numbers))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--set", default="banking77_en")
    asked = parser.parse_args()
    settings = load_settings()
    if settings.datasets is None:
        sys.exit("HOLOS_DATASETS names the folder of the public sets; set it")
    rows = list(read_jsonl(settings.datasets / f"{asked.set}.jsonl.gz"))
    drawn = np.random.default_rng(asked.seed).choice(len(rows), min(asked.rows, len(rows)), replace=False)
    chosen = [rows[place] for place in drawn]
    with tempfile.TemporaryDirectory() as folder:
        settings = settings.model_copy(update={"database": f"sqlite:///{folder}/holos.db"})
        database = open_database(settings)
        first_key(database, utc_now())
        model = settings.data_dir / "models" / "default"
        parts = assemble(database, settings, Alone(load_pipeline(Path(model), settings.data_dir, settings.cache_dir)))
        with database.read() as connection:
            workspace = connection.execute(select(workspaces.c.id)).scalar_one()
        timed(f"{len(chosen)} answers taken in", lambda: take_in(parts, workspace, chosen))
        timed("vectors", lambda: read_vectors(parts))
        timed("a full run", lambda: discovery.run_once(parts))
        found = groups(parts, workspace, len(chosen))
        database.close()
    inside = found < len(chosen)
    truth = [",".join(row["themes"]) for row in chosen]
    print(f"adjusted Rand index {adjusted_rand_score(truth, found):.3f}, {inside.mean():.3f} of the rows in an issue,")
    print(f"{len(set(found[inside]))} issues for {len(set(truth))} labels")


if __name__ == "__main__":
    main()
