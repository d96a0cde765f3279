"""Trains a model of the user's own code frame, on labelled rows alone."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch

from nlp.artifact import compose, open_encoder, read_rules, read_taxonomy
from nlp.errors import InputError
from nlp.folder import EncoderRef, ModelFolder, load_model, save_model
from nlp.heads import HeadWeights
from nlp.pipeline import GENERAL
from nlp.redact import Redactor
from nlp.taxonomy import Taxonomy, parse_taxonomy
from nlp.text import normalise
from training.calibrate import calibrate
from training.cli import read_labels
from training.dataset import LabelledRow, check_themes, split, targets
from training.default import ALPHA, RANK, fresh_network, head_weights, with_golden
from training.encoder import adapter_arrays, load_adapter
from training.finetune import Plan, predict, train
from training.fit import FitPlan, fit, predict_heads
from training.inherit import TASKS, inherited, inherited_calibration, unlabelled, with_themes
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
    """Reads labels, trains, calibrates on development rows and writes the model folder; InputError for bad labels.

    What no row labels (sentiment, moods, signals, reasons) is read as the shipped model reads it.
    """
    rows = read_labels(data)
    frame = read_taxonomy(taxonomy) if taxonomy else found_taxonomy(rows)
    train_rows, dev_rows = (rows, read_labels(dev)) if dev else split(rows, DEV_SHARE)
    _check(train_rows, dev_rows, data)
    check_themes([*train_rows, *dev_rows], frame.ids)
    _check_writable(out)
    say(f"{len(train_rows)} rows to train on, {len(dev_rows)} to choose thresholds on, {len(frame.ids)} themes")
    base = load_model(data_dir / "models" / "default")
    redactor = read_rules(data_dir).redactor
    train_rows, dev_rows = _served(train_rows, redactor), _served(dev_rows, redactor)
    kept = unlabelled(targets(train_rows, frame.ids))
    if kept:
        nearly = "" if mode == "heads" else " nearly, for the encoder under them learns"
        say(f"warning: no row to train on has labels for {', '.join(kept)}; they stay the shipped model's{nearly}")
    if mode == "heads":
        model = _fit_heads(base, train_rows, dev_rows, frame, kept, open_encoder(base, data_dir, cache_dir), say)
    else:
        model = _fine_tune(base, train_rows, dev_rows, frame, kept, say)
    save_model(with_golden(model, compose(model, data_dir, cache_dir)), out)
    say(f"model {model.version} is in {out}; see how good it is with: holos evaluate --data DEV --model {out}")


def found_taxonomy(rows: Sequence[LabelledRow]) -> Taxonomy:
    """A flat code frame of the theme ids that the rows hold; InputError where they hold none."""
    ids = sorted({theme for row in rows for theme in row.theme_ids})
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
    if all(row.themes is None for row in train_rows):
        raise InputError(f"{data}: no row to train on has the field themes; theme_sentiments alone teach no themes")


def _check_writable(out: Path) -> None:
    """Proves before the work that the model can be written after it; leaves nothing behind."""
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file; name a folder to write the model to")
    place = next(folder for folder in out.absolute().parents if folder.exists())
    try:
        with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=place):
            pass
    except OSError as error:
        raise InputError(f"{out} cannot be written ({error.strerror}, {place}); name another folder") from None


def _served(rows: Sequence[LabelledRow], redactor: Redactor) -> list[LabelledRow]:
    """The rows as serving will see such texts: normalised, and without personal data."""

    def plain(text: str | None) -> str | None:
        return redactor.redact(normalise(text)).text if text else text

    questions = {question: plain(question) for question in {row.question for row in rows}}
    return [replace(row, text=plain(row.text) or "", question=questions[row.question]) for row in rows]


def _general(frame: Taxonomy) -> int | None:
    return frame.ids.index(GENERAL) if GENERAL in frame.ids else None


def _version() -> str:
    return datetime.now(UTC).strftime("%Y.%m.%d-%H%M%S")


def _load(heads: Heads, weights: HeadWeights) -> None:
    """Puts arrays as `head_weights` gives them into heads of the same shape."""
    arrays = {name: getattr(weights, name.replace(".", "_")).copy() for name in heads.state_dict()}
    heads.load_state_dict({name: torch.from_numpy(values) for name, values in arrays.items()})


def _fit_heads(base: ModelFolder, train_rows, dev_rows, frame: Taxonomy, kept, encoder, say: Say) -> ModelFolder:
    def states(rows: Sequence[LabelledRow]) -> list[np.ndarray]:
        texts, questions = [row.text for row in rows], [row.question for row in rows]
        return [each.tokens.astype(np.float16) for each in encoder.stream(texts, [()] * len(rows), questions)]

    say("reading the rows with the shipped encoder")
    plan = FitPlan()
    torch.manual_seed(plan.seed)
    heads = Heads(base.encoder.dimension, len(frame.ids))
    fit(heads, states(train_rows), targets(train_rows, frame.ids), plan, Plan(), say)
    _load(heads, inherited(head_weights(heads), base.heads, kept))
    logits = predict_heads(heads, states(dev_rows))
    return ModelFolder(
        version=_version(),
        encoder=base.encoder,
        taxonomy=frame,
        heads=head_weights(heads),
        calibration=_calibration(base, logits, dev_rows, frame, kept),
        adapter=base.adapter,
        training=_account("heads", base, train_rows, kept, plan),
    )


def _fine_tune(base: ModelFolder, train_rows, dev_rows, frame: Taxonomy, kept, say: Say) -> ModelFolder:
    plan = Plan()
    rank = next((len(values) for name, values in (base.adapter or {}).items() if name.endswith(".A")), RANK)
    network, tokenizer = fresh_network(rank, ALPHA, len(frame.ids), "attention", plan.seed)
    if base.adapter:
        load_adapter(network.encoder, base.adapter)
    start = inherited(head_weights(network.heads), base.heads, TASKS)
    _load(network.heads, with_themes(start, frame.ids, base.heads, base.taxonomy.ids))
    train(network, tokenizer, frame.ids, lambda epoch: list(train_rows), plan, lambda epoch: None, say)
    logits = predict(network, tokenizer, dev_rows, plan)
    return ModelFolder(
        version=_version(),
        encoder=EncoderRef(),
        taxonomy=frame,
        heads=head_weights(network.heads),
        calibration=_calibration(base, logits, dev_rows, frame, kept),
        adapter=adapter_arrays(network.encoder),
        training=_account("full", base, train_rows, kept, plan),
    )


def _calibration(base: ModelFolder, logits: dict[str, np.ndarray], dev_rows, frame: Taxonomy, kept):
    own = calibrate(logits, targets(dev_rows, frame.ids), _general(frame))
    return inherited_calibration(own, base.calibration, kept)


def _account(mode: str, base: ModelFolder, train_rows, kept: Sequence[str], plan: Plan | FitPlan) -> dict:
    """What model.json says of how the model was made."""
    return {
        "mode": mode,
        "base": base.version,
        "rows": len(train_rows),
        "inherited": list(kept),
        "plan": asdict(plan),
    }
