"""Gives answers the vectors by which issues are found, seconds after they came in, and lets them join known issues.

Answers are taken in without: a second pass of an encoder would cost a third of the rate. Several processes on one
database may do this at once: a lease keeps them from doing the same twice, and what was done twice counts once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from sqlalchemy import Connection, RowMapping, select

from nlp.complaint import Aspect, complaint_spans, said
from nlp.errors import HolosError
from nlp.types import Span
from serving.issues import backlog, turns
from serving.issues.online import Newcomer, join
from serving.issues.window import decoded, speaking, unread, within
from serving.logs import get_logger, where
from serving.parts import Parts
from serving.store.database import insert, new_id, untangled
from serving.store.tables import responses, vectors, workspaces

PORTION = 64
"""Answers read together: done within a second, so that what came in last is never far behind."""
CHARACTERS = 20_000
"""What they have together at most: a process that is told to stop ends the portion first."""
PROBE = "The parcel came late."
"""Any encoder reads it: one that fails on this too has failed for a while, whatever it was given."""

WORKER = new_id()
"""This process, in leases."""


@dataclass(frozen=True, slots=True)
class Text:
    """What of an answer is to be encoded; `start` and `end` say between which code points it stands."""

    uid: str
    revision: int
    words: str
    start: int
    end: int


def run_once(parts: Parts, worker: str | None = None) -> int:
    """Reads a portion of what waits in each workspace; answers how many answers have a vector now."""
    with parts.database.read() as connection:
        names = connection.execute(select(workspaces.c.id).order_by(workspaces.c.id)).scalars().all()
    return sum(read_some(parts, name, worker or WORKER) for name in names)


def read_some(parts: Parts, workspace: str, worker: str) -> int:
    """A portion of one workspace's answers, the newest first; 0 where none waits or another process is at it."""
    encoder = parts.issue_vectors.version
    waiting = backlog.of(parts.database, workspace, encoder)
    with parts.database.read() as connection:
        now = parts.clock()
        reader, left = turns.reader(connection, workspace, now) or (worker, timedelta())
        if reader != worker:
            return 0
        uids = waiting.next(connection, PORTION, now)
        all_ = _texts(connection, workspace, uids, encoder)
    texts = _at_most(all_)
    if texts:
        if left < turns.READING / 2 and not _claimed(parts, workspace, worker, now):
            return 0
        points = _encoded(parts, texts)
        untangled(lambda: _keep(parts, workspace, encoder, texts, points))
    done = set(uids) - {text.uid for text in all_[len(texts) :]}
    waiting.done(done)
    return len(done)


def _claimed(parts: Parts, workspace: str, worker: str, now: datetime) -> bool:
    with parts.database.write() as connection:
        return turns.claim_reading(connection, workspace, worker, now)


def to_encode(row: RowMapping) -> Text:
    """The part of an answer that is compared with others: its complaint, where it speaks of several things."""
    text = row["text"]
    spans = complaint_spans(text, [_aspect(tag) for tag in row["effective"]["themes"]])
    return Text(row["uid"], row["revision"], said(text, spans), spans[0].start, spans[-1].end)


def _aspect(tag: dict) -> Aspect:
    return Aspect(tag["sentiment"]["label"], tuple(Span(each["start"], each["end"]) for each in tag["spans"]))


def _texts(connection: Connection, workspace: str, uids: Sequence[str], encoder: str) -> list[Text]:
    names = ("uid", "revision", "text", "effective")
    asked = select(*(responses.c[name] for name in names)).where(
        responses.c.workspace == workspace, responses.c.uid.in_(uids), unread(encoder), speaking()
    )
    return [to_encode(row) for row in connection.execute(asked.order_by(responses.c.uid.desc())).mappings()]


def _at_most(texts: Sequence[Text]) -> Sequence[Text]:
    """The first of them, as many as are read together; one at least."""
    ends = np.cumsum([len(text.words) for text in texts])
    return texts[: max(1, int((ends <= CHARACTERS).sum()))]


def _encoded(parts: Parts, texts: Sequence[Text]) -> np.ndarray:
    """float16 (n, d), as they are stored; zeros, which belong to no issue, for a text that the encoder fails on.

    Raises what the encoder fails with where that is not for one text: all of them wait then.
    """
    words = [text.words for text in texts]
    try:
        return _checked(parts.issue_vectors.vectors(words), len(words))
    except HolosError:
        raise  # there is no encoder
    except Exception as error:
        get_logger().warning("issue_vectors_one_by_one", **where(error))
    return np.stack([_alone(parts, each) for each in words])


def _alone(parts: Parts, words: str) -> np.ndarray:
    """float16 (d,); zeros, which are not tried again, only where the encoder reads another text right after."""
    try:
        return _checked(parts.issue_vectors.vectors([words]), 1)[0]
    except HolosError:
        raise
    except Exception as error:
        probe = _checked(parts.issue_vectors.vectors([PROBE]), 1)[0]  # short memory fails here too
        get_logger().error("issue_vector_failed", **where(error))
        return np.zeros_like(probe)


def _checked(found: np.ndarray, count: int) -> np.ndarray:
    if len(found) != count:
        raise AssertionError(f"{count} texts gave {len(found)} vectors")
    return found.astype("<f2")


def _keep(parts: Parts, workspace: str, encoder: str, texts: Sequence[Text], points: np.ndarray) -> None:
    """Stores vectors and memberships together; texts that changed or went meanwhile are left for the next time."""
    now = parts.clock()
    read = {text.uid: (text, point.tobytes()) for text, point in zip(texts, points, strict=True)}
    with parts.database.write() as connection:
        turns.hold(connection, workspace)
        rows = [
            row for row in _held(connection, workspace, sorted(read), now) if row.revision == read[row.uid][0].revision
        ]
        # asked after their rows are held: whoever had them before us has stored its vectors by now
        new = set(_still_unread(connection, workspace, [row.uid for row in rows], encoder))
        rows = [row for row in rows if row.uid in new]
        if rows:
            found = [_row(workspace, encoder, *read[row.uid]) for row in rows]
            connection.execute(insert(connection, vectors).on_conflict_do_nothing(), found)
        recent = [row for row in rows if row.recent and any(read[row.uid][1])]
        newcomers = [Newcomer(row.uid, row.language or "und", row.answered_at) for row in recent]
        join(connection, workspace, encoder, newcomers, decoded([read[row.uid][1] for row in recent]), now)


def _held(connection: Connection, workspace: str, uids: Sequence[str], now: datetime) -> list:
    of = responses.c
    asked = select(of.uid, of.revision, of.language, of.answered_at, within(workspace, now).label("recent"))
    mine = asked.where(of.workspace == workspace, of.uid.in_(uids)).order_by(of.uid)
    return list(connection.execute(mine.with_for_update(key_share=True)))


def _still_unread(connection: Connection, workspace: str, uids: Sequence[str], encoder: str) -> list[str]:
    of = responses.c
    asked = select(of.uid).where(of.workspace == workspace, of.uid.in_(uids), unread(encoder))
    return list(connection.execute(asked).scalars())


def _row(workspace: str, encoder: str, text: Text, data: bytes) -> dict:
    keys = {"workspace": workspace, "response": text.uid, "encoder": encoder, "part": 0}
    return {**keys, "start": text.start, "end": text.end, "data": data}
