"""The answers among which issues are looked for: those of the last weeks, with their vectors of one encoder.

That encoder is the bare one (`Parts.issue_vectors`), the same for all models: a new model changes nothing here.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy import ColumnElement, Connection, Select, and_, exists, func, select

from nlp.portrait import Answer
from serving.store.tables import responses, tags, vectors

LENGTH = timedelta(days=90)
"""A quarter: long enough that a rare issue has its answers together, and most of it was in the run before."""
SPOKEN = ("reason", "verdict_only")
"""Kinds of comment that an issue can be made of; what is empty, junk or no answer stays outside."""
SMALLEST = 5
"""Answers that make an issue: fewer say the same by chance in any few hundred."""
STRONGEST = 20
"""Members by which an issue without an answer in the window is recognised when it returns."""
COMMON_SCALE = (0.0, 10.0)
"""Where answers have different scales, each score is put on this one by its place on its own."""


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """n answers in the order they arrived; vectors float32 (n, d), zeros for an answer that says nothing.

    `scale` is that of the scores in `answers`; `revisions` are those of the texts that were read.
    """

    encoder: str
    uids: tuple[str, ...]
    texts: tuple[str, ...]
    languages: tuple[str, ...]
    vectors: np.ndarray
    answers: tuple[Answer, ...]
    scale: tuple[float, float] | None
    revisions: tuple[int, ...]

    @property
    def heard(self) -> frozenset[str]:
        """The answers that say something and have a vector; of the others a run knows nothing."""
        return frozenset(uid for uid, text in zip(self.uids, self.texts, strict=True) if text)

    def read(self, uids: Collection[str]) -> dict[str, int]:
        """These answers with the revisions that were read."""
        return {uid: revision for uid, revision in zip(self.uids, self.revisions, strict=True) if uid in uids}


def within(workspace: str, now: datetime) -> ColumnElement[bool]:
    """Whether a response is in the window that ends now."""
    answered = responses.c.answered_at
    return and_(responses.c.workspace == workspace, answered > now - LENGTH, answered <= now)


def speaking() -> ColumnElement[bool]:
    """Whether a response says something that an issue can be made of."""
    kind = responses.c.effective["justification"]["kind"].as_string()
    return and_(responses.c.text != "", kind.in_(SPOKEN))


def unread(encoder: str) -> ColumnElement[bool]:
    """Whether a response has no vector of this encoder."""
    of = vectors.c
    mine = (of.workspace == responses.c.workspace, of.response == responses.c.uid, of.encoder == encoder, of.part == 0)
    return ~exists().where(*mine)


def count(connection: Connection, workspace: str, now: datetime) -> int:
    """All answers of the window."""
    return connection.execute(_counted(workspace, now)).scalar_one()


def count_unread(connection: Connection, workspace: str, encoder: str, now: datetime) -> int:
    """Answers of the window that say something and have no vector yet."""
    return connection.execute(_counted(workspace, now).where(unread(encoder), speaking())).scalar_one()


def enough_read(connection: Connection, workspace: str, encoder: str, now: datetime, least: int) -> bool:
    """Whether `least` answers of the window say something and have a vector; no more rows than that are looked for."""
    found = _counted(workspace, now).with_only_columns(responses.c.uid).where(~unread(encoder), speaking())
    return len(connection.execute(found.limit(least)).all()) == least


def load_window(connection: Connection, workspace: str, encoder: str, now: datetime) -> Window:
    """The answers of the window that ends now."""
    same = and_(
        vectors.c.workspace == responses.c.workspace,
        vectors.c.response == responses.c.uid,
        vectors.c.encoder == encoder,
        vectors.c.part == 0,
    )
    names = ("uid", "text", "language", "sentiment", "score", "scale_min", "scale_max", "answered_at", "revision")
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
        tuple(row.revision for row in rows),
    )


def _counted(workspace: str, now: datetime) -> Select:
    return select(func.count()).select_from(responses).where(within(workspace, now))


def decoded(stored: Sequence[bytes | None]) -> np.ndarray:
    """Stored vectors (float16) as float32 (n, d); zeros where there is none."""
    width = max((len(data) // 2 for data in stored if data is not None), default=1)
    out = np.zeros((len(stored), width), np.float32)
    for place, data in enumerate(stored):
        if data is not None:
            out[place] = np.frombuffer(data, "<f2")
    return out


def _speaks(row: Any) -> bool:
    # a vector of zeros stands for a text that could not be read
    return row.data is not None and any(row.data) and row.kind in SPOKEN and bool(row.text)


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
