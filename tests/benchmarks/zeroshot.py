"""Zero-shot: each theme of the default code frame left out in turn and found again by its description alone.

`python -m tests.benchmarks.zeroshot --texts 1200` prints a table and the constants of nlp/zeroshot.py as these rows
would have them. Rows are those that the shipped model learns from: data/seed, and default_train (train) where
HOLOS_DATASETS is set. Its encoder has seen every theme, so a theme that is new to it altogether fares somewhat worse.
"""

import argparse
import os
import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nlp.artifact import load_pipeline
from nlp.heads import membership
from nlp.pipeline import GENERAL, Pipeline
from nlp.zeroshot import Cohort, ZeroShot, theme_vectors, vectors
from serving.settings import load_settings
from training.dataset import LabelledRow, parse_row, read_jsonl

DATA = Path(__file__).parents[2] / "data"
FEWEST = 12  # rows of a theme; with fewer its figures say nothing
LONGEST = 600  # characters


@dataclass(frozen=True, slots=True)
class Read:
    """How a theme stands out in each row, float64 (n,), and whether it is one of its themes; disputed rows left out."""

    theme: str
    score: np.ndarray
    right: np.ndarray


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, default=1200)
    options = parser.parse_args()
    settings = load_settings()
    pipeline = load_pipeline(settings.model_dir, settings.data_dir, settings.cache_dir, threads=settings.threads)
    found = read_all(pipeline, rows(options.texts))
    print("| theme left out | rows | precision | recall | F1 |\n|---|---|---|---|---|")
    figures = []
    for left in found:
        cut = fitted([each for each in found if each is not left])[2]  # by the other themes: this one is new
        figures.append(judged(left, cut))
        print(f"| {left.theme} | {left.right.sum()} | {' | '.join(f'{value:.2f}' for value in figures[-1])} |")
    print(f"| mean | | {' | '.join(f'{value:.2f}' for value in np.mean(figures, axis=0))} |")
    scale, shift, cut = fitted(found)
    print(f"\nSCALE {scale:.2f}, SHIFT {shift:.2f}, THRESHOLD {1 / (1 + np.exp(-scale * cut - shift)):.2f}")


def rows(count: int) -> list[LabelledRow]:
    """Labelled rows of training, three of four from the seeds where there are others."""
    drawn = [parse_row(row) for path in sorted((DATA / "seed").glob("*.jsonl")) for row in read_jsonl(path)]
    others = []
    if "HOLOS_DATASETS" in os.environ:
        path = Path(os.environ["HOLOS_DATASETS"]) / "default_train.jsonl.gz"
        others = [parse_row(row) for row in read_jsonl(path) if row["split"] == "train"]
    chance = random.Random(3)
    seeds, others = (
        chance.sample(part, len(part))
        for part in ([row for row in each if row.themes is not None and row.text] for each in (drawn, others))
    )
    others = [row for row in others if len(row.text) < LONGEST][: count // 4]
    return seeds[: count - len(others)] + others


def read_all(pipeline: Pipeline, labelled: list[LabelledRow]) -> list[Read]:
    """Every theme that has enough rows, read as if the model did not know it."""
    segmenter, encoder, known = pipeline.rules.segmenter, pipeline.encoder, pipeline.taxonomy.themes
    texts = [row.text for row in labelled]
    spans = [segmenter.segment(row.text, row.language or "und") for row in labelled]
    encoded = encoder.encode(texts, spans, [row.question for row in labelled])
    views = theme_vectors(encoder, known)
    examples = [vectors(encoder, theme.examples) for theme in known]
    out = []
    for index, theme in enumerate(known):
        kept = [i for i, row in enumerate(labelled) if theme.id not in row.themes_disputed and len(encoded[i].tokens)]
        right = np.array([theme.id in labelled[i].theme_ids for i in kept])
        if theme.id == GENERAL or right.sum() < FEWEST:
            continue
        others = [i for i in range(len(known)) if i != index]
        cohort = Cohort(np.concatenate([examples[i] for i in others]), views[others])
        reader = ZeroShot([theme], views[[index]], cohort)
        score = [
            reader.standing_out(encoded[i].tokens, membership(encoded[i].offsets, spans[i])).max(initial=-9.0)
            for i in kept
        ]
        out.append(Read(theme.id, np.array(score, np.float64), right))
    return out


def fitted(found: list[Read]) -> tuple[float, float, float]:
    """A logistic curve's scale and shift, and the score from which on F1 is highest, over all themes together."""
    from sklearn.linear_model import LogisticRegression

    score, right = (np.concatenate([getattr(each, name) for each in found]) for name in ("score", "right"))
    curve = LogisticRegression(C=1e4).fit(score[:, None], right)
    order = np.argsort(-score)
    f1 = 2 * np.cumsum(right[order]) / (np.arange(1, len(right) + 1) + right.sum())
    return float(curve.coef_[0, 0]), float(curve.intercept_[0]), float(score[order][f1.argmax()])


def judged(read: Read, cut: float) -> tuple[float, float, float]:
    """Precision, recall and F1 of the rows that score `cut` or more."""
    said = read.score >= cut
    hits = (said & read.right).sum()
    return hits / max(1, said.sum()), hits / read.right.sum(), 2 * hits / (said.sum() + read.right.sum())


if __name__ == "__main__":
    main()
