"""Trains on the train split of public sets and scores on their development split, against the floors set for them.

    HOLOS_DATASETS=... python -m tests.benchmarks.named_sets [--only nhs,mams] [--trainings 3] [--keep DIR]

Only the train split is learnt from; thresholds and the number of epochs are chosen on a part of it. Training starts
from the model that ships, as `holos train` does. Prints one line for each figure: what was reached and the floor.
"""

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from nlp.artifact import load_pipeline
from nlp.pipeline import Pipeline
from nlp.types import MOODS
from serving.settings import load_settings
from training.dataset import LabelledRow, parse_row, read_jsonl
from training.evaluate import figures
from training.fresh import Job, train_model
from training.sources import detokenise

Row = dict[str, Any]
NHS_THEMES = 32
UNUSABLE = "Labelling not possible"


@dataclass(frozen=True, slots=True)
class Task:
    """One set: how its rows are read, and its figures with their floors."""

    name: str
    file: str
    read: Callable[[list[Row]], Iterable[Row]]
    score: Callable[[Pipeline, list[LabelledRow]], dict[str, float]]
    floors: dict[str, float]


def _plain(row: Row, *fields: str) -> Row:
    return {name: row[name] for name in ("id", "text", "lang", "question", *fields) if row.get(name) is not None}


def _nhs(rows: list[Row]) -> Iterable[Row]:
    train = Counter(theme for row in rows if row["split"] == "train" for theme in row.get("themes") or ())
    train.pop(UNUSABLE, None)
    frequent = {theme for theme, _ in train.most_common(NHS_THEMES)}
    for row in rows:
        out = _plain(row, "sentiment")
        if UNUSABLE not in (row.get("themes") or ()):
            out["themes"] = [theme for theme in row["themes"] if theme in frequent]
        yield out


def _sentiment(rows: list[Row]) -> Iterable[Row]:
    return (_plain(row, "sentiment") for row in rows if row.get("sentiment"))


def _polemo(rows: list[Row]) -> Iterable[Row]:
    return (_plain(row, "sentiment") | {"text": detokenise(row["text"])} for row in rows)


def _two_sided(rows: list[Row]) -> Iterable[Row]:
    return (_plain(row, "sentiment") for row in rows if row["sentiment"] in ("negative", "positive"))


def _aspects(rows: list[Row]) -> Iterable[Row]:
    for row in rows:
        # the sources name polarities that may be "conflict"; theirs are the four moods here
        yield _plain(row, "themes", "theme_sentiments")


def _read_all(pipeline: Pipeline, rows: list[LabelledRow]) -> Any:
    return figures(list(zip(rows, pipeline.classify([row.response for row in rows]), strict=True)))


def _score_nhs(pipeline: Pipeline, rows: list[LabelledRow]) -> dict[str, float]:
    found = _read_all(pipeline, rows)
    return {
        "themes micro-F1": found.themes.f1,
        "themes macro-F1": found.themes_macro_f1,
        "sentiment macro-F1": found.sentiment_macro_f1,
    }


def _score_sentiment(pipeline: Pipeline, rows: list[LabelledRow]) -> dict[str, float]:
    found = _read_all(pipeline, rows)
    return {"accuracy": found.sentiment_accuracy, "macro-F1": found.sentiment_macro_f1}


def _score_aspects(pipeline: Pipeline, rows: list[LabelledRow]) -> dict[str, float]:
    found = _read_all(pipeline, rows)
    return {
        "categories micro-F1": found.themes.f1,
        "category+polarity micro-F1": found.theme_sentiments.f1,
        "polarity on gold categories": _polarity(pipeline, rows),
    }


def _polarity(pipeline: Pipeline, rows: list[LabelledRow]) -> float:
    """Accuracy of the mood of each theme that the labels name, whether it was tagged or not."""
    places = {theme: index for index, theme in enumerate(pipeline.taxonomy.ids)}
    right = []
    for row, said in zip(rows, pipeline.analyse([row.response for row in rows]), strict=True):
        wanted = [(places[theme], mood) for theme, mood in (row.theme_sentiments or {}).items()]
        if said.reading is None or not wanted:
            right += [False] * len(wanted)
            continue
        moods = pipeline.heads.theme_moods(said.reading, [place for place, _ in wanted])
        right += [MOODS[int(np.argmax(found))] == mood for found, (_, mood) in zip(moods, wanted, strict=True)]
    return float(np.mean(right))


