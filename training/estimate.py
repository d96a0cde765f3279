"""What a training will cost in time and memory, measured on a few of its own batches before it starts."""

import resource
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter

import torch

from nlp.tokens import TextTokenizer
from training.batches import plan
from training.dataset import LabelledRow, targets
from training.finetune import Plan, batch_loss, tokenised
from training.network import Network
from training.progress import duration

BATCHES = 4  # measured, the longest among them: the first one warms up
KIB, GIB = 1024, 1024**3


@dataclass(frozen=True, slots=True)
class Estimate:
    """`tokens` an epoch with padding; `seconds` for all epochs; `memory` in bytes, the most this process has held."""

    rows: int
    tokens: int
    epochs: int
    seconds: float
    memory: int
    device: str

    def __str__(self) -> str:
        return (
            f"{self.rows} rows, {self.tokens} tokens an epoch, at most {self.epochs} epochs on {self.device}: "
            f"about {duration(self.seconds)} and {self.memory / GIB:.1f} GiB of memory"
        )


def estimate(
    network: Network,
    tokenizer: TextTokenizer,
    themes: Sequence[str],
    rows: Sequence[LabelledRow],
    settings: Plan,
    now: Callable[[], float] = perf_counter,
) -> Estimate:
    """Runs a few batches forwards and backwards without learning from them; draws no random number of the training."""
    seqs, wanted = tokenised(tokenizer, rows, settings), targets(rows, themes)
    lengths = [len(seq.ids) for seq in seqs]
    batches = plan(lengths, settings.budget, settings.seed)
    sizes = [len(batch) * max(lengths[i] for i in batch) for batch in batches]
    longest = max(range(len(batches)), key=lambda index: max(lengths[i] for i in batches[index]))
    chosen = [longest, *range(0, len(batches), max(1, len(batches) // (BATCHES - 1)))][:BATCHES]
    kept = torch.get_rng_state()
    network.train()
    spent, read = 0.0, 0
    for number, index in enumerate(chosen):
        began = now()
        batch_loss(network, seqs, wanted, batches[index], tokenizer, settings).backward()
        if number or len(chosen) == 1:
            spent, read = spent + now() - began, read + sizes[index]
    network.zero_grad(set_to_none=True)
    torch.set_rng_state(kept)
    total = sum(sizes)
    seconds = spent / max(1, read) * total * settings.epochs
    return Estimate(len(rows), total, settings.epochs, seconds, _memory(network), network.device.type)


def _memory(network: Network) -> int:
    """The most held so far and what the optimiser and the averages will add: four copies of what learns."""
    learning = sum(p.numel() * p.element_size() for p in network.parameters() if p.requires_grad)
    if network.device.type == "cuda":
        return torch.cuda.max_memory_allocated() + 4 * learning
    unit = 1 if sys.platform == "darwin" else KIB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit + 4 * learning
