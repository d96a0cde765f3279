"""Trains a model of the user's own code frame, on labelled rows alone."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from nlp.artifact import compose, open_encoder, read_taxonomy
from nlp.errors import InputError
from nlp.folder import EncoderRef, ModelFolder, load_model, save_model
from nlp.pipeline import GENERAL
from nlp.taxonomy import Taxonomy, parse_taxonomy
from training.calibrate import calibrate
from training.cli import read_labels
from training.dataset import LabelledRow, split, targets
from training.default import ALPHA, RANK, fresh_network, head_weights, with_golden
from training.encoder import adapter_arrays
from training.finetune import Plan, predict, train
from training.fit import FitPlan, fit, predict_heads
from training.network import Heads

DEV_SHARE = 0.15
FEWEST = 10  # rows; with fewer there is nothing to hold back for thresholds

Say = Callable[[str], None]


def train_model(
    data: Path,
    taxonomy: Path | None,
    dev: Path | None,
    out: Path,
    mode: str,
    data_dir: Path,
    cache_dir: Path,
    say: Say,
) -> None:
    """Reads labels, trains, calibrates on development rows and writes the model folder; InputError for bad labels."""
    rows = read_labels(data)
    frame = read_taxonomy(taxonomy) if taxonomy else found_taxonomy(rows)
    train_rows, dev_rows = (rows, read_labels(dev)) if dev else split(rows, DEV_SHARE)
    _check(train_rows, dev_rows, data)
    say(f"{len(train_rows)} rows to train on, {len(dev_rows)} to choose thresholds on, {len(frame.ids)} themes")
    made = _fit_heads if mode == "heads" else _fine_tune
    model = made(train_rows, dev_rows, frame, data_dir, cache_dir, say)
    save_model(with_golden(model, compose(model, data_dir, cache_dir)), out)
    say(f"model {model.version} is in {out}; see how good it is with: holos evaluate --data DEV --model {out}")


def found_taxonomy(rows: Sequence[LabelledRow]) -> Taxonomy:
    """A flat code frame of the theme ids that the rows hold; InputError where they hold none."""
    ids = sorted({theme for row in rows for theme in (row.themes or set()) | set(row.theme_sentiments)})
    if not ids:
        raise InputError("no row has themes; label some, or name the code frame with --taxonomy")
    return parse_taxonomy({"themes": [{"id": id, "label": id, "description": ""} for id in ids]}, "theme ids found")


def _check(train_rows: Sequence[LabelledRow], dev_rows: Sequence[LabelledRow], data: Path) -> None:
    if len(train_rows) < FEWEST or not dev_rows:
        raise InputError(
            f"{data} has {len(train_rows) + len(dev_rows)} rows; at least {FEWEST + 2} different ones are needed"
        )
    empty = [row.id for row in train_rows if not row.text]
    if empty:
        raise InputError(f"{data}: {len(empty)} rows have an empty text ({', '.join(empty[:5])}); remove them")


def _general(frame: Taxonomy) -> int | None:
    return frame.ids.index(GENERAL) if GENERAL in frame.ids else None


def _version() -> str:
    return datetime.now(UTC).strftime("%Y.%m.%d-%H%M%S")


def _fit_heads(train_rows, dev_rows, frame: Taxonomy, data_dir: Path, cache_dir: Path, say: Say) -> ModelFolder:
    base = load_model(data_dir / "models" / "default")
    encoder = open_encoder(base, data_dir, cache_dir)

    def states(rows: Sequence[LabelledRow]) -> list[np.ndarray]:
        texts, questions = [row.text for row in rows], [row.question for row in rows]
        return [each.tokens.astype(np.float16) for each in encoder.encode(texts, [()] * len(rows), questions)]

    say("reading the rows with the shipped encoder")
    plan, heads = FitPlan(), Heads(base.encoder.dimension, len(frame.ids))
    weights = np.array([row.weight for row in train_rows], np.float32)
    fit(heads, states(train_rows), targets(train_rows, frame.ids), weights, plan, Plan(), say)
    logits = predict_heads(heads, states(dev_rows))
    return ModelFolder(
        version=_version(),
        encoder=base.encoder,
        taxonomy=frame,
        heads=head_weights(heads),
        calibration=calibrate(logits, targets(dev_rows, frame.ids), _general(frame)),
        adapter=base.adapter,
        training={"mode": "heads", "base": base.version, "rows": len(train_rows), "plan": asdict(plan)},
    )


def _fine_tune(train_rows, dev_rows, frame: Taxonomy, data_dir: Path, cache_dir: Path, say: Say) -> ModelFolder:
    plan = replace(Plan(), epochs=6)
    network, tokenizer = fresh_network(RANK, ALPHA, len(frame.ids), "attention", plan.seed)
    train(network, tokenizer, frame.ids, lambda epoch: list(train_rows), plan, lambda epoch: None, say)
    logits = predict(network, tokenizer, dev_rows, plan)
    return ModelFolder(
        version=_version(),
        encoder=EncoderRef(),
        taxonomy=frame,
        heads=head_weights(network.heads),
        calibration=calibrate(logits, targets(dev_rows, frame.ids), _general(frame)),
        adapter=adapter_arrays(network.encoder),
        training={"mode": "full", "rows": len(train_rows), "plan": asdict(plan)},
    )
