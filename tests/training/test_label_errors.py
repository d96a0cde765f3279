"""Planted label errors are found where vectors tell the classes apart; where too little is known, it is said."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("cleanlab")
pytest.importorskip("sklearn")

from training.dataset import LabelledRow, parse_row, text_key
from training.label_errors import FEWEST, RAREST, find_label_errors
from training.pool import in_order, read_pool

DATA = Path(__file__).parents[2] / "data"
DEFAULT = DATA / "models" / "default"
MOODS = ("negative", "neutral", "positive")
THEMES = ("delivery", "price", "staff", "place")


def made_up(count: int = 300, noise: float = 0.35) -> tuple[list[LabelledRow], np.ndarray, list[str]]:
    """Rows whose sentiment, theme and justified each have a direction of their own in the vectors."""
    rng = np.random.default_rng(7)
    moods, themes, reasons = (rng.integers(0, n, count) for n in (len(MOODS), len(THEMES), 2))
    vectors = np.concatenate([np.eye(3)[moods], np.eye(4)[themes], np.eye(2)[reasons], np.zeros((count, 7))], axis=1)
    vectors += rng.normal(0, noise, vectors.shape)
    rows = [
        LabelledRow(f"r{i}", f"t{i}", themes=frozenset({THEMES[t]}), sentiment=MOODS[m], justified=bool(j))
        for i, (m, t, j) in enumerate(zip(moods, themes, reasons, strict=True))
    ]
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return rows, unit.astype(np.float32), [text_key(row.text) for row in rows]


def plant(
    rows: list[LabelledRow], share: float = 0.05, seed: int = 1
) -> tuple[list[LabelledRow], set[tuple[int, str]]]:
    """Flips that share of the labels of each field, in rows of their own; gives (row, field) of every flip."""
    rng = np.random.default_rng(seed)
    counts = Counter(theme for row in rows for theme in row.themes or ())
    common = sorted(theme for theme, count in counts.items() if count >= RAREST)
    out, planted = list(rows), set()
    many = int(share * len(rows))
    chosen = rng.permutation(len(rows))[: 3 * many]
    for index in map(int, chosen[:many]):
        out[index] = replace(rows[index], sentiment=str(rng.choice([m for m in MOODS if m != rows[index].sentiment])))
        planted.add((index, "sentiment"))
    for index in map(int, chosen[many : 2 * many]):
        out[index] = replace(rows[index], justified=not rows[index].justified)
        planted.add((index, "justified"))
    for index in map(int, chosen[2 * many :]):
        given = str(rng.choice([theme for theme in common if theme not in rows[index].themes]))
        out[index] = replace(rows[index], themes=rows[index].themes | {given})
        planted.add((index, f"themes: {given}"))
    return out, planted


def test_most_planted_errors_are_found_and_most_of_what_is_found_was_planted():
    rows, vectors, keys = made_up()
    broken, planted = plant(rows)
    found = find_label_errors(broken, vectors, keys)
    flagged = {(each.row, each.field) for each in found.suspects}
    assert found.checked == {"sentiment": 300, "justified": 300, "themes": 300} and found.unchecked == ()
    assert len(flagged & planted) >= 0.7 * len(planted)
    assert len(flagged & planted) >= 0.5 * len(flagged)
    worst = {(each.row, each.field) for each in found.suspects[: len(planted) // 2]}
    assert len(worst & planted) >= 0.9 * len(worst)


def test_a_suspect_names_the_label_given_the_one_that_fits_and_how_well_it_fits():
    rows, vectors, keys = made_up(noise=0.1)
    broken = [replace(rows[0], sentiment=next(m for m in MOODS if m != rows[0].sentiment)), *rows[1:]]
    broken[1:16] = [replace(row, themes=frozenset()) for row in rows[1:16]]
    suspects = {
        (each.row, each.field.partition(":")[0]): each for each in find_label_errors(broken, vectors, keys).suspects
    }
    mood, theme = suspects[0, "sentiment"], suspects[1, "themes"]
    assert (mood.given, mood.suggested) == (broken[0].sentiment, rows[0].sentiment) and mood.quality < 0.3
    assert theme.field == f"themes: {next(iter(rows[1].themes))}"
    assert (theme.given, theme.suggested) == ("absent", "present")


def test_a_disputed_theme_is_not_suspected():
    rows, vectors, keys = made_up(noise=0.1)
    disputed = replace(rows[1], themes=frozenset(), themes_disputed=rows[1].themes)
    found = find_label_errors([rows[0], disputed, *rows[2:]], vectors, keys)
    assert not [each for each in found.suspects if each.row == 1]


def test_copies_of_a_wrong_label_do_not_vouch_for_each_other():
    rows, vectors, keys = made_up(noise=0.1)
    wrong = [replace(rows[0], id=f"c{i}", sentiment=next(m for m in MOODS if m != rows[0].sentiment)) for i in range(4)]
    found = find_label_errors(
        [*rows[1:], *wrong],
        np.concatenate([vectors[1:], np.repeat(vectors[:1], 4, axis=0)]),
        [*keys[1:], *[keys[0]] * 4],
    )
    assert {each.row for each in found.suspects if each.field == "sentiment"} >= set(range(299, 303))


@pytest.mark.parametrize(
    ("change", "remark"),
    [
        (
            lambda i, row: replace(row, sentiment=None if i >= FEWEST - 1 else row.sentiment),
            "sentiment: too few labels",
        ),
        (lambda i, row: replace(row, justified=True), "justified: too few labels"),
        (lambda i, row: replace(row, themes=None if i >= FEWEST - 1 else row.themes), "themes: too few labels"),
        (
            lambda i, row: replace(row, themes=row.themes | ({"rare"} if i < 9 else set())),
            "1 themes: fewer than 10 rows",
        ),
    ],
)
def test_what_is_too_rare_to_be_checked_is_said(change, remark):
    rows, vectors, keys = made_up()
    found = find_label_errors([change(i, row) for i, row in enumerate(rows)], vectors, keys)
    assert any(each.startswith(remark) for each in found.unchecked)
    assert not any("rare" in each.field for each in found.suspects)


def test_without_labels_nothing_is_checked():
    rows = [LabelledRow(str(i), "x") for i in range(60)]
    found = find_label_errors(rows, np.ones((60, 4), np.float32), [text_key("x")] * 60)
    assert found.suspects == () and found.checked == {} and found.unchecked == ()


@pytest.mark.model
@pytest.mark.slow
@pytest.mark.skipif(not (DEFAULT / "model.json").is_file(), reason="no model in data/models/default yet")
def test_half_of_the_errors_planted_in_seed_rows_are_found():
    from nlp.artifact import load_pipeline
    from serving.settings import load_settings

    lines = (DATA / "seed" / "seed_en3.jsonl").read_text("utf-8").splitlines()
    rows = in_order([parse_row(json.loads(line), "seed") for line in lines])
    broken, planted = plant(rows)
    pool = read_pool(load_pipeline(DEFAULT, DATA, load_settings().cache_dir), broken)
    found = find_label_errors(broken, pool.vectors, pool.keys)
    flagged = {(each.row, each.field) for each in found.suspects}
    assert len(flagged & planted) >= 0.5 * len(planted)
    assert len(flagged & planted) >= 0.25 * len(flagged)
