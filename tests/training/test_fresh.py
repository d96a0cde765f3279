"""Training on rows of one's own: what is refused before the work, and a model from sixty rows."""

import json
from pathlib import Path

import pytest

pytest.importorskip("torch")

from nlp.artifact import load_pipeline
from nlp.errors import InputError
from nlp.types import Response
from training.fresh import found_taxonomy, train_model

pytestmark = pytest.mark.train

DATA = Path(__file__).parents[2] / "data"
DEFAULT = DATA / "models" / "default"
needs_model = pytest.mark.skipif(not (DEFAULT / "model.json").is_file(), reason="no model in data/models/default yet")

NOUNS = ("rower", "stół", "plecak", "czajnik", "fotel", "dywan", "garnek", "parasol", "zegarek", "namiot")
SAYINGS = (
    ("transport", "negative", "{} przyszedł o tydzień za późno, kurier nie zadzwonił"),
    ("transport", "positive", "{} dotarł już następnego dnia, kurier bardzo szybki"),
    ("cena", "negative", "{} kosztuje stanowczo za dużo, wszędzie jest taniej"),
    ("cena", "positive", "{} był naprawdę tani, świetna cena w promocji"),
    ("sprzedawca", "negative", "pani przy kasie była opryskliwa, gdy kupowałem {}"),
    ("sprzedawca", "positive", "bardzo miły sprzedawca doradził mi, jaki wybrać {}"),
)


def labelled() -> list[dict]:
    return [
        {
            "id": f"{theme}-{mood}-{noun}",
            "text": saying.format(noun),
            "lang": "pl",
            "themes": [theme],
            "theme_sentiments": {theme: mood},
            "sentiment": mood,
            "justified": True,
            "signals": [],
        }
        for theme, mood, saying in SAYINGS
        for noun in NOUNS
    ]


def written(path: Path, rows: list[dict]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return path


def trained(
    data: Path, out: Path, cache: Path, lines: list[str], dev: Path | None = None, taxonomy: Path | None = None
):
    train_model(data, taxonomy, dev, out, "heads", DATA, cache, lines.append)


def test_the_code_frame_is_what_the_rows_hold(row):
    frame = found_taxonomy([row(themes=frozenset({"b", "a"})), row(theme_sentiments={"c": "mixed"}), row()])
    assert frame.ids == ("a", "b", "c") and frame.label("b") == "b" and frame.version.startswith("custom-")
    with pytest.raises(InputError, match="--taxonomy"):
        found_taxonomy([row(sentiment="mixed")])


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "has no labelled rows"),
        (labelled()[:5], "5 rows; at least 12"),
        ([{**row, "text": "ten sam tekst"} for row in labelled()], "60 rows; at least 12 different ones"),
        ([*labelled(), {"id": "gap", "text": " \u200b ", "themes": ["cena"]}], r"1 rows have an empty text \(gap\)"),
        ([{"id": "1", "text": "x", "sentiment": "mixed"}] * 3, "no row has themes"),
        ([{key: row[key] for key in ("id", "text", "theme_sentiments")} for row in labelled()], "no row to train on"),
        ([*labelled(), {"id": "odd", "text": "x", "sentiment": "angry"}], "'odd'.*'angry'"),
    ],
)
def test_labels_that_cannot_be_learnt_from_are_refused_before_any_work(tmp_path, rows, message):
    data, lines = written(tmp_path / "labels.jsonl", rows), []
    with pytest.raises(InputError, match=message):
        trained(data, tmp_path / "m", tmp_path / "cache", lines)
    assert lines == [] and not (tmp_path / "m").exists() and not (tmp_path / "cache").exists()


FRAME = "version: own-1\nthemes:\n  - {id: cena, label: Price}\n  - {id: transport, label: Transport}\n"


def test_themes_outside_the_code_frame_are_refused_before_any_work(tmp_path):
    (tmp_path / "frame.yaml").write_text(FRAME, "utf-8")
    data, lines = written(tmp_path / "labels.jsonl", labelled()), []
    with pytest.raises(InputError, match="sprzedawca"):
        train_model(
            data, tmp_path / "frame.yaml", None, tmp_path / "m", "heads", tmp_path, tmp_path / "cache", lines.append
        )


