"""A file's recurring issues: what the pipeline said of each row in, rows with their cluster and the clusters out."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from nlp.artifact import open_issue_encoder
from nlp.cluster import Clustering, cluster, fold
from nlp.errors import InputError
from nlp.issue_vectors import IssueEncoder
from nlp.label import Name, medoids, name_clusters, quote
from nlp.match import Known, Matching, match
from nlp.portrait import Answer, Portrait, everyone, portrait
from nlp.spread import unit
from nlp.types import Classification
from serving.batcher import Classifier
from serving.settings import Settings

SMALLEST = 5
"""Answers that make an issue: fewer say the same by chance in any few hundred."""
SPOKEN = ("reason", "verdict_only")
"""Kinds of comment that an issue can be made of; what is empty, junk or no answer is left over."""
ID_DIGITS = 10
SUBJECT = 0.2
"""Share of a cluster's answers that speak of a theme from which its name may be the theme's."""


class Vectors(Protocol):
    """What turns texts into vectors by which issues are found."""

    def vectors(self, texts: Sequence[str]) -> np.ndarray: ...


@dataclass(frozen=True, slots=True)
class Tools:
    """What reads the rows and what places them."""

    classifier: Classifier
    vectors: Vectors


@dataclass(frozen=True, slots=True)
class Read:
    """A row as it was read: its id, what was said of it, and what of the response the portraits need."""

    id: str
    said: Classification
    score: float | None = None
    answered_at: datetime | None = None
    touchpoint: str | None = None
    unit: str | None = None

    @property
    def speaks(self) -> bool:
        """Whether there is something in it that could recur."""
        kind = self.said.justification.kind if self.said.justification else None
        return kind in SPOKEN and bool(self.said.text)


@dataclass(frozen=True, slots=True)
class Previous:
    """What the last run left: the rows of each cluster, and quotes that stand for it."""

    members: Mapping[str, frozenset[str]]
    quotes: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, eq=False)
class Issues:
    """A run's result; `rows` and `clusters` are the contract's objects."""

    rows: list[dict[str, Any]]
    clusters: list[dict[str, Any]]
    matching: Matching

    @property
    def leftovers(self) -> int:
        return sum(row["cluster"] is None for row in self.rows)


def open_vectors(settings: Settings) -> IssueEncoder:
    """The bare encoder of this installation; ModelError where it cannot be opened."""
    of = settings
    return open_issue_encoder(of.data_dir, of.cache_dir, precision=of.precision, threads=of.threads, encoder=of.encoder)


def find_issues(
    rows: Sequence[Read], vectors: Vectors, now: datetime, previous: Previous | None = None, language: str | None = None
) -> Issues:
    """Clusters the rows, names the clusters and gives them the ids that they had in the previous run.

    `language` is the one to name them in, None for the most frequent; `now` ends the last 28 days of the trends.
    """
    texts = [row.said.text if row.speaks else "" for row in rows]
    points = _vectors(rows, texts, vectors)
    languages = [row.said.language.code if row.said.language else "und" for row in rows]
    found = cluster(points, texts, languages, smallest=SMALLEST)
    spoken = Counter(code for code, row in zip(languages, rows, strict=True) if row.speaks)
    own = language or min(spoken, key=lambda code: (-spoken[code], code), default=None)
    names = name_clusters(texts, languages, found.labels, found.strength, own, subjects=_subjects(rows, found.labels))
    spread = found.spread.apply(points, languages)
    chosen = [_medoids(number, found, spread, texts) for number in range(len(names))]
    matching = _identity(rows, found, [texts[rows_[0]] if rows_ else "" for rows_ in chosen], vectors, previous)
    answers = [_answer(row) for row in rows]
    all_ = everyone(answers, now)
    clusters = [
        _cluster(
            matching.ids[number],
            name,
            [quote(texts[row]) for row in chosen[number]],
            portrait([answers[row] for row in np.flatnonzero(found.labels == number)], all_, now),
            [_part(part, found) for part in np.flatnonzero(found.part_of == number)],
        )
        for number, name in enumerate(names)
    ]
    return Issues([_row(row, number, found, matching.ids) for number, row in enumerate(rows)], clusters, matching)


def read_previous(out: Path) -> Previous:
    """The result of an earlier run; InputError that names the file and the line that is not as it was written."""
    members: dict[str, set[str]] = {}
    for number, line in enumerate(_text(out).splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            identity, name = row["id"], row["cluster"]
        except (ValueError, KeyError, TypeError):
            raise InputError(f"{out}, line {number}: no row of holos cluster; give the OUT of an earlier run") from None
        if name is not None:
            members.setdefault(str(name), set()).add(str(identity))
    return Previous({name: frozenset(rows) for name, rows in members.items()}, _quotes(clusters_path(out)))


def clusters_path(out: Path) -> Path:
    """Where the clusters of a result are written."""
    return out.with_suffix(".clusters.json")


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from None


def _quotes(path: Path) -> dict[str, tuple[str, ...]]:
    """The quotes of each cluster; none where the file is not there: rows in common are matched all the same."""
    if not path.exists():
        return {}
    try:
        return {str(found["id"]): tuple(map(str, found["quotes"])) for found in json.loads(_text(path))}
    except (ValueError, KeyError, TypeError):
        raise InputError(f"{path}: no clusters of holos cluster; delete it or give the OUT of an earlier run") from None


def _vectors(rows: Sequence[Read], texts: Sequence[str], vectors: Vectors) -> np.ndarray:
    """float32 (n, d): zeros for rows that say nothing."""
    speaking = [number for number, row in enumerate(rows) if row.speaks]
    found = vectors.vectors([texts[number] for number in speaking])
    out = np.zeros((len(rows), found.shape[1]), np.float32)
    out[speaking] = found
    return out


def _subjects(rows: Sequence[Read], labels: np.ndarray) -> list[list[str]]:
    """Labels of the themes that many rows of each cluster speak of, most frequent first."""
    counts: list[Counter[str]] = [Counter() for _ in range(int(labels.max()) + 1 if len(labels) else 0)]
    for row, label in zip(rows, labels, strict=True):
        if label >= 0:
            counts[label].update({tag.label for tag in row.said.themes})
    sizes = np.bincount(labels[labels >= 0], minlength=len(counts))
    return [
        sorted((name for name in found if found[name] >= SUBJECT * size), key=lambda name: (-found[name], name))
        for found, size in zip(counts, sizes, strict=True)
    ]


def _medoids(number: int, found: Clustering, spread: np.ndarray, texts: Sequence[str]) -> list[int]:
    rows = np.flatnonzero(found.labels == number)
    chosen = medoids(spread[rows], found.centroids[number], [texts[row] for row in rows])
    return [int(rows[place]) for place in chosen]


def _identity(
    rows: Sequence[Read], found: Clustering, heads: Sequence[str], vectors: Vectors, previous: Previous | None
) -> Matching:
    known = _known(previous, found, vectors) if previous else []
    taken = {old.id for old in known}
    new = []
    for number, head in enumerate(heads):
        identity = _new_id(head, taken)
        taken.add(identity)
        members = frozenset(rows[row].id for row in np.flatnonzero(found.labels == number))
        new.append(Known(identity, members, found.centroids[number]))
    return match(known, new)


def _known(previous: Previous, found: Clustering, vectors: Vectors) -> list[Known]:
    """The last run's clusters, each with the mean of its quotes as this run places them for a centroid."""
    known = []
    for name, members in sorted(previous.members.items()):
        quotes = previous.quotes.get(name, ())
        centroid = None
        if quotes:
            centroid = unit(found.spread.apply(vectors.vectors(quotes)).mean(axis=0, keepdims=True))[0]
        known.append(Known(name, members, centroid))
    return known


