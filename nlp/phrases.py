"""Phrases of verbatims: which stand in how many of them, which set a cluster apart, and which one each is given."""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence

from nlp.words import Word, is_stop, words

LONGEST = 3  # words in a phrase
SHORTEST = 3  # letters in a phrase: shorter ones are initials and marks of chat
BONUS = 1.25  # for each further word of a phrase: "late delivery" tells more than "delivery"
RARE = 2  # verbatims of a cluster in which a phrase must stand
_CANDIDATES = 40

Lemmas = tuple[str, ...]


def phrases(
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
                if len(set(phrase)) < len(phrase) or len("".join(phrase)) < SHORTEST:
                    continue
                seen.add(phrase)
                forms[phrase][written(said[start:end])] += 1
        found.update(seen)
    return found


def written(said: Sequence[Word]) -> str:
    """Words as they stand in a text, in lower case."""
    return " ".join(word.form for word in said)


def scores(
    held: Sequence[Counter[Lemmas]], spoken: Sequence[str], least: Sequence[float]
) -> list[list[tuple[bool, float, Lemmas]]]:
    """Class-based TF-IDF (Grootendorst 2022) within each language, with longer phrases raised; best first.

    What stands within a longer phrase counts where it stands outside it only, as in the C-value (Frantzi et al. 2000).
    Phrases that as many verbatims share as `least` says, marked so, come before all others.
    """
    everywhere: dict[str, Counter[Lemmas]] = defaultdict(Counter)
    groups = Counter(spoken)
    for own, found in zip(spoken, held, strict=True):
        everywhere[own].update(found)
    scored = []
    for own, found, enough in zip(spoken, held, least, strict=True):
        nested = _nested(found)
        average = sum(everywhere[own].values()) / groups[own]
        ranked = [
            (
                count >= enough,
                (count - nested[phrase]) * math.log(1 + average / everywhere[own][phrase]) * BONUS ** (len(phrase) - 1),
                phrase,
            )
            for phrase, count in found.items()
            if count >= RARE  # a phrase of one text is that text, no name
        ]
        scored.append(sorted(ranked, key=lambda item: (not item[0], -item[1], item[2]))[:_CANDIDATES])
    return scored


def _nested(found: Counter[Lemmas]) -> Counter[Lemmas]:
    """In how many texts each phrase stands within the most frequent longer one."""
    nested: Counter[Lemmas] = Counter()
    for phrase, count in found.items():
        for size in range(1, len(phrase)):
            for start in range(len(phrase) - size + 1):
                part = phrase[start : start + size]
                nested[part] = max(nested[part], count)
    return nested


def shared_out(scored: Sequence[Sequence[tuple[bool, float, Lemmas]]], count: int) -> list[list[tuple[bool, Lemmas]]]:
    """Each phrase to the cluster that it fits best, relative to that one's best; none within another of its cluster."""
    offers = [
        (solid, score / max(score for _, score, _ in ranked), cluster, phrase)
        for cluster, ranked in enumerate(scored)
        for solid, score, phrase in ranked
        if score > 0
    ]
    taken: set[frozenset[str]] = set()
    kept: list[list[tuple[bool, Lemmas]]] = [[] for _ in scored]
    for solid, _, cluster, phrase in sorted(offers, key=lambda offer: (not offer[0], -offer[1], offer[2], offer[3])):
        full = len(kept[cluster]) >= count
        if not full and frozenset(phrase) not in taken and not any(set(phrase) & set(o) for _, o in kept[cluster]):
            kept[cluster].append((solid, phrase))
            taken.add(frozenset(phrase))
    return kept


def shown(phrase: Lemmas, forms: Counter[str]) -> str:
    """A single word in its dictionary form, several as they are most often written, so that they agree."""
    return phrase[0] if len(phrase) == 1 else min(forms, key=lambda form: (-forms[form], form))
