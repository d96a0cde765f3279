"""Trains a model of the user's own code frame, on labelled rows alone."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import partial
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
from nlp.types import SIGNALS
from training.assemble import ALPHA, RANK, fresh_network, head_weights, load_heads, mean_network, with_golden
from training.calibrate import calibrate
from training.checkpoint import Checkpoint, fingerprint
from training.datacard import data_card
from training.dataset import LabelledRow, name_rows, targets
from training.encoder import adapter_arrays, load_adapter
from training.estimate import estimate
from training.finetune import Plan, predict, train
from training.fit import FitPlan, fit, predict_heads
from training.inherit import TASKS, inherited, inherited_calibration, teaching, unlabelled
from training.labels import read_labels, write_labels
from training.network import Heads
from training.prepare import Parts, parted, prepare
from training.promote import HELD
from training.selection import development_score
from training.start import known_themes, start
from training.states import TokenStates

HELD_SHARE = 0.1  # of all rows, kept from training and thresholds alike, for `holos promote` to judge by
FEWEST = 10  # rows; with fewer there is nothing to hold back for thresholds
READINGS = 50_000  # rows read over all epochs: what small sets take to learn, and large ones do not need more of
EPOCHS = (1, 12)
# On NHS comments 5e-4 and even weights gave 0.715 / 0.571 (themes, micro / macro) and 0.771 (sentiment), half the rate
# and positives weighted 3 gave 0.703 / 0.542 and 0.724. On a frozen encoder weights help: themes are rare in few rows.
STEPS = Plan(adapter_rate=5e-4)
FROZEN = Plan(positive_weight=3.0)

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Job:
    """What to train: where from, where to, on which base model; in full mode the mean of so many `trainings`."""

    data: Path
    out: Path
    data_dir: Path
    cache_dir: Path
    taxonomy: Path | None = None
    dev: Path | None = None
    mode: str = "heads"
    base: Path | None = None
    held_share: float = HELD_SHARE
    epochs: int | None = None
    trainings: int = 1


def train_model(job: Job, say: Say, show: Callable[[object], None] = lambda card: None) -> None:
    """Reads labels, trains, calibrates on development rows and writes the model folder; InputError for bad labels.

    What no row labels, or all label alike (themes, sentiment, moods, reasons, a signal), is read as the base model
    reads it. The rows held back are left beside the model for `holos promote`. `show` gets the data card.
    """
    if job.trainings > 1 and job.mode != "full":
        raise InputError("--trainings wants --mode full: the heads come out nearly the same each time")
    base = load_model(job.base or job.data_dir / "models" / "default")
    redactor = read_rules(job.data_dir).redactor
    rows = _served(read_labels(job.data), redactor)
    frame = read_taxonomy(job.taxonomy) if job.taxonomy else found_taxonomy(rows, base.taxonomy)
    prepared = prepare(rows, str(job.data), frame.ids)
    dev = prepare(_served(read_labels(job.dev), redactor), str(job.dev), frame.ids).rows if job.dev else None
    parts = parted(prepared.rows, dev, job.held_share)
    _check(parts, job)
    judged = parts.held or parts.dev
    parts = replace(parts, train=teaching(parts.train, frame.ids), dev=teaching(parts.dev, frame.ids))
    kept = unlabelled(targets(parts.train, frame.ids))
    _check_taught(kept, parts, job, frame, base)
    _check_writable(job.out)
    show(data_card(prepared))
    for line in (_counts(parts, frame), *_notes(job, parts, kept, unlabelled(targets(parts.dev, frame.ids)))):
        say(line)
    build = _fit_heads if job.mode == "heads" else _fine_tune
    model = build(job, base, parts, frame, kept, say)
    save_model(with_golden(model, compose(model, job.data_dir, job.cache_dir)), job.out)
    write_labels(judged, job.out / HELD)
    _checkpoint_folder(job.out, clear=True)
    say(f"model {model.version} is in {job.out}; see how good it is with: holos evaluate --data DEV --model {job.out}")


def found_taxonomy(rows: Sequence[LabelledRow], base: Taxonomy) -> Taxonomy:
    """A flat code frame of the theme ids that the rows hold; the base model's where they hold none or only its own."""
    ids = sorted({theme for row in rows for theme in row.theme_ids})
    if set(ids) <= set(base.ids):
        return base
    return parse_taxonomy({"themes": [{"id": id, "label": id, "description": ""} for id in ids]}, "theme ids found")


