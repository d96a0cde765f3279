"""The network that is trained: an encoder and, per label, an attention over its tokens with a linear read-out."""

import torch
from torch import Tensor, nn

from nlp.types import MOODS, SIGNALS

MOOD_WIDTH = 128  # hidden units of the theme-mood read-out: enough for 4 classes, small enough to ship


class Heads(nn.Module):
    """Reads token vectors: for each label its own pooled vector, and from it a logit; moods from the same vectors.

    Labels are themes, then signals, then `justified`; one more query pools for the verbatim's own sentiment.
    With pooling="mean" every query is the plain mean and stays so.
    """

    def __init__(self, dimension: int, themes: int, pooling: str = "attention") -> None:
        super().__init__()
        self.themes = themes
        labels = themes + len(SIGNALS) + 1
        self.query = nn.Parameter(torch.zeros(labels + 1, dimension), requires_grad=pooling == "attention")
        self.weight = nn.Parameter(torch.randn(labels, dimension) * 0.02)
        self.bias = nn.Parameter(torch.full((labels,), -2.0))
        self.sentiment = nn.Linear(dimension, len(MOODS))
        self.mood_in = nn.Linear(dimension, MOOD_WIDTH)
        self.mood_out = nn.Linear(MOOD_WIDTH, len(MOODS))
        self.dropout = nn.Dropout(0.1)

    def forward(self, tokens: Tensor, mask: Tensor) -> dict[str, Tensor]:
        """tokens float (b, t, d), mask bool (b, t) of the text's own tokens -> logits per task."""
        tokens = self.dropout(tokens)
        scores = tokens @ self.query.T  # (b, t, labels + 1)
        scores = scores.masked_fill(~mask[..., None], torch.finfo(scores.dtype).min)
        pooled = scores.softmax(dim=1).transpose(1, 2) @ tokens  # (b, labels + 1, d)
        logits = (pooled[:, :-1] * self.weight).sum(-1) + self.bias
        themes = self.themes
        return {
            "themes": logits[:, :themes],
            "signals": logits[:, themes:-1],
            "justified": logits[:, -1],
            "sentiment": self.sentiment(pooled[:, -1]),
            "moods": self.mood_out(nn.functional.gelu(self.mood_in(pooled[:, :themes]), approximate="tanh")),
        }


class Network(nn.Module):
    """An encoder (Hugging Face's BertModel, adapted or not) under the heads."""

    def __init__(self, encoder: nn.Module, heads: Heads) -> None:
        super().__init__()
        self.encoder = encoder
        self.heads = heads

    @property
    def device(self) -> torch.device:
        """Where its parameters are."""
        return self.heads.query.device

    def forward(self, ids: Tensor, attention: Tensor, mask: Tensor) -> dict[str, Tensor]:
        tokens = self.encoder(input_ids=ids, attention_mask=attention).last_hidden_state
        return self.heads(tokens.float(), mask)
