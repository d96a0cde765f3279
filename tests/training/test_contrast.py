"""Contrastive adaptation, on a small encoder over a vocabulary of a few words."""

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import BertConfig, BertModel

from nlp.tokens import Specials, TextTokenizer
from tests.benchmarks.contrast import ContrastPlan, adapt_contrastive, contrast, pool
from training.encoder import adapt, adapter_arrays
from training.finetune import Plan, tokenised
from training.network import Heads, Network

WORDS = [f"w{number}" for number in range(40)]
TEXTS = [f"w{2 * i} w{2 * i + 1}" for i in range(16)]
THEMES = np.eye(4, dtype=bool)[np.arange(16) % 4]
NAMES = ["w32 w36", "w33 w37", "w34 w38", "w35 w39"]
PLAN = ContrastPlan(passes=20, themes=4, rate=2e-2, seed=3)


@pytest.fixture
def tokenizer() -> TextTokenizer:
    vocabulary = {word: number for number, word in enumerate(["<s>", "</s>", "<pad>", "<mask>", *WORDS])}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token="<mask>"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    return TextTokenizer(made, Specials(bos=0, eos=1, pad=2, mask=3), prefix="")


@pytest.fixture
def network() -> Network:
    torch.manual_seed(5)
    config = BertConfig(
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=64,
        vocab_size=len(WORDS) + 4,
        max_position_embeddings=32,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    encoder = BertModel(config, add_pooling_layer=False)
    encoder.requires_grad_(False)
    return Network(adapt(encoder, rank=8, alpha=8.0), Heads(32, 4, "mean"))


def vectors(network: Network, tokenizer: TextTokenizer, texts: list[str], row) -> np.ndarray:
    with torch.inference_mode():
        made = pool(network, tokenizer, tokenised(tokenizer, [row(text=text) for text in texts], Plan()))
    return torch.nn.functional.normalize(made, dim=1).numpy()


def apart(made: np.ndarray, themes: np.ndarray) -> float:
    """How much likelier rows of one theme are than rows of two."""
    alike = themes @ themes.T
    likeness, others = made @ made.T, ~np.eye(len(made), dtype=bool)
    return float(likeness[alike & others].mean() - likeness[~alike].mean())


def test_what_shares_a_theme_moves_together_and_names_with_it(network, tokenizer, row):
    both, themes = [*TEXTS, *NAMES], np.concatenate([THEMES, np.eye(4, dtype=bool)])
    before = apart(vectors(network, tokenizer, both, row), themes)
    told: list[str] = []
    adapt_contrastive(network, tokenizer, TEXTS, THEMES, NAMES, PLAN, told.append)
    assert apart(vectors(network, tokenizer, both, row), themes) > before + 0.3
    assert len(told) >= 5 and not network.training


def test_only_the_adapter_learns_and_a_seed_repeats_it(network, tokenizer):
    frozen = {name: values.clone() for name, values in network.named_parameters() if not values.requires_grad}
    heads = {name: values.clone() for name, values in network.heads.named_parameters()}
    fresh = {name: values.clone() for name, values in network.state_dict().items()}
    adapt_contrastive(network, tokenizer, TEXTS, THEMES, NAMES, PLAN, lambda line: None)
    now = dict(network.named_parameters())
    assert all(torch.equal(values, now[name]) for name, values in frozen.items())
    assert all(torch.equal(values, dict(network.heads.named_parameters())[name]) for name, values in heads.items())
    first = adapter_arrays(network.encoder)
    assert any(values.any() for name, values in first.items() if name.endswith(".B"))
    network.load_state_dict(fresh)
    adapt_contrastive(network, tokenizer, TEXTS, THEMES, NAMES, PLAN, lambda line: None)
    again = adapter_arrays(network.encoder)
    assert all(np.allclose(values, again[name], atol=1e-3) for name, values in first.items())


@pytest.mark.parametrize("taught", [0, 1])
def test_one_theme_has_nothing_to_be_told_apart_from(network, tokenizer, taught):
    before = adapter_arrays(network.encoder)
    themes = THEMES.copy()
    themes[:, taught:] = False
    adapt_contrastive(network, tokenizer, TEXTS, themes, NAMES, PLAN, lambda line: None)
    after = adapter_arrays(network.encoder)
    assert all(np.array_equal(values, after[name]) for name, values in before.items())


def test_the_loss_is_low_where_themes_are_apart_and_counts_any_shared_theme():
    about = torch.tensor([[1, 0], [1, 0], [0, 1], [0, 1]], dtype=torch.bool)
    corners = torch.eye(2).repeat_interleave(2, dim=0)
    mixed = corners[[0, 2, 1, 3]]
    assert contrast(corners, about, 0.05) < 0.01 < 5 < contrast(mixed, about, 0.05)
    shared = torch.tensor([[1, 0], [1, 1], [0, 1], [0, 1]], dtype=torch.bool)
    assert contrast(corners, shared, 0.05) > contrast(corners, about, 0.05)  # the second is now alike to the third
