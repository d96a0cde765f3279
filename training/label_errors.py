"""Labels that are probably wrong: confident learning (Northcutt et al. 2021) on unseen rows."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from training.dataset import LabelledRow

FOLDS = 5
FEWEST = 50  # labelled rows of a field; with fewer the out-of-sample predictions are guesses
RAREST = 2 * FOLDS  # rows of a class or theme; rarer ones are missing from some folds and would all look wrong
# Inverse regularisation times the width of the standardised vectors: the prior lets a whole vector move a logit by
# about one. On seed rows (384 wide) 0.4 to 1.2 did equally well, 12 worse.
STRENGTH = 1.0
ROUNDS = 200  # of the solver; it converges in a few dozen
RULE = "both"  # cleanlab's stricter rule: suspected by class and by rate of noise; what is listed costs a person's time
OBVIOUS = 0.05  # probability of a given class below which it is listed, even where errors are too few to have a rate
PRESENT, ABSENT = "present", "absent"


@dataclass(frozen=True, slots=True)
class Suspect:
    """A label that rows like this one contradict; `quality` in [0, 1] is the probability of the label as given.

    `field` is sentiment, justified or `themes: ID`, whose label is present or absent.
    """

    row: int
    field: str
    given: str
    suggested: str
    quality: float


@dataclass(frozen=True, slots=True)
class Checked:
    """Suspects, the likeliest errors first, how many labels of each field were checked, and what could not be."""

    suspects: tuple[Suspect, ...]
    checked: dict[str, int]
    unchecked: tuple[str, ...]


def find_label_errors(rows: Sequence[LabelledRow], vectors: np.ndarray, keys: Sequence[str]) -> Checked:
    """Suspected errors in sentiment, justified and themes.

    vectors float32 (n, d), unit rows, from an encoder that need not have learnt these labels; rows of one key are never
    on both sides of a fold. The answer does not depend on chance.
    """
    folds = np.array([int(key[:8], 16) % FOLDS for key in keys], int)
    suspects: list[Suspect] = []
    checked: dict[str, int] = {}
    unchecked: list[str] = []
    for field in ("sentiment", "justified"):
        known = [i for i, row in enumerate(rows) if getattr(row, field) is not None]
        labels = [_name(getattr(rows[i], field)) for i in known]
        common = {label for label, count in Counter(labels).items() if count >= RAREST}
        kept = [at for at, label in enumerate(labels) if label in common]
        if len(kept) < FEWEST or len(common) < 2:
            unchecked += [f"{field}: too few labels"] if known else []
            continue
        index = np.array([known[at] for at in kept])
        found = _classes(field, [labels[at] for at in kept], vectors[index], folds[index])
        suspects += [Suspect(int(index[s.row]), s.field, s.given, s.suggested, s.quality) for s in found]
        checked[field] = len(kept)
    found, count, rare = _themes(rows, vectors, folds)
    suspects += found
    checked |= {"themes": count} if count else {}
    unchecked += rare
    suspects.sort(key=lambda each: (each.quality, each.row, each.field))
    return Checked(tuple(suspects), checked, tuple(unchecked))


def _name(value: str | bool) -> str:
    return value if isinstance(value, str) else "yes" if value else "no"


def _classes(field: str, labels: Sequence[str], vectors: np.ndarray, folds: np.ndarray) -> list[Suspect]:
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    classes = sorted(set(labels))
    given = np.array([classes.index(label) for label in labels])
    odds = _unseen(vectors, given, folds, len(classes))
    issues = find_label_issues(given, odds, filter_by=RULE, n_jobs=1)
    quality = get_label_quality_scores(given, odds)
    best = odds.argmax(axis=1)
    return [
        Suspect(int(i), field, classes[given[i]], classes[best[i]], round(float(quality[i]), 4))
        for i in np.flatnonzero(issues | (quality < OBVIOUS))
        if best[i] != given[i]
    ]


def _themes(
    rows: Sequence[LabelledRow], vectors: np.ndarray, folds: np.ndarray
) -> tuple[list[Suspect], int, list[str]]:
    """Suspects among themes, the number of rows checked, and what was not checked."""
    known = np.array([i for i, row in enumerate(rows) if row.themes is not None], int)
    counts = Counter(theme for i in known for theme in rows[i].themes or ())
    themes = sorted(theme for theme, count in counts.items() if RAREST <= count <= len(known) - RAREST)
    rare = len(counts) - len(themes)
    left = [f"{rare} themes: fewer than {RAREST} rows with or without them"] if rare else []
    if len(known) < FEWEST or not themes:
        return [], 0, ["themes: too few labels"] if len(known) else []
    from cleanlab.multilabel_classification.filter import find_multilabel_issues_per_class

    given = np.array([[theme in (rows[i].themes or ()) for theme in themes] for i in known])
    odds = _unseen(vectors[known], given, folds[known], len(themes))
    labels = [list(map(int, np.flatnonzero(line))) for line in given]
    issues = find_multilabel_issues_per_class(labels, odds, filter_by=RULE, n_jobs=1)
    quality = np.where(given, odds, 1 - odds)
    out = []
    for at, column in np.argwhere(issues & (quality < 0.5)):
        row, theme = int(known[at]), themes[column]
        if theme not in rows[row].themes_disputed:
            said, other = (PRESENT, ABSENT) if given[at, column] else (ABSENT, PRESENT)
            out.append(Suspect(row, f"themes: {theme}", said, other, round(float(quality[at, column]), 4)))
    return out, len(known), left


def _unseen(vectors: np.ndarray, labels: np.ndarray, folds: np.ndarray, classes: int) -> np.ndarray:
    """Probabilities float64 (n, classes) from logistic heads that did not see the row.

    labels int (n,), one class a row, or bool (n, classes), each one against the rest.
    """
    from sklearn.preprocessing import StandardScaler

    odds = np.zeros((len(labels), classes))
    for fold in range(FOLDS):
        out = folds == fold
        if not out.any():
            continue
        scale = StandardScaler().fit(vectors[~out])
        learnt, asked = scale.transform(vectors[~out]), scale.transform(vectors[out])
        if labels.ndim == 1:
            odds[out] = _head(learnt, labels[~out], asked, classes)
            continue
        for column in range(classes):
            odds[out, column] = _head(learnt, labels[~out, column].astype(int), asked, 2)[:, 1]
    return odds


def _head(learnt: np.ndarray, labels: np.ndarray, asked: np.ndarray, classes: int) -> np.ndarray:
    from sklearn.linear_model import LogisticRegression

    odds = np.zeros((len(asked), classes))
    present = np.unique(labels)
    if len(present) == 1:  # all of a rare label fell into the fold that is asked about
        odds[:, present[0]] = 1.0
        return odds
    head = LogisticRegression(C=STRENGTH / learnt.shape[1], max_iter=ROUNDS).fit(learnt, labels)
    odds[:, head.classes_] = head.predict_proba(asked)
    return odds
