"""How well and how fast issues are found in sets whose groups are known, beside BERTopic where it is installed.

    HOLOS_DATASETS=... python -m tests.benchmarks.clusters --set banking77 [--rows 3000] [--seed 0] [--bertopic]
    HOLOS_DATASETS=... python -m tests.benchmarks.clusters --set reduction | parallel
    HOLOS_DATASETS=... python -m tests.benchmarks.clusters --set refit [--draws 8]
    HOLOS_DATASETS=... python -m tests.benchmarks.clusters --set growth [--sizes 50000 100000] [--plot growth.svg]
    HOLOS_DATASETS=... python -m tests.benchmarks.clusters --set growth --sizes 50000 --bertopic

`reduction` compares ways to cluster the same vectors; what is not installed is skipped and said.
All sides read the same encoder; its time is left out. Every row counts: one in no cluster is a cluster of its own.
"""

import argparse
import gzip
import json
import resource
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from nlp.cluster import Clustering, cluster
from nlp.label import name_clusters
from serving.clustering import open_vectors
from serving.settings import Settings, load_settings
from tests.benchmarks.clusters_refit import ALL, Kept, refit

FILES = {"banking77": "banking77_en", "clinc150": "clinc150_en", "airline": "us_airline_tweets_en"}
PARALLEL = ("dimabsa_restaurant_uk", "dimabsa_restaurant_ru")
GROWTH = (1_000, 3_000, 10_000, 30_000, 50_000, 100_000)
MIB = 1024
PCA_AXES, SMALLEST_DENSE = 50, 10


