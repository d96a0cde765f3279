"""How many issues keep their ids when a tenth more answers have come in, told as a full run of the store tells it.

Which issues are unchanged is judged by answers alone, whatever id they have: one of the next run holds most of the
answers, and these are most of what that one has of the answers of the first run. Of the others some were swallowed:
most of their answers are in one larger issue.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime

import numpy as np

from nlp.cluster import Clustering, cluster
from nlp.portrait import Answer
from serving.issues.known import ACTIVE, ENDED, RUN, Book, Issue, Member
from serving.issues.levels import identified, parents
from serving.issues.window import Window

FIRST, ALL = 3_000, 3_300
NOW = datetime(2026, 11, 22, tzinfo=UTC)

Groups = Mapping[str, frozenset[str]]
"""The answers of each issue."""


@dataclass(frozen=True, slots=True)
class Kept:
    """Issues of the first run: all of them, and the unchanged and the swallowed among them.

    Under their id `kept` unchanged ones are issues in the second run, and of the swallowed ones `large` are issues
    there, `below` are sub-issues, and `back` are issues in a third run over the answers of the first.
    """

    issues: int = 0
    unchanged: int = 0
    kept: int = 0
    swallowed: int = 0
    large: int = 0
    below: int = 0
    back: int = 0

    def __add__(self, other: "Kept") -> "Kept":
        return Kept(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(self)))

    def __str__(self) -> str:
        together, held = self.unchanged + self.swallowed, self.kept + self.large + self.below
        return (
            f"{self.kept} of {self.unchanged} unchanged issues kept their id; of {self.issues} in all {self.swallowed} "
            f"were swallowed: {self.large} are issues, {self.below} sub-issues under their id, and {self.back} are "
            f"issues a run later; of {together} of both kinds {held} have their id"
        )


def refit(texts: Sequence[str], vectors: np.ndarray, seed: int) -> Kept:
    """texts and vectors float32 (ALL, d): a run over FIRST of them, one over all, one over the first again."""
    drawn = np.sort(np.random.default_rng(seed).permutation(len(texts))[:FIRST])
    some, every = _window(texts, vectors, drawn), _window(texts, vectors, np.arange(len(texts)))
    few, all_ = (cluster(each.vectors, each.texts, each.languages) for each in (some, every))
    first = _run(some, few, Book({}, (), 0))
    second = _run(every, all_, first)
    return _compared(first, second, _run(some, few, second), frozenset(some.uids))


def _compared(first: Book, second: Book, third: Book, seen: frozenset[str]) -> Kept:
    """`seen`: the answers of the first run."""
    news, again, parts = _groups(second, False), _groups(third, False), _groups(second, True)
    whole = {id: [new for new in news.values() if 2 * len(new & old) > len(old)] for id, old in _groups(first).items()}
    unchanged = {id for id, found in whole.items() if any(_mostly(new & seen, first.issues[id]) for new in found)}
    swallowed = {id for id, found in whole.items() if found} - unchanged
    counts = unchanged & news.keys(), swallowed, *(swallowed & there.keys() for there in (news, parts, again))
    return Kept(len(whole), len(unchanged), *map(len, counts))


def _mostly(answers: frozenset[str], issue: Issue) -> bool:
    return 2 * len(answers & issue.members.keys()) > len(answers)


def _groups(book: Book, part: bool = False) -> Groups:
    there = (each for each in book.issues.values() if each.state == ACTIVE and (each.parent is not None) == part)
    return {each.id: frozenset(each.members) for each in there}


def _window(texts: Sequence[str], vectors: np.ndarray, rows: np.ndarray) -> Window:
    count = len(rows)
    answers = tuple(Answer("en", answered_at=NOW) for _ in rows)
    uids, said = tuple(f"{row:05}" for row in rows), tuple(texts[row] for row in rows)
    return Window("bare", uids, said, ("en",) * count, vectors[rows], answers, None, (1,) * count)


def _run(window: Window, found: Clustering, book: Book) -> Book:
    """The issues that a full run leaves where these were known."""
    points = found.spread.apply(window.vectors, window.languages)
    issues, parts = identified(book, window, found, points, {}, frozenset())
    rows, above = {**issues.rows(), **parts.rows()}, parents(book, issues, parts)
    states = {**issues.states, **parts.states}
    known = {}
    for id in sorted({*book.issues, *rows}):
        old = book.issues.get(id, Issue(id, None, ENDED, None, False, NOW, NOW, {}))
        members = {window.uids[row]: Member(1.0, RUN, NOW) for row in rows.get(id, ())}
        parent = above.get(id, old.parent)
        known[id] = replace(old, parent=parent, state=states.get(id, old.state), members=members)
    return Book(known, (), 0)
