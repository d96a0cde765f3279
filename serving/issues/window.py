"""The answers among which issues are looked for: those of the last weeks, with their vectors of one encoder."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy import ColumnElement, Connection, and_, func, select

from nlp.portrait import Answer
from serving.store.tables import responses, tags, vectors

LENGTH = timedelta(days=90)
"""A quarter: long enough that a rare issue has its answers together, and most of it was in the run before."""
SPOKEN = ("reason", "verdict_only")
"""Kinds of comment that an issue can be made of; what is empty, junk or no answer stays outside."""
COMMON_SCALE = (0.0, 10.0)
"""Where answers have different scales, each score is put on this one by its place on its own."""


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """n answers in the order they arrived; vectors float32 (n, d), zeros for an answer that says nothing.

    `scale` is that of the scores in `answers`.
    """

    encoder: str
    uids: tuple[str, ...]
    texts: tuple[str, ...]
    languages: tuple[str, ...]
    vectors: np.ndarray
    answers: tuple[Answer, ...]
    scale: tuple[float, float] | None

    @property
    def heard(self) -> frozenset[str]:
        """The answers that say something and have a vector; of the others a run knows nothing."""
        return frozenset(uid for uid, text in zip(self.uids, self.texts, strict=True) if text)


def encoder_of(connection: Connection, workspace: str, now: datetime) -> str | None:
    """The encoder that most answers of the window have a vector of, of several the newest; None where none has.

    After a new model has come it is the old one's until the answers have been read anew.
    """
    of = vectors.c
    joined = vectors.join(responses, and_(responses.c.workspace == of.workspace, responses.c.uid == of.response))
    asked = select(of.encoder).select_from(joined).where(within(workspace, now), of.part == 0).group_by(of.encoder)
    ranked = asked.order_by(func.count().desc(), func.max(of.response).desc(), of.encoder.desc())
    return connection.execute(ranked.limit(1)).scalar()


def within(workspace: str, now: datetime) -> ColumnElement[bool]:
    """Whether a response is in the window that ends now."""
    answered = responses.c.answered_at
    return and_(responses.c.workspace == workspace, answered > now - LENGTH, answered <= now)


def load_window(connection: Connection, workspace: str, encoder: str, now: datetime) -> Window:
    """The answers of the window that ends now."""
    same = and_(
        vectors.c.workspace == responses.c.workspace,
        vectors.c.response == responses.c.uid,
        vectors.c.encoder == encoder,
        vectors.c.part == 0,
    )
    names = ("uid", "text", "language", "sentiment", "score", "scale_min", "scale_max", "answered_at")
    kind = responses.c.effective["justification"]["kind"].as_string().label("kind")
    asked = select(*(responses.c[name] for name in (*names, "touchpoint", "unit")), kind, vectors.c.data).select_from(
        responses.outerjoin(vectors, same)
    )
    rows = connection.execute(asked.where(within(workspace, now)).order_by(responses.c.uid)).all()
    themes = _themes(connection, workspace, now)
    answers = [_answer(row, themes.get(row.uid, ())) for row in rows]
    scale = _scale(rows)
    return Window(
        encoder,
        tuple(row.uid for row in rows),
        tuple(row.text if _speaks(row) else "" for row in rows),
        tuple(row.language or "und" for row in rows),
        decoded([row.data if _speaks(row) else None for row in rows]),
        tuple(_placed(answer, row, scale) for answer, row in zip(answers, rows, strict=True)),
        scale,
    )


def decoded(stored: Sequence[bytes | None]) -> np.ndarray:
    """Stored vectors (float16) as float32 (n, d); zeros where there is none."""
    width = max((len(data) // 2 for data in stored if data is not None), default=1)
    out = np.zeros((len(stored), width), np.float32)
    for place, data in enumerate(stored):
        if data is not None:
            out[place] = np.frombuffer(data, "<f2")
    return out


def _speaks(row: Any) -> bool:
    return row.data is not None and row.kind in SPOKEN and bool(row.text)


def _themes(connection: Connection, workspace: str, now: datetime) -> dict[str, tuple[str, ...]]:
    joined = tags.join(responses, and_(responses.c.workspace == tags.c.workspace, responses.c.uid == tags.c.response))
    asked = select(tags.c.response, tags.c.theme).select_from(joined).where(within(workspace, now))
    found: dict[str, tuple[str, ...]] = {}
    for uid, theme in connection.execute(asked.order_by(tags.c.response, tags.c.theme)):
        found[uid] = (*found.get(uid, ()), theme)
    return found


def _answer(row: Any, themes: tuple[str, ...]) -> Answer:
    return Answer(row.language or "und", row.sentiment, themes, row.score, row.answered_at, row.touchpoint, row.unit)


def _scale(rows: Sequence[Any]) -> tuple[float, float] | None:
    """The one scale that all scores have, COMMON_SCALE where there are several, None where nothing was scored."""
    found = {(row.scale_min, row.scale_max) for row in rows if row.score is not None and row.scale_min is not None}
    return found.pop() if len(found) == 1 else COMMON_SCALE if found else None


def _placed(answer: Answer, row: Any, scale: tuple[float, float] | None) -> Answer:
    if answer.score is None or scale is None or scale == (row.scale_min, row.scale_max):
        return answer
    if row.scale_min is None or row.scale_max <= row.scale_min:
        return replace(answer, score=None)  # a score without a scale says nothing beside others
    low, high = scale
    share = (answer.score - row.scale_min) / (row.scale_max - row.scale_min)
    return replace(answer, score=low + share * (high - low))
