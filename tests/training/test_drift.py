"""Halves of one sample have not drifted; planted shifts are found, named and sized; small or odd input says so."""

import io
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn")
pytest.importorskip("statsmodels")

from pools import THEMES, pool_of, saying
from rich.console import Console

from nlp.artifact import read_rules
from nlp.errors import InputError
from training import drift_page
from training.dataset import LabelledRow
from training.dates import parse_moment, read_dates, split_at
from training.drift import Change, find_drift, share_change, spread_change, visible_share
from training.vocabulary import log_odds, words_of

DATA = Path(__file__).parents[2] / "data"
DEFAULT = DATA / "models" / "default"
POLICY = read_rules(DATA).policy
WIDTH = 16
WORDS = tuple(
    "the courier left parcel with my neighbour and nobody called while waiting for refund since monday again".split()  # noqa: SIM905
)


def sample(seed: int, count: int = 400, language=("en", 0.7, "pl"), theme=0.3, score=7.0, words=0, shift=0.0, sad=0.5):
    """Responses drawn at random: the share of the first language and of the theme delivery, the mean score, a new word
    in that share of texts, vectors moved by `shift`, and the share of negative ones."""
    rng = np.random.default_rng(seed)
    pairs = []
    for index in range(count):
        new = ["subscription"] if rng.random() < words else []
        text = " ".join([*rng.choice(WORDS, 8 - 2 * len(new)), f"n{seed}x{index}", *new])
        answer = float(np.clip(round(rng.normal(score, 2)), 0, 10))
        row = LabelledRow(f"{seed}-{index}", text, metric="nps", score=answer)
        themes = {"delivery": "negative"} if rng.random() < theme else {str(rng.choice(THEMES[1:])): "negative"}
        mood = "negative" if rng.random() < sad else "positive"
        pairs.append((row, saying(row, mood, themes, language[0] if rng.random() < language[1] else language[2])))
    vectors = rng.normal(0, 1, (count, WIDTH)) + shift
    return pool_of(pairs, vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


@pytest.mark.parametrize("seed", range(12))
def test_two_halves_of_one_sample_have_not_drifted(seed):
    whole = sample(1, 800)
    order = np.random.default_rng(seed).permutation(800)
    found = find_drift(whole.part(np.sort(order[:400])), whole.part(np.sort(order[400:])), POLICY)
    assert not found.drifted and len(found.changes) > 20
    assert drift_page.verdict(found).startswith("Drifted: no; ")


def test_large_samples_do_not_cry_wolf_over_small_differences():
    found = find_drift(sample(1, 4000), sample(2, 4000, theme=0.35, score=7.1), POLICY)
    small = next(change for change in found.changes if change.name == "Delivery")
    assert small.q <= 0.01 and small.effect < 1 and not found.drifted


@pytest.mark.parametrize(
    ("shift", "kind", "name", "words"),
    [
        ({"language": ("en", 0.4, "pl")}, "language", "pl", "the share of the language pl rose from 3"),
        ({"language": ("en", 0.7, "de")}, "language", "de", "the share of the language de rose from 0.0 % to 28 %"),
        ({"theme": 0.6}, "theme", "Delivery", "the theme Delivery rose from 3"),
        ({"sad": 0.8}, "sentiment", "negative", "the sentiment negative rose from"),
        ({"score": 5.0}, "score", "nps", "the mean score of nps (0 lowest, 1 highest) fell from 0.69 to 0.50"),
        ({"words": 0.2}, "word", "subscription (en)", "texts with the word subscription (en) rose from 0.0 % to"),
        (
            {"shift": 0.4},
            "meaning",
            "embeddings",
            "a classifier tells the periods apart by what the texts mean (AUC",
        ),
    ],
)
def test_a_planted_shift_is_found_and_told(shift, kind, name, words):
    found = find_drift(sample(1), sample(2, **shift), POLICY)
    change = next(each for each in found.called if (each.kind, each.name) == (kind, name))
    assert drift_page.sentence(change).startswith(words)
    assert drift_page.verdict(found).startswith("Drifted: yes, because ")
    assert {each.kind for each in found.called} <= {kind, "language"}  # and nothing else


def test_the_report_does_not_depend_on_the_order_of_the_rows():
    one, two = sample(1, 200), sample(2, 200, theme=0.5)
    turned = find_drift(one.part(range(199, -1, -1)), two.part(range(199, -1, -1)), POLICY)
    straight = find_drift(one, two, POLICY)
    assert [change.name for change in turned.changes] == [change.name for change in straight.changes]
    assert [change.p for change in turned.changes] == pytest.approx([change.p for change in straight.changes])


@pytest.mark.parametrize(
    ("hits", "totals", "chance"),
    [((10, 30), (100, 100), 0.0004), ((0, 10), (100, 100), 0.0015), ((5, 5), (5, 5), 1.0), ((20, 20), (100, 100), 1.0)],
)
def test_shares_are_compared_by_the_test_that_fits_their_counts(hits, totals, chance):
    assert share_change("theme", "x", hits, totals).p == pytest.approx(chance, rel=0.15)


def test_a_change_counts_when_it_is_beyond_chance_and_large():
    change = Change("theme", "x", 0.1, 0.2, 1.9, 1e-6, 1e-5)
    assert change.counts and not replace(change, q=0.02).counts and not replace(change, effect=0.9).counts


def test_distributions_of_few_values_are_not_compared():
    few, many = np.arange(29.0), np.arange(500.0)
    assert not list(spread_change("length", "x", few, many, np.median))
    (found,) = spread_change("length", "x", many, many + 200, np.median)
    assert found.effect == pytest.approx(4, abs=0.1) and found.p < 1e-20


@pytest.mark.parametrize(
    ("rows", "low", "high"), [((100, 100), 0.25, 0.35), ((1000, 1000), 0.14, 0.17), ((50_000, 50_000), 0.14, 0.16)]
)
def test_what_a_sample_can_show_is_told(rows, low, high):
    assert low < visible_share(rows) < high


def test_log_odds_are_zero_for_equal_shares_and_grow_with_evidence():
    z = log_odds(np.array([[50, 5, 10.0], [100, 30, 11.0]]), np.array([1000, 2000.0]))
    assert abs(z[0]) < 0.1 and z[1] > 1.5 and z[2] < -1


def test_words_are_counted_once_a_text_and_names_and_placeholders_are_left_out():
    assert words_of("Call <PHONE>, call CALL me") >= {"call"} and "me" not in words_of("call me")
    before = sample(1)
    texts = [f"{said.text} I met Zofia Kern there <EMAIL>" for said in before.said]
    after = replace(before, said=tuple(replace(said, text=text) for said, text in zip(before.said, texts, strict=True)))
    told = {change.name.split()[0] for change in find_drift(before, after, POLICY).changes if change.kind == "word"}
    assert "met" in told and not told & {"zofia", "kern", "email"}


def test_pages_hold_the_verdict_the_changes_and_no_verbatim(tmp_path):
    found = find_drift(sample(1), sample(2, theme=0.6), POLICY)
    drift_page.write(found, tmp_path / "r.html", "one <b> to two")
    page = (tmp_path / "r.html").read_text("utf-8")
    assert "Drifted: yes" in page and "the theme Delivery rose" in page and "one &lt;b&gt; to two" in page
    assert found.called and len(page) < 12_000 and "http" not in page and "n2x17" not in page
    drift_page.write(found, tmp_path / "r.json", "x")
    content = json.loads((tmp_path / "r.json").read_text("utf-8"))
    assert content["drifted"] is True and content["rows"] == {"before": 400, "after": 400, "undated": 0}
    assert len(content["changes"]) == len(found.changes) and content["meaning"]["texts"] == 800
    with pytest.raises(InputError, match=r"html or \.json"):
        drift_page.write(found, tmp_path / "r.pdf", "x")
    told = io.StringIO()
    drift_page.show(found, Console(width=110, file=told))
    assert told.getvalue().startswith("Drifted: yes, because the theme Delivery rose")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-01", datetime(2026, 11, 1, tzinfo=UTC)),
        ("2026-11-01T12:00:00+02:00", datetime(2026, 11, 1, 10, tzinfo=UTC)),
    ],
)
def test_a_date_without_an_offset_is_utc(text, expected):
    assert parse_moment(text) == expected


