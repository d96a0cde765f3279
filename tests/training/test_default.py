"""How the shipped model is made, to the end, on a few of its rows."""

import json
import os
import random
from pathlib import Path

import pytest

pytest.importorskip("torch")

from nlp.artifact import load_pipeline
from nlp.types import Response
from training import default

pytestmark = [pytest.mark.train, pytest.mark.model, pytest.mark.slow]

DATA = Path(__file__).parents[2] / "data"


def test_the_recipe_of_the_shipped_model_runs_to_its_end(tmp_path, monkeypatch, capsys):
    from serving.settings import load_settings

    datasets = os.environ.get("HOLOS_DATASETS")
    if not datasets:
        pytest.skip("HOLOS_DATASETS is not set")
    whole = default.corpus(DATA, Path(datasets))
    assert not {row.id for row in whole.full} & {row.id for row in whole.held}
    draw = random.Random(3)
    few = {"full": 80, "partial": 40, "dev": 30, "gold": 20}
    parts = {name: draw.sample(getattr(whole, name), count) for name, count in few.items()}
    monkeypatch.setattr(default, "corpus", lambda data, sets: default.Corpus(**parts))
    cache = load_settings().cache_dir
    options = {"datasets": datasets, "data": DATA, "out": tmp_path / "m", "cache": tmp_path, "version": "tried"}
    options |= {"partial": 20, "epochs": 1, "trainings": 2}
    command = [part for name, value in options.items() for part in (f"--{name}", str(value))]
    monkeypatch.setattr("sys.argv", ["training.default", *command])
    default.main()
    assert "80 labelled rows, 20 of 40 partly labelled an epoch" in capsys.readouterr().out
    assert {folder.name for folder in tmp_path.glob("training-default-*")} == {
        f"training-default-{name}" for name in ("start", default.START, default.START + 1)
    }
    model = json.loads((tmp_path / "m" / "model.json").read_text("utf-8"))
    assert model["version"] == "tried" and model["training"]["trainings"] == 2
    (said,) = load_pipeline(tmp_path / "m", DATA, cache).classify([Response(id="1", text="Great food, rude waiter.")])
    assert said.error is None and said.sentiment is not None
