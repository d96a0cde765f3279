"""From rows as they were labelled to rows fit to learn from: one per answer, no contradictions, fair parts."""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from nlp.errors import InputError
from nlp.text import is_well_formed
from training.dataset import UNKNOWN, LabelledRow, check_themes, name_rows, text_key

FEWEST = 12  # different rows; with fewer, nothing is left to choose thresholds on after ten to learn from
TASKS = ("themes", "theme_sentiments", "sentiment", "justified", "signals")
SETS = ("themes", "signals")
DEV_SHARE = 0.15  # of what is learnt from, to choose thresholds on
DEV_MOST = 3_000  # rows, about: enough for thresholds, and more would only be missing where they teach
HELD_FROM = 300  # rows; with fewer the development rows stand in: each is needed for learning


@dataclass(frozen=True, slots=True)
class Conflict:
    """Rows with one question and text whose labels for these fields contradict each other."""

    ids: tuple[str, ...]
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Prepared:
    """Rows to learn from, one per question and text, and what was done to get them.

    `duplicates` counts the rows merged into another; `unlabelled` names those left out because no task of theirs is
    labelled; `warnings` are sentences for the user; `themes` is the code frame's order, None where none was given.
    """

    rows: tuple[LabelledRow, ...]
    duplicates: int
    conflicts: tuple[Conflict, ...]
    unlabelled: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    themes: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Parts:
    """Rows to learn from, rows to choose thresholds and epochs on, and rows that neither sees.

    `shared` counts those left out because their texts are among the development rows of the user's own.
    """

    train: list[LabelledRow]
    dev: list[LabelledRow]
    held: list[LabelledRow]
    shared: int = 0


def prepare(rows: Sequence[LabelledRow], source: str, themes: Sequence[str] | None = None) -> Prepared:
    """Merges duplicates, unlabels what they contradict, and proves that something can be learnt.

    Raises InputError naming rows for empty or broken texts, unknown themes, labels that all contradict each other or
    are all the same, and fewer than twelve different rows.
    """
    _check_texts(rows, source)
    if themes is not None:
        check_themes(rows, themes, source)
    groups = _groups(rows)
    merged = [_merge(group) for group in groups]
    conflicts = tuple(
        Conflict(tuple(row.id for row in group), tuple(sorted(row.undecided)))
        for group, row in zip(groups, merged, strict=True)
        if row.undecided
    )
    lost = _lost(merged, conflicts, source)
    kept = tuple(row for row in merged if _is_labelled(row))
    unlabelled = tuple(row.id for row in merged if not _is_labelled(row))
    duplicates = len(rows) - len(groups)
    _check_enough(kept, duplicates, unlabelled, source)
    warnings = (*lost, *_check_classes(kept, source))
    return Prepared(kept, duplicates, conflicts, unlabelled, warnings, None if themes is None else tuple(themes))


def parted(rows: Sequence[LabelledRow], dev: Sequence[LabelledRow] | None, held_share: float) -> Parts:
    """Parts rows so that the same answer is never on two sides; development rows of the user's own are left whole."""
    held: list[LabelledRow] = []
    taken = {text_key(row.text) for row in dev or ()}
    rest = [row for row in rows if text_key(row.text) not in taken] if taken else list(rows)
    shared = len(rows) - len(rest)
    if held_share and len(rest) >= HELD_FROM:
        rest, held = split_stratified(rest, held_share)
    if dev is not None:
        return Parts(rest, list(dev), held, shared)
    learnt, chosen = split_stratified(rest, min(DEV_SHARE, DEV_MOST / max(1, len(rest))), draw=1)
    return Parts(learnt, chosen, held)