def test_what_is_no_date_is_refused():
    with pytest.raises(InputError, match="no date"):
        parse_moment("1.11.2026")


def written(path: Path) -> Path:
    if path.suffix == ".csv":
        lines = [
            "text;created_at;answered_at;id",
            '"a;1";;2026-01-05;1',
            ";;;",
            "b;2026-03-01T10:00:00+01:00;;2",
            "c;;soon;3",
        ]
        path.write_text("\n".join(lines) + "\n", "utf-8")
    elif path.suffix == ".parquet":
        import polars as pl

        dates = [datetime(2026, 1, 5, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC), None]
        pl.DataFrame({"id": ["1", "2", "3"], "text": ["a", "b", "c"], "answered_at": dates}).write_parquet(path)
    else:
        rows = [{"id": "1", "text": "a", "answered_at": "2026-01-05T00:00:00Z"}]
        rows += [{"id": "2", "text": "b", "created_at": "2026-03-01"}, {"id": "3", "text": "c"}]
        path.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    return path


@pytest.mark.parametrize("name", ["d.csv", "d.jsonl", "d.parquet"])
def test_one_file_is_parted_at_a_date(tmp_path, name):
    before, after, undated = split_at(written(tmp_path / name), datetime(2026, 2, 1, tzinfo=UTC))
    assert ([row.id for row in before], [row.id for row in after], undated) == (["1"], ["2"], 1)


