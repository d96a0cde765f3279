"""New answers in the code frame of their workspace: its own themes found by similarity, what is retired left out."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Generic, TypeVar

import numpy as np
from sqlalchemy import Connection

from nlp.heads import joined_spans, mood_of
from nlp.pipeline import GENERAL, Analysis, Pieces
from nlp.priority import rank
from nlp.segments import trimmed
from nlp.taxonomy import Taxonomy, Theme
from nlp.types import MOODS, Classification, Response, Sentiment, Span, ThemeTag
from nlp.zeroshot import THRESHOLD, VIEWS, Cohort, ZeroShot, unit, unrelated, views
from serving.batcher import Overloaded
from serving.frame.effective import Frame, given, mapped
from serving.frame.failing import PROBE, Failing
from serving.frame.flight import Flight
from serving.frame.store import frame_of, hold
from serving.parts import Parts
from serving.store.effective import columns, ranked
from serving.store.saving import Arrived

REMEMBERED = 64
"""Readers of a process: one for each workspace with themes of its own, and for each model at work."""
PORTION = 256
"""Texts of themes that wait for the model at a time: a fraction of its queue, which stays open to answers."""
TRIES = 5
"""Times that a full queue is asked to take a portion."""

T = TypeVar("T")


class Unread(Exception):  # noqa: N818 - the next who asks may have it read
    """Texts of themes that could not be read this time: another model took over, or nothing is read for now."""


async def analyse(parts: Parts, workspace: str, responses: Sequence[Response]) -> list[Analysis]:
    """What the model finds, and the workspace's own themes that it does not know; raises what `parts.analyse` does."""
    found = await parts.analyse(responses)
    try:
        return await _with_own_themes(parts, workspace, found, responses)
    except Unread:
        return found


async def search(parts: Parts, workspace: str, responses: Sequence[Response]) -> list[Analysis]:
    """The same; raises Unread, too, where the workspace's own themes cannot be looked for this time."""
    return await _with_own_themes(parts, workspace, await parts.analyse(responses), responses)


def framed(
    connection: Connection, parts: Parts, workspace: str, ready: Sequence[Arrived], read: Sequence[Response]
) -> list[Arrived]:
    """Arrivals in the frame in force, which stays as it is until they are kept; `read`: what the model was given."""
    hold(connection, workspace, change=False)
    frame = frame_of(connection, workspace, parts.taxonomy())
    if not frame.own_version:
        return list(ready)
    return [_framed(parts, frame, each, response) for each, response in zip(ready, read, strict=True)]


def with_own(parts: Parts, reader: ZeroShot, analysis: Analysis, response: Response) -> Analysis:
    """An analysis with the tags of the reader's themes, each with the spans that are near to it, ranked anew."""
    said, pieces = analysis.classification, _pieces(analysis)
    if pieces is None or said.sentiment is None or said.justification is None:
        return analysis
    similar = reader.read(pieces.points, np.eye(len(pieces.points), dtype=np.float32))
    new = [_tag(said, pieces, reader.themes[index], similar.spans[index]) for index in similar.chosen]
    if not new:
        return analysis
    found = [tag for tag in said.themes if tag.id != GENERAL]  # which says that nothing narrower was found
    themes = tuple(sorted((*found, *new), key=lambda tag: (-tag.confidence, tag.id)))
    ranking = rank(parts.priority, response, said.sentiment, themes, said.justification, said.signals)
    return replace(analysis, classification=replace(said, themes=themes, ranking=ranking))


async def _with_own_themes(
    parts: Parts, workspace: str, found: list[Analysis], responses: Sequence[Response]
) -> list[Analysis]:
    frame = await asyncio.to_thread(_frame, parts, workspace)
    sample = next((each.vector for each in found if each.vector is not None), None)
    if not frame.by_similarity or sample is None:
        return found
    reader = await _reader(parts, frame.by_similarity, found[0].classification.versions.model, len(sample))
    if reader is None:
        return found
    pairs = zip(found, responses, strict=True)
    return await asyncio.to_thread(lambda: [with_own(parts, reader, each, response) for each, response in pairs])


def _frame(parts: Parts, workspace: str) -> Frame:
    with parts.database.read() as connection:
        return frame_of(connection, workspace, parts.taxonomy())


def _framed(parts: Parts, frame: Frame, arrived: Arrived, response: Response) -> Arrived:
    result = given(arrived.columns["effective"], frame)
    effective = ranked(mapped(result, frame), response, parts.priority)
    found = {**arrived.columns, **columns(effective, response, parts.priority)}
    return Arrived(found, arrived.vector, arrived.dated, result)


def _pieces(analysis: Analysis) -> Pieces | None:
    """The spans of a verbatim; all of it is one where nobody cut it."""
    said = analysis.classification
    if analysis.pieces is not None or analysis.vector is None or said.sentiment is None:
        return analysis.pieces
    moods = [said.sentiment.confidence * (mood == said.sentiment.label) for mood in MOODS]
    return Pieces((Span(0, len(said.text)),), analysis.vector[None], np.array([moods], np.float32))


