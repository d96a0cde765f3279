"""The Bento: its packages are the project's, and what it bakes in answers like the repository."""

import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from fakes import answer
from server_process import ROOT, running

from nlp.types import Response

BENTOFILE = yaml.safe_load((ROOT / "bentofile.yaml").read_text("utf-8"))
MODEL = ROOT / "data" / "models" / "default"
TEXTS = [
    "Kurier spóźnił się trzy dni, a na infolinii nikt nie odbiera.",
    "Доставили швидко, але коробка була пошкоджена.",
    "Всё понравилось, спасибо!",
    "The app keeps crashing and support never answered me.",
    "",
    "nic",
]


def test_the_bento_names_the_projects_dependencies() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert BENTOFILE["python"]["packages"] == project["dependencies"]


def test_telemetry_is_off_in_the_image() -> None:
    assert {"name": "BENTOML_DO_NOT_TRACK", "value": "True"} in BENTOFILE["envs"]


@pytest.fixture(scope="module")
def bento(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a freshly built Bento."""
    home = tmp_path_factory.mktemp("bentoml")
    env = os.environ | {"BENTOML_HOME": str(home), "BENTOML_DO_NOT_TRACK": "True"}
    command = [sys.executable, "-m", "bentoml", "build", "--output", "tag"]
    built = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=300)
    assert built.returncode == 0, built.stdout + built.stderr
    tag = built.stdout.strip().splitlines()[-1].removeprefix("__tag__:")
    name, version = tag.split(":")
    yield home / "bentos" / name / version


def files(folder: Path) -> set[str]:
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {path.as_posix() for path in found if "__pycache__" not in path.parts}


@pytest.mark.slow
@pytest.mark.server
def test_it_holds_the_code_and_the_data_and_not_the_seed(bento: Path) -> None:
    baked = files(bento / "src")
    for package in ("nlp", "serving"):
        assert {f"{package}/{name}" for name in files(ROOT / package)} <= baked
    data = {f"data/{name}" for name in files(ROOT / "data") if not name.startswith(("seed/", "labels/"))}
    assert data <= baked
    assert not [name for name in baked if name.startswith(("data/seed/", "tests/", "training/", ".venv/"))]


@pytest.mark.slow
@pytest.mark.server
def test_its_code_answers_like_the_repositorys(bento: Path, tmp_path: Path) -> None:
    source = bento / "src"
    command = [sys.executable, "-m", "bentoml", "serve", "fake_service:Holos", "--working-dir", str(source)]
    command += ["--host", "127.0.0.1", "--port", "{port}"]
    with running(tmp_path, root=source, command=command) as found:
        assert [Path(worker.cwd()) for worker in found.workers()] == [source]
        items = [{"id": str(number), "text": text} for number, text in enumerate(TEXTS)]
        got = httpx.post(f"{found.url}/v1/classify", json={"items": items}, timeout=60).json()["items"]
        assert got == [answer(Response(item["id"], item["text"])).to_dict() for item in items]
        assert httpx.get(f"{found.url}/openapi.json", timeout=60).json()["openapi"].startswith("3.1")
        assert "zgubi" not in found.log and '"event": "request"' in found.log


@pytest.mark.slow
@pytest.mark.server
@pytest.mark.model
@pytest.mark.skipif(not MODEL.is_dir() or not any(MODEL.iterdir()), reason="no default model in data/models")
def test_it_answers_with_its_own_model_like_the_repository(bento: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bentoml", "serve", str(bento), "--host", "127.0.0.1", "--port", "{port}"]
    environment = {"HOLOS_CACHE_DIR": str(tmp_path / "cache")}
    answers: list[Any] = []
    for name, options in (
        ("bento", {"root": bento, "command": command}),
        ("repository", {"target": "serving.service:Holos"}),
    ):
        folder = tmp_path / name
        folder.mkdir()
        with running(folder, environment=environment, **options) as found:
            items = [{"id": str(number), "text": text} for number, text in enumerate(TEXTS)]
            answers.append(httpx.post(f"{found.url}/v1/classify", json={"items": items}, timeout=300).json())
    assert [item["status"] for item in answers[0]["items"]] == ["ok"] * len(TEXTS)
    assert answers[0] == answers[1]