def plan_for(rows: int, epochs: int | None = None) -> Plan:
    """Fewer epochs the more rows there are; early stopping ends them sooner."""
    low, high = EPOCHS
    return replace(STEPS, epochs=epochs or max(low, min(high, round(READINGS / max(1, rows)))))


def _check(parts: Parts, job: Job) -> None:
    if len(parts.train) < FEWEST or not parts.dev:
        besides = f", besides {parts.shared} that stand in {job.dev} too" if parts.shared else ""
        raise InputError(
            f"{job.data} leaves {len(parts.train)} different rows to train on{besides}, {len(parts.dev)} to choose "
            f"thresholds on; at least {FEWEST + 2} different ones are needed"
        )


def _check_taught(kept: Sequence[str], parts: Parts, job: Job, frame: Taxonomy, base: ModelFolder) -> None:
    """InputError where the rows to train on teach nothing, or nothing of a code frame that the base does not know."""
    if {"themes", *TASKS} <= set(kept):
        raise InputError(
            f"{job.data} has one class only of whatever the rows to train on label "
            f"({name_rows([row.id for row in parts.train])}); add rows that are labelled otherwise"
        )
    if "themes" in kept and frame.ids != base.taxonomy.ids:
        raise InputError(
            f"{job.data}: the field themes is missing or the same in every row to train on, so nothing teaches "
            f"{job.taxonomy or 'the themes found'}; label rows that differ in it"
        )


def _notes(job: Job, parts: Parts, kept: Sequence[str], unproved: Sequence[str]) -> Iterator[str]:
    """What the user should know of the labels: rows left out, tasks inherited, tasks trained but not calibrated."""
    if parts.shared:
        yield f"{parts.shared} rows of {job.data} stand in {job.dev} too; they are left out of training"
    if kept:
        nearly = "" if job.mode == "heads" else " nearly, for the encoder under them learns"
        yield f"warning: no row to train on has labels that teach {', '.join(kept)}; they stay the base model's{nearly}"
    known = {*kept, *(SIGNALS if "signals" in kept else ())}
    if blind := [task for task in unproved if task not in known]:
        yield (
            f"warning: no row to choose thresholds on has labels that tell of {', '.join(blind)}; their thresholds "
            "are 0.5, on probabilities that no row of theirs calibrates"
        )


def _counts(parts: Parts, frame: Taxonomy) -> str:
    held = f", {len(parts.held)} held back for holos promote" if parts.held else ""
    return (
        f"{len(parts.train)} rows to train on, {len(parts.dev)} to choose thresholds on{held}, {len(frame.ids)} themes"
    )


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


def _checkpoint_folder(out: Path, clear: bool = False) -> Path:
    folder = out.absolute().parent / f".{out.name}.training"
    if clear:
        Checkpoint(folder, "").clear()
    return folder


def _fit_heads(job: Job, base: ModelFolder, parts: Parts, frame: Taxonomy, kept, say: Say) -> ModelFolder:
    say("reading the rows with the base model's encoder; what it read before is taken from the cache")
    encoder = open_encoder(base, job.data_dir, job.cache_dir)
    store = TokenStates(job.cache_dir / "states", encoder)
    states, dev_states = _states(store, parts.train), _states(store, parts.dev)
    plan = FitPlan() if job.epochs is None else FitPlan(epochs=job.epochs)
    wanted = targets(parts.train, frame.ids)
    torch.manual_seed(plan.seed)
    heads = Heads(base.encoder.dimension, len(frame.ids))
    load_heads(heads, start(heads, base, frame, lambda: states, wanted, encoder))
    fit(heads, states, wanted, plan, FROZEN, say)
    own = inherited(head_weights(heads), base.heads, kept)
    load_heads(heads, known_themes(own, base, frame) if "themes" in kept else own)
    logits = predict_heads(heads, dev_states)
    return _model(job, base, base.encoder, heads, base.adapter, logits, parts, frame, kept, plan)


