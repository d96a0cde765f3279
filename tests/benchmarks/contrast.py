"""A way to adapt the encoder to few examples that `holos train` does not take: what shares a theme moves together.

Supervised contrastive learning (Khosla et al. 2020) over batches of two members from each of some themes, a theme's
name being a member too. Pairs are formed within a batch only, so the cost is linear in the examples.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from nlp.tokens import TextTokenizer
from training.batches import TokenRow, collate, sequences
from training.network import Network

NOTHING = -1e9  # in place of a similarity that must not count


@dataclass(frozen=True, slots=True)
class ContrastPlan:
    """How to adapt; few passes, for a handful of examples is learnt by heart within a dozen.

    `themes` is how many stand in a batch, `passes` how often each example is seen, about.
    """

    passes: float = 5.0
    themes: int = 24
    rate: float = 1e-3
    weight_decay: float = 0.01
    temperature: float = 0.05
    longest: int = 96
    seed: int = 7


def adapt_contrastive(
    network: Network,
    tokenizer: TextTokenizer,
    texts: Sequence[str],
    themes: np.ndarray,
    names: Sequence[str],
    plan: ContrastPlan,
    say: Callable[[str], None],
) -> None:
    """Trains the encoder's adapter in place; themes bool (texts, names), true where a text is about what is so named.

    Themes without a text are left alone; with fewer than two others there is nothing to tell apart.
    """
    taught = np.flatnonzero(themes.any(axis=0))
    if len(taught) < 2:
        return
    rows = sequences(tokenizer, [*texts, *names], [None] * (len(texts) + len(names)), plan.longest)
    about = np.concatenate([themes.astype(bool), np.eye(len(names), dtype=bool)])
    members = [np.flatnonzero(about[:, theme]) for theme in taught]
    width = min(plan.themes, len(taught))
    steps = max(1, math.ceil(plan.passes * sum(map(len, members)) / (2 * width)))
    learnt = [p for p in network.encoder.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(learnt, lr=plan.rate, weight_decay=plan.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, plan.rate, total_steps=max(2, steps), pct_start=0.1)
    rng = np.random.default_rng(plan.seed)
    network.train()
    for step in range(steps):
        batch = _draw(rng, members, width)
        vectors = functional.normalize(pool(network, tokenizer, [rows[i] for i in batch]), dim=1)
        value = contrast(vectors, torch.from_numpy(about[batch]).to(vectors.device), plan.temperature)
        optimizer.zero_grad(set_to_none=True)
        value.backward()
        optimizer.step()
        schedule.step()
        if (step + 1) % max(1, steps // 5) == 0:
            say(f"contrast, batch {step + 1} of {steps}: loss {value.item():.3f}")
    network.eval()


def contrast(vectors: Tensor, about: Tensor, temperature: float) -> Tensor:
    """The mean over pairs that share a theme of -log of their share of all likeness; unit rows (b, d), bool (b, t)."""
    own = torch.eye(len(vectors), dtype=torch.bool, device=vectors.device)
    likeness = (vectors @ vectors.T / temperature).masked_fill(own, NOTHING)
    alike = ((about.float() @ about.float().T) > 0) & ~own
    return -likeness.log_softmax(dim=1)[alike].mean()


def pool(network: Network, tokenizer: TextTokenizer, rows: Sequence[TokenRow]) -> Tensor:
    """The mean token state of each row's own text, float32 (rows, d)."""
    ids, attention, own = (part.to(network.device) for part in collate(rows, tokenizer.specials.pad))
    states = network.encoder(input_ids=ids, attention_mask=attention).last_hidden_state.float()
    mask = own[..., None].float()
    return (states * mask).sum(dim=1) / mask.sum(dim=1)


def _draw(rng: np.random.Generator, members: Sequence[np.ndarray], width: int) -> np.ndarray:
    """Two members, no row twice, of each of `width` themes."""
    chosen = rng.permutation(len(members))[:width]
    return np.unique(np.concatenate([rng.permutation(members[theme])[:2] for theme in chosen]))
