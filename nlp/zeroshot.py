"""Themes that the model was not trained on: found by how near a span comes to what their description says.

Similarities of sentence vectors stand in a narrow band that differs from text to text, so each is read against a
cohort, as speaker verification does (test normalisation): how far it stands out from the same span's similarities to
other themes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nlp.encoder import Encoder
from nlp.heads import sigmoid
from nlp.taxonomy import Taxonomy, Theme

# Of a similarity in standard deviations above that to other themes: fitted on rows that the shipped model was trained
# on, with each of its themes left out in turn and taken for a new one (tests/benchmarks/zeroshot.py prints them).
SCALE = 1.89
SHIFT = -4.88
THRESHOLD = 0.29  # where F1 is highest
VIEWS = 3  # in how many ways a theme is put in words
FEWEST_IN_COHORT = 8  # texts; of fewer a mean and a deviation say nothing, and those below join them
# Unrelated opinions in the four languages and names of themes, for code frames that bring hardly any of their own.
SENTENCES = (
    "Pani w okienku była opryskliwa",
    "Paczka przyszła dzień wcześniej",
    "Дуже смачно готують",
    "Застосунок знову не відкривається",
    "Слишком дорого за такое качество",
    "Менеджер так и не перезвонил",
    "The room was spotless and quiet",
    "They charged me twice for one order",
)
NAMES = (
    "Staff attitude",
    "Delivery time",
    "Price level",
    "Product quality",
    "Website usability",
    "Problem resolution",
    "Premises and comfort",
    "Waiting",
)


@dataclass(frozen=True, slots=True, eq=False)
class Cohort:
    """What a reading is held against: unit rows of unrelated sentences float32 (m, d) and of other themes (k, v, d).

    A theme has v vectors, one for each of its `views`.
    """

    sentences: np.ndarray
    themes: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Similar:
    """Probabilities by similarity: float32 (new themes,) for the verbatim, (new themes, spans) for its parts."""

    themes: np.ndarray
    spans: np.ndarray

    @property
    def chosen(self) -> list[int]:
        """Numbers of the themes that are near enough to be tagged."""
        return [int(index) for index in np.flatnonzero(self.themes >= THRESHOLD)]


class ZeroShot:
    """Reads `themes` by similarity alone, in the verbatim's best span."""

    def __init__(self, themes: Sequence[Theme], views: np.ndarray, cohort: Cohort) -> None:
        """`views` float32 (themes, v, d), unit rows of the encoder that reads the verbatims."""
        self.themes = tuple(themes)
        self._centre = cohort.sentences.mean(axis=0)
        both = np.concatenate([views, cohort.themes])
        # Views are centred each by itself: what all labels share is not what all descriptions share.
        anchors = unit(unit(both - both.mean(axis=0)).sum(axis=1))
        self._anchors, self._others = anchors[: len(views)], anchors[len(views) :]

    def read(self, tokens: np.ndarray, membership: np.ndarray) -> Similar:
        """tokens float32 (n, d), membership float32 (n, spans) with one 1 a row -> a Similar."""
        held = membership.any(axis=0)[:, None]  # a span without tokens says nothing
        likely = sigmoid(SCALE * self.standing_out(tokens, membership) + SHIFT)
        by_span = np.where(held, likely, 0.0).astype(np.float32).T
        return Similar(by_span.max(axis=1, initial=0.0), by_span)

    def standing_out(self, tokens: np.ndarray, membership: np.ndarray) -> np.ndarray:
        """How far each span's likeness to each theme is above that to the cohort's, in deviations (spans, themes)."""
        spans = unit(unit(membership.T @ tokens) - self._centre)
        near, others = spans @ self._anchors.T, spans @ self._others.T
        return (near - others.mean(axis=1, keepdims=True)) / np.maximum(others.std(axis=1, keepdims=True), 1e-6)


def zero_shot(frame: Taxonomy, known: Taxonomy, encoder: Encoder) -> ZeroShot | None:
    """A reader of the themes that `frame` has and `known`, the model's own frame, lacks; None where there are none."""
    new = [theme for theme in frame.themes if theme.id not in known.ids]
    if not new:
        return None
    return ZeroShot(new, theme_vectors(encoder, new), cohort_of(known, encoder))


def cohort_of(known: Taxonomy, encoder: Encoder) -> Cohort:
    """The themes that a model was trained on and their examples."""
    sentences, themes = unrelated(known)
    return Cohort(vectors(encoder, sentences), theme_vectors(encoder, themes))


def unrelated(known: Taxonomy) -> tuple[list[str], list[Theme]]:
    """The sentences and the themes of a cohort."""
    sentences = [example for theme in known.themes for example in theme.examples]
    themes = list(known.themes)
    if len(sentences) < FEWEST_IN_COHORT:
        sentences += SENTENCES
    if len(themes) < FEWEST_IN_COHORT:
        themes += [Theme(name, name, "") for name in NAMES]
    return sentences, themes


def views(theme: Theme) -> tuple[str, str, str]:
    """How a theme is put in words: its label, with the first sentence of its description, with all of it.

    The first sentence says what the theme is, those after it often what it is not.
    """
    first = theme.description.split(". ")[0]
    return theme.label, f"{theme.label}: {first}" if first else theme.label, f"{theme.label}. {theme.description}"


def theme_vectors(encoder: Encoder, themes: Sequence[Theme]) -> np.ndarray:
    """float32 (themes, v, d), unit rows."""
    texts = [text for theme in themes for text in views(theme)]
    return vectors(encoder, texts).reshape(len(themes), -1, encoder.dimension)


def vectors(encoder: Encoder, texts: Sequence[str]) -> np.ndarray:
    """Unit rows float32 (n, d): the mean of each text's token states."""
    encoded = encoder.encode(texts, [()] * len(texts), [None] * len(texts))
    return unit(np.stack([each.tokens.mean(axis=0) for each in encoded]))


def unit(rows: np.ndarray) -> np.ndarray:
    """Rows of length one; a row of zeros stays one."""
    lengths = np.linalg.norm(rows, axis=-1, keepdims=True)
    return rows / np.where(lengths > 0, lengths, 1.0)