def _tag(said: Classification, pieces: Pieces, theme: Theme, likely: np.ndarray) -> ThemeTag:
    near = likely >= THRESHOLD
    mood = Sentiment(*mood_of(pieces.moods[near].mean(axis=0)))
    spans = joined_spans([span for span, on in zip(pieces.spans, near, strict=True) if on])
    clean = tuple(trimmed(said.text, span) for span in spans)
    return ThemeTag(theme.id, theme.label, float(likely.max()), THRESHOLD, mood, clean, zero_shot=True)


@dataclass(frozen=True, slots=True)
class _Made(Generic[T]):
    """What was made of texts; anew once one that failed is to be tried again."""

    value: T
    until: datetime | None


_readers: Flight[_Made[ZeroShot | None]] = Flight(REMEMBERED)
_cohorts: Flight[_Made[Cohort]] = Flight(REMEMBERED)
_failing = Failing()


async def _reader(parts: Parts, themes: tuple[Theme, ...], model: str, width: int) -> ZeroShot | None:
    """Who finds these themes in what a model reads; None where they say nothing. Raises Unread.

    A theme with a text that the model fails on is left out until that is tried again: the others are found meanwhile.
    """
    base = parts.taxonomy()
    key = (parts.analyse, model, width, base)

    async def make() -> _Made[ZeroShot | None]:
        cohort = await _current(_cohorts, key, lambda: _cohort(parts, base, model, width), parts.clock())
        return await _made(parts, themes, cohort, model, width)

    return (await _current(_readers, (*key, themes), make, parts.clock())).value


async def _current(
    flight: Flight[_Made[T]], key: Hashable, make: Callable[[], Coroutine[Any, Any, _Made[T]]], now: datetime
) -> _Made[T]:
    found = await flight.get(key, make)
    if found.until is None or found.until > now:
        return found
    flight.forget(key, found)
    return await flight.get(key, make)


async def _made(
    parts: Parts, themes: tuple[Theme, ...], cohort: _Made[Cohort], model: str, width: int
) -> _Made[ZeroShot | None]:
    """A reader of those themes that say something; None where none does."""
    texts = _views(themes)
    found = (await _points(parts, texts, model, width)).reshape(len(themes), VIEWS, width)
    heard = np.isfinite(found).all(axis=(1, 2))  # a label of signs alone says nothing
    kept = [theme for theme, on in zip(themes, heard, strict=True) if on]
    again = [each for each in (_failing.until(parts.analyse, model, texts), cohort.until) if each is not None]
    return _Made(ZeroShot(kept, found[heard], cohort.value) if kept else None, min(again, default=None))


async def _cohort(parts: Parts, base: Taxonomy, model: str, width: int) -> _Made[Cohort]:
    """What readings are held against, made once for a model."""
    sentences, others = unrelated(base)
    texts = [*sentences, *_views(others)]
    points = await _points(parts, texts, model, width)
    themes = points[len(sentences) :].reshape(len(others), VIEWS, width)
    spoken = _finite(points[: len(sentences)])
    if not len(spoken):
        raise Unread
    return _Made(
        Cohort(spoken, themes[np.isfinite(themes).all(axis=(1, 2))]), _failing.until(parts.analyse, model, texts)
    )


async def _points(parts: Parts, texts: Sequence[str], model: str, width: int) -> np.ndarray:
    """Unit rows float32 (n, width), NaN for a text that says nothing or that the model fails on; raises Unread."""
    held = _failing.held(parts.analyse, model, texts, parts.clock())
    left = [place for place, text in enumerate(texts) if text not in held]
    points = np.full((len(texts), width), np.nan, np.float32)
    for start in range(0, len(left), PORTION):
        places = left[start : start + PORTION]
        found = await _read(parts, [texts[place] for place in places], model)
        for place, each in zip(places, found, strict=True):
            if each.vector is not None:
                points[place] = unit(each.vector)
    return points


async def _read(parts: Parts, texts: Sequence[str], model: str) -> list[Analysis]:
    """What the model finds; those it fails on, again and right beside a text that it reads, are held for a while.

    Raises Unread where another model has taken over, or this one reads nothing for now.
    """
    found = await _asked(parts, texts, model)
    failed = [place for place, each in enumerate(found) if each.classification.error]
    if failed:
        *again, probe = await _asked(parts, [*(texts[place] for place in failed), PROBE], model)
        if probe.classification.error:
            raise Unread
        for place, each in zip(failed, again, strict=True):
            found[place] = each
        bad = [texts[place] for place in failed if found[place].classification.error]
        _failing.hold(parts.analyse, model, bad, parts.clock())
    return found


async def _asked(parts: Parts, texts: Sequence[str], model: str) -> list[Analysis]:
    found = await _patiently(parts, [Response(str(number), text) for number, text in enumerate(texts)])
    if any(each.classification.versions.model != model for each in found):
        raise Unread
    return list(found)


async def _patiently(parts: Parts, portion: Sequence[Response]) -> list[Analysis]:
    """What the model finds; waits while it has no room, so that what was read of the other portions is not lost."""
    for _ in range(TRIES - 1):
        try:
            return await parts.analyse(portion)
        except Overloaded as error:
            await asyncio.sleep(error.retry_after)
    return await parts.analyse(portion)


def _views(themes: Sequence[Theme]) -> list[str]:
    return [text for theme in themes for text in views(theme)]


def _finite(rows: np.ndarray) -> np.ndarray:
    return rows[np.isfinite(rows).all(axis=1)]
