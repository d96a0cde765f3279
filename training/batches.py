"""Groups token sequences of like length into padded batches under a token budget."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from nlp.tokens import TextTokenizer

PAD_TO = 16  # few distinct widths keep the kernels warm
POOL = 50  # batches' worth of rows sorted together: like lengths meet, order stays random


@dataclass(frozen=True, slots=True)
class TokenRow:
    """One tokenised row: all ids, and where its own text begins among them."""

    ids: np.ndarray
    start: int


def sequences(
    tokenizer: TextTokenizer, texts: Sequence[str], contexts: Sequence[str | None], longest: int
) -> list[TokenRow]:
    """Rows as id sequences of at most `longest` tokens; training sees the beginning of longer texts."""
    out = []
    for tokens, context in zip(tokenizer.encode(texts), contexts, strict=True):
        head = tokenizer.head(context)
        body = tokens.ids[: longest - len(head) - 1]
        ids = np.concatenate([head, body, [tokenizer.specials.eos]]).astype(np.int64)
        out.append(TokenRow(ids, len(head)))
    return out


def plan(lengths: Sequence[int], budget: int, seed: int | None) -> list[list[int]]:
    """Row numbers in batches of at most `budget` padded tokens; shuffled by `seed`, or sorted by length for None."""
    order = list(range(len(lengths)))
    if seed is not None:
        rng = random.Random(seed)
        rng.shuffle(order)
        mean = max(1, sum(lengths) // max(1, len(lengths)))
        size = max(1, budget // mean) * POOL
        order = [i for at in range(0, len(order), size) for i in sorted(order[at : at + size], key=lengths.__getitem__)]
    else:
        order.sort(key=lengths.__getitem__)
    batches = list(_cut(order, lengths, budget))
    if seed is not None:
        rng.shuffle(batches)
    return batches


def _cut(order: Sequence[int], lengths: Sequence[int], budget: int) -> Iterator[list[int]]:
    batch: list[int] = []
    width = 0
    for index in order:
        wider = max(width, _padded(lengths[index]))
        if batch and wider * (len(batch) + 1) > budget:
            yield batch
            batch, wider = [], _padded(lengths[index])
        batch.append(index)
        width = wider
    if batch:
        yield batch


def _padded(length: int) -> int:
    return -(-length // PAD_TO) * PAD_TO


def collate(rows: Sequence[TokenRow], pad: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """ids int64 (b, t), attention int64 (b, t), and bool (b, t) true on the text's own tokens."""
    width = _padded(max(len(row.ids) for row in rows))
    ids = np.full((len(rows), width), pad, np.int64)
    attention = np.zeros((len(rows), width), np.int64)
    own = np.zeros((len(rows), width), bool)
    for index, row in enumerate(rows):
        length = len(row.ids)
        ids[index, :length] = row.ids
        attention[index, :length] = 1
        own[index, row.start : length - 1] = True
        if length - 1 <= row.start:
            own[index, 0] = True  # an empty text still needs something to pool
    return torch.from_numpy(ids), torch.from_numpy(attention), torch.from_numpy(own)
