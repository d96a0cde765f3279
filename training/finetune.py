"""Trains the network: LoRA on the encoder and the heads, on rows that may each lack some labels."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from nlp.tokens import TextTokenizer
from training.batches import TokenRow, collate, plan, sequences
from training.checkpoint import Checkpoint
from training.dataset import UNKNOWN, LabelledRow, Targets, targets
from training.network import Network
from training.progress import Clock
from training.run import Run

TASKS = ("themes", "moods", "sentiment", "justified", "signals")

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """How to train; the defaults are what won on the development rows.

    `weights` are those of the tasks in the order of TASKS; `patience` is how many epochs without gain on the
    development rows end a training that is judged; `smoothing` softens the classes of moods and sentiment.
    """

    epochs: int = 4
    budget: int = 1024
    longest: int = 192
    adapter_rate: float = 4e-4
    heads_rate: float = 1.5e-3
    warmup: float = 0.06
    weight_decay: float = 0.01
    average: float = 0.998
    positive_weight: float = 1.0
    smoothing: float = 0.0
    seed: int = 7
    masking: float = 0.07
    patience: int = 2
    weights: tuple[float, ...] = (1.0, 0.6, 1.0, 0.4, 0.4)


def train(
    network: Network,
    tokenizer: TextTokenizer,
    themes: Sequence[str],
    epochs: Callable[[int], list[LabelledRow]],
    settings: Plan,
    say: Say,
    judge: Callable[[], float] | None = None,
    checkpoint: Checkpoint | None = None,
) -> None:
    """Trains `network` in place on `epochs(number)` rows each epoch; leaves the averaged weights in it.

    `judge` scores the network as it then stands, after each epoch: the best epoch's weights are left, and training
    ends when it no longer gains. With a checkpoint a training that was killed goes on where it last saved.
    """
    rows = epochs(0)
    total = settings.epochs * len(_batches(tokenised(tokenizer, rows, settings), settings, 0))
    run = Run(network, _groups(network, settings), total, settings.warmup, settings.average, settings.seed)
    saved = checkpoint.load() if checkpoint else None
    if saved:
        run.restore(saved)
        say(f"going on from the checkpoint at epoch {run.epoch + 1}, batch {run.step}")
    clock = Clock(total, run.schedule.last_epoch)
    while run.epoch < settings.epochs and run.best.stale < settings.patience:
        rows = rows if run.epoch == 0 else epochs(run.epoch)
        _epoch(run, tokenizer, themes, rows, settings, clock, say, checkpoint)
        if judge:
            _judge(run, judge, say)
        run.epoch, run.step = run.epoch + 1, 0
        if checkpoint:
            checkpoint.save(run.tensors(), run.numbers())
    run.take_best()


def _epoch(run: Run, tokenizer, themes, rows, settings: Plan, clock: Clock, say: Say, checkpoint) -> None:
    seqs, wanted = tokenised(tokenizer, rows, settings), targets(rows, themes)
    run.network.train()
    for batch in _batches(seqs, settings, settings.seed + run.epoch)[run.step :]:
        loss = batch_loss(run.network, seqs, wanted, batch, tokenizer, settings)
        run.learn(loss)
        line = clock.tick(loss.item())
        if line:
            say(f"epoch {run.epoch + 1} of {settings.epochs}, {line}")
        if checkpoint and checkpoint.due:
            checkpoint.save(run.tensors(), run.numbers())


def _judge(run: Run, judge: Callable[[], float], say: Say) -> None:
    run.average.swap(run.network)
    score = judge()
    run.average.swap(run.network)
    run.best.offer(score, run.epoch, run.average.values)
    kept = "the best so far" if not run.best.stale else f"epoch {run.best.epoch + 1} was better"
    say(f"epoch {run.epoch + 1}: {score:.4f} on the development rows, {kept}")


@torch.inference_mode()
def predict(
    network: Network, tokenizer: TextTokenizer, rows: Sequence[LabelledRow], settings: Plan
) -> dict[str, np.ndarray]:
    """Logits per task in row order, float32."""
    network.eval()
    seqs = tokenised(tokenizer, rows, settings)
    out: dict[str, np.ndarray] = {}
    for batch in _batches(seqs, settings, None):
        ids, attention, own = collate([seqs[i] for i in batch], tokenizer.specials.pad)
        where = network.device
        for task, values in network(ids.to(where), attention.to(where), own.to(where)).items():
            if task not in out:
                out[task] = np.zeros((len(rows), *values.shape[1:]), np.float32)
            out[task][batch] = values.float().cpu().numpy()
    return out


def tokenised(tokenizer: TextTokenizer, rows: Sequence[LabelledRow], settings: Plan) -> list[TokenRow]:
    """The rows as the network reads them."""
    return sequences(tokenizer, [row.text for row in rows], [row.question for row in rows], settings.longest)


def _batches(seqs: Sequence[TokenRow], settings: Plan, seed: int | None) -> list[list[int]]:
    return plan([len(seq.ids) for seq in seqs], settings.budget, seed)


def _groups(network: Network, settings: Plan) -> list[dict]:
    adapter = [p for p in network.encoder.parameters() if p.requires_grad]
    heads = [p for p in network.heads.parameters() if p.requires_grad]
    return [
        {"params": adapter, "lr": settings.adapter_rate, "weight_decay": settings.weight_decay},
        {"params": heads, "lr": settings.heads_rate, "weight_decay": settings.weight_decay},
    ]


def batch_loss(network: Network, seqs, wanted: Targets, batch: list[int], tokenizer, settings: Plan) -> Tensor:
    """The loss over the rows numbered in `batch`, some of their words masked."""
    ids, attention, own = collate([seqs[i] for i in batch], tokenizer.specials.pad)
    # Unknown words in place of some: the cheapest regulariser, and phone typing is full of them anyway.
    hidden = (torch.rand(ids.shape) < settings.masking) & own
    ids = torch.where(hidden, tokenizer.specials.mask, ids)
    where = network.device
    logits = network(ids.to(where), attention.to(where), own.to(where))
    labels = {task: torch.from_numpy(getattr(wanted, task)[batch]).to(where) for task in TASKS}
    return loss(logits, labels, settings)


def loss(logits: dict[str, Tensor], labels: dict[str, Tensor], settings: Plan) -> Tensor:
    """The sum over tasks of the mean over what is labelled; a batch where a task has no label adds nothing for it."""
    parts = [
        _binary(logits["themes"], labels["themes"], settings) * 10,
        _classes(logits["moods"], labels["moods"], settings),
        _classes(logits["sentiment"], labels["sentiment"], settings),
        _binary(logits["justified"][:, None], labels["justified"][:, None], settings),
        _binary(logits["signals"], labels["signals"], settings) * 3,
    ]
    return sum(weight * part for weight, part in zip(settings.weights, parts, strict=True))


def _binary(logits: Tensor, labels: Tensor, settings: Plan) -> Tensor:
    known = labels != UNKNOWN
    if not known.any():
        return logits.sum() * 0
    weight = torch.where(labels == 1, settings.positive_weight, 1.0) * known
    raw = functional.binary_cross_entropy_with_logits(logits, labels.float().clamp(min=0), reduction="none")
    return (raw * weight).sum() / known.sum()


def _classes(logits: Tensor, labels: Tensor, settings: Plan) -> Tensor:
    known = labels != UNKNOWN
    if not known.any():
        return logits.sum() * 0
    return functional.cross_entropy(logits[known], labels[known].long(), label_smoothing=settings.smoothing)