def _states(store: TokenStates, rows: Sequence[LabelledRow]) -> list[np.ndarray]:
    return store.of([row.text for row in rows], [row.question for row in rows])


def _fine_tune(job: Job, base: ModelFolder, parts: Parts, frame: Taxonomy, kept, say: Say) -> ModelFolder:
    plan = plan_for(len(parts.train), job.epochs)
    rank = next((len(values) for name, values in (base.adapter or {}).items() if name.endswith(".A")), RANK)
    trained = [_trained(job, base, parts, frame, plan, rank, number, say) for number in range(job.trainings)]
    adapters, heads = zip(*trained, strict=True)
    network, tokenizer = mean_network(adapters, heads, rank, len(frame.ids))
    logits = predict(network, tokenizer, parts.dev, plan)
    adapter = adapter_arrays(network.encoder)
    return _model(job, base, EncoderRef(), network.heads, adapter, logits, parts, frame, kept, plan)


def _trained(
    job: Job, base: ModelFolder, parts: Parts, frame: Taxonomy, plan: Plan, rank: int, number: int, say: Say
) -> tuple[dict[str, np.ndarray], HeadWeights]:
    """The adapter and the heads of one training; all of a job have one start, and an order of the rows each."""
    network, tokenizer = fresh_network(rank, ALPHA, len(frame.ids), "attention", plan.seed)
    if base.adapter:
        load_adapter(network.encoder, base.adapter)
    encoder = open_encoder(base, job.data_dir, job.cache_dir)
    store = TokenStates(job.cache_dir / "states", encoder)
    wanted = targets(parts.train, frame.ids)
    read = partial(_states, store, parts.train)
    load_heads(network.heads, start(network.heads, base, frame, read, wanted, encoder))
    own = replace(plan, seed=plan.seed + number)
    if job.trainings > 1:
        say(f"training {number + 1} of {job.trainings}, whose mean is kept")
    say(str(estimate(network, tokenizer, frame.ids, parts.train, own)))
    judged = targets(parts.dev, frame.ids)
    folder = _checkpoint_folder(job.out)
    checkpoint = Checkpoint(
        folder / str(number) if number else folder,
        fingerprint([*parts.train, *parts.dev], own, frame.ids, base.version),
    )
    train(
        network,
        tokenizer,
        frame.ids,
        lambda epoch: parts.train,
        own,
        say,
        lambda: development_score(predict(network, tokenizer, parts.dev, own), judged),
        checkpoint,
    )
    return adapter_arrays(network.encoder), head_weights(network.heads)


def _model(
    job: Job,
    base: ModelFolder,
    encoder: EncoderRef,
    heads: Heads,
    adapter,
    logits: dict[str, np.ndarray],
    parts: Parts,
    frame: Taxonomy,
    kept: Sequence[str],
    plan: Plan | FitPlan,
) -> ModelFolder:
    own = calibrate(logits, targets(parts.dev, frame.ids), _general(frame), each_theme=True)
    return ModelFolder(
        version=_version(),
        encoder=encoder,
        taxonomy=frame,
        heads=head_weights(heads),
        calibration=inherited_calibration(own, base.calibration, kept),
        adapter=adapter,
        training={
            "mode": job.mode,
            "base": base.version,
            "rows": len(parts.train),
            "trainings": job.trainings,
            "inherited": list(kept),
            "plan": asdict(plan),
        },
    )
