"""Turns texts into hidden states of their own tokens, in windows and batches that leave no trace in the answer."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from nlp.errors import ModelError
from nlp.runtime import Session, run_all
from nlp.tokens import CONTEXT_TOKENS, TextTokenizer, Tokens
from nlp.types import Span

PAD_TO = 16  # keeps kernels warm, and a text's states the same to the bit whatever it is padded to
BUDGET = 512  # padded tokens in a batch: activations stay in the cache of each of two cores
CHUNK = 16_384  # tokens sorted and held together: 25 MB of states, enough for like lengths to meet
SHORTEST_WINDOW = 2 * CONTEXT_TOKENS  # a window must hold a question and as much of an answer


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """A text's own tokens: hidden states float32 (t, d) and where they stand, int32 (t, 2) in code points."""

    tokens: np.ndarray
    offsets: np.ndarray


class Encoder(Protocol):
    """Whatever gives token states; vectors of two versions never mix."""

    version: str
    dimension: int

    def encode(
        self, texts: Sequence[str], spans: Sequence[Sequence[Span]], contexts: Sequence[str | None]
    ) -> list[Encoded]:
        """One Encoded for each text, in order; `contexts` are the questions the texts answer."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class _Window:
    """A part of a text as the encoder sees it: ids with head and end, and the text's tokens first:last in it."""

    text: int
    first: int
    last: int
    start: int  # where the text's own tokens begin among the ids
    ids: np.ndarray


class TransformerEncoder:
    """An encoder over a session: long texts in windows, windows of like length in batches.

    `longest` is the model's limit in tokens, `budget` how many padded tokens go through it at once.
    """

    def __init__(
        self,
        tokenizer: TextTokenizer,
        session: Session,
        version: str,
        dimension: int,
        longest: int = 512,
        budget: int = BUDGET,
    ) -> None:
        if longest < SHORTEST_WINDOW:
            raise ModelError(f"an encoder of {longest} tokens is too short; {SHORTEST_WINDOW} are needed")
        self.version = version
        self.dimension = dimension
        self.description = session.description
        self._tokenizer = tokenizer
        self._session = session
        self._longest = longest
        self._budget = budget

    def encode(
        self, texts: Sequence[str], spans: Sequence[Sequence[Span]], contexts: Sequence[str | None]
    ) -> list[Encoded]:
        """One Encoded for each text, in order; an empty text has no tokens."""
        return list(self.stream(texts, spans, contexts))

    def stream(
        self, texts: Sequence[str], spans: Sequence[Sequence[Span]], contexts: Sequence[str | None]
    ) -> Iterator[Encoded]:
        """The same one by one, never holding the states of more than about CHUNK tokens."""
        if not len(texts) == len(spans) == len(contexts):
            raise ValueError(f"{len(texts)} texts, {len(spans)} span lists and {len(contexts)} contexts")
        tokens = self._tokenizer.encode(texts)
        heads = {context: self._tokenizer.head(context) for context in set(contexts)}
        for chunk in _chunks(tokens):
            windows = [
                window
                for index in chunk
                for window in self._windows(index, tokens[index], spans[index], heads[contexts[index]])
            ]
            out = {index: np.empty((len(tokens[index].ids), self.dimension), np.float32) for index in chunk}
            self._run(windows, out)
            for index in chunk:
                yield Encoded(out.pop(index), tokens[index].offsets)

    def _windows(self, text: int, tokens: Tokens, spans: Sequence[Span], head: np.ndarray) -> Iterator[_Window]:
        end = [self._tokenizer.specials.eos]
        for first, last in cuts(tokens.offsets, spans, self._longest - len(head) - len(end)):
            ids = np.concatenate([head, tokens.ids[first:last], end]).astype(np.int64)
            yield _Window(text, first, last, len(head), ids)

    def _run(self, windows: Sequence[_Window], out: dict[int, np.ndarray]) -> None:
        groups = [
            [windows[index] for index in batch]
            for batch in batches([len(window.ids) for window in windows], self._budget)
        ]
        inputs = (_collate(members, self._tokenizer.specials.pad) for members in groups)
        for members, states in zip(groups, run_all(self._session, inputs), strict=True):
            if states.shape[2] != self.dimension:
                raise ModelError(f"the encoder gives {states.shape[2]} numbers a token, {self.dimension} were promised")
            for row, window in zip(states, members, strict=True):
                length = window.last - window.first
                out[window.text][window.first : window.last] = row[window.start : window.start + length]


def cuts(offsets: np.ndarray, spans: Sequence[Span], room: int) -> list[tuple[int, int]]:
    """Token ranges of at most `room` that cover all tokens, cut where spans begin if any begins within reach."""
    count = len(offsets)
    if count <= room:
        return [(0, count)] if count else []
    # A span begins at the first token that ends after the span's start.
    starts = np.searchsorted(offsets[:, 1], [span.start for span in spans], side="right")
    ranges, at = [], 0
    while count - at > room:
        within = starts[(starts > at) & (starts <= at + room)]
        end = int(within.max()) if len(within) else at + room
        ranges.append((at, end))
        at = end
    return [*ranges, (at, count)]


def batches(lengths: Sequence[int], budget: int) -> Iterator[list[int]]:
    """Numbers of sequences, shortest first, in batches of at most `budget` padded tokens."""
    batch: list[int] = []
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batch and padded(lengths[index]) * (len(batch) + 1) > budget:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


def padded(length: int) -> int:
    """The width a sequence is padded to."""
    return -(-length // PAD_TO) * PAD_TO


def _chunks(tokens: Sequence[Tokens]) -> Iterator[list[int]]:
    """Numbers of neighbouring texts with about CHUNK tokens together; a longer text is a chunk by itself."""
    chunk: list[int] = []
    held = 0
    for index, each in enumerate(tokens):
        if chunk and held + len(each.ids) > CHUNK:
            yield chunk
            chunk, held = [], 0
        chunk.append(index)
        held += len(each.ids)
    if chunk:
        yield chunk


def _collate(windows: Sequence[_Window], pad: int) -> tuple[np.ndarray, np.ndarray]:
    """ids int64 (b, t) and attention int64 (b, t) of windows, padded to one width."""
    width = padded(max(len(window.ids) for window in windows))
    ids = np.full((len(windows), width), pad, np.int64)
    attention = np.zeros((len(windows), width), np.int64)
    for row, window in enumerate(windows):
        ids[row, : len(window.ids)] = window.ids
        attention[row, : len(window.ids)] = 1
    return ids, attention