def _new_id(text: str, taken: set[str]) -> str:
    """An id made of the verbatim nearest to the centre, so that a repeated run gives it again."""
    for attempt in range(len(taken) + 1):
        digest = hashlib.blake2b(f"{attempt}\n{fold(text)}".encode(), digest_size=16).hexdigest()
        if (identity := f"c-{digest[:ID_DIGITS]}") not in taken:
            return identity
    raise AssertionError("as many ids were tried as are taken, and one more")


def _answer(row: Read) -> Answer:
    said = row.said
    return Answer(
        language=said.language.code if said.language else "und",
        mood=said.sentiment.label if said.sentiment else None,
        themes=tuple(tag.id for tag in said.themes),
        score=row.score,
        answered_at=row.answered_at,
        touchpoint=row.touchpoint,
        unit=row.unit,
    )


def _row(row: Read, number: int, found: Clustering, ids: Sequence[str]) -> dict[str, Any]:
    label = int(found.labels[number])
    return {
        "id": row.id,
        "cluster": ids[label] if label >= 0 else None,
        "strength": round(float(found.strength[number]), 4),
    }


def _part(part: int, found: Clustering) -> int:
    return int((found.parts == part).sum())


def _cluster(identity: str, name: Name, quotes: Sequence[str], facts: Portrait, parts: Sequence[int]) -> dict[str, Any]:
    mood = next(iter(facts.sentiment.items()), None)
    return {
        "id": identity,
        "title": None,
        "label": name.label,
        "keywords": list(name.keywords),
        "size": facts.size,
        "quotes": list(quotes),
        "languages": _rounded(facts.languages),
        "sentiment": {"label": mood[0], "share": round(mood[1], 4)} if mood else None,
        "mean_score": _number(facts.mean_score),
        "first_seen": facts.first_seen.isoformat() if facts.first_seen else None,
        "last_seen": facts.last_seen.isoformat() if facts.last_seen else None,
        "trend": _number(facts.trend),
        "score_gap": _number(facts.score_gap),
        "themes": _rounded(facts.themes),
        "touchpoints": _rounded(facts.touchpoints),
        "units": _rounded(facts.units),
        "parts": list(parts),
    }


def _rounded(found: Mapping[str, float]) -> dict[str, float]:
    return {name: round(share, 4) for name, share in found.items()}


def _number(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def open_tools(settings: Settings) -> Tools:
    """The pipeline and the bare encoder of this installation."""
    if not settings.model_dir.is_dir():
        raise InputError(f"model folder {settings.model_dir} does not exist; train one or leave --model out")
    from serving.loading import open_pipeline

    return Tools(open_pipeline(settings), open_vectors(settings))
