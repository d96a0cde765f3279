"""Names people can read: phrases that set a cluster apart from the others, and verbatims that stand for it."""

from collections import Counter, defaultdict
from collections.abc import Collection, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, combinations
from itertools import count as counting

import numpy as np

from nlp.cluster import fold
from nlp.phrases import RARE, Lemmas, phrases, scores, shared_out, shown, written
from nlp.words import Word, is_stop, name_like, words

READ = 150  # verbatims of a cluster in each language that its name is taken from: more do not change it
ENOUGH = 3  # verbatims in the workspace's language that share a phrase, from which a cluster is named in it
IN_LABEL = 2
QUOTE = 300  # code points of a quote
SHARED = 0.12  # share of a cluster's verbatims of a language in which a phrase must stand to name it
SMALL = 15  # verbatims below which two that share a phrase may name a cluster: of more, two share one by chance
OPENING = 5  # words of a verbatim that stand for a cluster whose verbatims share no phrase
_UNNAMED = "…"

Forms = dict[str, dict[Lemmas, Counter[str]]]


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
    subjects: Sequence[Sequence[str]] = (),
    reserved: Collection[str] = (),
) -> list[Name]:
    """Names of clusters 0..k-1 from redacted texts; labels int32 (n,), -1 for none; no phrase names two of them.

    No label is given twice, nor one that is `reserved`, whatever its capitals.

    `language` is the one to name them in; None, or where too few verbatims in it share a phrase: the cluster's most
    frequent in which enough do. Where no phrase is shared, the first of the cluster's `subjects` that is free names it,
    else words of its most central verbatim.
    """
    clusters = int(labels.max()) + 1 if len(labels) else 0
    groups = [_group(number, texts, languages, labels, strength) for number in range(clusters)]
    hidden = name_like(texts)
    forms: Forms = defaultdict(lambda: defaultdict(Counter))
    found = [{code: phrases(said, code, hidden, forms[code]) for code, said in each.texts.items()} for each in groups]
    spoken = [_spoken(group, held, language) for group, held in zip(groups, found, strict=True)]
    held = [counts.get(own, Counter()) for counts, own in zip(found, spoken, strict=True)]
    least = [_least(group, own) for group, own in zip(groups, spoken, strict=True)]
    kept = shared_out(scores(held, spoken, least), count)
    shown_as = [
        [(solid, shown(phrase, forms[own][phrase])) for solid, phrase in each]
        for own, each in zip(spoken, kept, strict=True)
    ]
    phrased = {phrase.casefold() for each in shown_as for _, phrase in each}
    taken = {label.casefold() for label in reserved}
    names: list[Name] = []
    for number, (group, own) in enumerate(zip(groups, spoken, strict=True)):
        shared, about = [phrase for solid, phrase in shown_as[number] if solid], subjects[number] if subjects else ()
        label = _free(_joined(shared), taken) or _otherwise(group, own, about, hidden, phrased | taken)
        label = label or _numbered([*_joined(shared), *about], taken)
        taken.add(label.casefold())
        names.append(Name(label[:1].upper() + label[1:], tuple(phrase for _, phrase in shown_as[number]), own))
    return names


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


@dataclass(frozen=True, slots=True)
class _Group:
    """A cluster's verbatims by language, the most central first, languages by how many they are."""

    texts: dict[str, list[str]]
    size: int


def _group(
    number: int, texts: Sequence[str], languages: Sequence[str], labels: np.ndarray, strength: np.ndarray
) -> _Group:
    rows = np.flatnonzero(labels == number)
    order = sorted(rows.tolist(), key=lambda row: (-round(float(strength[row]), 4), texts[row]))
    counts = Counter(languages[row] for row in rows)
    by_language: dict[str, list[str]] = {code: [] for code in sorted(counts, key=lambda code: (-counts[code], code))}
    for row in order:
        if len(by_language[languages[row]]) < READ:
            by_language[languages[row]].append(texts[row])
    return _Group(by_language, len(rows))


def _least(group: _Group, language: str) -> float:
    """Verbatims of a cluster in which a phrase of this language must stand to be its name."""
    return max(RARE if group.size < SMALL else ENOUGH, SHARED * len(group.texts.get(language, ())))


def _spoken(group: _Group, found: dict[str, Counter[Lemmas]], wanted: str | None) -> str:
    """The first language, the wanted one before all, in which enough verbatims of a cluster share a phrase."""
    first = wanted if wanted and len(group.texts.get(wanted, ())) >= min(ENOUGH, group.size) else None
    order = sorted(found, key=lambda code: code != first)  # stable: the others stay by how many they are
    for fewest in (ENOUGH, RARE):
        for code in order:
            if max(found[code].values(), default=0) >= max(fewest, _least(group, code)):
                return code
    return order[0] if order else wanted or "und"


def _joined(shared: Sequence[str]) -> Iterator[str]:
    """Labels of the phrases that a cluster's verbatims share, the best first."""
    return (", ".join(some) for size in (IN_LABEL, 1) for some in combinations(shared, size))


def _otherwise(
    group: _Group, language: str, subjects: Sequence[str], hidden: frozenset[str], taken: Container[str]
) -> str | None:
    """What names a cluster whose verbatims share no phrase that is free."""
    said = (_opening(text, language, hidden) for text in group.texts.get(language, ()))
    return _free(chain(subjects, said), taken)


def _numbered(offers: Sequence[str], taken: Container[str]) -> str:
    """The best that a cluster could be called, though others are, told from these by a number."""
    best = offers[0] if offers else _UNNAMED
    found = _free(chain((best,), (f"{best} ({number})" for number in counting(2))), taken)
    assert found is not None
    return found


def _free(offers: Iterable[str], taken: Container[str]) -> str | None:
    return next((offer for offer in offers if offer and offer.casefold() not in taken), None)


def _opening(text: str, language: str, hidden: frozenset[str]) -> str:
    """The run of a text's words that says most, up to OPENING of them; empty where none says anything."""
    best: list[Word] = []
    run: list[Word] = []
    for word in [*words(text, language), Word("", "")]:
        goes_on = bool(word.lemma) and word.form not in hidden
        if goes_on and len(run) < OPENING:
            run.append(word)
            continue
        while run and is_stop(run[-1], language):
            run.pop()
        best = max(best, run, key=lambda said: sum(not is_stop(each, language) for each in said))
        run = [word] if goes_on else []
    return written(best)
