"""Training on rows of one's own: what is refused before the work, and a model from sixty rows."""

import json
from pathlib import Path

import pytest

pytest.importorskip("torch")

from nlp.artifact import load_pipeline
from nlp.errors import InputError
from nlp.taxonomy import parse_taxonomy
from nlp.types import Response
from training.fresh import Job, found_taxonomy, parted, plan_for, train_model
from training.labels import read_labels
from training.promote import HELD

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
    train_model(Job(data, out, DATA, cache, taxonomy, dev), lines.append)


def test_the_code_frame_is_what_the_rows_hold(row):
    base = parse_taxonomy({"themes": [{"id": "b", "label": "Bees"}, {"id": "z", "label": "Zebras"}]}, "base")
    rows = [row(themes=frozenset({"b", "a"})), row(theme_sentiments={"c": "mixed"}), row()]
    frame = found_taxonomy(rows, base)
    assert frame.ids == ("a", "b", "c") and frame.label("b") == "b" and frame.version.startswith("custom-")
    assert found_taxonomy([row(sentiment="mixed")], base) is base
    assert found_taxonomy([row(themes=frozenset("b"))], base) is base


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "has no labelled rows"),
        (labelled()[:5], "at least 12"),
        ([{**row, "text": "ten sam tekst"} for row in labelled()], "at least 12|contradict"),
        ([*labelled(), {"id": "gap", "text": " \u200b ", "themes": ["cena"]}], "gap"),
        ([{"id": "1", "text": "x", "sentiment": "mixed"}] * 3, "at least 12"),
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
        trained(data, tmp_path / "m", tmp_path / "cache", lines, taxonomy=tmp_path / "frame.yaml")


def test_development_themes_outside_the_code_frame_are_refused_before_any_work(tmp_path):
    data, lines = written(tmp_path / "labels.jsonl", labelled()), []
    dev = written(tmp_path / "dev.jsonl", [{"id": "d", "text": "x", "theme_sentiments": {"zebra": "mixed"}}])
    with pytest.raises(InputError, match="zebra"):
        trained(data, tmp_path / "m", tmp_path / "cache", lines, dev=dev)
    assert lines == []


@pytest.mark.parametrize(("out", "message"), [("labels.jsonl", "is a file"), ("labels.jsonl/m", "cannot be written")])
def test_a_place_that_cannot_be_written_is_refused_before_any_work(tmp_path, out, message):
    data, lines = written(tmp_path / "labels.jsonl", labelled()), []
    with pytest.raises(InputError, match=message):
        trained(data, tmp_path / out, tmp_path / "cache", lines)
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


def test_parts_share_no_answer_and_small_sets_hold_nothing_back(row):
    rows = [row(id=str(i), text=f"answer number {i % 350}", sentiment="mixed") for i in range(400)]
    parts = parted(rows, None, 0.1)
    texts = [{each.text for each in part} for part in (parts.train, parts.dev, parts.held)]
    assert all(texts) and not (texts[0] & texts[1] or texts[0] & texts[2] or texts[1] & texts[2])
    assert sum(map(len, (parts.train, parts.dev, parts.held))) == 400
    assert parted(rows[:100], None, 0.1).held == [] and parted(rows, None, 0.0).held == []
    own = [row(id="own", text="of the user")]
    assert parted(rows[:100], own, 0.1).dev == own and len(parted(rows[:100], own, 0.1).train) == 100


def test_several_trainings_want_full_mode(tmp_path):
    job = Job(tmp_path / "labels.jsonl", tmp_path / "m", DATA, tmp_path, trainings=2)
    with pytest.raises(InputError, match="--trainings wants --mode full"):
        train_model(job, print)


@pytest.mark.parametrize(("count", "held", "dev"), [(2000, 0.1, 0.135), (2000, 0.0, 0.15), (30_000, 0.1, 0.1)])
def test_shares_of_the_parts(row, count, held, dev):
    parts = parted([row(id=str(i), text=f"answer number {i}", sentiment="mixed") for i in range(count)], None, held)
    assert len(parts.held) / count == pytest.approx(held, abs=0.02)
    assert len(parts.dev) / count == pytest.approx(dev, abs=0.02)


@pytest.mark.parametrize(("rows", "epochs"), [(100, 12), (5000, 10), (20_000, 2), (500_000, 1)])
def test_large_sets_take_fewer_epochs(rows, epochs):
    assert plan_for(rows).epochs == epochs and plan_for(rows, 7).epochs == 7


@pytest.mark.model
@pytest.mark.slow
@needs_model
def test_full_mode_learns_goes_on_after_a_kill_and_leaves_the_held_rows(tmp_path):
    """Two trainings, killed in the first and given again; a second process goes on from the first one's checkpoint."""
    import signal
    import subprocess
    import sys
    from time import monotonic, sleep

    from serving.settings import load_settings

    data = written(tmp_path / "labels.jsonl", labelled())
    command = [
        sys.executable,
        "-c",
        KILLABLE,
        str(data),
        str(tmp_path / "m"),
        str(DATA),
        str(load_settings().cache_dir),
    ]
    state = tmp_path / ".m.training" / "state.safetensors"
    first = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    ends = monotonic() + 240
    while not state.is_file() and first.poll() is None and monotonic() < ends:
        sleep(0.05)
    first.send_signal(signal.SIGKILL)
    assert first.wait() == -signal.SIGKILL and state.is_file() and not (tmp_path / "m").exists()
    second = subprocess.run(command, stderr=subprocess.PIPE, timeout=300, check=True)
    said = second.stderr.decode("utf-8")
    assert "going on from the checkpoint" in said and "about" in said and "GiB" in said
    assert "training 1 of 2" in said and "training 2 of 2" in said
    model = json.loads((tmp_path / "m" / "model.json").read_text("utf-8"))
    assert model["training"]["mode"] == "full" and model["training"]["trainings"] == 2 and not state.parent.exists()
    held = read_labels(tmp_path / "m" / HELD)
    assert held and {row.text for row in held} < {row["text"] for row in labelled()}


KILLABLE = """
import sys
from pathlib import Path
from training import checkpoint
from training.fresh import Job, train_model
checkpoint.EVERY = 0.0
checkpoint.Checkpoint.__init__.__defaults__ = (0.0,)
data, out, data_dir, cache = map(Path, sys.argv[1:])
job = Job(data, out, data_dir, cache, mode="full", epochs=1, trainings=2)
train_model(job, lambda line: print(line, file=sys.stderr, flush=True))
"""
