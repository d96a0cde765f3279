"""Weighs a candidate against the champion: both read the same labelled rows, the gate judges the figures."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from nlp.artifact import compose, prove, read_yaml
from nlp.errors import InputError
from nlp.folder import ModelFolder, load_model
from nlp.types import Classification
from training.dataset import LabelledRow
from training.gate import ALL, Compared, GatePolicy, Kind, Verdict, judge, parse_gate
from training.tally import (
    JUSTIFIED,
    PAIRS,
    POOLED,
    POOLED_AT,
    PRIORITY_ONE,
    SENTIMENT,
    SHARES,
    THEMES,
    THEMES_AT,
    Tally,
    groups,
    tally,
)

HELD = "held.jsonl"
"""Where training leaves the rows that it held back for this."""
FIGURES = (THEMES, PAIRS, SENTIMENT, JUSTIFIED, PRIORITY_ONE)
NAMED = 10
"""Theme ids that a remark lists before it only counts."""


@dataclass(frozen=True, slots=True)
class Weighed:
    """A verdict, and the rows that it rests on."""

    verdict: Verdict
    rows: int
    source: Path


def rows_for(candidate: Path, data: Path | None) -> Path:
    """The file of labelled rows to compare on; InputError says what to give where there is none."""
    held = candidate / HELD
    if data is None and not held.is_file():
        raise InputError(
            f"{candidate} has no {HELD}, the rows that holos train holds back; give labelled rows that the model was "
            "not trained on with --data, or promote without comparing: --force"
        )
    found = data or held
    if not found.exists():
        raise InputError(f"{found} does not exist; give labelled rows with --data")
    return found


def weigh(
    candidate: Path, champion: Path, data: Path | None, data_dir: Path, cache_dir: Path, encoder: Path | None = None
) -> Weighed:
    """Compares two model folders on labelled rows; both are proven on their golden sentences first."""
    from training.cli import read_labels

    path = data_dir / "policies" / "gate.yaml"
    policy = parse_gate(read_yaml(path), str(path))
    source = rows_for(candidate, data)
    rows = read_labels(source)
    models = [load_model(folder) for folder in (champion, candidate)]
    _check_themes(rows, models, source)
    said = [_read(model, rows, data_dir, cache_dir, encoder) for model in models]
    known = [frozenset(model.taxonomy.ids) for model in models]
    return Weighed(compare(rows, *said, *known, policy), len(rows), source)


def compare(
    rows: Sequence[LabelledRow],
    champion: Sequence[Classification],
    candidate: Sequence[Classification],
    champion_themes: frozenset[str],
    candidate_themes: frozenset[str],
    policy: GatePolicy,
) -> Verdict:
    """The verdict on what two models said of the same rows; themes that only one of them knows are left out."""
    shared = champion_themes & candidate_themes
    judged = [_only(row, shared) for row in rows]
    themes = sorted(shared)
    counts = [tally(judged, [_said(each, shared) for each in said], themes) for said in (champion, candidate)]
    figures = _figures(judged, counts, themes, policy)
    new = 0 if shared else sum(len(row.themes or ()) for row in rows)
    verdict = judge(figures, policy, new=new)
    remarks = _of_taxonomies(champion_themes, candidate_themes, policy)
    unseen = [name for name in _wanted(themes) if not any(each.figure == name for each in figures)]
    if unseen:
        remarks = (*remarks, f"not compared, for no row has labels to find: {', '.join(unseen)}")
    return replace(verdict, remarks=(*remarks, *verdict.remarks))


def _figures(
    rows: Sequence[LabelledRow], counts: Sequence[Tally], themes: Sequence[str], policy: GatePolicy
) -> list[Compared]:
    everywhere = list(range(len(rows)))
    places: list[tuple[Kind, str, list[int]]] = [("overall", ALL, everywhere)]
    places += [("language", language, members) for language, members in groups(rows)[0].items()]
    found = [
        _pooled(figure, kind, group, [each.take(members) for each in counts])
        for kind, group, members in places
        for figure in _wanted(themes)
    ]
    found += [_theme(theme, at, counts) for at, theme in enumerate(themes) if policy.is_severe(theme)]
    return [each for each in found if each.support]


def _wanted(themes: Sequence[str]) -> tuple[str, ...]:
    return FIGURES if themes else tuple(name for name in FIGURES if name not in (THEMES, PAIRS))


def _pooled(figure: str, kind: Kind, group: str, counts: Sequence[Tally]) -> Compared:
    at = POOLED.index(figure)
    sums = [each.counts[:, POOLED_AT][:, at].sum(axis=0, dtype=np.int64) for each in counts]
    share = figure in SHARES
    support = int(counts[0].known[:, at].sum()) if share else int(sums[0][0] + sums[0][2])
    values = [_share(each) if share else _f1(each) for each in sums]
    return Compared(figure, kind, group, support, *values)


def _theme(theme: str, at: int, counts: Sequence[Tally]) -> Compared:
    sums = [each.counts[:, THEMES_AT][:, at].sum(axis=0, dtype=np.int64) for each in counts]
    support = int(sums[0][0] + sums[0][2])
    return Compared("theme F1", "severe_theme", theme, support, *(_f1(each) for each in sums))


def _f1(sums: np.ndarray) -> float:
    right, wrong, missed = (int(value) for value in sums)
    return 2 * right / max(1, 2 * right + wrong + missed)


def _share(sums: np.ndarray) -> float:
    return int(sums[0]) / max(1, int(sums[0] + sums[1]))


def _only(row: LabelledRow, shared: frozenset[str]) -> LabelledRow:
    themes = None if row.themes is None else row.themes & shared
    moods = row.theme_sentiments
    kept = None if moods is None else {theme: mood for theme, mood in moods.items() if theme in shared}
    return replace(row, themes=themes, theme_sentiments=kept, themes_disputed=row.themes_disputed & shared)


def _said(answer: Classification, shared: frozenset[str]) -> Classification:
    return replace(answer, themes=tuple(tag for tag in answer.themes if tag.id in shared))


def _of_taxonomies(champion: frozenset[str], candidate: frozenset[str], policy: GatePolicy) -> tuple[str, ...]:
    """What is said where the code frames differ."""
    remarks = []
    if not champion & candidate:
        remarks.append("no theme is shared with the champion: themes were not compared")
    elif champion != candidate:
        remarks.append(f"only the {len(champion & candidate)} themes that both models know were compared")
    if gone := sorted(champion - candidate):
        remarks.append(f"themes of the champion that the candidate does not know: {_listed(gone)}")
    if severe := [theme for theme in gone if policy.is_severe(theme)]:
        remarks.append(f"severe ones among them: {_listed(severe)}")
    return tuple(remarks)


def _listed(names: Sequence[str]) -> str:
    rest = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + rest


def _check_themes(rows: Sequence[LabelledRow], models: Sequence[ModelFolder], source: Path) -> None:
    """Labels that neither model can give are a mistake in the file, not in the models."""
    known = {theme for model in models for theme in model.taxonomy.ids}
    unknown = sorted({theme for row in rows for theme in row.themes or ()} - known)
    if unknown:
        raise InputError(f"{source}: themes that neither model knows: {_listed(unknown)}; mend the labels")


def _read(
    model: ModelFolder, rows: Sequence[LabelledRow], data_dir: Path, cache_dir: Path, encoder: Path | None
) -> list[Classification]:
    pipeline = compose(model, data_dir, cache_dir, encoder=encoder)
    prove(pipeline, model)
    return pipeline.classify([row.response for row in rows])
