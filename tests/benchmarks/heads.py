"""How long `holos train --mode heads` takes and what it holds in memory, on rows of public sets with partial labels.

    HOLOS_DATASETS=... python -m tests.benchmarks.heads [--rows 2000,20000]

Nothing is taken from the cache of token states: each run encodes all of its texts.
"""

import argparse
import itertools
import json
import resource
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

from serving.settings import load_settings
from training.dataset import read_jsonl
from training.fresh import Job, train_model
from training.progress import duration

FILES = ("nhs_fft_en", "mams_acsa_en", "us_airline_tweets_en", "rozetka_uk_balanced", "polemo2_sentence_pl")
FIELDS = ("id", "text", "lang", "question", "sentiment", "themes", "theme_sentiments")
GIB = 1024**3


def rows(datasets: Path) -> Iterator[dict]:
    """Rows of the sets in turn: themes from the first two, sentiment alone from the others."""
    readers = [read_jsonl(datasets / f"{name}.jsonl.gz") for name in FILES]
    for row in itertools.chain.from_iterable(itertools.zip_longest(*readers)):
        if row is not None and row["split"] == "train":
            kept = {name: row[name] for name in FIELDS if row.get(name) is not None}
            if row["id"].startswith("air"):
                kept.pop("themes", None)
            yield kept


def main() -> None:
    """Trains once for each number of rows; prints seconds and the peak of this process's memory so far."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", default="2000,20000")
    arguments = parser.parse_args()
    settings = load_settings()
    if settings.datasets is None:
        sys.exit("HOLOS_DATASETS names the folder of the public sets; set it")
    for count in map(int, arguments.rows.split(",")):
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            labels = folder / "labels.jsonl"
            chosen = itertools.islice(rows(settings.datasets), count)
            labels.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in chosen), "utf-8")
            # the filled encoder is taken from the real cache, the token states are not
            cache = folder / "cache"
            cache.mkdir()
            for filled in settings.cache_dir.glob("encoder-*"):
                (cache / filled.name).symlink_to(filled)
            began = perf_counter()
            train_model(
                Job(labels, folder / "model", settings.data_dir, cache), lambda line: print(line, file=sys.stderr)
            )
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / GIB
            print(f"heads, {count} rows: {duration(perf_counter() - began)}, peak {peak:.2f} GiB", flush=True)


if __name__ == "__main__":
    main()
