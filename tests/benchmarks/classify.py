"""The whole classification against bare sentence-transformers encoding, and the service around it.

`python -m tests.benchmarks.classify --texts 3000 --repeat 5` prints two tables; only ratios of one run mean anything.
Texts come from HOLOS_DATASETS where it is set, else from data/seed. Needs the training extra.
"""

import argparse
import asyncio
import json
import re
import tempfile
import time
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from nlp.artifact import load_pipeline
from nlp.pipeline import Pipeline
from nlp.types import Response
from serving.settings import load_settings
from tests.benchmarks.encode import BASELINE, PREFIX, load_texts, save_reference
from tests.benchmarks.load import load
from tests.benchmarks.served import served

REQUEST = 100  # texts in one request where the service is measured against the pipeline
WARMING = 15.0  # seconds after ready in which the server loads what only rare languages need
REST = 0.3  # seconds between measurements: threads of one library still spin while the other begins


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, default=600)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=10.0, help="of load with 64 callers")
    options = parser.parse_args()
    texts = load_texts(options.texts)
    with tempfile.TemporaryDirectory() as folder:
        print_throughput(texts, options.repeat, Path(folder))
        print_service(texts, options.seconds, Path(folder) / "served")


def open_pipeline() -> Pipeline:
    """The pipeline as `holos classify` opens it."""
    settings = load_settings()
    return load_pipeline(settings.model_dir, settings.data_dir, settings.cache_dir, precision=settings.precision)


def print_throughput(texts: list[str], repeat: int, folder: Path) -> None:
    """Interleaved repetitions of bare encoding and of everything."""
    from sentence_transformers import SentenceTransformer

    save_reference(folder / "reference", None)
    reference = SentenceTransformer(str(folder / "reference" / "whole"), device="cpu")
    pipeline = open_pipeline()
    systems: dict[str, Callable[[Sequence[str]], object]] = {
        f"{BASELINE}, encoding alone": lambda given: reference.encode(
            [PREFIX + text for text in given], show_progress_bar=False
        ),
        "holos, encoding alone": lambda given: pipeline.encoder.encode(given, [()] * len(given), [None] * len(given)),
        "holos, whole classification": lambda given: pipeline.classify(_responses(given)),
    }
    seconds: dict[str, list[float]] = {name: [] for name in systems}
    for run in systems.values():
        run(texts[:64])
    for _ in range(repeat):
        for name, run in systems.items():
            time.sleep(REST)
            began = time.perf_counter()
            run(texts)
            seconds[name].append(time.perf_counter() - began)
    base = next(iter(seconds.values()))
    print(f"{len(texts)} texts, {repeat} interleaved repetitions, {pipeline.encoder.description}\n")
    print("| | texts/s | against sentence-transformers (min-max) |\n|---|---|---|")
    for name, taken in seconds.items():
        ratios = [b / t for b, t in zip(base, taken, strict=True)]
        median = np.median(base) / np.median(taken)
        print(f"| {name} | {len(texts) / np.median(taken):.0f} | {median:.2f} ({min(ratios):.2f}-{max(ratios):.2f}) |")


def print_service(texts: list[str], seconds: float, folder: Path) -> None:
    """A real server: lists of texts against the pipeline in this process, 64 callers, memory."""
    pipeline = open_pipeline()
    with served(folder) as server:
        time.sleep(WARMING)
        together = [_seconds(lambda part=part: _post(server.url, part)) for part in _parts(texts)]
        alone = [_seconds(lambda part=part: pipeline.classify(_responses(part))) for part in _parts(texts)]
        report = asyncio.run(load(server.url, 64, seconds))
        peak = _peak(server.pid)
    print("\n| the service | |\n|---|---|")
    print(f"| {REQUEST} texts a request, against the pipeline itself | {np.median(alone) / np.median(together):.2f} |")
    print(f"| 64 callers, one text a request | {report} |")
    print(f"| peak memory of the worker | {peak:.0f} MB |")


def _responses(texts: Sequence[str]) -> list[Response]:
    return [Response(id=str(number), text=text) for number, text in enumerate(texts)]


def _parts(texts: Sequence[str]) -> list[Sequence[str]]:
    return [texts[at : at + REQUEST] for at in range(0, len(texts), REQUEST)]


def _post(url: str, texts: Sequence[str]) -> None:
    body = json.dumps({"items": [{"text": text} for text in texts]}).encode()
    request = urllib.request.Request(f"{url}/v1/classify", body, {"Content-Type": "application/json"})
    urllib.request.urlopen(request, timeout=300).read()


def _seconds(run: Callable[[], object]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def _peak(pid: int) -> float:
    """The most memory in MB that a process or any of its children ever held: the worker's."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    own = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return max([int(own[1]) / 1024 if own else 0.0, *(_peak(int(child)) for child in children)])


if __name__ == "__main__":
    main()
