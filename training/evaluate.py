"""Scores classifications against labels: the figures a model is judged and chosen by.

Micro-F1 pools all labels, macro-F1 is the mean over labels that occur; what a row leaves unlabelled or disputed is not
scored on it.
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from nlp.types import Classification
from training.dataset import UNKNOWN, LabelledRow

Pair = tuple[LabelledRow, Classification]
FAILED = "failed"  # stands for the sentiment of what could not be classified: wrong whatever the label


@dataclass(frozen=True, slots=True)
class Score:
    """Precision, recall and F1 of one label or of many pooled; `support` is how often it was right to say it."""

    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True, slots=True)
class Figures:
    """All figures over a set of rows; a task without labels there is None."""

    rows: int
    themes: Score | None = None
    themes_macro_f1: float | None = None
    theme_sentiments: Score | None = None
    sentiment_accuracy: float | None = None
    sentiment_macro_f1: float | None = None
    sentiment3_accuracy: float | None = None
    justified: Score | None = None
    signals: Score | None = None
    priority_one: Score | None = None
    per_theme: dict[str, Score] = field(default_factory=dict)
    sentiment_confusion: dict[tuple[str, str], int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Report:
    """Figures over everything and by language."""

    overall: Figures
    by_language: dict[str, Figures]


def evaluate(rows: Sequence[LabelledRow], classifications: Sequence[Classification]) -> Report:
    """Compares labels with classifications, row by row in the same order."""
    pairs = list(zip(rows, classifications, strict=True))
    languages = sorted({row.language or "und" for row in rows})
    return Report(
        figures(pairs), {lang: figures([p for p in pairs if (p[0].language or "und") == lang]) for lang in languages}
    )


def figures(pairs: Sequence[Pair]) -> Figures:
    """Every figure over the pairs given."""
    themes = [_themes(row, said) for row, said in pairs if row.themes is not None]
    per_theme = _per_label(themes)
    moods = [
        _moods(row.themes, row.theme_sentiments, row.themes_disputed, said)
        for row, said in pairs
        if row.themes is not None and row.theme_sentiments is not None
    ]
    sentiment = [(row.sentiment, _mood(said)) for row, said in pairs if row.sentiment]
    signals = [
        (row.signals - row.signals_disputed, frozenset(said.signals) - row.signals_disputed)
        for row, said in pairs
        if row.signals is not None
    ]
    justified = [
        (row.justified, bool(said.justification and said.justification.justified))
        for row, said in pairs
        if row.justified is not None
    ]
    first = [(row.priority == 1, _priority(said) == 1) for row, said in pairs if row.priority != UNKNOWN]
    return Figures(
        rows=len(pairs),
        themes=_pooled(themes),
        themes_macro_f1=_mean([score.f1 for score in per_theme.values() if score.support]),
        theme_sentiments=_pooled(moods),
        sentiment_accuracy=_mean([gold == said for gold, said in sentiment]),
        sentiment_macro_f1=_macro(sentiment),
        sentiment3_accuracy=_mean([gold == said for gold, said in sentiment if gold != "mixed"]),
        justified=_binary(justified),
        signals=_pooled(signals),
        priority_one=_binary(first),
        per_theme=per_theme,
        sentiment_confusion=dict(Counter(sentiment)),
    )


def _mood(said: Classification) -> str:
    return said.sentiment.label if said.sentiment else FAILED


def _priority(said: Classification) -> int | None:
    return said.ranking.priority if said.ranking else None


def _themes(row: LabelledRow, said: Classification) -> tuple[frozenset, frozenset]:
    assert row.themes is not None
    found = frozenset(tag.id for tag in said.themes)
    return row.themes - row.themes_disputed, found - row.themes_disputed


def _moods(
    themes: frozenset[str], moods: Mapping[str, str], disputed: frozenset[str], said: Classification
) -> tuple[frozenset, frozenset]:
    """Theme and mood together; a theme tagged without a settled mood is not scored."""
    unsettled = disputed | (themes - set(moods))
    found = frozenset((tag.id, tag.sentiment.label) for tag in said.themes if tag.id not in unsettled)
    return frozenset(moods.items()), found


def _score(tp: int, fp: int, fn: int) -> Score:
    return Score(
        precision=tp / (tp + fp) if tp + fp else 0.0,
        recall=tp / (tp + fn) if tp + fn else 0.0,
        f1=2 * tp / (2 * tp + fp + fn) if tp + fp + fn else 0.0,
        support=tp + fn,
    )


def _pooled(pairs: Sequence[tuple[frozenset, frozenset]]) -> Score | None:
    if not pairs:
        return None
    return _score(
        sum(len(gold & said) for gold, said in pairs),
        sum(len(said - gold) for gold, said in pairs),
        sum(len(gold - said) for gold, said in pairs),
    )


def _per_label(pairs: Sequence[tuple[frozenset, frozenset]]) -> dict[str, Score]:
    labels = sorted({label for gold, said in pairs for label in gold | said})
    return {
        label: _score(
            sum(label in gold and label in said for gold, said in pairs),
            sum(label in said and label not in gold for gold, said in pairs),
            sum(label in gold and label not in said for gold, said in pairs),
        )
        for label in labels
    }


def _binary(pairs: Sequence[tuple[bool, bool]]) -> Score | None:
    def one(on: bool) -> frozenset:
        return frozenset({True}) if on else frozenset()

    return _pooled([(one(gold), one(said)) for gold, said in pairs])


def _macro(pairs: Sequence[tuple[Hashable, Hashable]]) -> float | None:
    singles = [(frozenset({gold}), frozenset({said})) for gold, said in pairs]
    return _mean([score.f1 for score in _per_label(singles).values() if score.support])


def _mean(values: Iterable[float]) -> float | None:
    values = list(values)
    return sum(values) / len(values) if values else None
