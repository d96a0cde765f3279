"""Low-rank adapters (Hu et al. 2021) that keep every activation in the base weights' own precision.

A general library casts activations to float32 and back around each adapter; on a processor that costs more than the
adapter itself, so these thirty lines stand in for it.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional


class LowRank(nn.Module):
    """A frozen linear layer plus `B A x`; A starts random, B at zero, so training starts from the base model.

    The update is scaled by `alpha / sqrt(rank)` (Kalajdzievski 2023); parameters are float32.
    """

    def __init__(self, base: nn.Linear, rank: int, alpha: float) -> None:
        super().__init__()
        self.base = base
        self.scale = alpha / math.sqrt(rank)
        self.down = nn.Parameter(torch.empty(rank, base.in_features))
        self.up = nn.Parameter(torch.zeros(base.out_features, rank))
        nn.init.kaiming_uniform_(self.down, a=math.sqrt(5))

    def forward(self, x: Tensor) -> Tensor:
        low = functional.linear(x, self.down.to(x.dtype))
        return self.base(x) + functional.linear(low, (self.up * self.scale).to(x.dtype))


def adapt(model: nn.Module, names: tuple[str, ...], rank: int, alpha: float) -> nn.Module:
    """Puts an adapter on every linear layer whose path ends in one of `names`, in place."""
    for path, module in list(model.named_modules()):
        if isinstance(module, nn.Linear) and path.endswith(names):
            parent, _, leaf = path.rpartition(".")
            setattr(model.get_submodule(parent), leaf, LowRank(module, rank, alpha))
    return model
