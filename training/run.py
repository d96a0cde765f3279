"""One training in the making: what learns, how fast, its running average, the best so far, and how to go on from it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from training.checkpoint import Saved

Parameters = list[tuple[str, nn.Parameter]]


class Average:
    """An exponential moving average of the trained parameters: what is kept in the end."""

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.steps = 0
        self.values = {name: p.detach().clone() for name, p in trained(network)}

    def update(self, network: nn.Module) -> None:
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        for name, parameter in trained(network):
            self.values[name].lerp_(parameter.detach(), 1 - decay)

    def swap(self, network: nn.Module) -> None:
        """Exchanges the averaged values with the network's own; twice restores."""
        for name, parameter in trained(network):
            kept = parameter.detach().clone()
            parameter.data.copy_(self.values[name])
            self.values[name] = kept


@dataclass(slots=True)
class Best:
    """The averaged parameters of the epoch that read the development rows best; `stale` epochs came after it."""

    score: float = -math.inf
    epoch: int = -1
    stale: int = 0
    values: dict[str, Tensor] = field(default_factory=dict)

    def offer(self, score: float, epoch: int, values: Mapping[str, Tensor]) -> None:
        if score > self.score:
            self.score, self.epoch, self.stale = score, epoch, 0
            self.values = {name: value.clone() for name, value in values.items()}
        else:
            self.stale += 1


class Run:
    """A network under training; `step` counts the batches done in `epoch`."""

    def __init__(
        self, network: nn.Module, groups: list[dict], total: int, warmup: float, average: float, seed: int
    ) -> None:
        torch.manual_seed(seed)
        self.network = network
        self.optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.98))
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimizer, lambda step: learning_rate(step / max(1, total), warmup)
        )
        self.average = Average(network, average)
        self.best = Best()
        self.epoch = 0
        self.step = 0

    def learn(self, loss: Tensor) -> None:
        """One step down the gradient of `loss`."""
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_([p for _, p in trained(self.network)], 1.0)
        self.optimizer.step()
        self.schedule.step()
        self.average.update(self.network)
        self.step += 1

    def take_best(self) -> None:
        """Leaves the best epoch's parameters in the network, or the average where no epoch was judged."""
        values = self.best.values or self.average.values
        for name, parameter in trained(self.network):
            parameter.data.copy_(values[name])

    def tensors(self) -> dict[str, Tensor]:
        """Everything of the run that is an array."""
        out = {"generator": torch.get_rng_state()}
        moments = self.optimizer.state
        for name, parameter in trained(self.network):
            out[f"parameter.{name}"] = parameter
            out[f"average.{name}"] = self.average.values[name]
            for kind in ("exp_avg", "exp_avg_sq", "step"):
                if kind in moments[parameter]:
                    out[f"{kind}.{name}"] = moments[parameter][kind]
        return out | {f"best.{name}": value for name, value in self.best.values.items()}

    def numbers(self) -> dict[str, float]:
        """Everything of the run that is a number."""
        return {
            "epoch": self.epoch,
            "step": self.step,
            "scheduled": self.schedule.last_epoch,
            "averaged": self.average.steps,
            "best_score": self.best.score,
            "best_epoch": self.best.epoch,
            "stale": self.best.stale,
        }

    def restore(self, saved: Saved) -> None:
        """Goes back to a state that `tensors` and `numbers` gave; what follows is what would have followed then.

        On a GPU nearly: its own generator, from which dropout draws there, is not kept.
        """
        tensors, numbers = saved.tensors, saved.numbers
        for name, parameter in trained(self.network):
            parameter.data.copy_(tensors[f"parameter.{name}"])
            self.average.values[name].copy_(tensors[f"average.{name}"])
            kinds = [kind for kind in ("exp_avg", "exp_avg_sq", "step") if f"{kind}.{name}" in tensors]
            self.optimizer.state[parameter] = {
                kind: tensors[f"{kind}.{name}"].to("cpu" if kind == "step" else parameter.device) for kind in kinds
            }
        self.average.steps = int(numbers["averaged"])
        best = {name.removeprefix("best."): value for name, value in tensors.items() if name.startswith("best.")}
        self.best = Best(numbers["best_score"], int(numbers["best_epoch"]), int(numbers["stale"]), best)
        self.epoch, self.step = int(numbers["epoch"]), int(numbers["step"])
        self.schedule.last_epoch = int(numbers["scheduled"])
        for group, base, factor in zip(
            self.optimizer.param_groups, self.schedule.base_lrs, self.schedule.lr_lambdas, strict=True
        ):
            group["lr"] = base * factor(self.schedule.last_epoch)
        torch.set_rng_state(tensors["generator"])


def trained(network: nn.Module) -> Parameters:
    """The parameters that learn, by name."""
    return [(name, p) for name, p in network.named_parameters() if p.requires_grad]


def learning_rate(progress: float, warmup: float) -> float:
    """The share of the full rate at `progress` in [0, 1]: a straight rise, then half a cosine (Loshchilov 2017)."""
    if progress < warmup:
        return progress / warmup
    return 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, (progress - warmup) / (1 - warmup))))
