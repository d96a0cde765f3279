"""Dated answers as the product reads them, kept in a folder so that a replay does not read them again.

Themes and moods are the shipped model's, vectors those of the bare encoder by which issues are found.
"""

import gzip
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nlp.types import Response
from serving.clustering import open_vectors
from serving.settings import load_settings
from tests.benchmarks.classify import open_pipeline

SEED = Path(__file__).parents[2] / "data" / "seed"
SEEDS = "seed"
SEED_THEMES = ("delivery.time", "digital.reliability", "price.level", "delivery.condition", "process.waiting")
"""Of the shipped seeds those about one of these are read: what is put in is drawn from them."""
NAMES = ("nhs_fft_en", SEEDS, "bank_reviews_ru", "us_airline_tweets_en")
BATCH = 64
COMPLAINING = ("negative", "mixed")


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """n answers: when they came (datetime64[s] (n,), NaT where unknown), what people and the model made of them."""

    at: np.ndarray
    language: np.ndarray  # object (n,)
    themes: list[dict[str, str]]  # of the model: theme -> sentiment
    sentiment: np.ndarray  # object (n,), of the model
    labels: list[list[str]]  # of the data set's people: reasons, sections
    vectors: np.ndarray  # float32 (n, d), zeros where nothing was to be read
    texts: list[str]

    def take(self, rows: np.ndarray) -> "Answers":
        rows = np.asarray(rows, dtype=np.int64)
        return Answers(
            self.at[rows],
            self.language[rows],
            [self.themes[row] for row in rows],
            self.sentiment[rows],
            [self.labels[row] for row in rows],
            self.vectors[rows],
            [self.texts[row] for row in rows],
        )

    @property
    def complaints(self) -> np.ndarray:
        """bool (n,)"""
        return np.isin(self.sentiment, COMPLAINING)


def together(parts: Sequence[Answers]) -> Answers:
    """All of them, one behind the other."""
    return Answers(
        np.concatenate([each.at for each in parts]),
        np.concatenate([each.language for each in parts]),
        [found for each in parts for found in each.themes],
        np.concatenate([each.sentiment for each in parts]),
        [found for each in parts for found in each.labels],
        np.concatenate([each.vectors for each in parts]),
        [found for each in parts for found in each.texts],
    )


def load(name: str, cache: Path) -> Answers:
    """One data set of HOLOS_DATASETS (or the shipped seeds), read by the shipped model once."""
    rows = _rows(name)
    texts = [row["text"] for row in rows]
    meaning, vectors = _meaning(name, rows, cache), _vectors(name, texts, cache)
    at = [row.get("created_at") or "NaT" for row in rows]
    language, sentiment = np.empty(len(rows), object), np.empty(len(rows), object)
    language[:] = [row["lang"] for row in rows]
    sentiment[:] = [found["sentiment"] for found in meaning]
    return Answers(
        at=np.array(at, dtype="datetime64[s]"),
        language=language,
        themes=[found["themes"] for found in meaning],
        sentiment=sentiment,
        labels=[row.get("themes") or [] for row in rows],
        vectors=vectors,
        texts=texts,
    )


def _rows(name: str) -> list[dict]:
    if name == SEEDS:
        files = sorted(SEED.glob("*.jsonl"))
        lines = [line for path in files for line in path.read_text("utf-8").split("\n") if line]
    else:
        packed = Path(os.environ["HOLOS_DATASETS"]) / f"{name}.jsonl.gz"
        lines = [line for line in gzip.decompress(packed.read_bytes()).decode().split("\n") if line]
    rows = [json.loads(line) for line in lines]
    return [row for row in rows if set(row.get("themes") or ()) & set(SEED_THEMES)] if name == SEEDS else rows


def _meaning(name: str, rows: list[dict], cache: Path) -> list[dict]:
    """Themes and sentiment of each row, from the folder where they are there."""
    kept = cache / f"{name}.json"
    if not (kept.exists() and len(json.loads(kept.read_text())) == len(rows)):
        found = _analysed(rows)
        cache.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps(found))
    return json.loads(kept.read_text())


def _vectors(name: str, texts: list[str], cache: Path) -> np.ndarray:
    """float32 (n, d), from the folder where they are there; texts are read by length, which pads little."""
    kept = cache / f"{name}.npy"
    if not (kept.exists() and len(np.load(kept)) == len(texts)):
        order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
        encoder = open_vectors(load_settings())
        out = np.zeros((len(texts), encoder.dimension), np.float16)
        out[order] = encoder.vectors([texts[row] for row in order])
        cache.mkdir(parents=True, exist_ok=True)
        np.save(kept, out)
    return np.load(kept).astype(np.float32)


def _analysed(rows: list[dict]) -> list[dict]:
    pipeline = open_pipeline()
    meaning: list[dict] = []
    for start in range(0, len(rows), BATCH):
        batch = [
            Response(id=str(start + place), text=row["text"], question=row.get("question"), language=row["lang"])
            for place, row in enumerate(rows[start : start + BATCH])
        ]
        for each in pipeline.analyse(batch):
            found = each.classification
            themes = {tag.id: tag.sentiment.label for tag in found.themes if tag.sentiment}
            meaning.append({"themes": themes, "sentiment": found.sentiment.label if found.sentiment else None})
    return meaning


if __name__ == "__main__":
    import sys

    for wanted in NAMES:
        load(wanted, Path(sys.argv[1]))
        print(wanted, flush=True)
