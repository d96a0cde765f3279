"""The mean of several trainings from one start: steadier than any of them at the cost of one (Wortsman et al. 2022)."""

from collections.abc import Mapping, Sequence
from dataclasses import fields

import numpy as np

from nlp.heads import HeadWeights


def mean_adapter(adapters: Sequence[Mapping[str, np.ndarray]], rank: int) -> dict[str, np.ndarray]:
    """The mean of the weights' updates B A, cut back to `rank` by its largest singular values; float16 as stored."""
    out = {}
    for name in sorted(key.removesuffix(".A") for key in adapters[0] if key.endswith(".A")):
        # of stacked factors, so that the product is never made larger than it must be
        up = np.concatenate([adapter[f"{name}.B"].astype(np.float32) for adapter in adapters], axis=1) / len(adapters)
        down = np.concatenate([adapter[f"{name}.A"].astype(np.float32) for adapter in adapters], axis=0)
        left, outer = np.linalg.qr(up)
        right, inner = np.linalg.qr(down.T)
        u, values, v = np.linalg.svd(outer @ inner.T)
        kept = min(rank, len(values))
        root = np.sqrt(values[:kept])
        out[f"{name}.A"] = np.ascontiguousarray(root[:, None] * (v[:kept] @ right.T)).astype(np.float16)
        out[f"{name}.B"] = np.ascontiguousarray((left @ u[:, :kept]) * root).astype(np.float16)
    return out


def mean_heads(heads: Sequence[HeadWeights]) -> HeadWeights:
    """The mean of each array; all of one shape."""
    return HeadWeights(
        **{
            field.name: np.mean([getattr(each, field.name) for each in heads], axis=0).astype(np.float32)
            for field in fields(HeadWeights)
        }
    )