def test_a_file_without_dates_is_refused(tmp_path):
    (tmp_path / "d.jsonl").write_text('{"text": "a"}\n', "utf-8")
    assert read_dates(tmp_path / "d.jsonl") == [None]
    with pytest.raises(InputError, match="answered_at or created_at"):
        split_at(tmp_path / "d.jsonl", datetime(2026, 2, 1, tzinfo=UTC))


def test_calls_that_compare_nothing_are_refused_before_any_work(tmp_path):
    from training.compare_periods import compare_periods

    file = written(tmp_path / "d.jsonl")
    for after, at, message in (
        (None, None, "two files"),
        (file, "2026-02-01", "two files"),
        (file, None, "at least 30"),
        (None, "2026-02-01", "1 responses before"),
    ):
        with pytest.raises(InputError, match=message):
            compare_periods(file, after, at, None, tmp_path, tmp_path, tmp_path)


@pytest.mark.model
@pytest.mark.slow
@pytest.mark.skipif(not (DEFAULT / "model.json").is_file(), reason="no model in data/models/default yet")
def test_the_sample_parted_at_random_and_by_language(tmp_path):
    from serving.settings import load_settings
    from training.compare_periods import compare_periods

    lines = (DATA / "sample" / "feedback.csv").read_text("utf-8").splitlines()
    slavic = [line for line in lines[1:] if ",ru," in line or ",uk," in line]
    others = [line for line in lines[1:] if line not in slavic]
    for name, chosen in (("a", lines[1::2]), ("b", lines[2::2]), ("c", slavic), ("d", others)):
        (tmp_path / f"{name}.csv").write_text("\n".join([lines[0], *chosen]) + "\n", "utf-8")
    cache = load_settings().cache_dir
    same = compare_periods(tmp_path / "a.csv", tmp_path / "b.csv", None, None, DEFAULT, DATA, cache)
    assert not same.drifted
    out = tmp_path / "r.json"
    other = compare_periods(tmp_path / "c.csv", tmp_path / "d.csv", None, out, DEFAULT, DATA, cache)
    assert {change.kind for change in other.called} >= {"language"} and json.loads(out.read_text("utf-8"))["drifted"]
