"""Which found group is which known issue, with what people decided standing over what the vectors say."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nlp.match import PART, Known, Lineage, Matching, by_members, match, same
from nlp.spread import unit
from serving.issues.fresh import crowded, gathered, undivided
from serving.issues.known import ACTIVE, DISMISSED, ENDED, MERGED, PERSON, Book, Issue
from serving.issues.window import Window
from serving.store.database import new_id

_REST = ""
"""The side of a divided group on which everything stands that people hold apart from nothing."""


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that became of an issue; as `nlp.match.Lineage`, and `return`: one that had ended is there again."""

    kind: str
    before: str | None
    after: str | None
    shared: int = 0


@dataclass(frozen=True, slots=True)
class Placement:
    """What n answers belong to.

    `own` is the issue that tracks an answer, None for none; `shown` is the one that people see it in: the same, or what
    that was merged into; `also`, by row, the fresh issues that it is in beside. `states` has every issue that is
    new, or whose state changed; `moved`, those that were of the other level until now. Whatever is new, moved or
    there again has answers.
    """

    own: tuple[str | None, ...]
    shown: tuple[str | None, ...]
    states: Mapping[str, str]
    born: frozenset[str]
    lineage: tuple[Line, ...]
    also: Mapping[int, tuple[str, ...]]
    moved: frozenset[str]

    def rows(self) -> dict[str, np.ndarray]:
        """The rows that are shown in each issue, int64; issues in the order of their ids."""
        found: dict[str, list[int]] = {}
        for row, id in enumerate(self.shown):
            for each in {id, *self.also.get(row, ())} - {None}:
                found.setdefault(each, []).append(row)
        return {id: np.array(found[id], np.int64) for id in sorted(found)}


def identify(
    book: Book,
    window: Window,
    labels: np.ndarray,
    points: np.ndarray,
    lost: Mapping[str, np.ndarray],
    over: frozenset[str] = frozenset(),
    above: Placement | None = None,
) -> Placement:
    """Places answers found in groups `labels` int (n,) into issues, or into sub-issues of the issues placed `above`.

    points float32 (n, m), unit rows; `lost`: centroids, as this run spreads vectors, of issues without an answer that
    was read; `over`: those of whom the last answer is older than the window.
    """
    part, own, uids, heard = above is not None, book.own(), window.uids, window.heard
    gone = above.moved if above else frozenset()
    level = (id for id, issue in sorted(book.issues.items()) if (issue.parent is not None) == part and id not in gone)
    known = {id: book.issues[id] for id in level}
    members = {id: own[id] & heard for id in known}
    told = undivided(known, members)
    labels = gathered(known, told, uids, divided(book, told, uids, labels, points))
    before = [Known(id, told[id], None if members[id] else lost.get(id)) for id in known]
    groups = _groups(uids, labels, points)
    moved = _free(_moved(book, own, heard, groups, above), known, before, groups, part)
    matching = match(before, groups, moved)
    placed = [matching.ids[label] if label >= 0 else None for label in labels]
    _restore(placed, known, members, set(matching.ids), uids)
    _restore(placed, known, members, set(placed), uids)  # of what was found people may hold every answer elsewhere
    also = _also(known, members, uids, placed)
    beside = {id for ids in also.values() for id in ids}
    held = frozenset(id for id in {*placed, *beside} if id is not None)
    ids = [id for id in matching.ids if id in held]
    told_now = _borne_out(matching, known, held)
    there = {book.root(id) for id in placed if id is not None} | beside
    states, lineage = _became(book, known, members, ids, told_now, over, there)
    shown = tuple(None if id is None else book.root(id) for id in placed)
    born = frozenset(ids) - set(book.issues)
    return Placement(tuple(placed), shown, states, born, lineage, also, frozenset(moved.values()) & held)


def _moved(
    book: Book,
    own: Mapping[str, frozenset[str]],
    heard: frozenset[str],
    groups: Sequence[Known],
    above: Placement | None,
) -> dict[int, str]:
    """The groups that are the same as an issue of the other level, with its id.

    A sub-issue goes up with what people made of it; an issue that a larger one swallowed goes down, unless others were
    merged into it: these are whole.
    """
    if above is None:
        free = [id for id, issue in book.issues.items() if issue.parent is not None and issue.state != ENDED]
    else:
        into = {book.root(id) for id, issue in book.issues.items() if issue.state == MERGED}
        free = [id for id, state in above.states.items() if state == ENDED and id not in into]
    others = [Known(id, own[id] & heard) for id in sorted(free)]
    found = same(others, groups, frozenset[str]().union(*own.values()))
    return {new: others[old].id for new, old in found.items()}


def _free(
    moved: Mapping[int, str], known: Mapping[str, Issue], before: Sequence[Known], groups: Sequence[Known], part: bool
) -> dict[int, str]:
    """`moved` without the groups that issues of this level keep: an issue goes before a sub-issue, one that people work
    on before all."""
    here = {number: known[before[old].id] for number, old in by_members(before, groups).items()}
    return {number: id for number, id in moved.items() if number not in here or (part and not here[number].touched)}


