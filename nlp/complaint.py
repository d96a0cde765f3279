"""The part of a text that complains, where it speaks of several things: by this alone it is compared with others."""

from collections.abc import Sequence
from dataclasses import dataclass

from nlp.types import Span

COMPLAINS = ("negative", "mixed")
"""Moods of a theme that something is wrong with."""


@dataclass(frozen=True, slots=True)
class Aspect:
    """A theme that a text speaks of: its mood, and where it is said."""

    mood: str
    spans: tuple[Span, ...]


def complaint_spans(text: str, aspects: Sequence[Aspect]) -> tuple[Span, ...]:
    """Where the text complains, in order and without overlap; the whole text unless it speaks well of something else.

    A text with one theme, with complaints alone, with none or without their evidence is one thing, and is read whole.
    """
    whole = (Span(0, len(text)),)
    complaining = [aspect for aspect in aspects if aspect.mood in COMPLAINS]
    if not complaining or len(complaining) == len(aspects):
        return whole
    found = _union(text, [span for aspect in complaining for span in aspect.spans])
    return found if any(any(map(str.isalpha, span.of(text))) for span in found) else whole


def said(text: str, spans: Sequence[Span]) -> str:
    """The words of these stretches, one after another."""
    return " ".join(span.of(text).strip() for span in spans).strip()


def _union(text: str, spans: Sequence[Span]) -> tuple[Span, ...]:
    """The stretches in order; those that overlap, or have nothing but blanks between them, are one."""
    found: list[Span] = []
    inside = (Span(max(span.start, 0), min(span.end, len(text))) for span in spans)
    for span in sorted((each for each in inside if each.start < each.end), key=lambda each: (each.start, each.end)):
        if found and (span.start <= found[-1].end or not text[found[-1].end : span.start].strip()):
            found[-1] = Span(found[-1].start, max(found[-1].end, span.end))
        else:
            found.append(span)
    return tuple(found)
