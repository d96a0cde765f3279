"""The registry of models: what is copied, who is champion, and what a crash in the middle leaves."""

import itertools
import json
import os
import random
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from model_folders import VERBATIM, model_folder

from nlp.errors import InputError, ModelError
from serving import registry as module
from serving.lineage import Gate
from serving.registry import NothingEarlier, Registry, digest_of
from serving.settings import load_settings

ROOT = Path(__file__).parents[2]
PASSED = Gate(True, (), ("so it is",), ({"figure": "themes micro-F1", "champion": 0.5, "candidate": 0.6},))


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "models")


@pytest.fixture
def three(registry: Registry, tmp_path: Path) -> Registry:
    """Versions v1, v2 and v3, none of them champion."""
    for version in ("v1", "v2", "v3"):
        registry.add(model_folder(tmp_path / version, version, training={"base": "2026.11.1"}))
    return registry


def promote(registry: Registry, version: str, **options) -> None:
    registry.promote(version, PASSED, by="anna", **options)


def told(registry: Registry) -> list[tuple[str | None, str | None]]:
    return [(change.before, change.to) for change in registry.lineage()]


def test_without_a_promotion_there_is_no_champion(registry: Registry) -> None:
    assert registry.champion() is None and registry.champion_folder() is None
    assert registry.versions() == [] and registry.lineage() == [] and registry.stamp() is None
    with pytest.raises(NothingEarlier, match="ships is in use"):
        registry.rollback(by="anna")


def test_a_model_is_copied_whole_and_without_what_lies_beside_it(registry: Registry, tmp_path: Path) -> None:
    source = model_folder(tmp_path / "m", "v1")
    (source / "report.json").write_text(json.dumps({"worst": VERBATIM}))
    stored = registry.add(source)
    kept = {path.name for path in stored.folder.iterdir()}
    assert kept == {"model.json", "heads.safetensors", "adapter.safetensors", "README.md"}
    assert not any(path.is_symlink() for path in stored.folder.iterdir())
    assert VERBATIM.encode() not in b"".join(path.read_bytes() for path in registry.folder.rglob("*") if path.is_file())
    assert registry.add(source) == stored, "the same again is no error"


def test_another_model_of_the_same_version_is_refused(registry: Registry, tmp_path: Path) -> None:
    registry.add(model_folder(tmp_path / "a", "v1"))
    with pytest.raises(ModelError, match="another model of version v1"):
        registry.add(model_folder(tmp_path / "b", "v1", training={"rows": 2}))


def test_a_folder_that_changed_since_it_was_looked_at_is_not_taken(registry: Registry, tmp_path: Path) -> None:
    compared = digest_of(model_folder(tmp_path / "m", "v1"))
    model_folder(tmp_path / "n", "v2")
    with pytest.raises(ModelError, match="changed while it was compared"):
        registry.add(tmp_path / "n", compared)
    assert registry.versions() == []
    assert registry.add(tmp_path / "m", compared).digest == compared


@pytest.mark.parametrize("version", ["../out", "a/b", "", "v" * 70, "-v"])
def test_a_version_that_is_no_name_is_refused(registry: Registry, tmp_path: Path, version: str) -> None:
    with pytest.raises(ModelError):
        registry.add(model_folder(tmp_path / "m", version))
    with pytest.raises(ModelError, match="is not in"):
        registry.stored(version)
    assert registry.versions() == []


def test_a_promotion_points_to_the_version_and_is_told(three: Registry) -> None:
    promote(three, "v1", note="first")
    champion = three.champion()
    assert champion and (champion.version, champion.previous, champion.by) == ("v1", None, "anna")
    assert champion.digest == module.digest_of(three.path("v1")) and champion.promoted_at.endswith("Z")
    assert three.champion_folder() == three.path("v1")
    (change,) = three.lineage()
    assert change == champion.change
    assert (change.number, change.kind, change.base, change.note) == (1, "promotion", "2026.11.1", "first")
    assert change.gate == PASSED and three.passed("v1") and not three.passed("v2")
    assert json.loads((three.folder / "history.jsonl").read_text())["from"] is None


def test_rollbacks_undo_promotions_one_by_one_back_to_the_shipped_model(three: Registry) -> None:
    for version in ("v1", "v2", "v2", "v3"):
        promote(three, version)
    assert [three.rollback(by="b").version for _ in range(3)] == ["v2", "v1", None]
    assert three.champion_folder() is None
    with pytest.raises(NothingEarlier):
        three.rollback(by="b")
    assert told(three)[4:] == [("v3", "v2"), ("v2", "v1"), ("v1", None)]


def test_a_promotion_after_a_rollback_goes_back_to_what_it_replaced(three: Registry) -> None:
    promote(three, "v1")
    promote(three, "v2")
    three.rollback(by="b")
    promote(three, "v3")
    champion = three.champion()
    assert champion and champion.previous == "v1"
    assert three.rollback(by="b").version == "v1"


