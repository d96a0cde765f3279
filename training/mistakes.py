"""The worst errors: wrong answers that the model was surest of, with what it read them from."""

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from nlp.types import Classification, Span
from training.dataset import UNKNOWN, LabelledRow
from training.tally import first_said
from training.truth import Truth

MOST = 15  # of each kind: what a person reads in one sitting
EXCERPT = 240  # characters of a text that are shown where no evidence stands for it
TOLD, MISSED, SENTIMENT, JUSTIFIED, FIRST = (
    "themes said wrongly",
    "themes missed",
    "sentiment",
    "justification",
    "priority one",
)


@dataclass(frozen=True, slots=True)
class Mistake:
    """One wrong answer; `confidence` in [0, 1] is how sure the model was of it, `evidence` redacted text."""

    id: str
    language: str
    labelled: str
    answered: str
    confidence: float
    evidence: tuple[str, ...]


def mistakes(
    rows: Sequence[LabelledRow], said: Sequence[Classification], truth: Truth | None = None
) -> dict[str, tuple[Mistake, ...]]:
    """The MOST confident mistakes of each kind, surest first; missed themes only where their `truth` is given."""
    found: dict[str, Callable[[LabelledRow, Classification], Iterable[Mistake]]] = {
        TOLD: _told,
        SENTIMENT: _sentiment,
        JUSTIFIED: _justified,
        FIRST: _first,
    }
    out = {
        kind: _worst(
            each for row, answer in zip(rows, said, strict=True) if not answer.error for each in find(row, answer)
        )
        for kind, find in found.items()
    }
    if truth is not None:
        out[MISSED] = _worst(_missed(rows, said, truth))
    return {kind: out[kind] for kind in (TOLD, MISSED, SENTIMENT, JUSTIFIED, FIRST) if out.get(kind)}


def _worst(found: Iterable[Mistake]) -> tuple[Mistake, ...]:
    return tuple(heapq.nlargest(MOST, found, key=lambda each: each.confidence))


def _told(row: LabelledRow, said: Classification) -> Iterator[Mistake]:
    if row.themes is None:
        return
    for tag in said.themes:
        if tag.id not in row.themes | row.themes_disputed:
            yield _mistake(row, said, _listed(row.themes), tag.id, tag.confidence, tag.spans)


def _missed(rows: Sequence[LabelledRow], said: Sequence[Classification], truth: Truth) -> Iterator[Mistake]:
    columns = {label: index for index, label in enumerate(truth.labels)}
    for index, (row, answer) in enumerate(zip(rows, said, strict=True)):
        tagged = {tag.id for tag in answer.themes}
        if answer.error or row.themes is None:
            continue
        for theme in sorted(row.themes - row.themes_disputed - tagged):
            doubt = 1.0 - float(truth.probabilities[index, columns[theme]])
            yield _mistake(row, answer, theme, _listed(tagged), doubt, ())


def _sentiment(row: LabelledRow, said: Classification) -> Iterator[Mistake]:
    if row.sentiment and said.sentiment and said.sentiment.label != row.sentiment:
        yield _mistake(row, said, row.sentiment, said.sentiment.label, said.sentiment.confidence, ())


def _justified(row: LabelledRow, said: Classification) -> Iterator[Mistake]:
    found = said.justification
    if row.justified is not None and found and found.justified != row.justified:
        wanted = "justified" if row.justified else "not justified"
        yield _mistake(row, said, wanted, found.kind, found.confidence, found.spans)


def _first(row: LabelledRow, said: Classification) -> Iterator[Mistake]:
    """A ranking has no probability of its own: it is as sure as the less sure of the two it is read from."""
    found = said.justification
    if row.priority == UNKNOWN or not (said.ranking and said.sentiment and found):
        return
    if (row.priority == 1) != first_said(said):
        answered = f"{_priority(said.ranking.priority)}: {said.ranking.reason}"
        sure = min(found.confidence, said.sentiment.confidence)
        yield _mistake(row, said, _priority(row.priority), answered, sure, found.spans)


def _mistake(
    row: LabelledRow, said: Classification, labelled: str, answered: str, confidence: float, spans: Sequence[Span]
) -> Mistake:
    evidence = tuple(_cut(span.of(said.text)) for span in spans) or (_cut(said.text),)
    return Mistake(row.id, row.language or "und", labelled, answered, float(confidence), evidence)


def _cut(text: str) -> str:
    return text if len(text) <= EXCERPT else f"{text[:EXCERPT]}…"


def _listed(themes: Iterable[str]) -> str:
    return ", ".join(sorted(themes)) or "none"


def _priority(value: int | None) -> str:
    return "no case" if value is None else str(value)