TASKS = (
    Task(
        "nhs",
        "nhs_fft_en",
        _nhs,
        _score_nhs,
        {"themes micro-F1": 0.74, "themes macro-F1": 0.62, "sentiment macro-F1": 0.75},
    ),
    Task("airline", "us_airline_tweets_en", _sentiment, _score_sentiment, {"macro-F1": 0.79}),
    Task("rozetka-uk", "rozetka_uk_balanced", _two_sided, _score_sentiment, {"accuracy": 0.94}),
    Task("rozetka-ru", "rozetka_ru_balanced", _two_sided, _score_sentiment, {"accuracy": 0.94}),
    Task(
        "dimabsa-uk",
        "dimabsa_restaurant_uk",
        _aspects,
        _score_aspects,
        {"categories micro-F1": 0.75, "category+polarity micro-F1": 0.70},
    ),
    Task(
        "dimabsa-ru",
        "dimabsa_restaurant_ru",
        _aspects,
        _score_aspects,
        {"categories micro-F1": 0.75, "category+polarity micro-F1": 0.70},
    ),
    Task("mams", "mams_acsa_en", _aspects, _score_aspects, {"polarity on gold categories": 0.75}),
    Task("polemo", "polemo2_sentence_pl", _polemo, _score_sentiment, {"accuracy": 0.80}),
)


def run(
    task: Task, datasets: Path, mode: str, folder: Path, epochs: int | None, trainings: int, say: Callable[[str], None]
) -> dict[str, Any]:
    """Trains and scores one task; the figures, their floors and the seconds it took."""
    settings = load_settings()
    rows = list(read_jsonl(datasets / f"{task.file}.jsonl.gz"))
    splits = {row["id"]: row["split"] for row in rows}
    read = list(task.read(rows))
    labels = folder / f"{task.name}.jsonl"
    lines = (json.dumps(row, ensure_ascii=False) for row in read if splits[row["id"]] == "train")
    labels.write_text("\n".join(lines) + "\n", "utf-8")
    dev = [parse_row(row, task.file) for row in read if splits[row["id"]] == "dev"]
    began = perf_counter()
    out = folder / task.name
    where = {"data": labels, "out": out, "data_dir": settings.data_dir, "cache_dir": settings.cache_dir}
    train_model(Job(**where, mode=mode, held_share=0.0, epochs=epochs, trainings=trainings), say)
    seconds = perf_counter() - began
    figures_found = task.score(load_pipeline(out, settings.data_dir, settings.cache_dir), dev)
    return {"task": task.name, "mode": mode, "seconds": round(seconds), "dev": len(dev), "figures": figures_found}


def main() -> None:
    """Runs the tasks asked for and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="names of tasks, by commas")
    parser.add_argument("--mode", default="full", choices=("full", "heads"))
    parser.add_argument("--keep", type=Path, help="folder to leave the models in")
    parser.add_argument("--epochs", type=int, help="at most; by the number of rows if left out")
    parser.add_argument("--trainings", type=int, default=1, help="whose mean is scored; in full mode alone")
    arguments = parser.parse_args()
    settings = load_settings()
    if settings.datasets is None:
        sys.exit("HOLOS_DATASETS names the folder of the public sets; set it")
    wanted = [task for task in TASKS if not arguments.only or task.name in arguments.only.split(",")]
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        for task in wanted:
            found = run(
                task,
                settings.datasets,
                arguments.mode,
                folder,
                arguments.epochs,
                arguments.trainings,
                lambda line: print(line, file=sys.stderr),
            )
            for name, value in found["figures"].items():
                floor = task.floors.get(name)
                verdict = "" if floor is None else f"floor {floor:.2f} {'reached' if value >= floor else 'MISSED'}"
                print(f"{task.name:12} {name:30} {value:.3f} {verdict} ({found['seconds']} s)", flush=True)


if __name__ == "__main__":
    main()
