"""What `holos train` and `holos evaluate` do."""

import sys
from pathlib import Path

from rich.console import Console

from nlp.artifact import load_pipeline
from nlp.errors import InputError
from training.compare import compare
from training.dataset import LabelledRow, parse_row, read_jsonl
from training.evaluate import evaluate as score
from training.report import check_path, show, write


def read_labels(path: Path) -> list[LabelledRow]:
    """Labelled rows of a JSON Lines file; InputError for a file without any."""
    rows = [parse_row(row, str(path)) for row in read_jsonl(path)]
    if not rows:
        raise InputError(f"{path} has no labelled rows")
    return rows


def evaluate(
    data: Path, model: Path, against: Path | None, output: Path | None, data_dir: Path, cache_dir: Path
) -> None:
    """Scores a model on labelled rows, against another one if given; prints tables, writes a report if asked."""
    if output:
        check_path(output)
    rows = read_labels(data)
    responses = [row.response for row in rows]
    said = load_pipeline(model, data_dir, cache_dir).classify(responses)
    differences = []
    if against:
        differences = compare(rows, load_pipeline(against, data_dir, cache_dir).classify(responses), said)
    report = score(rows, said)
    show(report, differences, Console(file=sys.stdout, width=170))
    if output:
        write(report, differences, output, f"{model.name} on {data.name}")


def train(
    data: Path, taxonomy: Path | None, dev: Path | None, out: Path, mode: str, data_dir: Path, cache_dir: Path
) -> None:
    """Trains a model on labelled rows and writes its folder."""
    from training.fresh import train_model

    train_model(data, taxonomy, dev, out, mode, data_dir, cache_dir, lambda line: print(line, file=sys.stderr))
