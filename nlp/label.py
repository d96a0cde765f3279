"""Names people can read: phrases that set a cluster apart from the others, and verbatims that stand for it."""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nlp.cluster import fold
from nlp.words import Word, is_stop, name_like, words

LONGEST = 3  # words in a phrase
READ = 150  # verbatims of a cluster that its name is taken from: more do not change it
ENOUGH = 3  # verbatims in the workspace's language from which a cluster is named in it
IN_LABEL = 2
BONUS = 1.25  # for each further word of a phrase: "late delivery" tells more than "delivery"
QUOTE = 300  # code points of a quote
RARE = 2  # verbatims of a cluster in which a phrase must stand
_CANDIDATES = 40
_UNNAMED = "…"

Lemmas = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Name:
    """A cluster's label, the phrases it is made of and others, best first, and the language they are in."""

    label: str
    keywords: tuple[str, ...]
    language: str


def name_clusters(
    texts: Sequence[str],
    languages: Sequence[str],
    labels: np.ndarray,
    strength: np.ndarray,
    language: str | None = None,
    count: int = 5,
) -> list[Name]:
    """Names of clusters 0..k-1 from redacted texts; labels int32 (n,), -1 for none; no phrase names two of them.

    `language` is the one to name them in; None, or where a cluster has too few verbatims in it: its own most frequent.
    """
    clusters = int(labels.max()) + 1 if len(labels) else 0
    hidden = name_like(texts)
    forms: dict[Lemmas, Counter[str]] = defaultdict(Counter)
    spoken, held = [], []
    for cluster in range(clusters):
        rows = np.flatnonzero(labels == cluster)
        own = _language([languages[row] for row in rows], language)
        rows = np.array([row for row in rows if languages[row] == own], np.int64)
        rows = rows[np.argsort(-strength[rows], kind="stable")][:READ]
        spoken.append(own)
        held.append(_phrases([texts[row] for row in rows], own, hidden, forms))
    kept = _shared_out(_scores(held, spoken), count)
    return [_name(phrases, forms, own) for phrases, own in zip(kept, spoken, strict=True)]


def medoids(points: np.ndarray, centroid: np.ndarray, texts: Sequence[str], count: int = 3) -> list[int]:
    """Numbers of the texts nearest to the centroid, no two alike; points float32 (n, m), centroid float32 (m,)."""
    chosen: list[int] = []
    seen: set[str] = set()
    nearness = np.round(points @ centroid, 5)
    for row in sorted(range(len(texts)), key=lambda row: (-nearness[row], texts[row])):
        key = fold(texts[row])
        if key and key not in seen:
            seen.add(key)
            chosen.append(row)
        if len(chosen) == count:
            break
    return chosen


def quote(text: str) -> str:
    """A verbatim short enough to show, cut at a word."""
    if len(text) <= QUOTE:
        return text
    return text[: QUOTE - 1].rsplit(" ", 1)[0] + "…"


def _language(found: Sequence[str], wanted: str | None) -> str:
    counts = Counter(found)
    if wanted and counts[wanted] >= min(ENOUGH, len(found)):
        return wanted
    return min(counts, key=lambda code: (-counts[code], code)) if counts else wanted or "und"


def _phrases(
    texts: Sequence[str], language: str, hidden: frozenset[str], forms: dict[Lemmas, Counter[str]]
) -> Counter[Lemmas]:
    """In how many texts each phrase stands; `forms` learns how each is written."""
    found: Counter[Lemmas] = Counter()
    for text in texts:
        said = words(text, language)
        silent = [is_stop(word, language) for word in said]
        barred = [not word.lemma or word.form in hidden for word in said]
        seen: set[Lemmas] = set()
        for start in range(len(said)):
            for end in range(start + 1, min(start + LONGEST, len(said)) + 1):
                if barred[end - 1]:
                    break
                if silent[start] or silent[end - 1]:
                    continue
                phrase = tuple(word.lemma for word in said[start:end])
                seen.add(phrase)
                forms[phrase][_written(said[start:end])] += 1
        found.update(seen)
    return found


def _written(said: Sequence[Word]) -> str:
    return " ".join(word.form for word in said)


def _scores(held: Sequence[Counter[Lemmas]], spoken: Sequence[str]) -> list[list[tuple[float, Lemmas]]]:
    """Class-based TF-IDF (Grootendorst 2022) within each language, with longer phrases raised; best first."""
    everywhere: dict[str, Counter[Lemmas]] = defaultdict(Counter)
    groups = Counter(spoken)
    for own, found in zip(spoken, held, strict=True):
        everywhere[own].update(found)
    scored = []
    for own, found in zip(spoken, held, strict=True):
        average = sum(everywhere[own].values()) / groups[own]
        least = RARE if sum(count >= RARE for count in found.values()) else 1
        ranked = [
            (count * math.log(1 + average / everywhere[own][phrase]) * BONUS ** (len(phrase) - 1), phrase)
            for phrase, count in found.items()
            if count >= least
        ]
        scored.append(sorted(ranked, key=lambda item: (-item[0], item[1]))[:_CANDIDATES])
    return scored


def _shared_out(scored: Sequence[Sequence[tuple[float, Lemmas]]], count: int) -> list[list[Lemmas]]:
    """Each phrase to the cluster that it fits best, relative to that one's best; none within another of its cluster."""
    offers = [
        (score / ranked[0][0], cluster, phrase)
        for cluster, ranked in enumerate(scored)
        for score, phrase in ranked
        if ranked[0][0] > 0
    ]
    taken: set[Lemmas] = set()
    kept: list[list[Lemmas]] = [[] for _ in scored]
    for _, cluster, phrase in sorted(offers, key=lambda offer: (-offer[0], offer[1], offer[2])):
        full = len(kept[cluster]) >= count
        if not full and phrase not in taken and not any(set(phrase) & set(other) for other in kept[cluster]):
            kept[cluster].append(phrase)
            taken.add(phrase)
    return kept


def _name(phrases: Sequence[Lemmas], forms: dict[Lemmas, Counter[str]], language: str) -> Name:
    """The name made of its phrases, best first."""
    written = tuple(_shown(phrase, forms[phrase]) for phrase in phrases)
    label = ", ".join(written[:IN_LABEL]) or _UNNAMED
    return Name(label[:1].upper() + label[1:], written, language)


def _shown(phrase: Lemmas, forms: Counter[str]) -> str:
    """A single word in its dictionary form, several as they are most often written, so that they agree."""
    return phrase[0] if len(phrase) == 1 else min(forms, key=lambda form: (-forms[form], form))
