"""Where and in which arithmetic a training runs: a GPU when there is one, bfloat16 where the processor has it."""

import torch

from nlp.cache import processor_flags

BFLOAT16_FLAGS = frozenset({"avx512_bf16", "amx_bf16", "bf16"})


def device() -> torch.device:
    """The GPU when there is one, else the processor."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def precision(where: torch.device, flags: frozenset[str] | None = None) -> torch.dtype:
    """bfloat16 where products in it are as fast as memory allows, else float32."""
    if where.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    own = processor_flags() if flags is None else flags
    return torch.bfloat16 if own & BFLOAT16_FLAGS else torch.float32
