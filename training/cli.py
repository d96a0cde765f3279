"""What the commands that need the training extra do."""

import sys
from pathlib import Path

from rich.console import Console

from nlp.artifact import load_pipeline, read_taxonomy
from training.compare import compare
from training.datacard import data_card
from training.datacard import show as show_card
from training.evaluate import evaluate as score
from training.labels import check_output, read_labels, write_labels
from training.labelstudio import label_config
from training.prepare import prepare
from training.readings import answer
from training.report import check_path, show, write


def evaluate(
    data: Path, model: Path, against: Path | None, output: Path | None, data_dir: Path, cache_dir: Path
) -> None:
    """Scores a model on labelled rows, against another one if given; prints tables, writes a report if asked."""
    if output:
        check_path(output)
    rows = read_labels(data)
    responses = [row.response for row in rows]
    found = answer(load_pipeline(model, data_dir, cache_dir), responses)
    differences = []
    if against:
        other = load_pipeline(against, data_dir, cache_dir).classify(responses)
        differences = compare(rows, other, found.classifications)
    report = score(rows, found.classifications, found.themes, found.probabilities)
    show(report, differences, Console(file=sys.stdout, width=170))
    if output:
        write(report, differences, output, f"{model.name} on {data.name}")


def train(
    data: Path,
    taxonomy: Path | None,
    dev: Path | None,
    out: Path,
    mode: str,
    base: Path | None,
    held: float,
    epochs: int | None,
    trainings: int,
    data_dir: Path,
    cache_dir: Path,
) -> None:
    """Trains a model on labelled rows and writes its folder."""
    from training import datacard
    from training.fresh import Job, train_model

    console = Console(stderr=True, width=120)
    job = Job(data, out, data_dir, cache_dir, taxonomy, dev, mode, base, held, epochs, trainings)
    train_model(job, lambda line: print(line, file=sys.stderr, flush=True), lambda card: datacard.show(card, console))


def labels(
    data: Path, taxonomy: Path | None, output: Path | None, config: Path | None, data_dir: Path, cache_dir: Path
) -> None:
    """Prints what labelled rows hold; converts them and writes a Label Studio screen if asked.

    The conversion comes first: rows that cannot be learnt from yet can be taken to where they are mended.
    """
    frame = read_taxonomy(taxonomy) if taxonomy else None
    if output:
        check_output(output)
    rows = read_labels(data)
    if config:
        screen = frame or read_taxonomy(data_dir / "taxonomy.yaml")
        config.write_text(label_config(screen), "utf-8")
        print(f"the labelling screen for {len(screen.ids)} themes is in {config}", file=sys.stderr)
    if output:
        write_labels(rows, output)
        print(f"{len(rows)} rows are in {output}", file=sys.stderr)
    show_card(data_card(prepare(rows, str(data), frame and frame.ids)), Console(file=sys.stdout, width=120))


def review(
    data: Path,
    given: Path | None,
    output: Path,
    count: int,
    labels: Path | None,
    wrong: Path | None,
    against: Path | None,
    model: Path,
    data_dir: Path,
    cache_dir: Path,
) -> None:
    """Writes the queue of what to label next and of labels that are probably wrong."""
    from training.review import Asked, review

    asked = Asked(given, output, count, wrong, labels, against)
    review(asked, model, data_dir, cache_dir, lambda line: print(line, file=sys.stderr, flush=True))


def drift(
    data: Path,
    after: Path | None,
    split_at: str | None,
    output: Path | None,
    model: Path,
    data_dir: Path,
    cache_dir: Path,
) -> None:
    """Compares two periods and prints the report."""
    from training.compare_periods import compare_periods

    compare_periods(data, after, split_at, output, model, data_dir, cache_dir)
