"""New issues between two full runs: where complaints have become denser in the last days than chance explains."""

from collections.abc import Iterable
from datetime import datetime, timedelta

import numpy as np

from nlp.births import FEWEST, Birth, births
from nlp.cluster import fold
from serving.insights.frame import UNHAPPY
from serving.issues.describe import Placed, described
from serving.issues.identity import Line
from serving.issues.known import ACTIVE, BIRTH, DISMISSED, ENDED, MERGED, Book, Issue
from serving.issues.names import Naming
from serving.issues.series import DAYS
from serving.issues.spreads import Kept
from serving.issues.window import Window
from serving.issues.writing import Found
from serving.store.database import new_id

NEW = timedelta(days=7)
"""An issue younger than this came up lately: what belongs to it brings nothing else up."""


def born(window: Window, book: Book, kept: Kept | None, naming: Naming, now: datetime, smallest: int) -> Found:
    """Issues that come up, with at least `smallest` or FEWEST different answers of the last days.

    Their answers leave the issues they were in, unless people work on these: then they are in both.
    """
    nothing = Found({}, window.encoder, {}, {}, {}, {}, ())
    rows = complaining(window, book, now)
    fewest = max(smallest, FEWEST)
    if kept is None or len(rows) < fewest:
        return nothing
    points = kept.spread.apply(window.vectors, window.languages)
    ages = np.array([(now - window.answers[row].answered_at) / timedelta(days=1) for row in rows])
    lately = _lately(book, now)
    known = np.array([window.uids[row] in lately for row in rows], bool)
    found = births(points[rows], ages, known, fewest)
    groups = {new_id(): rows[each.members] for each in found if _different(window, rows, ages, each) >= fewest}
    return _as_found(window, book, points, groups, naming, now) if groups else nothing


def complaining(window: Window, book: Book, now: datetime) -> np.ndarray:
    """Rows of the complaints that alarms look back on, without those of issues that people dismissed; int64."""
    hidden = {uid for issue in book.issues.values() if issue.state == DISMISSED for uid in issue.members}
    since = now - timedelta(days=DAYS)
    rows = [
        row
        for row, (uid, answer) in enumerate(zip(window.uids, window.answers, strict=True))
        if window.texts[row] and answer.mood in UNHAPPY and answer.answered_at > since and uid not in hidden
    ]
    return np.array(rows, np.int64)


def _lately(book: Book, now: datetime) -> frozenset[str]:
    """Answers of issues that came up lately: their first member joined lately, and not with those of the first run."""
    began = {
        id: min(member.since for member in issue.members.values())
        for id, issue in book.issues.items()
        if issue.members and issue.state != ENDED
    }
    first = min(began.values(), default=now)
    young = [id for id, since in began.items() if since > max(first, now - NEW)]
    return frozenset(uid for id in young for uid in book.issues[id].members)


def _different(window: Window, rows: np.ndarray, ages: np.ndarray, birth: Birth) -> int:
    """Recent answers of an issue that say it in other words than the others."""
    fresh = birth.members[ages[birth.members] < birth.days]
    return len({fold(window.texts[row]) for row in rows[fresh]})


def _as_found(
    window: Window, book: Book, points: np.ndarray, groups: dict[str, np.ndarray], naming: Naming, now: datetime
) -> Found:
    strength = np.zeros(len(window.uids), np.float32)
    columns = described(Placed(window, points, strength), [groups], now, naming)
    pairs: dict[tuple[str, str], float] = {}
    for id, own in groups.items():
        strength[own] = np.clip(points[own] @ np.frombuffer(columns[id]["centroid"], "<f4"), 0.01, 1.0)
        pairs |= {(window.uids[row], id): round(float(strength[row]), 4) for row in own}
    read = window.read({uid for uid, _ in pairs})
    pairs |= _staying(book, read)
    lines = tuple(Line("birth", None, id) for id in groups)
    return Found(read, window.encoder, pairs, columns, {}, dict.fromkeys(groups, ACTIVE), lines, BIRTH)


def _staying(book: Book, uids: Iterable[str]) -> dict[tuple[str, str], float]:
    """Memberships in issues that people work on, or have made of several."""
    into = {book.root(issue.id) for issue in book.issues.values() if issue.state == MERGED}
    return {
        (uid, issue.id): issue.members[uid].strength
        for issue in book.issues.values()
        if _kept(book, issue, into)
        for uid in uids
        if uid in issue.members
    }


def _kept(book: Book, issue: Issue, into: set[str]) -> bool:
    whole = book.issues.get(issue.parent or "", issue)
    return issue.touched or whole.touched or whole.id in into or issue.state in (MERGED, ENDED)
