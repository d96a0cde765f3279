"""Classifications together with the probability of every theme, the ones not tagged too."""

from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass

import numpy as np

from nlp.encoder import Encoded, Encoder
from nlp.pipeline import Pipeline
from nlp.types import Classification, Response, Span

TOGETHER = 256  # responses whose token states are held at once: some 25 MB, 200 MB where all are very long


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What a model says of responses, in their order; probabilities float32 (responses, themes) for `themes`.

    A response that cannot be read, or says nothing, has no theme: its probabilities are 0.
    """

    classifications: list[Classification]
    themes: tuple[str, ...]
    probabilities: np.ndarray


def answer(pipeline: Pipeline, responses: Sequence[Response]) -> Answers:
    """Classifies and reads responses, each encoded once; the pipeline tags the themes its heads were trained on."""
    encoder, twin = _Remembering(pipeline.encoder), copy(pipeline)
    twin.encoder = encoder
    themes = tuple(pipeline.taxonomy.ids)
    if len(themes) != pipeline.heads.themes:
        raise ValueError(f"the heads know {pipeline.heads.themes} themes, the frame has {len(themes)}: read without it")
    said: list[Classification] = []
    probabilities = np.zeros((len(responses), len(themes)), np.float32)
    for start in range(0, len(responses), TOGETHER):
        part = responses[start : start + TOGETHER]
        said += twin.classify(part)
        for index, reading in enumerate(twin.read(part), start):
            if reading is not None:
                probabilities[index] = reading.themes
        encoder.forget()
    return Answers(said, themes, probabilities)


class _Remembering:
    """An encoder that keeps what it gave until told to forget it."""

    def __init__(self, encoder: Encoder) -> None:
        self.version = encoder.version
        self.dimension = encoder.dimension
        self._encoder = encoder
        self._known: dict[tuple, Encoded] = {}

    def encode(
        self, texts: Sequence[str], spans: Sequence[Sequence[Span]], contexts: Sequence[str | None]
    ) -> list[Encoded]:
        return list(self.stream(texts, spans, contexts))

    def stream(
        self, texts: Sequence[str], spans: Sequence[Sequence[Span]], contexts: Sequence[str | None]
    ) -> Iterator[Encoded]:
        """As the encoder's own, from memory where all were asked for before."""
        keys = [(text, tuple(cut), context) for text, cut, context in zip(texts, spans, contexts, strict=True)]
        if all(key in self._known for key in keys):
            yield from (self._known[key] for key in keys)
            return
        source = getattr(self._encoder, "stream", self._encoder.encode)
        for key, encoded in zip(keys, source(texts, spans, contexts), strict=True):
            self._known[key] = encoded
            yield encoded

    def forget(self) -> None:
        self._known.clear()
