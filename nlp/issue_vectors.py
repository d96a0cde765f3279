"""Vectors by which issues are found: of the encoder as it was before any theme was taught to it, rare words first.

The heads' adapter draws texts to their theme, and what sets two issues of one theme apart is lost (the README has the
figures); so clustering reads the bare encoder. Handles, links and placeholders say whom, not what: they are taken out.
"""

import re
from collections.abc import Iterable, Sequence
from itertools import islice

import numpy as np

from nlp.encoder import Encoder
from nlp.tokens import TextTokenizer

COMMON = 1e-4  # a word piece of this frequency weighs half of a very rare one (Arora et al. 2017)
SAID_OF = re.compile(r"(?<!\w)@\w+|https?://\S+|www\.\S+|<[A-Z_]+>|#")
_BLANKS = re.compile(r"\s+")
CHUNK = 1024  # texts in memory together


def bare(text: str) -> str:
    """The text without handles, links and placeholders; as it is where nothing else is in it."""
    return _BLANKS.sub(" ", SAID_OF.sub(" ", text)).strip() or text


def piece_weights(pieces: Sequence[tuple[str, float]]) -> np.ndarray:
    """float32 (v,) in (0, 1]: how much a piece counts, by its log probability in the tokenizer's model."""
    frequency = np.exp(np.array([score for _, score in pieces], np.float64))
    return (COMMON / (COMMON + frequency)).astype(np.float32)


def issue_version(encoder: str, rare: bool) -> str:
    """The version of an `IssueEncoder` over an encoder of this version; `rare`: with weights of pieces."""
    return f"{encoder}.issues{'-rare' if rare else ''}"


class IssueEncoder:
    """Means of token states weighted by the rarity of the pieces; plain means where no weights are known."""

    def __init__(self, encoder: Encoder, tokenizer: TextTokenizer | None = None, weights: np.ndarray | None = None):
        if (tokenizer is None) != (weights is None):
            raise ValueError("give the tokenizer and the weights of its pieces together, or neither")
        self.dimension = encoder.dimension
        self.version = issue_version(encoder.version, rare=weights is not None)
        self._encoder, self._tokenizer, self._weights = encoder, tokenizer, weights

    def vectors(self, texts: Iterable[str]) -> np.ndarray:
        """float32 (n, d), unit rows, one for each text in order; zeros for a text without tokens."""
        source = iter(texts)
        blocks = [np.zeros((0, self.dimension), np.float32)]
        while chunk := [bare(text) for text in islice(source, CHUNK)]:
            blocks.append(self._chunk(chunk))
        return np.concatenate(blocks)

    def _chunk(self, texts: Sequence[str]) -> np.ndarray:
        out = np.zeros((len(texts), self.dimension), np.float32)
        stream = getattr(self._encoder, "stream", self._encoder.encode)
        weights = self._weights_of(texts)
        for row, encoded in enumerate(stream(texts, [()] * len(texts), [None] * len(texts))):
            if not len(encoded.tokens):
                continue
            share = weights[row] if weights is not None else None
            mean = np.average(encoded.tokens, axis=0, weights=share)
            out[row] = mean / max(float(np.linalg.norm(mean)), 1e-9)
        return out

    def _weights_of(self, texts: Sequence[str]) -> list[np.ndarray] | None:
        if self._tokenizer is None or self._weights is None:
            return None
        last = len(self._weights) - 1
        return [self._weights[np.minimum(tokens.ids, last)] for tokens in self._tokenizer.encode(texts)]
