"""Which findings are told: none twice, and of those made of the same answers the clearest alone."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from nlp.emerging import Finding, Sensitivity
from serving.issues.series import CLUSTER, COMPLAINTS, THEME, TOUCHPOINT, Columns, Key, rows_of

DOUBLED = 2
"""How many times what was told, in as many days, it takes to tell again before the quiet period is over."""
_ORDER = {CLUSTER: 0, THEME: 1, COMPLAINTS: 1, TOUCHPOINT: 2}


@dataclass(frozen=True, slots=True)
class Told:
    """An alarm of the past."""

    kind: str
    id: str
    direction: str
    observed: int
    days: int
    at: datetime


def subject_of(finding: Finding) -> Key:
    """Kind and id under which a finding is told: complaints about a theme are told as the theme."""
    return THEME if finding.kind == COMPLAINTS else finding.kind, finding.id


def worth_telling(
    found: Iterable[Finding],
    columns: Columns,
    told: Sequence[Told],
    now: datetime,
    sensitivity: Sensitivity,
    hidden: Sequence[Key] = (),
) -> list[Finding]:
    """The findings to tell now, the clearest first.

    Whoever was told of an issue within the quiet period knows its answers: something else is told only if it would
    stand without them. `hidden` are subjects that people have muted: they are not told, and neither is what is made
    of their answers.
    """
    recent = [each for each in told if each.at > now - timedelta(days=sensitivity.quiet)]
    known = {group: np.zeros(len(columns.at), dtype=bool) for group in ("rising", "falling")}
    for each in recent:
        _add(known[_group(each.direction)], each.direction, columns, (each.kind, each.id), _start(each.at, each.days))
    for key in hidden:
        _add(known["rising"], "rising", columns, key, None)
    kept: list[Finding] = []
    room = sensitivity.most - sum(each.direction != "falling" and each.at > _start(now, 1) for each in recent)
    for finding in _clearest_first(list(found), columns, now):
        key, aware = subject_of(finding), known[_group(finding.direction)]
        doubled = _doubled(finding, recent, columns, now)
        if key in hidden or any(_same(finding, other) for other in kept):
            continue
        if not doubled and _earlier(finding, recent):
            continue
        if doubled or _stands(finding, columns, aware, now, sensitivity):
            if finding.direction != "falling":
                room -= 1
                if room < 0:
                    continue
            kept.append(finding)
            _add(aware, finding.direction, columns, key, _start(now, finding.days))
    return kept


def _clearest_first(found: Sequence[Finding], columns: Columns, now: datetime) -> list[Finding]:
    """By chance; but what consists of something more specific by half, issue or lower theme, comes after it."""
    rows = [window_rows(each, columns, now) for each in found]

    def chance(place: int) -> float:
        within = [
            other.p
            for number, other in enumerate(found)
            if _breadth(other, columns) < _breadth(found[place], columns)
            and 2 * len(np.intersect1d(rows[number], rows[place], assume_unique=True)) >= len(rows[place])
        ]
        return max([found[place].p, *within])

    keys = {
        place: (chance(place), _breadth(each, columns), each.p, each.kind, each.id) for place, each in enumerate(found)
    }
    return [found[place] for place in sorted(keys, key=keys.__getitem__)]


def _breadth(finding: Finding, columns: Columns) -> tuple[int, int]:
    """Issues, then the lowest themes, then touchpoints."""
    return _ORDER[finding.kind], -columns.tree.depth(finding.id) if finding.kind in (THEME, COMPLAINTS) else 0


def _group(direction: str) -> str:
    return "falling" if direction == "falling" else "rising"


def _same(one: Finding, other: Finding) -> bool:
    return subject_of(one) == subject_of(other) and _group(one.direction) == _group(other.direction)


def _earlier(finding: Finding, recent: Sequence[Told]) -> list[Told]:
    key, group = subject_of(finding), _group(finding.direction)
    return [each for each in recent if (each.kind, each.id) == key and _group(each.direction) == group]


def _doubled(finding: Finding, recent: Sequence[Told], columns: Columns, now: datetime) -> bool:
    """Whether it was told before and as many days hold twice as much now; what falls cannot fall twice."""
    earlier = _earlier(finding, recent)
    if not earlier or finding.direction == "falling":
        return False
    return all(
        len(window_rows(replace(finding, days=each.days), columns, now)) >= DOUBLED * each.observed for each in earlier
    )


def _add(known: np.ndarray, direction: str, columns: Columns, key: Key, since: datetime | None) -> None:
    """Marks the answers of a subject as known, from this moment on; of what falls, all that it had."""
    rows = rows_of(columns, *key)
    known[rows if since is None or direction == "falling" else rows[columns.at[rows] > _moment(since)]] = True


def _stands(finding: Finding, columns: Columns, known: np.ndarray, now: datetime, sensitivity: Sensitivity) -> bool:
    """Whether it would be told without the answers that are known; what falls, if most of it was something else."""
    if finding.direction == "falling":
        rows = rows_of(columns, finding.kind, finding.id)
        return 2 * int(known[rows].sum()) < max(len(rows), 1)
    left = int((~known[window_rows(finding, columns, now)]).sum())
    enough = left >= max(sensitivity.support, sensitivity.ratio * finding.expected)
    return enough and left - finding.expected >= sensitivity.surplus


def window_rows(finding: Finding, columns: Columns, now: datetime) -> np.ndarray:
    """The answers that a finding counts, int64."""
    rows = rows_of(columns, finding.kind, finding.id)
    return rows[columns.at[rows] > _moment(_start(now, finding.days))]


def _start(now: datetime, days: int) -> datetime:
    return now - timedelta(days=days)


def _moment(at: datetime) -> np.datetime64:
    return np.datetime64(at.replace(tzinfo=None), "us")
