"""What `holos drift` does: two files, or one parted at a date, read by one model and compared."""

import sys
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from nlp.artifact import load_pipeline
from nlp.errors import InputError
from training import drift_page
from training.dataset import LabelledRow
from training.dates import parse_moment, split_at
from training.drift import FEWEST, Drift, find_drift
from training.labels import read_labels
from training.pool import in_order, read_pool


def compare_periods(
    before: Path, after: Path | None, at: str | None, output: Path | None, model: Path, data_dir: Path, cache_dir: Path
) -> Drift:
    """Prints the report and writes it if asked; InputError for what cannot be compared, before any work."""
    if output:
        drift_page.check_path(output)
    if (after is None) == (at is None):
        raise InputError("give two files, BEFORE and AFTER, or one file and --split-at DATE")
    early, late, undated = _parted(before, after, at)
    for name, rows in (("before", early), ("after", late)):
        if len(rows) < FEWEST:
            raise InputError(
                f"{len(rows)} responses {name}; at least {FEWEST} are needed on each side to tell anything"
            )
    pipeline = load_pipeline(model, data_dir, cache_dir)
    pools = [read_pool(pipeline, in_order(rows)) for rows in (early, late)]
    found = replace(find_drift(*pools, pipeline.policy), undated=undated)
    drift_page.show(found, Console(file=sys.stdout, width=110))
    if output:
        title = f"{before.name} before and after {at}" if at else f"{before.name} to {after.name if after else ''}"
        drift_page.write(found, output, title)
    return found


def _parted(before: Path, after: Path | None, at: str | None) -> tuple[list[LabelledRow], list[LabelledRow], int]:
    if at is not None:
        return split_at(before, parse_moment(at))
    assert after is not None
    return read_labels(before), read_labels(after), 0
