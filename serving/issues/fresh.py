"""Issues that an hourly look found lately: a full run leaves them whole, and groups what is left as always."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from nlp.match import PART
from serving.issues.known import ENDED, Issue
from serving.issues.window import SMALLEST


def undivided(known: Mapping[str, Issue], members: Mapping[str, frozenset[str]]) -> dict[str, frozenset[str]]:
    """Members by which issues are told: an answer that a fresh issue shares with another is counted as the other's."""
    out = dict(members)
    for id, issue in known.items():
        if issue.fresh:
            others = (out[other] for other, each in known.items() if other != id and each.state != ENDED)
            out[id] = out[id].difference(*others)
    return out


def crowded(counts: Mapping[str, int], fresh: set[str]) -> bool:
    """Whether a group that holds fresh issues holds so much else that is known that they would be lost in it.

    counts: its answers by the issue they are known of.
    """
    others = sum(count for id, count in counts.items() if id not in fresh)
    return bool(fresh) and others >= max(SMALLEST, PART * sum(counts.values()))


def gathered(
    known: Mapping[str, Issue], members: Mapping[str, frozenset[str]], uids: Sequence[str], labels: np.ndarray
) -> np.ndarray:
    """labels int (n,) with each fresh issue in one group: those that hold a good part of it, and its answers elsewhere.

    Of groups that lose answers by it those too small to be an issue are none (-1).
    """
    fresh = [id for id, issue in known.items() if issue.fresh and members[id]]
    if not fresh:
        return labels
    place = {uid: row for row, uid in enumerate(uids)}
    labels, robbed = labels.copy(), set[int]()
    for id in fresh:
        rows = np.array(sorted(place[uid] for uid in members[id]), np.int64)
        here = Counter(labels[rows][labels[rows] >= 0].tolist())
        its = [group for group, count in here.items() if count >= PART * len(rows)]
        robbed |= set(here) - set(its)
        label = int(labels.max()) + 1
        labels[np.isin(labels, its)] = label
        labels[rows] = label
    small = [group for group in robbed if np.count_nonzero(labels == group) < SMALLEST]
    labels[np.isin(labels, small)] = -1
    return _numbered(labels)


def _numbered(labels: np.ndarray) -> np.ndarray:
    """Groups numbered without gaps, in the order they had."""
    kept, out = labels >= 0, np.full(len(labels), -1, np.int64)
    out[kept] = np.unique(labels[kept], return_inverse=True)[1]
    return out
