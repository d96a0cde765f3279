"""Chooses which answers to label next: a share for each reason, nothing twice, and within each what differs most."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from training.dataset import LabelledRow
from training.doubts import Doubt, disagreement, rarity, uncertainty
from training.label_errors import Suspect
from training.pool import Pool

# Shares of the queue. What one reason cannot fill goes to uncertainty, and what that cannot to diversity.
QUOTAS = {"label_error": 0.2, "disagreement": 0.2, "rare_theme": 0.2, "uncertainty": 0.25, "diversity": 0.15}
OVERSAMPLE = 3  # a quota takes, of three times as many that deserve it most, those that differ most
# Cosine of mean token states from which on two answers need one label. With the shipped encoder a slip of a finger or a
# dropped word leaves it above 0.95 in four texts of five; of 1,925 different answers one in a hundred has another so
# near, nearly always one that says the same in other words.
NEAR = 0.95


@dataclass(frozen=True, slots=True)
class Pick:
    """A row of the pool for the queue: why, in a phrase, and for how many answers of the pool it stands."""

    row: int
    kind: str
    reason: str
    stands_for: int = 1
    suspects: tuple[Suspect, ...] = ()


class Basket:
    """What was picked, what that covers, and how near each row is to it; memory grows with the rows alone."""

    def __init__(self, pool: Pool, usable: np.ndarray) -> None:
        self.picks: list[Pick] = []
        self._pool = pool
        self._keys = np.array(pool.keys)
        self._open = usable & pool.read
        self._nearest = np.full(len(pool), -1.0)

    def fill(self, kind: str, doubt: Doubt, quota: int) -> int:
        """Picks up to `quota` open rows by strength and difference; returns how many."""
        rows = np.flatnonzero(self._open & (doubt.strength > 0))
        rows = rows[np.argsort(-doubt.strength[rows], kind="stable")][: OVERSAMPLE * quota]
        taken = 0
        while taken < quota:
            left = rows[self._open[rows]]
            if not len(left):
                return taken
            row = int(left[self._nearest[left].argmin()])  # the strongest, while nothing was picked
            self._take(row, kind, doubt.words(row))
            taken += 1
        return taken

    def spread(self, quota: int) -> int:
        """Picks open rows, each the farthest from all picked before (k-center; Sener and Savarese 2018)."""
        taken = 0
        while taken < quota and self._open.any():
            rows = np.flatnonzero(self._open)
            # from the middle outwards: without a start the first pick would be an outlier
            order = (
                self._nearest[rows] if self.picks else -(self._pool.vectors[rows] @ self._pool.vectors[rows].mean(0))
            )
            self._take(int(rows[order.argmin()]), "diversity", "unlike everything before it in this queue")
            taken += 1
        return taken

    def _take(self, row: int, kind: str, reason: str) -> None:
        near = self._pool.vectors @ self._pool.vectors[row]
        same = self._open & ((near >= NEAR) | (self._keys == self._keys[row]))
        self._open &= ~same
        self._nearest = np.maximum(self._nearest, near)
        self.picks.append(Pick(row, kind, reason, int(same.sum())))


def queue(
    pool: Pool,
    count: int,
    labelled: Sequence[LabelledRow] | None = None,
    against: Pool | None = None,
    suspects: Sequence[Suspect] = (),
    known: frozenset[str] = frozenset(),
) -> list[Pick]:
    """Up to `count` rows, reasons taking turns; the same for the same rows in `in_order`, always.

    `labelled` tells which themes are rare, None that nothing is known of it. Rows with labels or with a key in `known`,
    and those that the model did not read or was not made for, are not asked for.
    """
    usable = np.array(
        [not is_labelled(row) and said.status == "ok" for row, said in zip(pool.rows, pool.said, strict=True)], bool
    )
    usable &= ~np.isin(
        pool.keys, sorted(known | {k for k, row in zip(pool.keys, pool.rows, strict=True) if is_labelled(row)})
    )
    wrong = _suspected(suspects)[: _share("label_error", count) if (usable & pool.read).any() else count]
    basket = Basket(pool, usable)
    basket.fill("disagreement", disagreement(pool, against.said if against else None), _share("disagreement", count))
    _rare(basket, pool, labelled, _share("rare_theme", count))
    spread = _share("diversity", count)
    basket.fill("uncertainty", uncertainty(pool), count - len(wrong) - len(basket.picks) - spread)
    basket.spread(count - len(wrong) - len(basket.picks))
    return _in_turn([*wrong, *basket.picks])


def is_labelled(row: LabelledRow) -> bool:
    """Whether somebody has labelled anything that is checked or learnt."""
    fields = (row.themes, row.theme_sentiments, row.sentiment, row.justified, row.signals)
    return any(value is not None for value in fields)


def _share(kind: str, count: int) -> int:
    return round(QUOTAS[kind] * count)


def _rare(basket: Basket, pool: Pool, labelled: Sequence[LabelledRow] | None, quota: int) -> None:
    """Gives each next place to the theme that would still have the fewest examples."""
    if labelled is None:
        return
    themes = {theme: [examples, doubt] for theme, examples, doubt in rarity(pool, labelled)}
    while quota and themes:
        theme = min(themes, key=lambda each: (themes[each][0], each))
        if basket.fill("rare_theme", themes[theme][1], 1):
            themes[theme][0] += 1
            quota -= 1
        else:
            del themes[theme]


def _suspected(suspects: Sequence[Suspect]) -> list[Pick]:
    """One pick for each row with suspects, the worst first."""
    by_row: dict[int, list[Suspect]] = {}
    for each in suspects:
        by_row.setdefault(each.row, []).append(each)
    return [
        Pick(row, "label_error", "; ".join(map(_doubtful, found)), suspects=tuple(found))
        for row, found in by_row.items()
    ]


def _doubtful(suspect: Suspect) -> str:
    field, _, theme = suspect.field.partition(": ")
    if theme:
        return f"labelled {'with' if suspect.given == 'present' else 'without'} {theme}, unlike answers of this kind"
    return f"labelled {field} {suspect.given}, answers like it {suspect.suggested}"


def _in_turn(picks: Sequence[Pick]) -> list[Pick]:
    """The reasons take turns by their share, so that whoever stops half-way has seen of each."""
    totals: dict[str, int] = {}
    for pick in picks:
        totals[pick.kind] = totals.get(pick.kind, 0) + 1
    seen = dict.fromkeys(totals, 0)
    placed = []
    for pick in picks:
        placed.append(((seen[pick.kind] + 0.5) / totals[pick.kind], pick.kind, pick.row))
        seen[pick.kind] += 1
    return [pick for _, pick in sorted(zip(placed, picks, strict=True), key=lambda pair: pair[0])]
