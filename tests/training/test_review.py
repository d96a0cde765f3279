"""What is put in the queue and why; what is left out of it; how it is written and read back."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("scipy")

from pools import pool_of, saying, with_reading

from nlp.errors import InputError
from training.dataset import LabelledRow
from training.doubts import closeness, disagreement, entropy, uncertainty
from training.label_errors import Suspect
from training.labels import read_labels
from training.picks import NEAR, QUOTAS, queue
from training.pool import in_order, read_pool
from training.review import Asked, check_out, review, write_queue

DATA = Path(__file__).parents[2] / "data"
DEFAULT = DATA / "models" / "default"
needs_model = pytest.mark.skipif(not (DEFAULT / "model.json").is_file(), reason="no model in data/models/default yet")


def rows_of(count: int, **fields) -> list[LabelledRow]:
    return [LabelledRow(id=f"r{i}", text=f"answer number {chr(97 + i)}", **fields) for i in range(count)]


def sure_pool(count: int = 6, **fields):
    return pool_of([(row, saying(row)) for row in rows_of(count, **fields)])


@pytest.mark.parametrize(
    ("odds", "threshold", "expected"), [(0.5, 0.5, 1), (0.2, 0.4, 0.5), (0.7, 0.4, 0.5), (1, 0.3, 0), (np.nan, 0.3, 0)]
)
def test_a_theme_is_the_more_doubtful_the_nearer_its_threshold(odds, threshold, expected):
    assert closeness(np.array([[odds]]), np.array([threshold]))[0, 0] == pytest.approx(expected)


def test_entropy_is_one_for_even_odds_and_zero_for_certainty_or_nothing():
    assert entropy(np.array([[0.25] * 4, [1, 0, 0, 0], [np.nan] * 4])) == pytest.approx([1, 0, 0], abs=1e-9)


@pytest.mark.parametrize(
    ("reading", "words"),
    [
        ({"themes": [0.01, 0.49, 0.01]}, "unsure whether it is about Price (0.49, threshold 0.50)"),
        ({"sentiment": [0.4, 0.1, 0.35, 0.15]}, "unsure of the sentiment (negative 0.40, positive 0.35)"),
        ({"justified": 0.52}, "unsure whether it gives a reason (0.52)"),
    ],
)
def test_what_the_model_is_unsure_of_is_said(reading, words):
    doubt = uncertainty(with_reading(sure_pool(), 2, **reading))
    assert doubt.strength[2] > 0 and not doubt.strength[[0, 1, 3, 4, 5]].any()
    assert doubt.words(2) == words


@pytest.mark.parametrize(
    ("row", "said", "words"),
    [
        ({"metric": "nps", "score": 2}, {"sentiment": "positive", "group": "detractor"}, "NPS 2 is a detractor's, but"),
        ({"score": 9}, {"sentiment": "negative", "group": "promoter"}, "the score 9 is a promoter's, but"),
        ({"score": 9}, {"sentiment": "neutral", "group": "promoter"}, None),
        ({}, {"sentiment": "positive", "group": "detractor"}, None),  # no score: the group was read from the words
        ({}, {"sentiment": "positive", "themes": {"price": "negative"}}, "positive as a whole, but as negative about"),
        ({}, {"sentiment": "positive", "themes": {"price": "negative", "staff": "positive"}}, None),
    ],
)
def test_readings_that_contradict_each_other_are_found(row, said, words):
    (one,) = rows_of(1, **row)
    doubt = disagreement(pool_of([(one, saying(one, **said))]))
    assert (doubt.strength[0] > 0) == (words is not None)
    if words:
        assert words in doubt.words(0)


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"sentiment": "positive"}, "two models disagree on the sentiment: negative here, positive there"),
        ({"themes": {"price": "negative"}}, "two models disagree: only the other finds Price"),
        ({}, None),
    ],
)
def test_a_second_model_that_reads_a_text_otherwise_is_named(other, words):
    pool = sure_pool(2)
    against = [saying(pool.rows[0], **other), saying(pool.rows[1])]
    doubt = disagreement(pool, against)
    assert doubt.strength[1] == 0 and (doubt.strength[0] > 0) == (words is not None)
    if words:
        assert doubt.words(0) == words


def test_a_theme_with_few_examples_comes_first_and_each_turn_goes_to_the_rarest():
    rows = rows_of(20)
    themes = ["delivery"] * 12 + ["price"] * 8
    pool = pool_of([(row, saying(row, themes={theme: "negative"})) for row, theme in zip(rows, themes, strict=True)])
    labelled = [replace(row, themes=frozenset({"delivery"})) for row in rows_of(3)]
    picks = [pick for pick in queue(pool, 20, labelled=labelled) if pick.kind == "rare_theme"]
    reasons = [pick.reason for pick in picks]
    assert [reason.split()[2] for reason in reasons].count("Price,") == 3 and len(reasons) == 4  # then both have three
    assert "predicted as Price, which has 0 labelled examples" in reasons
    picks = queue(pool, 10, labelled=[replace(row, themes=frozenset({"price", "delivery"})) for row in rows * 3])
    assert not any(pick.kind == "rare_theme" for pick in picks)


def test_near_duplicates_stand_in_the_queue_once_and_are_counted():
    rows = [*rows_of(4), LabelledRow(id="again", text="Answer NUMBER a!")]
    near = np.eye(5, dtype=np.float32)
    near[1] = [NEAR + 0.01, np.sqrt(1 - (NEAR + 0.01) ** 2), 0, 0, 0]
    picks = queue(pool_of([(row, saying(row)) for row in rows], near), 10)
    counts = sorted(pick.stands_for for pick in picks)
    assert len(picks) == 3 and counts == [1, 1, 3]


def test_diversity_takes_a_row_of_every_group():
    groups = np.repeat(np.eye(4, dtype=np.float32), 10, axis=0) + np.random.default_rng(1).normal(0, 0.2, (40, 4))
    groups /= np.linalg.norm(groups, axis=1, keepdims=True)
    rows = [LabelledRow(id=str(i), text=f"text {i}") for i in range(40)]
    picks = queue(pool_of([(row, saying(row)) for row in rows], groups), 4)
    assert {pick.kind for pick in picks} == {"diversity"} and {pick.row // 10 for pick in picks} == {0, 1, 2, 3}


def test_labelled_known_failed_foreign_and_silent_rows_are_not_asked_for(failed):
    rows = [*rows_of(4), LabelledRow(id="done", text="Answer number A", sentiment="negative")]
    said = [saying(row) for row in rows]
    said[2] = saying(rows[2], status="unsupported_language")
    pool = pool_of(list(zip(rows, said, strict=True)))
    pool = with_reading(pool, 3, justified=np.nan)
    picks = queue(pool, 10)
    assert [pool.rows[pick.row].id for pick in picks] == ["r1"]  # r0 has the words of a labelled row
    assert queue(pool, 10, known=frozenset(pool.keys)) == []


def test_the_reasons_share_the_queue_and_take_turns():
    rows = rows_of(26)
    pool = pool_of([(row, saying(row, themes={"price": "negative"})) for row in rows])
    for row in range(10):
        pool = with_reading(pool, row, justified=0.5 + row / 100)
    said = [
        saying(r, "positive", {"price": "negative"}) if 10 <= i < 18 else s
        for i, (r, s) in enumerate(zip(rows, pool.said, strict=True))
    ]
    pool = replace(pool, said=tuple(said))
    picks = queue(
        pool, 20, labelled=[], suspects=[Suspect(i, "sentiment", "positive", "negative", 0.1) for i in range(9)]
    )
    kinds = [pick.kind for pick in picks]
    assert len(picks) == 20 and {kind: kinds.count(kind) for kind in QUOTAS} == {
        "label_error": 4,
        "disagreement": 4,
        "rare_theme": 4,
        "uncertainty": 5,
        "diversity": 3,
    }
    assert set(kinds[:5]) == set(QUOTAS)


def test_the_order_of_the_input_does_not_matter():
    rows = rows_of(26)
    assert in_order(rows[::-1]) == in_order(rows) != rows


@pytest.fixture
def written(tmp_path):
    row = LabelledRow(id="r1", text="=late again", question="Why, Jan?", sentiment="positive", metric="nps", score=3)
    pool = pool_of([(row, saying(row, themes={"delivery": "negative"}))])
    picks = queue(pool, 5, suspects=[Suspect(0, "sentiment", "positive", "negative", 0.03)])

    def write(name: str) -> Path:
        write_queue(picks, pool, tmp_path / name, lambda text: text.replace("Jan", "<NAME>"))
        return tmp_path / name

    return write


def test_a_queue_of_json_lines_holds_reason_prediction_and_labels_apart(written):
    (row,) = map(json.loads, written("q.jsonl").read_text("utf-8").splitlines())
    assert row["reason"] == "labelled sentiment positive, answers like it negative" and row["stands_for"] == 1
    assert row["suspects"] == [{"field": "sentiment", "given": "positive", "suggested": "negative", "quality": 0.03}]
    assert row["predicted"]["sentiment"] == "negative" and row["predicted"]["confidence"]["themes"] == {"delivery": 0.9}
    assert row["sentiment"] == "positive" and "themes" not in row and row["question"] == "Why, <NAME>?"
    (back,) = read_labels(written("q.jsonl"))
    assert (back.sentiment, back.themes, back.score) == ("positive", None, 3)


def test_a_queue_in_csv_has_columns_to_fill_in_and_no_formula(written):
    with written("q.csv").open(encoding="utf-8-sig", newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["text"] == "'=late again" and row["predicted_themes"] == "delivery" and row["themes"] == ""
    assert row["suspects"] == "sentiment: positive -> negative (0.03)" and row["sentiment"] == "positive"
    (back,) = read_labels(written("q.csv"))
    assert (back.id, back.sentiment, back.themes) == ("r1", "positive", None)


def test_a_queue_for_label_studio_has_the_reason_and_a_prediction(written):
    (task,) = json.loads(written("q.json").read_text("utf-8"))
    assert task["data"]["reason"].startswith("labelled sentiment") and task["data"]["question"] == "Why, <NAME>?"
    assert {each["from_name"] for each in task["predictions"][0]["result"]} >= {"sentiment", "themes", "justified"}


@pytest.mark.parametrize(("name", "message"), [("q.xlsx", "a queue ends in"), ("no/q.csv", "does not exist")])
def test_a_place_for_no_queue_is_refused(tmp_path, name, message):
    with pytest.raises(InputError, match=message):
        check_out(tmp_path / name)


@pytest.mark.model
@pytest.mark.slow
@needs_model
def test_a_queue_from_the_sample_and_seed_rows(tmp_path):
    from nlp.artifact import load_pipeline
    from serving.settings import load_settings

    cache, lines = load_settings().cache_dir, []
    lines_of = (DATA / "seed" / "seed_en2.jsonl").read_text("utf-8").splitlines()[:40]
    (tmp_path / "labels.jsonl").write_text("\n".join(lines_of), "utf-8")
    sample = (DATA / "sample" / "feedback.csv").read_text("utf-8").splitlines()[:61]
    (tmp_path / "a.csv").write_text("\n".join(sample) + "\n", "utf-8")
    (tmp_path / "b.csv").write_text("\n".join([sample[0], *sample[:0:-1]]) + "\n", "utf-8")
    queues = []
    for name in ("a", "b"):
        asked = Asked(tmp_path / f"{name}.csv", tmp_path / f"{name}.jsonl", 20, labels=tmp_path / "labels.jsonl")
        review(asked, DEFAULT, DATA, cache, lines.append)
        queues.append((tmp_path / f"{name}.jsonl").read_text("utf-8"))
    assert queues[0] == queues[1]
    rows = [json.loads(line) for line in queues[0].splitlines()]
    assert len(rows) == 20 and {row["kind"] for row in rows} >= {"rare_theme", "uncertainty", "diversity"}
    assert lines[0].startswith("20 of 60 rows are in")
    pool = read_pool(load_pipeline(DEFAULT, DATA, cache), read_labels(tmp_path / "a.csv"))
    assert np.linalg.norm(pool.vectors[pool.read], axis=1) == pytest.approx(1, abs=1e-5)
    assert (np.nanmax(pool.themes, axis=1)[pool.read] > 0).all()