def split_stratified(
    rows: Sequence[LabelledRow], share: float, draw: int = 0
) -> tuple[list[LabelledRow], list[LabelledRow]]:
    """Parts rows by the hash of their text into (train, dev), every class of two texts or more on both sides.

    A text is never on both sides, and stays on its own as rows are added, but for those moved for a rare class.
    What one draw (0 to 7) left is parted by another: by the same one it would be parted where it was already.
    """
    texts: dict[str, list[LabelledRow]] = defaultdict(list)
    for row in rows:
        texts[text_key(row.text)].append(row)
    strata = {key: frozenset(stratum for row in group for stratum in _strata(row)) for key, group in texts.items()}
    dev = {key for key in texts if int(key[8 * draw : 8 * draw + 8], 16) / 0xFFFFFFFF < share}
    if 0 < share < 1:
        _balance(strata, dev)
    parts: tuple[list[LabelledRow], list[LabelledRow]] = ([], [])
    for key, group in texts.items():
        parts[key in dev].extend(group)
    return parts


def _strata(row: LabelledRow) -> Iterable[Hashable]:
    """The classes that the row is an example of."""
    yield from (("themes", theme) for theme in row.theme_ids)
    yield from (("signals", signal) for signal in row.signals or ())
    yield from ((name, value) for name in ("sentiment", "justified") if (value := getattr(row, name)) is not None)


def _balance(strata: dict[str, frozenset[Hashable]], dev: set[str]) -> None:
    """Moves texts into and out of `dev` until no class of two texts or more lacks on a side, where that can be.

    First the training side is served, then the other with what training can spare; rare classes choose first.
    """
    total = Counter(stratum for each in strata.values() for stratum in each)
    held = Counter(stratum for key in dev for stratum in strata[key])
    rare_first = sorted((each for each in total if total[each] > 1), key=lambda each: (total[each], str(each)))
    for stratum in rare_first:
        if held[stratum] == total[stratum]:
            key = max(key for key in dev if stratum in strata[key])
            dev.remove(key)
            held.subtract(strata[key])
    for stratum in rare_first:
        if held[stratum] == 0:
            able = (key for key, each in strata.items() if stratum in each)
            able = (key for key in able if all(total[s] == 1 or total[s] - held[s] > 1 for s in strata[key]))
            if key := min(able, default=None):
                dev.add(key)
                held.update(strata[key])


def _check_texts(rows: Sequence[LabelledRow], source: str) -> None:
    if not rows:
        raise InputError(f"{source} has no labelled rows")
    empty = [row.id for row in rows if not row.text]
    if empty:
        raise InputError(f"{source}: the text is empty in {name_rows(empty)}; fill it in or remove them")
    broken = [row.id for row in rows if not is_well_formed(row.text + (row.question or ""))]
    if broken:
        raise InputError(
            f"{source}: half a character, which UTF-8 cannot hold, stands in {name_rows(broken)}; export them again or "
            "remove them"
        )


def _groups(rows: Iterable[LabelledRow]) -> list[list[LabelledRow]]:
    """Rows that answer one question with one text, in the order of their first."""
    groups: dict[tuple[str, str], list[LabelledRow]] = defaultdict(list)
    questions: dict[str | None, str] = {}  # few, and the same again and again
    for row in rows:
        if row.question not in questions:
            questions[row.question] = text_key(row.question or "")
        groups[questions[row.question], text_key(row.text)].append(row)
    return list(groups.values())


def _merge(group: Sequence[LabelledRow]) -> LabelledRow:
    """The first row with the labels of all; what they contradict each other in is unlabelled and `undecided`."""
    if len(group) == 1:
        return group[0]
    torn = set().union(*(row.undecided for row in group))
    found: dict[str, Any] = {}
    for name in SETS:
        disputed = frozenset().union(*(getattr(row, f"{name}_disputed") for row in group))
        sets = {value - disputed for row in group if (value := getattr(row, name)) is not None}
        found |= {f"{name}_disputed": disputed, name: sets.pop() if len(sets) == 1 else None}
        torn |= {name} if sets else set()
    for name, unknown in (("sentiment", None), ("justified", None), ("priority", UNKNOWN)):
        values = {getattr(row, name) for row in group} - {unknown}
        found[name] = values.pop() if len(values) == 1 else unknown
        torn |= {name} if values else set()
    found["theme_sentiments"] = _moods(group, torn)
    found |= {name: UNKNOWN if name == "priority" else None for name in torn & {"sentiment", "justified", *SETS}}
    return replace(group[0], **found, undecided=frozenset(torn))


