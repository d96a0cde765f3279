"""Training on rows of one's own: what is refused before the work, and a model from sixty rows."""

import json
from pathlib import Path

import pytest

pytest.importorskip("torch")

from nlp.artifact import load_pipeline
from nlp.errors import InputError
from nlp.taxonomy import parse_taxonomy
from nlp.types import SIGNALS, Response
from training import fresh
from training.dataset import UNKNOWN, LabelledRow, targets
from training.fresh import Job, found_taxonomy, parted, plan_for, train_model
from training.labels import read_labels
from training.prepare import Parts
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


@pytest.fixture
def at_training(monkeypatch, tmp_path):
    """Reads and parts labels as a training does, up to where it would begin; gives what it would be given."""

    class BegunError(Exception):
        pass

    def stop(job, base, parts, frame, kept, say):
        raise BegunError(parts, kept)

    monkeypatch.setattr(fresh, "_fit_heads", stop)

    def begin(rows: list[dict], dev: list[dict] | None = None, **job) -> tuple[Parts, tuple[str, ...], list[str]]:
        lines: list[str] = []
        data = written(tmp_path / "labels.jsonl", rows)
        own = None if dev is None else written(tmp_path / "dev.jsonl", dev)
        with pytest.raises(BegunError) as begun:
            train_model(Job(data, tmp_path / "m", DATA, tmp_path / "cache", dev=own, **job), lines.append)
        parts, kept = begun.value.args
        return parts, kept, lines

    return begin


def moods_with(**fields) -> list[dict]:
    """The rows with their sentiments and such fields, the same on all of them."""
    return [{key: row[key] for key in ("id", "text", "sentiment")} | fields for row in labelled()]


@needs_model
def test_fields_that_an_export_fills_alike_on_every_row_are_left_to_the_base_model(at_training):
    parts, kept, lines = at_training(moods_with(themes=[], signals=[], justified=True))
    assert kept == ("themes", "moods", "signals", "justified")
    assert any("warning: no row to train on" in line and "themes, moods, signals, justified" in line for line in lines)
    frame = json.loads((DEFAULT / "model.json").read_text("utf-8"))["taxonomy"]["themes"]
    wanted = targets(parts.train, [theme["id"] for theme in frame])
    assert (wanted.sentiment != UNKNOWN).all()
    for task in kept:
        assert (getattr(wanted, task) == UNKNOWN).all()


@needs_model
def test_signals_that_no_row_has_are_left_to_the_base_model_one_by_one(at_training):
    rows = [row | {"signals": ["suggestion"] if index % 3 else []} for index, row in enumerate(labelled())]
    _, kept, lines = at_training(rows)
    assert kept == ("justified", *(signal for signal in SIGNALS if signal != "suggestion"))
    assert any(", ".join(kept) in line for line in lines)


@needs_model
def test_a_code_frame_that_every_row_fills_alike_is_refused(tmp_path):
    (tmp_path / "frame.yaml").write_text(FRAME, "utf-8")
    data, lines = written(tmp_path / "labels.jsonl", moods_with(themes=[])), []
    with pytest.raises(InputError, match=r"themes is missing or the same in every row .* teaches .*frame\.yaml; label"):
        trained(data, tmp_path / "m", tmp_path / "cache", lines, taxonomy=tmp_path / "frame.yaml")
    assert lines == []


@needs_model
def test_rows_whose_only_other_class_stands_among_the_development_rows_are_refused(tmp_path):
    rows = [{"id": str(n), "text": f"answer {n}", "signals": []} for n in range(40)]
    alike = next(row for row in rows if row["id"] in {each.id for each in parted_of(rows).dev})
    alike["signals"] = ["suggestion"]
    data, lines = written(tmp_path / "labels.jsonl", rows), []
    with pytest.raises(InputError, match=r"one class only .*\(rows .*and \d+ more\); add rows"):
        trained(data, tmp_path / "m", tmp_path / "cache", lines)
    assert lines == []


def parted_of(rows: list[dict]) -> Parts:
    return parted([LabelledRow(row["id"], row["text"]) for row in rows], None, 0.1)


