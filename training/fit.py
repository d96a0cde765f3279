"""Fits the heads alone, over token states that a frozen encoder gave once."""

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from training.dataset import Targets
from training.finetune import TASKS, Plan, loss
from training.network import Heads
from training.run import Average

LINES = 30  # of progress, about


@dataclass(frozen=True, slots=True)
class FitPlan:
    """How to fit the heads; the rate is high because only a thin layer learns.

    With few rows, which make few batches an epoch, there are as many epochs more as `least_steps` asks for.
    """

    epochs: int = 30
    least_steps: int = 300
    batch: int = 64
    rate: float = 3e-3
    weight_decay: float = 0.01
    average: float = 0.998
    seed: int = 7


def fit(
    heads: Heads,
    states: Sequence[np.ndarray],
    wanted: Targets,
    settings: FitPlan,
    losses: Plan,
    report: Callable[[str], None],
) -> None:
    """Trains `heads` in place; states are float16 or float32 (tokens, d) a row, in the order of `wanted`."""
    torch.manual_seed(settings.seed)
    rng = random.Random(settings.seed)
    optimizer = torch.optim.AdamW(
        [p for p in heads.parameters() if p.requires_grad], lr=settings.rate, weight_decay=settings.weight_decay
    )
    batches = _batches([len(state) for state in states], settings.batch)
    epochs = max(settings.epochs, math.ceil(settings.least_steps / len(batches)))
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, settings.rate, total_steps=epochs * len(batches), pct_start=0.1
    )
    average = Average(heads, settings.average)
    heads.train()
    for epoch in range(epochs):
        rng.shuffle(batches)
        total = 0.0
        for batch in batches:
            logits = heads(*padded([states[i] for i in batch]))
            labels = {task: torch.from_numpy(getattr(wanted, task)[batch]) for task in TASKS}
            value = loss(logits, labels, losses)
            optimizer.zero_grad(set_to_none=True)
            value.backward()
            optimizer.step()
            schedule.step()
            average.update(heads)
            total += value.item()
        if (epoch + 1) % max(1, epochs // LINES) == 0:
            report(f"heads, epoch {epoch + 1} of {epochs}: loss {total / len(batches):.4f}")
    average.swap(heads)
    heads.eval()


@torch.inference_mode()
def predict_heads(heads: Heads, states: Sequence[np.ndarray], batch: int = 64) -> dict[str, np.ndarray]:
    """Logits per task in row order, float32."""
    heads.eval()
    out: dict[str, np.ndarray] = {}
    for rows in _batches([len(state) for state in states], batch):
        for task, values in heads(*padded([states[i] for i in rows])).items():
            out.setdefault(task, np.zeros((len(states), *values.shape[1:]), np.float32))[rows] = values.numpy()
    return out


def padded(states: Sequence[np.ndarray]) -> tuple[torch.Tensor, torch.Tensor]:
    """States as float32 (b, t, d) with their mask bool (b, t); a row without tokens pools one zero vector."""
    width = max(1, *(len(state) for state in states))
    tokens = np.zeros((len(states), width, states[0].shape[1]), np.float32)
    mask = np.zeros((len(states), width), bool)
    for index, state in enumerate(states):
        tokens[index, : len(state)] = state
        mask[index, : max(1, len(state))] = True
    return torch.from_numpy(tokens), torch.from_numpy(mask)


def _batches(lengths: Sequence[int], size: int) -> list[list[int]]:
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    return [order[at : at + size] for at in range(0, len(order), size)]