def test_a_champion_that_changed_since_the_comparison_is_not_replaced(three: Registry) -> None:
    promote(three, "v1")
    with pytest.raises(ModelError, match="v1 became champion meanwhile"):
        promote(three, "v2", over=None)
    promote(three, "v2", over="v1")


def test_a_forced_promotion_is_recorded_with_its_reasons(three: Registry) -> None:
    three.promote("v1", Gate(False, ("themes micro-F1 fell",)), by="anna", forced=True, note="on purpose")
    champion = three.champion()
    assert champion and champion.forced and champion.change.gate.reasons == ("themes micro-F1 fell",)
    assert not three.passed("v1")


def test_a_version_that_was_changed_or_removed_is_not_used(three: Registry) -> None:
    for version in ("v1", "v2"):
        promote(three, version)
    (three.path("v1") / "heads.safetensors").write_bytes(b"other")
    with pytest.raises(ModelError, match="not as it was promoted"):
        three.rollback(by="b")
    assert three.champion_folder() == three.path("v2")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 1}', '{"format": 2}'])
def test_a_damaged_pointer_is_told(three: Registry, text: str) -> None:
    (three.folder / "champion.json").write_text(text)
    with pytest.raises(ModelError, match=r"champion\.json"):
        three.champion()


def test_a_folder_that_cannot_be_written_names_the_setting(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="HOLOS_MODELS_DIR"):
        Registry(tmp_path / "file").add(model_folder(tmp_path / "m", "v1"))


@pytest.mark.parametrize("step", ["replace_file", "sync_folder", "_tell"])
def test_a_crash_between_the_steps_leaves_one_champion_and_forgets_nothing(
    three: Registry, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    promote(three, "v1")
    calls = []

    def crash(*given: object) -> None:
        calls.append(given)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Registry if step == "_tell" else module, step, crash)
        if step == "sync_folder":
            patch.setattr("serving.durable.sync_folder", crash)
        with pytest.raises(KeyboardInterrupt):
            promote(three, "v2")
    assert calls
    champion = three.champion()
    assert champion and champion.version in ("v1", "v2")
    assert told(three)[-1][1] == champion.version
    promote(three, "v3")
    assert told(three)[-1] == (champion.version, "v3")
    numbers = [change.number for change in three.lineage()]
    assert numbers == sorted(set(numbers))


def test_a_torn_line_of_the_history_is_passed_over(three: Registry) -> None:
    promote(three, "v1")
    history = three.folder / "history.jsonl"
    with history.open("a") as file:
        file.write('{"number": 2, "at": "20')
    promote(three, "v2")
    assert told(three) == [(None, "v1"), ("v1", "v2")]
    assert history.read_text().endswith("\n")


LOOP = """
import sys
from pathlib import Path
from serving.lineage import Gate
from serving.registry import Registry
registry = Registry(Path(sys.argv[1]))
print("up", flush=True)
while True:
    for version in ("v1", "v2", "v3"):
        registry.promote(version, Gate(True), by="loop")
"""


def test_kill_9_at_any_moment_leaves_a_readable_pointer_and_a_whole_lineage(three: Registry) -> None:
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    seed = random.Random(3)
    for _ in range(4):
        command = [sys.executable, "-c", LOOP, str(three.folder)]
        with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout and process.stdout.readline() == "up\n"
            time.sleep(0.1 + seed.random() * 0.3)
            process.send_signal(signal.SIGKILL)
        champion, lineage = three.champion(), three.lineage()
        assert champion and lineage[-1] == champion.change
        assert [change.number for change in lineage] == list(range(1, len(lineage) + 1))
        assert all(one.to == two.before for one, two in itertools.pairwise(lineage))
    promote(three, "v1")  # and the lock is free


def test_many_at_once_take_turns(three: Registry) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda at: promote(three, f"v{at % 3 + 1}"), range(24)))
    assert [change.number for change in three.lineage()] == list(range(1, 25))
    assert all(one.to == two.before for one, two in zip(three.lineage(), three.lineage()[1:], strict=False))


def test_settings_take_the_champion_unless_a_model_is_named(
    three: Registry, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOLOS_MODELS_DIR", str(three.folder))
    shipped = ROOT / "data" / "models" / "default"
    assert load_settings().model_dir == shipped and load_settings().follows_champion
    promote(three, "v2")
    assert load_settings().model_dir == three.path("v2")
    named = load_settings(model_dir=tmp_path / "v1")
    assert named.model_dir == tmp_path / "v1" and not named.follows_champion
    monkeypatch.setenv("HOLOS_MODEL_DIR", str(tmp_path / "v3"))
    assert load_settings().model_dir == tmp_path / "v3" and not load_settings().follows_champion