@needs_model
def test_rows_that_stand_among_the_development_rows_are_left_out_of_training(at_training):
    rows = labelled()
    dev = [row | {"text": row["text"].upper() + "!"} for row in rows[::4]]
    parts, _, lines = at_training(rows, dev)
    assert len(parts.train) == 45 and len(parts.dev) == 15 and parts.shared == 15
    assert {row.id for row in parts.train}.isdisjoint(row.id for row in parts.dev)
    assert any(line.startswith("15 rows of ") and line.endswith("left out of training") for line in lines)


def test_development_rows_leave_the_held_ones_too(row):
    rows = [row(id=str(i), text=f"answer number {i}", sentiment="mixed") for i in range(400)]
    parts = parted(rows, rows[:90], 0.1)
    taken = {each.id for each in rows[:90]}
    assert parts.shared == 90 and parts.held and taken.isdisjoint(each.id for each in parts.train + parts.held)


@needs_model
def test_development_rows_that_leave_too_few_are_refused(tmp_path):
    data, lines = written(tmp_path / "labels.jsonl", labelled()), []
    with pytest.raises(InputError, match=r"0 different rows to train on, besides 60 that stand in .*labels\.jsonl too"):
        trained(data, tmp_path / "m", tmp_path / "cache", lines, dev=data)
    assert lines == []


@needs_model
def test_texts_that_differ_in_personal_data_alone_are_one_answer(at_training):
    numbers = [f"Zadzwońcie: 501 234 5{n:02d}" for n in range(30)]
    calls = [{"id": f"call-{n}", "text": text, "sentiment": "neutral"} for n, text in enumerate(numbers)]
    parts, _, _ = at_training([*labelled(), *calls])
    texts = [{row.text for row in part} for part in (parts.train, parts.dev)]
    assert not texts[0] & texts[1]
    (call,) = [row for row in parts.train + parts.dev if row.id.startswith("call")]
    assert (call.id, call.text) == ("call-0", "Zadzwońcie: <PHONE>")
    order = {row["id"]: index for index, row in enumerate(labelled())} | {"call-0": 99}
    assert [order[row.id] for row in parts.train] == sorted(order[row.id] for row in parts.train)


@needs_model
def test_development_rows_are_compared_as_they_will_be_served(at_training):
    rows = [*labelled(), {"id": "call", "text": "Zadzwońcie: 501 234 567", "sentiment": "neutral"}]
    dev = [*labelled()[::4], {"id": "dev", "text": "Zadzwońcie: 602 345 678", "sentiment": "neutral"}]
    parts, _, _ = at_training(rows, dev)
    assert "call" not in {row.id for row in parts.train} and parts.dev[-1].text == "Zadzwońcie: <PHONE>"


@needs_model
def test_a_task_that_no_development_row_labels_is_named(at_training):
    dev = [{"id": f"d-{n}", "text": f"dev {n}", "sentiment": "mixed" if n % 2 else "positive"} for n in range(20)]
    _, kept, lines = at_training(labelled(), dev)
    (line,) = [line for line in lines if "choose thresholds on has" in line]
    assert "themes, moods;" in line and "0.5" in line and set(kept) == {"signals", "justified"}
    assert not any("choose thresholds on has" in line for line in at_training(labelled())[2])


@pytest.mark.model
@pytest.mark.slow
@needs_model
def test_what_every_row_fills_alike_silences_nothing(tmp_path):
    from serving.settings import load_settings

    cache = load_settings().cache_dir
    data = written(tmp_path / "labels.jsonl", moods_with(themes=[], signals=[], justified=True))
    trained(data, tmp_path / "m", cache, [])
    shipped, own = load_pipeline(DEFAULT, DATA, cache), load_pipeline(tmp_path / "m", DATA, cache)
    texts = ["Kurier spóźnił się trzy dni, proszę o telefon.", "Bardzo miły sprzedawca!", "Great value, but noisy."]
    responses = [Response(id=text, text=text) for text in texts]
    for one, other in zip(shipped.classify(responses), own.classify(responses), strict=True):
        assert one.themes and [tag.id for tag in one.themes] == [tag.id for tag in other.themes]
        assert one.signals == other.signals
        assert one.justification.confidence == pytest.approx(other.justification.confidence, abs=1e-4)


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
