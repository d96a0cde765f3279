"""What changed between two samples of responses, each change with its size, its chance, and whether both matter.

A change counts when it is larger than chance allows (false discoveries held to ALPHA; Benjamini and Hochberg 1995) and
large enough to matter: with many rows everything differs a little.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from nlp.pipeline import SILENT
from nlp.policy import Policy
from nlp.priority import position
from training.domain import Domain, tell_apart
from training.pool import Pool
from training.vocabulary import Word, changed_words

ALPHA = 0.01  # share of false alarms that is borne among the changes called; also of quiet pairs called drifted
FEWEST = 30  # responses a side; below it only landslides could be told from chance
SUPPORT = 10  # responses of both sides together that must show a thing for its share to be compared
SMALLEST_H = 0.15  # Cohen's h of two shares: 10 % against 15 %, or 50 % against 57 %
SMALLEST_GAP = 0.02  # of two shares: below two points in a hundred nobody changes what they do
SMALLEST_D = 0.1  # Kolmogorov-Smirnov distance: somewhere the two distributions part by ten points in a hundred
SMALLEST_AUC = 0.6  # of telling the periods apart: 0.5 is chance, 0.6 is right in six pairs out of ten
TOP = 10  # changes told in sentences


@dataclass(frozen=True, slots=True)
class Change:
    """One figure before and after; `p` is its chance if nothing changed, `q` that corrected for all that was tested.

    `effect` is in units of the smallest effect that matters: from 1 on it does.
    """

    kind: str
    name: str
    before: float
    after: float
    effect: float
    p: float
    q: float = 1.0

    @property
    def counts(self) -> bool:
        return self.q <= ALPHA and self.effect >= 1


@dataclass(frozen=True, slots=True)
class Drift:
    """Everything compared, the strongest change first."""

    rows: tuple[int, int]
    changes: tuple[Change, ...]
    words: tuple[Word, ...]
    domain: Domain | None
    undated: int = 0

    @property
    def called(self) -> tuple[Change, ...]:
        """The changes that are beyond chance and large enough to matter."""
        return tuple(change for change in self.changes if change.counts)

    @property
    def drifted(self) -> bool:
        return bool(self.called)


def find_drift(before: Pool, after: Pool, policy: Policy) -> Drift:
    """Compares two samples read by one model; none of it depends on the order of their rows."""
    domain = tell_apart(before.vectors[before.read], after.vectors[after.read], *_keys(before, after))
    words = changed_words(before.said, after.said, ALPHA)
    changes = [*_shares(before, after), *_spreads(before, after, policy)]
    if domain:
        effect = (domain.auc - 0.5) / (SMALLEST_AUC - 0.5)
        changes.append(Change("meaning", "embeddings", 0.5, domain.auc, effect, domain.p))
    spoken = [
        Change(
            "word", f"{word.text} ({word.language})", word.before, word.after, _size(word.before, word.after), word.p
        )
        for word in words.tested
    ]
    # words apart: there are so many that they would drown what else changed
    ranked = sorted(
        [*_corrected(changes), *_corrected(spoken)],
        key=lambda each: (not each.counts, -each.effect, each.kind, each.name),
    )
    return Drift((len(before), len(after)), tuple(ranked), words.top, domain)


def _keys(before: Pool, after: Pool) -> tuple[list[str], list[str]]:
    return tuple([key for key, read in zip(pool.keys, pool.read, strict=True) if read] for pool in (before, after))


def _shares(before: Pool, after: Pool) -> Iterator[Change]:
    """Of languages, themes, moods, reasons, signals, and of what needs a person."""
    counted = [Counter(_traits(pool)) for pool in (before, after)]
    totals = [sum(said.error is None for said in pool.said) for pool in (before, after)]
    for trait in sorted(set(counted[0]) | set(counted[1])):
        hits = [count[trait] for count in counted]
        if sum(hits) >= SUPPORT and min(totals):
            yield share_change(*trait, hits, totals)


def _traits(pool: Pool) -> Iterator[tuple[str, str]]:
    labels = dict(zip(pool.theme_ids, pool.theme_labels, strict=True))
    for said in pool.said:
        if said.error is not None or not (said.language and said.sentiment and said.justification):
            continue
        yield "language", said.language.code
        yield from (("theme", labels[tag.id]) for tag in said.themes)
        yield from (("signal", signal.replace("_", " ")) for signal in said.signals)
        yield "reason given", said.justification.kind.replace("_", " ")
        if said.justification.kind not in SILENT:
            yield "sentiment", said.sentiment.label
        if said.needs_review:
            yield "reliability", "needs review"
        if not said.language.supported:
            yield "reliability", "unsupported language"


def share_change(kind: str, name: str, hits: Sequence[int], totals: Sequence[int]) -> Change:
    """Two shares by the two-proportion test, exactly (Fisher) where counts are small."""
    from scipy.stats import fisher_exact
    from statsmodels.stats.proportion import proportions_ztest

    shares = [hit / total for hit, total in zip(hits, totals, strict=True)]
    table = [[hit, total - hit] for hit, total in zip(hits, totals, strict=True)]
    if sum(hits) == sum(totals):
        p = 1.0
    elif min(map(min, table)) < 5:
        p = float(fisher_exact(table).pvalue)
    else:
        p = float(proportions_ztest(list(hits), list(totals))[1])
    return Change(kind, name, *shares, _size(*shares), p)


def _size(before: float, after: float) -> float:
    h = 2 * abs(np.arcsin(np.sqrt(before)) - np.arcsin(np.sqrt(after)))
    return float(min(h / SMALLEST_H, abs(before - after) / SMALLEST_GAP))


def _spreads(before: Pool, after: Pool, policy: Policy) -> Iterator[Change]:
    """Lengths, scores and confidences, whole distributions; `before` and `after` are medians of lengths, else means."""
    for kind, name, middle in (
        ("length", "characters", np.median),
        ("confidence", "of sentiment", np.mean),
        ("confidence", "of the likeliest theme", np.mean),
    ):
        values = [_values(pool, name) for pool in (before, after)]
        yield from spread_change(kind, name, *values, middle)
    metrics = sorted({row.metric or "score" for pool in (before, after) for row in pool.rows if row.score is not None})
    for metric in metrics:
        values = [_scores(pool, policy, metric) for pool in (before, after)]
        yield from spread_change("score", metric, *values, np.mean)


def spread_change(kind: str, name: str, before: np.ndarray, after: np.ndarray, middle) -> Iterator[Change]:
    """Two distributions by the Kolmogorov-Smirnov test; nothing where a side has too few values."""
    from scipy.stats import ks_2samp

    if min(len(before), len(after)) >= FEWEST:
        found = ks_2samp(before, after, method="asymp")
        effect = float(found.statistic) / SMALLEST_D
        yield Change(kind, name, float(middle(before)), float(middle(after)), effect, float(found.pvalue))


def _values(pool: Pool, name: str) -> np.ndarray:
    if name == "characters":
        return np.array([len(said.text) for said in pool.said if said.error is None], float)
    if name == "of sentiment":
        return pool.sentiment[pool.read].max(axis=1)
    return pool.themes[pool.read].max(axis=1)


def _scores(pool: Pool, policy: Policy, metric: str) -> np.ndarray:
    """Scores of a metric as places on its scale, in [0, 1], or as they are where the scale is not known."""
    rows = [row for row in pool.rows if (row.metric or "score") == metric and row.score is not None]
    places = [position(policy, row.metric, row.score, row.scale) for row in rows]
    return np.array([row.score if place is None else place for row, place in zip(rows, places, strict=True)], float)


def _corrected(changes: Sequence[Change]) -> list[Change]:
    from statsmodels.stats.multitest import multipletests

    if not changes:
        return []
    q = multipletests([change.p for change in changes], method="fdr_bh")[1]
    return [replace(change, q=float(value)) for change, value in zip(changes, q, strict=True)]


def visible_share(rows: tuple[int, int], share: float = 0.1) -> float:
    """What a share must grow to for such samples to show it four times in five: what "no drift" does not rule out."""
    from statsmodels.stats.power import NormalIndPower

    effect = NormalIndPower().solve_power(nobs1=rows[0], ratio=rows[1] / rows[0], alpha=ALPHA, power=0.8)
    root = np.arcsin(np.sqrt(share)) + max(float(effect), SMALLEST_H) / 2
    return float(np.sin(min(root, np.pi / 2)) ** 2)
