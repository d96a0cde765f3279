"""The one number by which epochs are chosen."""

import numpy as np
import pytest

from training.dataset import targets
from training.selection import development_score


def logits(n: int, themes: int) -> dict[str, np.ndarray]:
    return {
        "themes": np.full((n, themes), -5.0),
        "moods": np.zeros((n, themes, 4)),
        "sentiment": np.zeros((n, 4)),
        "justified": np.zeros(n),
        "signals": np.zeros((n, 5)),
    }


def test_tasks_without_labels_do_not_count(row):
    rows = [row(sentiment="negative"), row(sentiment="positive")]
    said = logits(2, 1)
    said["sentiment"][:, 0] = 1.0  # negative, twice
    assert development_score(said, targets(rows, ["a"])) == 0.5
    assert development_score(said, targets([row(), row()], ["a"])) == 0.0


def test_themes_are_scored_at_the_best_shared_threshold(row):
    rows = [row(themes=frozenset("a")), row(themes=frozenset("b")), row(themes=frozenset())]
    said = logits(3, 2)
    said["themes"][0, 0] = said["themes"][1, 1] = said["themes"][2, 0] = -2.0
    assert development_score(said, targets(rows, ["a", "b"])) == pytest.approx(2 * 2 / (3 + 2))
    said["themes"][2, 0] = -4.0
    assert development_score(said, targets(rows, ["a", "b"])) == 1.0