def test_development_themes_outside_the_code_frame_are_refused_before_any_work(tmp_path):
    data, lines = written(tmp_path / "labels.jsonl", labelled()), []
    dev = written(tmp_path / "dev.jsonl", [{"id": "d", "text": "x", "theme_sentiments": {"zebra": "mixed"}}])
    with pytest.raises(InputError, match="zebra"):
        train_model(data, None, dev, tmp_path / "m", "heads", tmp_path, tmp_path / "cache", lines.append)
    assert lines == []


@pytest.mark.parametrize(("out", "message"), [("labels.jsonl", "is a file"), ("labels.jsonl/m", "cannot be written")])
def test_a_place_that_cannot_be_written_is_refused_before_any_work(tmp_path, out, message):
    data, lines = written(tmp_path / "labels.jsonl", labelled()), []
    with pytest.raises(InputError, match=message):
        train_model(data, None, None, tmp_path / out, "heads", tmp_path, tmp_path / "cache", lines.append)
    assert lines == [] and [path.name for path in tmp_path.iterdir()] == ["labels.jsonl"]


@pytest.fixture(scope="module")
def own_model(tmp_path_factory):
    from serving.settings import load_settings

    folder = tmp_path_factory.mktemp("own")
    cache, lines = load_settings().cache_dir, []
    trained(written(folder / "labels.jsonl", labelled()), folder / "m", cache, lines)
    return load_pipeline(folder / "m", DATA, cache), lines, folder / "m"


@pytest.mark.model
@pytest.mark.slow
@needs_model
def test_heads_learn_from_sixty_rows(own_model):
    pipeline, lines, folder = own_model
    assert pipeline.taxonomy.ids == ("cena", "sprzedawca", "transport")
    assert "60" not in lines[0] and lines[0].endswith("3 themes") and str(folder) in lines[-1]
    assert json.loads((folder / "model.json").read_text("utf-8"))["training"]["mode"] == "heads"
    rows = labelled()
    said = pipeline.classify([Response(id=row["id"], text=row["text"]) for row in rows])
    assert all(each.status == "ok" for each in said)
    right = sum({theme.id for theme in each.themes} == set(row["themes"]) for row, each in zip(rows, said, strict=True))
    mood = sum(each.sentiment.label == row["sentiment"] for row, each in zip(rows, said, strict=True))
    assert right >= 0.8 * len(rows) and mood >= 0.8 * len(rows)


@pytest.mark.model
@pytest.mark.slow
@needs_model
def test_what_is_not_labelled_is_read_as_the_shipped_model_reads_it(tmp_path):
    from serving.settings import load_settings

    cache, lines = load_settings().cache_dir, []
    themes_alone = [{key: row[key] for key in ("id", "text", "themes")} for row in labelled()]
    trained(written(tmp_path / "labels.jsonl", themes_alone), tmp_path / "m", cache, lines)
    assert any("sentiment, moods, signals, justified" in line for line in lines)
    shipped, own = load_pipeline(DEFAULT, DATA, cache), load_pipeline(tmp_path / "m", DATA, cache)
    texts = ["Kurier spóźnił się trzy dni, proszę o telefon.", "Bardzo miły sprzedawca!", "Great value, but noisy."]
    responses = [Response(id=text, text=text, metric="nps", score=2) for text in texts]
    for one, other in zip(shipped.classify(responses), own.classify(responses), strict=True):
        assert one.sentiment.label == other.sentiment.label and one.signals == other.signals
        assert one.sentiment.confidence == pytest.approx(other.sentiment.confidence, abs=1e-4)
        assert one.justification.kind == other.justification.kind
        assert one.justification.confidence == pytest.approx(other.justification.confidence, abs=1e-4)
    (tag,) = own.classify(responses)[1].themes
    assert (tag.id, tag.sentiment.label) == ("sprzedawca", "positive")