def read(datasets: Path, name: str) -> list[dict[str, Any]]:
    """The rows of a set."""
    with gzip.open(datasets / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def grouped(datasets: Path, name: str, rows: int, seed: int) -> tuple[list[str], list[str]]:
    """Texts and their groups; of the airline set the complaints with a reason."""
    found = [row for row in read(datasets, FILES[name]) if row.get("themes")]
    if name == "airline":
        found = [row for row in found if row.get("sentiment") == "negative"]
    if rows and rows < len(found):
        chosen = np.sort(np.random.default_rng(seed).choice(len(found), rows, replace=False))
        found = [found[place] for place in chosen]
    return [row["text"] for row in found], [row["themes"][0] for row in found]


def score(gold: Sequence[Any], labels: Sequence[int]) -> dict[str, float]:
    """Agreement over all rows, each row in no cluster being one by itself."""
    alone = [label if label >= 0 else -1 - row for row, label in enumerate(labels)]
    return {
        "ari": round(float(adjusted_rand_score(gold, alone)), 3),
        "nmi": round(float(normalized_mutual_info_score(gold, alone)), 3),
        "share": round(float(np.mean(np.asarray(labels) >= 0)), 3),
        "clusters": int(np.max(labels)) + 1,
    }


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """What a piece of work gives, and its seconds."""
    start = perf_counter()
    return work(), round(perf_counter() - start, 1)


def ours(texts: Sequence[str], vectors: np.ndarray, languages: Sequence[str]) -> Clustering:
    """Clusters with their names: what BERTopic gives as well."""
    found = cluster(vectors, texts, languages)
    name_clusters(texts, languages, found.labels, found.strength)
    return found


def bertopic(texts: Sequence[str], vectors: np.ndarray) -> np.ndarray:
    """Labels of BERTopic with its defaults on the same vectors."""
    from bertopic import BERTopic

    return np.array(BERTopic(embedding_model=None).fit_transform(list(texts), vectors)[0])


def agreement(settings: Settings, datasets: Path, name: str, rows: int, seed: int, both: bool) -> None:
    """One set with known groups."""
    texts, gold = grouped(datasets, name, rows, seed)
    vectors = open_vectors(settings).vectors(texts)
    found, seconds = timed(lambda: ours(texts, vectors, ["en"] * len(texts)))
    print(f"{name} {len(texts)} rows, ours: {score(gold, found.labels)}, {seconds} s")
    if both:
        labels, seconds = timed(lambda: bertopic(texts, vectors))
        print(f"{name} {len(texts)} rows, BERTopic: {score(gold, labels)}, {seconds} s")


def reduction(settings: Settings, datasets: Path, rows: int, seed: int) -> None:
    """Ways to make issues of the same vectors, on samples of all sets."""
    ways: dict[str, tuple[str, Callable[[Sequence[str], np.ndarray], np.ndarray]]] = {
        "HDBSCAN": ("hdbscan", lambda _, vectors: hdbscan(vectors)),
        "PCA + HDBSCAN": ("hdbscan", lambda _, vectors: hdbscan(PCA(PCA_AXES, random_state=0).fit_transform(vectors))),
        "UMAP + HDBSCAN": ("umap", lambda _, vectors: hdbscan(umap(vectors))),
        "EVoC": ("evoc", lambda _, vectors: evoc(vectors)),
        "BERTopic": ("bertopic", bertopic),
        "ours": ("numpy", lambda texts, vectors: ours(texts, vectors, ["en"] * len(texts)).labels),
    }
    for name in FILES:
        texts, gold = grouped(datasets, name, rows, seed)
        vectors = open_vectors(settings).vectors(texts)
        for way, (needed, labels_of) in ways.items():
            if find_spec(needed) is None:
                print(f"{name}, {way}: skipped, {needed} is not installed")
                continue
            labels, seconds = timed(lambda labels_of=labels_of, texts=texts, vectors=vectors: labels_of(texts, vectors))
            print(f"{name} {len(texts)} rows, {way}: {score(gold, labels)}, {seconds} s", flush=True)


def hdbscan(points: np.ndarray) -> np.ndarray:
    """Labels of HDBSCAN with BERTopic's smallest cluster."""
    from hdbscan import HDBSCAN

    return HDBSCAN(min_cluster_size=SMALLEST_DENSE).fit_predict(points.astype(np.float64))


def umap(vectors: np.ndarray) -> np.ndarray:
    """Five axes of UMAP as BERTopic takes them, with a seed."""
    from umap import UMAP

    return UMAP(n_neighbors=15, n_components=5, min_dist=0.0, metric="cosine", random_state=0).fit_transform(vectors)


def evoc(vectors: np.ndarray) -> np.ndarray:
    """Labels of EVoC with its defaults and a seed."""
    from evoc import EVoC

    return EVoC(random_state=0).fit_predict(vectors)


def parallel(settings: Settings, datasets: Path) -> None:
    """The same sentences in two languages: how many pairs share a cluster."""
    first, second = (read(datasets, name) for name in PARALLEL)
    place = {row["id"].replace("-ru-", "-uk-"): number for number, row in enumerate(second)}
    texts = [row["text"] for row in [*first, *second]]
    vectors = open_vectors(settings).vectors(texts)
    found = cluster(vectors, texts, ["uk"] * len(first) + ["ru"] * len(second))
    pairs = [(n, len(first) + place[row["id"]]) for n, row in enumerate(first) if row["id"] in place]
    both = [(found.labels[n], found.labels[m]) for n, m in pairs if found.labels[n] >= 0 and found.labels[m] >= 0]
    same = sum(one == other for one, other in both)
    print(f"parallel: {same} of {len(both)} pairs clustered ({len(pairs)} in all) share one of {len(found.centroids)}")


def refits(settings: Settings, datasets: Path, name: str, seed: int, draws: int) -> None:
    """Runs with a tenth more answers, over samples of one set: how many issues keep their ids."""
    texts, _ = grouped(datasets, name, 0, 0)
    vectors, total = open_vectors(settings).vectors(texts), Kept()
    for draw in range(seed, seed + draws):
        rows = np.sort(np.random.default_rng(draw).choice(len(texts), ALL, replace=False))
        found = refit([texts[row] for row in rows], vectors[rows], draw)
        total += found
        print(f"refit {name}, draw {draw}: {found}", flush=True)
    print(f"refit {name}, {draws} draws: {total}", flush=True)


def growth(settings: Settings, datasets: Path, sizes: Sequence[int], both: bool, out: Path | None) -> None:
    """Seconds and memory at growing numbers of rows, copies told apart by a slight turn of their vectors.

    The peak is the process's up to then, so BERTopic has its turns after all of ours.
    """
    texts = [text for name in FILES for text in grouped(datasets, name, 0, 0)[0]]
    vectors = open_vectors(settings).vectors(texts)
    measured = [
        measure("ours", ours, said, turned) for said, turned in (grown(texts, vectors, rows) for rows in sorted(sizes))
    ]
    if both:
        for rows in sorted(sizes):
            measure("BERTopic", lambda said, turned, _: bertopic(said, turned), *grown(texts, vectors, rows))
    if out is not None:
        plot(measured, out)


def grown(texts: Sequence[str], vectors: np.ndarray, rows: int) -> tuple[list[str], np.ndarray]:
    """So many rows, the same whenever asked for."""
    random = np.random.default_rng(rows)
    chosen = np.resize(random.permutation(len(texts)), rows)
    turned = vectors[chosen] + random.normal(scale=0.005, size=(rows, vectors.shape[1])).astype(np.float32)
    return [f"{texts[row]} {letters(number)}" for number, row in enumerate(chosen)], turned


def measure(
    who: str, work: Callable[[list[str], np.ndarray, list[str]], Any], texts: list[str], vectors: np.ndarray
) -> tuple[int, float, float]:
    """Rows, seconds of the processor over all threads (what else the machine does changes them little), peak MiB."""
    start = process_time()
    _, wall = timed(lambda: work(texts, vectors, ["en"] * len(texts)))
    seconds = round(process_time() - start, 1)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MIB
    print(f"growth {len(texts)} rows, {who}: {seconds} s of one core ({wall} s), peak {peak:.0f} MiB", flush=True)
    return len(texts), seconds, peak


def plot(measured: Sequence[tuple[int, float, float]], out: Path) -> None:
    """Seconds and peak memory of the process over rows, as an image; the peak only ever grows within one run."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(8, 3), layout="constrained")
    rows = [line[0] for line in measured]
    for axis, values, unit in zip(
        axes, zip(*(line[1:] for line in measured), strict=True), ("seconds of one core", "MiB"), strict=True
    ):
        axis.plot(rows, values, marker="o")
        axis.set(xlabel="rows", ylabel=unit, ylim=(0, None))
    figure.savefig(out)
    print(f"growth plotted in {out}")


def letters(number: int) -> str:
    """A word for a number: copies of a text are to count as texts of their own here."""
    return "".join(chr(ord("a") + number // 26**place % 26) for place in range(4))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", choices=[*FILES, "reduction", "parallel", "refit", "growth"], required=True)
    parser.add_argument("--rows", type=int, default=3_000, help="0: all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--draws", type=int, default=5, help="with refit: how many samples of each set")
    parser.add_argument("--bertopic", action="store_true")
    parser.add_argument("--sizes", type=int, nargs="+", default=GROWTH, help="with growth: numbers of rows")
    parser.add_argument("--plot", type=Path, help="with growth: an .svg or .png to draw it in")
    given = parser.parse_args()
    settings = load_settings()
    if settings.datasets is None:
        parser.error("set HOLOS_DATASETS to the folder of the data sets")
    if given.bertopic and find_spec("bertopic") is None:
        parser.error("BERTopic is not installed: pip install bertopic")
    if given.set == "reduction":
        reduction(settings, settings.datasets, given.rows, given.seed)
    elif given.set == "parallel":
        parallel(settings, settings.datasets)
    elif given.set == "refit":
        for name in FILES:
            refits(settings, settings.datasets, name, given.seed, given.draws)
    elif given.set == "growth":
        growth(settings, settings.datasets, given.sizes, given.bertopic, given.plot)
    else:
        agreement(settings, settings.datasets, given.set, given.rows, given.seed, given.bertopic)


if __name__ == "__main__":
    main()
