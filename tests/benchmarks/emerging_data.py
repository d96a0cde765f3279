"""Dated answers as the shipped model reads them, kept in a folder so that a replay does not read them again."""

import gzip
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nlp.types import Response
from tests.benchmarks.classify import open_pipeline

SEED = Path(__file__).parents[2] / "data" / "seed"
SEEDS = "seed"
DATED = ("nhs_fft_en", "bank_reviews_ru", "us_airline_tweets_en")
PARALLEL = ("dimabsa_restaurant_uk", "dimabsa_restaurant_ru")
NAMES = ("nhs_fft_en", SEEDS, "bank_reviews_ru", "us_airline_tweets_en")
"""What is read by default, those that a replay cannot do without first."""
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
    meaning, vectors = _read(name, rows, cache)
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
        texts=[row["text"] for row in rows],
    )


def _rows(name: str) -> list[dict]:
    if name == SEEDS:
        files = sorted(SEED.glob("*.jsonl"))
        lines = [line for path in files for line in path.read_text("utf-8").split("\n") if line]
    else:
        packed = Path(os.environ["HOLOS_DATASETS"]) / f"{name}.jsonl.gz"
        lines = [line for line in gzip.decompress(packed.read_bytes()).decode().split("\n") if line]
    return [json.loads(line) for line in lines]


def _read(name: str, rows: list[dict], cache: Path) -> tuple[list[dict], np.ndarray]:
    """Themes and sentiment of each row and its vector, from the folder where they are there."""
    kept, raw = cache / f"{name}.json", cache / f"{name}.npy"
    if not (kept.exists() and raw.exists() and len(found := json.loads(kept.read_text())) == len(rows)):
        found, vectors = _analysed(rows)
        cache.mkdir(parents=True, exist_ok=True)
        np.save(raw, vectors)
        kept.write_text(json.dumps(found))
    return found, np.load(raw).astype(np.float32)


def _analysed(rows: list[dict]) -> tuple[list[dict], np.ndarray]:
    pipeline = open_pipeline()
    meaning: list[dict] = []
    vectors: list[np.ndarray | None] = []
    for start in range(0, len(rows), BATCH):
        batch = [
            Response(id=str(start + place), text=row["text"], question=row.get("question"), language=row["lang"])
            for place, row in enumerate(rows[start : start + BATCH])
        ]
        for each in pipeline.analyse(batch):
            found = each.classification
            themes = {tag.id: tag.sentiment.label for tag in found.themes if tag.sentiment}
            meaning.append({"themes": themes, "sentiment": found.sentiment.label if found.sentiment else None})
            vectors.append(each.vector)
    size = next(len(vector) for vector in vectors if vector is not None)
    return meaning, np.stack([np.zeros(size) if vector is None else vector for vector in vectors]).astype(np.float16)


if __name__ == "__main__":
    import sys

    for wanted in NAMES:
        load(wanted, Path(sys.argv[1]))
        print(wanted, flush=True)
