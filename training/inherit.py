"""What a model of one's own takes over from the shipped one: the readings that its own labels say nothing about."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from nlp.heads import Calibration, HeadWeights
from nlp.types import SIGNALS
from training.dataset import UNKNOWN, LabelledRow, Targets, targets

TASKS = ("sentiment", "moods", "signals", "justified")  # what does not depend on the code frame
CALIBRATED = {
    "themes": ("theme_scale", "theme_shift", "theme_threshold", "fallback"),
    "sentiment": ("sentiment_temperature", "score_table", "score_weight"),
    "moods": ("mood_temperature", "mood_weight", "mood_weight_many"),
    "signals": ("signal_scale", "signal_shift", "signal_threshold"),
    "justified": ("justified_scale", "justified_shift"),
}
READ_OUT = {
    "sentiment": ("sentiment_weight", "sentiment_bias"),
    "moods": ("mood_in_weight", "mood_in_bias", "mood_out_weight", "mood_out_bias"),
}
# Rows of the queries, weights and biases, counted from the end: ..., signals, justified, and the sentiment's query.
LABELS = {"signals": slice(-len(SIGNALS) - 1, -1), "justified": slice(-1, None)}
LABELS |= {signal: slice(index - 1, index) for index, signal in enumerate(SIGNALS, -len(SIGNALS))}
FIELDS = {"moods": "theme_sentiments"}  # of a row, where named otherwise than the task


def teaching(rows: Sequence[LabelledRow], themes: Sequence[str]) -> list[LabelledRow]:
    """The rows without the labels of tasks, and of single signals, that have one class in all of them.

    A theme that no row has stays labelled as absent, where rows differ in other themes.
    """
    wanted = targets(rows, themes)
    dull = {FIELDS.get(task, task): None for task in ("themes", *TASKS) if not _differ(task, getattr(wanted, task))}
    same = frozenset(signal for signal, column in zip(SIGNALS, wanted.signals.T, strict=True) if not _varied(column))
    return [replace(row, signals_disputed=row.signals_disputed | same, **dull) for row in rows]


def _differ(task: str, labels: np.ndarray) -> bool:
    return any(map(_varied, labels.T)) if task in ("themes", "signals") else _varied(labels)


def _varied(labels: np.ndarray) -> bool:
    """Whether the labels have more classes than one."""
    return len(np.unique(labels[labels != UNKNOWN])) > 1


def unlabelled(wanted: Targets) -> tuple[str, ...]:
    """The tasks of which the rows say nothing at all; then the signals, where they say something of others."""
    tasks = tuple(task for task in ("themes", *TASKS) if not (getattr(wanted, task) != UNKNOWN).any())
    known = (wanted.signals != UNKNOWN).any(axis=0)
    return tasks + tuple(signal for signal, said in zip(SIGNALS, known, strict=True) if known.any() and not said)


def inherited(own: HeadWeights, base: HeadWeights, tasks: Sequence[str]) -> HeadWeights:
    """`own` with the base model's arrays for `tasks`, single signals among them; both stand on one encoder.

    Moods are then read by the base model's read-out from what the user's themes attend to. Themes are taken over by
    `with_themes`, which knows both code frames.
    """
    query, weight, bias = own.query.copy(), own.weight.copy(), own.bias.copy()
    arrays = {}
    for task in tasks:
        arrays |= {name: getattr(base, name) for name in READ_OUT.get(task, ())}
        if task in LABELS:
            rows = LABELS[task]
            weight[rows], bias[rows] = base.weight[rows], base.bias[rows]
            query[:-1][rows] = base.query[:-1][rows]
    if "sentiment" in tasks:
        query[-1] = base.query[-1]
    return replace(own, query=query, weight=weight, bias=bias, **arrays)


def with_themes(own: HeadWeights, ids: Sequence[str], base: HeadWeights, base_ids: Sequence[str]) -> HeadWeights:
    """`own` with the base model's rows for the themes that both code frames have: where training may start."""
    places = {theme: index for index, theme in enumerate(base_ids)}
    ours = [index for index, theme in enumerate(ids) if theme in places]
    theirs = [places[ids[index]] for index in ours]
    out = {name: getattr(own, name).copy() for name in ("query", "weight", "bias")}
    for name, values in out.items():
        values[ours] = getattr(base, name)[theirs]
    return replace(own, **out)


def inherited_calibration(own: Calibration, base: Calibration, tasks: Sequence[str]) -> Calibration:
    """`own` with the base model's scales, temperatures and thresholds for `tasks`, single signals among them."""
    values = {name: getattr(own, name).copy() for name in CALIBRATED["signals"]}
    for name, each in values.items():
        rows = [SIGNALS.index(task) for task in tasks if task in SIGNALS]
        each[rows] = getattr(base, name)[rows]
    return replace(own, **values | {name: getattr(base, name) for task in tasks for name in CALIBRATED.get(task, ())})