def divided(
    book: Book, members: Mapping[str, frozenset[str]], uids: Sequence[str], labels: np.ndarray, points: np.ndarray
) -> np.ndarray:
    """The labels with every group parted that runs together what people work on, or have split, with something else."""
    labels = np.array(labels, np.int64)
    owner = {uid: id for id, own in members.items() for uid in own}
    totals = Counter(book.root(id) for id in owner.values())
    for group in range(int(labels.max()) + 1 if len(labels) else 0):
        rows = np.flatnonzero(labels == group)
        roots = [book.root(owner[uids[row]]) if uids[row] in owner else None for row in rows]
        sides = _sides(book, Counter(root for root in roots if root is not None), totals)
        if len(set(sides.values())) > 1:
            labels[rows] = _parted([sides.get(root) for root in roots], points[rows], group, int(labels.max()) + 1)
    return labels


def _sides(book: Book, counts: Mapping[str, int], totals: Mapping[str, int]) -> dict[str, str]:
    """The side of each issue that has a good part of its answers in the group; of every one beside a fresh one."""
    here = [root for root, count in sorted(counts.items()) if count >= PART * totals[root]]
    touched = {book.root(issue.id) for issue in book.issues.values() if issue.touched}
    fresh = {root for root in here if root in book.issues and book.issues[root].fresh}
    own = touched | fresh
    alone = {root for root in here if root in own or any(book.split(root, other) for other in here)}
    return {root: root if root in alone else _REST for root in (sorted(counts) if crowded(counts, fresh) else here)}


def _parted(sides: Sequence[str | None], points: np.ndarray, first: int, free: int) -> np.ndarray:
    """A label for each row: that of its side, for rows without one that of the side whose centre is nearest."""
    names = sorted({side for side in sides if side is not None})
    number = {name: place for place, name in enumerate(names)}
    side = np.array([-1 if name is None else number[name] for name in sides])
    centres = unit(np.stack([points[side == place].sum(axis=0) for place in range(len(names))]))
    side = np.where(side < 0, (points @ centres.T).argmax(axis=1), side)
    return np.array([first, *range(free, free + len(names) - 1)])[side]


def _groups(uids: Sequence[str], labels: np.ndarray, points: np.ndarray) -> list[Known]:
    groups = []
    for label in range(int(labels.max()) + 1 if len(labels) else 0):
        rows = np.flatnonzero(labels == label)
        centroid = unit(points[rows].sum(axis=0, keepdims=True))[0]
        groups.append(Known(new_id(), frozenset(uids[row] for row in rows), centroid))
    return groups


def _restore(
    placed: list[str | None],
    known: Mapping[str, Issue],
    members: Mapping[str, frozenset[str]],
    found: Collection[str | None],
    uids: Sequence[str],
) -> None:
    """Puts back all of an issue that people work on and the run did not find, and what people put into an issue."""
    place = {uid: row for row, uid in enumerate(uids)}
    there = {id: issue for id, issue in known.items() if issue.state != ENDED}
    for id, issue in there.items():
        if issue.touched and issue.state != MERGED and id not in found:
            for uid in members[id]:
                placed[place[uid]] = id
    for id, issue in there.items():
        for uid in members[id]:
            if issue.members[uid].by == PERSON:
                placed[place[uid]] = id


def _borne_out(matching: Matching, known: Mapping[str, Issue], held: Collection[str]) -> list[Lineage]:
    """What became of issues, where groups that people's decisions left without an answer were not found after all."""
    hollow = set(matching.ids).difference(held)
    told = [line for line in matching.lineage if line.after not in hollow]
    into_none = {line.before for line in matching.lineage if line.kind == "merge" and line.after in hollow}
    gone = (into_none | hollow & set(known)) - {line.before for line in told if line.kind == "merge"}
    return told + [Lineage("death", id, None) for id in sorted(gone)]


def _also(
    known: Mapping[str, Issue], members: Mapping[str, frozenset[str]], uids: Sequence[str], placed: Sequence[str | None]
) -> dict[int, tuple[str, ...]]:
    """The fresh issues, by row, that answers stay in although they are another's too."""
    place = {uid: row for row, uid in enumerate(uids)}
    found: dict[int, tuple[str, ...]] = {}
    for id in (id for id, issue in known.items() if issue.fresh):
        for row in sorted(place[uid] for uid in members[id]):
            if placed[row] != id:
                found[row] = (*found.get(row, ()), id)
    return found


def _became(
    book: Book,
    known: Mapping[str, Issue],
    members: Mapping[str, frozenset[str]],
    ids: Sequence[str],
    told: Iterable[Lineage],
    over: frozenset[str],
    there: Collection[str],
) -> tuple[dict[str, str], tuple[Line, ...]]:
    """States that change, and the lineage; nothing is told of what people made one issue."""
    states = {id: book.issues[id].state if id in book.issues else ACTIVE for id in ids if id not in known}
    lines = []
    for line in told:
        before = known.get(line.before) if line.before else None
        ends = line.before not in ids and line.kind in ("merge", "death")
        if line.before and line.after and book.root(line.before) == book.root(line.after):
            continue
        if ends and before is not None:
            gone = before.state in (ACTIVE, DISMISSED) and (bool(members[before.id]) or before.id in over)
            if not gone or before.id in there:
                continue
            states[before.id] = ENDED
        if line.kind == "split" and line.after in states and before is not None and before.state == DISMISSED:
            states[line.after] = DISMISSED  # a piece of what people do not want to see
        lines.append(Line(line.kind, line.before, line.after, line.shared))
    for id in ids:
        if id in known and known[id].state == ENDED:
            states[id] = ACTIVE
            lines.append(Line("return", None, id))
    return states, tuple(lines)
