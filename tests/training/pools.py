"""Pools of rows with made-up vectors and readings: what the model would have seen, without the model."""

from dataclasses import replace

import numpy as np

from nlp.types import Classification, Justification, Language, Ranking, Sentiment, Span, ThemeTag, Versions
from training.dataset import LabelledRow
from training.pool import Pool, row_key

VERSIONS = Versions("m", "t", "p")
THEMES = ("delivery", "price", "staff")
THRESHOLD = 0.5
MOODS = ("negative", "neutral", "positive", "mixed")


def saying(
    row: LabelledRow,
    sentiment: str = "negative",
    themes: dict[str, str] | None = None,
    language: str = "en",
    kind: str = "reason",
    group: str | None = None,
    sure: float = 0.9,
    status: str = "ok",
) -> Classification:
    """What a model might say of a row."""
    tags = tuple(
        ThemeTag(theme, theme.capitalize(), sure, THRESHOLD, Sentiment(mood, sure), (Span(0, 1),))
        for theme, mood in (themes or {}).items()
    )
    return Classification(
        row.id,
        status,
        VERSIONS,
        language=Language(language, 0.99, status == "ok"),
        text=row.text,
        themes=tags,
        sentiment=Sentiment(sentiment, sure, 0.0),
        justification=Justification(kind == "reason", sure, kind),
        ranking=Ranking(group, None, "because"),
    )


def pool_of(said: dict[LabelledRow, Classification] | list[tuple[LabelledRow, Classification]], vectors=None) -> Pool:
    """A pool in which the model is sure of everything; vectors are spread evenly unless given."""
    pairs = list(said.items()) if isinstance(said, dict) else said
    rows, answers = [row for row, _ in pairs], [answer for _, answer in pairs]
    if vectors is None:
        vectors = np.eye(len(rows), dtype=np.float32)
    odds = np.array(
        [[0.99 if any(t.id == th for t in a.themes) else 0.01 for th in THEMES] for a in answers], np.float32
    )
    moods = np.full((len(rows), 4), 0.01, np.float32)
    for line, answer in zip(moods, answers, strict=True):
        line[MOODS.index(answer.sentiment.label)] = 0.97
    return Pool(
        tuple(rows),
        tuple(answers),
        tuple(row_key(row) for row in rows),
        np.asarray(vectors, np.float32),
        odds,
        moods,
        np.array([0.95 if a.justification.justified else 0.05 for a in answers], np.float32),
        np.full(len(THEMES), THRESHOLD, np.float32),
        THEMES,
        tuple(theme.capitalize() for theme in THEMES),
    )


def with_reading(pool: Pool, row: int, themes=None, sentiment=None, justified=None) -> Pool:
    """The pool with another reading of one row."""
    changed = {}
    for name, value in (("themes", themes), ("sentiment", sentiment), ("justified", justified)):
        if value is not None:
            array = getattr(pool, name).copy()
            array[row] = value
            changed[name] = array
    return replace(pool, **changed)