def _moods(group: Sequence[LabelledRow], torn: set[str]) -> dict[str, str] | None:
    """The moods of themes that the rows agree on; adds the field to `torn` where they give a theme two."""
    given = [row.theme_sentiments for row in group if row.theme_sentiments is not None]
    found: dict[str, set[str]] = defaultdict(set)
    for moods in given:
        for theme, mood in moods.items():
            found[theme].add(mood)
    if any(len(moods) > 1 for moods in found.values()):
        torn.add("theme_sentiments")
    # where the themes themselves are contradicted, a mood counts for what every reader listed
    listed = [row.themes for row in group if row.themes is not None] if "themes" in torn else []
    agreed = {theme: min(moods) for theme, moods in found.items() if len(moods) == 1}
    agreed = {theme: mood for theme, mood in agreed.items() if all(theme in themes for themes in listed)}
    return agreed if agreed or (given and not found) else None


def _is_labelled(row: LabelledRow) -> bool:
    return any(getattr(row, task) is not None for task in TASKS)


def _lost(merged: Sequence[LabelledRow], conflicts: Sequence[Conflict], source: str) -> list[str]:
    """Warnings for tasks of which contradictions leave nothing; InputError where they leave nothing at all."""
    lost = []
    for task in TASKS:
        torn = [id for conflict in conflicts if task in conflict.fields for id in conflict.ids]
        if torn and all(getattr(row, task) is None for row in merged):
            lost.append(f"every label of {task} contradicts another for the same text ({name_rows(torn)})")
    if lost and not any(map(_is_labelled, merged)):
        raise InputError(f"{source}: {'; '.join(lost)}; decide which are right and remove the others")
    return lost


def _check_enough(rows: Sequence[LabelledRow], duplicates: int, unlabelled: Sequence[str], source: str) -> None:
    if not rows:
        raise InputError(f"{source}: no row has labels ({name_rows(unlabelled)}); label some of {', '.join(TASKS)}")
    if len(rows) < FEWEST:
        besides = f", besides {duplicates} duplicates" if duplicates else ""
        besides += f", besides {len(unlabelled)} without labels" if unlabelled else ""
        raise InputError(
            f"{source} has {len(rows)} different labelled texts ({name_rows([row.id for row in rows])}){besides}; "
            f"label at least {FEWEST}, better 8 for each theme"
        )


def _check_classes(rows: Sequence[LabelledRow], source: str) -> list[str]:
    """Warnings for tasks whose labels are all the same; InputError where there is nothing else to learn."""
    found = {task: [value for row in rows for value in _values(row, task)] for task in TASKS}
    labelled = {task: values for task, values in found.items() if values}
    single = {task: values for task, values in labelled.items() if len(set(values)) == 1}
    same = [f"{task} is {_said(values[0])} wherever it is labelled" for task, values in single.items()]
    if len(single) == len(labelled):
        named = name_rows([row.id for row in rows])
        raise InputError(
            f"{source} has one class only: {'; '.join(same)} ({named}); add rows that are labelled otherwise"
        )
    return [f"{each}: one class teaches nothing" for each in same]


def _values(row: LabelledRow, task: str) -> Iterable[Hashable]:
    value = getattr(row, task)
    return () if value is None else value.values() if task == "theme_sentiments" else (value,)


def _said(value: Hashable) -> str:
    return (", ".join(sorted(value)) or "none") if isinstance(value, frozenset) else str(value).lower()
