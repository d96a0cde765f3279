"""What each row adds to each figure, as counts: sums over any rows give any figure, resampled or not."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nlp.types import MOODS, Classification
from training.dataset import UNKNOWN, LabelledRow

FAILED = "failed"  # stands for the sentiment of what could not be classified: wrong whatever the label

THEMES = "themes micro-F1"
PAIRS = "theme+sentiment micro-F1"
SENTIMENT = "sentiment accuracy"
SENTIMENT3 = "sentiment accuracy without mixed"
JUSTIFIED = "justified F1"
SIGNALS = "signals micro-F1"
PRIORITY_ONE = "priority one F1"
SHARES = (SENTIMENT, SENTIMENT3)  # counted as right, wrong and 0: their precision is the share that is right
POOLED = (THEMES, PAIRS, SENTIMENT, SENTIMENT3, JUSTIFIED, SIGNALS, PRIORITY_ONE)
POOLED_AT = slice(0, len(POOLED))
MOODS_AT = slice(len(POOLED), len(POOLED) + len(MOODS))
THEMES_AT = slice(len(POOLED) + len(MOODS), None)

Counts = tuple[int, int, int]

# A length band ends where its name says, in characters: one clause, a few sentences, a story.
SHORT, MEDIUM, LONG = "short", "medium", "long"
SHORT_UP_TO = 60
MEDIUM_UP_TO = 250


@dataclass(frozen=True, slots=True, eq=False)
class Tally:
    """Counts int16 (rows, columns, 3) of true positives, false positives and false negatives.

    The columns are the pooled figures, the moods and the themes of `labels` (see POOLED_AT, MOODS_AT, THEMES_AT);
    known bool (rows, POOLED) says whether the row is labelled for a pooled figure.
    """

    labels: tuple[str, ...]
    counts: np.ndarray
    known: np.ndarray

    def take(self, rows: Sequence[int]) -> "Tally":
        """The tally of some rows only."""
        index = np.asarray(rows, np.intp)
        return Tally(self.labels, self.counts[index], self.known[index])


def themes_named(rows: Iterable[LabelledRow], *answers: Iterable[Classification]) -> tuple[str, ...]:
    """Every theme that labels or answers name where themes are scored, in order."""
    rows = list(rows)
    named = {theme for row in rows if row.themes is not None for theme in row.themes - row.themes_disputed}
    for answer in answers:
        for row, said in zip(rows, answer, strict=True):
            if row.themes is not None:
                named |= {tag.id for tag in said.themes} - row.themes_disputed
    return tuple(sorted(named))


def tally(rows: Sequence[LabelledRow], answers: Sequence[Classification], labels: Sequence[str]) -> Tally:
    """Counts of labels against answers, in the same order; `labels` are the themes of interest."""
    columns = {label: index for index, label in enumerate(labels)}
    counts = np.zeros((len(rows), len(POOLED) + len(MOODS) + len(labels), 3), np.int16)
    known = np.zeros((len(rows), len(POOLED)), bool)
    for index, (row, said) in enumerate(zip(rows, answers, strict=True)):
        for figure, each in _pooled(row, said).items():
            column = POOLED.index(figure)
            counts[index, column], known[index, column] = each, True
        _moods(counts[index, MOODS_AT], row, said)
        _themes(counts[index, THEMES_AT], row, said, columns)
    return Tally(tuple(labels), counts, known)


def groups(rows: Sequence[LabelledRow]) -> tuple[dict[str, list[int]], dict[str, list[int]]]:
    """Row numbers by language and by length band, without what does not occur."""
    languages: dict[str, list[int]] = {}
    lengths: dict[str, list[int]] = {SHORT: [], MEDIUM: [], LONG: []}
    for index, row in enumerate(rows):
        languages.setdefault(row.language or "und", []).append(index)
        lengths[length_band(row.text)].append(index)
    return dict(sorted(languages.items())), {band: members for band, members in lengths.items() if members}


def length_band(text: str) -> str:
    """short, medium or long."""
    return SHORT if len(text) <= SHORT_UP_TO else MEDIUM if len(text) <= MEDIUM_UP_TO else LONG


def mood_said(said: Classification) -> str:
    """The sentiment answered, or FAILED."""
    return said.sentiment.label if said.sentiment else FAILED


def first_said(said: Classification) -> bool:
    """Whether the answer flags a priority one."""
    return bool(said.ranking and said.ranking.priority == 1)


def justified_said(said: Classification) -> bool:
    """Whether the answer finds a reason."""
    return bool(said.justification and said.justification.justified)


def _pooled(row: LabelledRow, said: Classification) -> dict[str, Counts]:
    """The counts of each figure that the row is labelled for."""
    out: dict[str, Counts] = {}
    if row.themes is not None:
        found = {tag.id for tag in said.themes}
        out[THEMES] = _sets(row.themes - row.themes_disputed, found - row.themes_disputed)
        if row.theme_sentiments is not None:
            out[PAIRS] = _pairs(row.themes, row.theme_sentiments, row.themes_disputed, said)
    if row.sentiment:
        right = row.sentiment == mood_said(said)
        out[SENTIMENT] = (int(right), int(not right), 0)
        if row.sentiment != "mixed":
            out[SENTIMENT3] = out[SENTIMENT]
    if row.justified is not None:
        out[JUSTIFIED] = _flags(row.justified, justified_said(said))
    if row.signals is not None:
        out[SIGNALS] = _sets(row.signals - row.signals_disputed, set(said.signals) - row.signals_disputed)
    if row.priority != UNKNOWN:
        out[PRIORITY_ONE] = _flags(row.priority == 1, first_said(said))
    return out


def _pairs(themes: frozenset[str], moods: Mapping[str, str], disputed: frozenset[str], said: Classification) -> Counts:
    """Theme and mood together; a theme tagged without a settled mood is not scored."""
    unsettled = disputed | (themes - set(moods))
    found = {(tag.id, tag.sentiment.label) for tag in said.themes if tag.id not in unsettled}
    return _sets(set(moods.items()), found)


def _moods(out: np.ndarray, row: LabelledRow, said: Classification) -> None:
    if row.sentiment:
        for index, mood in enumerate(MOODS):
            out[index] = _flags(row.sentiment == mood, mood_said(said) == mood)


def _themes(out: np.ndarray, row: LabelledRow, said: Classification, columns: Mapping[str, int]) -> None:
    if row.themes is None:
        return
    found = {tag.id for tag in said.themes}
    for theme in (row.themes | found) - row.themes_disputed:
        if theme in columns:
            out[columns[theme]] = _flags(theme in row.themes, theme in found)


def _sets(gold: Iterable, found: Iterable) -> Counts:
    gold, found = set(gold), set(found)
    return len(gold & found), len(found - gold), len(gold - found)


def _flags(gold: bool, found: bool) -> Counts:
    return int(gold and found), int(found and not gold), int(gold and not found)
