"""The notebooks run from top to bottom, and what they show is true."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")
pytest.importorskip("torch")

pytestmark = [pytest.mark.train, pytest.mark.model, pytest.mark.slow]

_NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
_CHAMPION = "from_labels_to_champion.ipynb"
_SECONDS = 600  # for one cell; the longest takes half a minute on two quiet cores


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A kernel named python3 that is this interpreter, and no folder of the user's in its sight."""
    kernel = tmp_path / "jupyter" / "kernels" / "python3"
    kernel.mkdir(parents=True)
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (kernel / "kernel.json").write_text(json.dumps({"argv": argv, "display_name": "Python 3", "language": "python"}))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    for name in ("JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "IPYTHONDIR", "MPLCONFIGDIR"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    for name in ("TMPDIR", "BENTOML_HOME", "HOLOS_MODELS_DIR"):
        (tmp_path / name.lower()).mkdir()
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    yield tmp_path


def _run(notebook: Path, results: Path, monkeypatch: pytest.MonkeyPatch) -> dict:
    """What the notebook wrote down; a cell that fails raises nbclient's CellExecutionError with its traceback."""
    monkeypatch.setenv("NOTEBOOK_RESULTS", str(results))
    book = nbformat.read(notebook, as_version=4)
    where = {"metadata": {"path": str(notebook.parent)}}
    nbclient.NotebookClient(book, timeout=_SECONDS, kernel_name="python3", resources=where).execute()
    assert [out for cell in book.cells for out in cell.get("outputs", ()) if out.output_type == "error"] == []
    return json.loads(results.read_text("utf-8"))


def test_labels_become_a_champion(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = _run(_NOTEBOOKS / _CHAMPION, place / "results.json", monkeypatch)
    assert found["second_f1"] >= found["first_f1"] > 0.5
    assert found["interval"][0] <= found["second_f1"] - found["first_f1"] <= found["interval"][1]
    assert found["conflicts"] == 1
    assert found["gates"] == [True, True]
    assert found["compared"] > 0
    first, promoted, back, last = found["versions"]
    assert first != promoted == last
    assert back == first
    assert found["lineage"] == ["promotion", "promotion", "rollback", "promotion"]
    assert {"people", "queues"} & set(found["themes"][0])
    assert len(found["queue"]) == 12
    assert len(set(found["queue"])) >= 3  # reasons take turns
    assert list((place / "holos_models_dir").iterdir()) == []  # the registry of the user is left alone
    assert list((place / "bentoml_home").iterdir()) == []


def test_notebooks_are_stored_without_outputs() -> None:
    notebooks = sorted(_NOTEBOOKS.glob("*.ipynb"))
    assert _NOTEBOOKS / _CHAMPION in notebooks
    for path in notebooks:
        cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
        assert all(not cell.outputs and cell.execution_count is None for cell in cells), path.name


def test_every_notebook_is_in_the_readme() -> None:
    told = (_NOTEBOOKS / "README.md").read_text("utf-8")
    assert [path.name for path in _NOTEBOOKS.glob("*.ipynb") if path.name not in told] == []
