"""What a model of one's own takes over from the shipped one: the readings that its own labels say nothing about."""

from collections.abc import Sequence
from dataclasses import replace

from nlp.heads import Calibration, HeadWeights
from nlp.types import SIGNALS
from training.dataset import UNKNOWN, Targets

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


def unlabelled(wanted: Targets) -> tuple[str, ...]:
    """The tasks of which the rows say nothing at all."""
    return tuple(task for task in ("themes", *TASKS) if not (getattr(wanted, task) != UNKNOWN).any())


def inherited(own: HeadWeights, base: HeadWeights, tasks: Sequence[str]) -> HeadWeights:
    """`own` with the base model's arrays for `tasks`; both stand on one encoder.

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
    """`own` with the base model's scales, temperatures and thresholds for `tasks`."""
    return replace(own, **{name: getattr(base, name) for task in tasks for name in CALIBRATED[task]})
