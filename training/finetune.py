"""Trains the network: LoRA on the encoder and the heads, on rows that may each lack some labels."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from nlp.tokens import Specials, TextTokenizer
from training.batches import TokenRow, collate, plan, sequences
from training.dataset import UNKNOWN, LabelledRow, Targets, targets
from training.network import Network

TASKS = ("themes", "moods", "sentiment", "justified", "signals")


@dataclass(frozen=True, slots=True)
class Plan:
    """How to train; the defaults are what won on the development rows."""

    epochs: int = 6
    budget: int = 1024
    longest: int = 192
    adapter_rate: float = 4e-4
    heads_rate: float = 1.5e-3
    warmup: float = 0.06
    weight_decay: float = 0.01
    average: float = 0.998
    positive_weight: float = 1.0
    seed: int = 7
    masking: float = 0.05
    weights: tuple[float, ...] = (1.0, 0.6, 0.8, 0.3, 0.3)


class Average:
    """An exponential moving average of the trained parameters: what is kept in the end."""

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.steps = 0
        self.values = {name: p.detach().clone() for name, p in network.named_parameters() if p.requires_grad}

    def update(self, network: nn.Module) -> None:
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        for name, parameter in network.named_parameters():
            if parameter.requires_grad:
                self.values[name].lerp_(parameter.detach(), 1 - decay)

    def swap(self, network: nn.Module) -> None:
        """Exchanges the averaged values with the network's own; twice restores."""
        for name, parameter in network.named_parameters():
            if parameter.requires_grad:
                kept = parameter.detach().clone()
                parameter.data.copy_(self.values[name])
                self.values[name] = kept


def train(
    network: Network,
    tokenizer: TextTokenizer,
    themes: Sequence[str],
    epochs: Callable[[int], list[LabelledRow]],
    settings: Plan,
    after_epoch: Callable[[int], None],
    report: Callable[[str], None],
) -> None:
    """Trains `network` in place on `epochs(number)` rows each epoch; leaves the averaged weights in it."""
    torch.manual_seed(settings.seed)
    first = epochs(0)
    tokenised = _tokenised(tokenizer, first, settings)
    total = settings.epochs * len(_batches(tokenised, settings, 0))
    optimizer = torch.optim.AdamW(_groups(network, settings), betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step / max(1, total), settings.warmup))
    average = Average(network, settings.average)
    for epoch in range(settings.epochs):
        rows = first if epoch == 0 else epochs(epoch)
        tokenised = tokenised if epoch == 0 else _tokenised(tokenizer, rows, settings)
        began, losses = time.monotonic(), []
        batches, wanted = _batches(tokenised, settings, settings.seed + epoch), targets(rows, themes)
        network.train()
        for number, batch in enumerate(batches):
            loss = _step(network, tokenised, wanted, batch, tokenizer.specials, settings)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_([p for g in optimizer.param_groups for p in g["params"]], 1.0)
            optimizer.step()
            schedule.step()
            average.update(network)
            losses.append(loss.item())
            if number % 50 == 49:
                done = (number + 1) / len(batches)
                left = (time.monotonic() - began) / done * (settings.epochs - epoch - done)
                report(f"epoch {epoch + 1} {done:4.0%} loss {np.mean(losses[-50:]):.4f} left {left / 60:.1f} min")
        average.swap(network)
        after_epoch(epoch)
        if epoch < settings.epochs - 1:
            average.swap(network)


@torch.inference_mode()
def predict(
    network: Network, tokenizer: TextTokenizer, rows: Sequence[LabelledRow], settings: Plan
) -> dict[str, np.ndarray]:
    """Logits per task in row order, float32."""
    network.eval()
    seqs = _tokenised(tokenizer, rows, settings)
    out: dict[str, np.ndarray] = {}
    for batch in _batches(seqs, settings, None):
        ids, attention, own = collate([seqs[i] for i in batch], tokenizer.specials.pad)
        for task, values in network(ids, attention, own).items():
            if task not in out:
                out[task] = np.zeros((len(rows), *values.shape[1:]), np.float32)
            out[task][batch] = values.float().numpy()
    return out


def _tokenised(tokenizer: TextTokenizer, rows: Sequence[LabelledRow], settings: Plan) -> list[TokenRow]:
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


def _rate(progress: float, warmup: float) -> float:
    if progress < warmup:
        return progress / warmup
    return 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, (progress - warmup) / (1 - warmup))))


def _step(network, seqs, wanted: Targets, batch: list[int], specials: Specials, settings: Plan) -> Tensor:
    ids, attention, own = collate([seqs[i] for i in batch], specials.pad)
    # Unknown words in place of some: the cheapest regulariser, and phone typing is full of them anyway.
    hidden = (torch.rand(ids.shape) < settings.masking) & own
    ids = torch.where(hidden, specials.mask, ids)
    logits = network(ids, attention, own)
    labels = {task: torch.from_numpy(getattr(wanted, task)[batch]) for task in TASKS}
    return loss(logits, labels, settings)


def loss(logits: dict[str, Tensor], labels: dict[str, Tensor], settings: Plan) -> Tensor:
    """The sum over tasks of the mean over what is labelled; a batch where a task has no label adds nothing for it."""
    parts = [
        _binary(logits["themes"], labels["themes"], settings) * 10,
        _classes(logits["moods"], labels["moods"]),
        _classes(logits["sentiment"], labels["sentiment"]),
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


def _classes(logits: Tensor, labels: Tensor) -> Tensor:
    known = labels != UNKNOWN
    if not known.any():
        return logits.sum() * 0
    return functional.cross_entropy(logits[known], labels[known].long())
