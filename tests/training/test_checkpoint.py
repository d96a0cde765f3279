"""Checkpoints: whole or absent, of this training or of none."""

import pytest

torch = pytest.importorskip("torch")

from training.checkpoint import STATE_FILE, Checkpoint, fingerprint

pytestmark = pytest.mark.train

TENSORS = {"a": torch.arange(6.0).reshape(2, 3), "generator": torch.get_rng_state()}


def test_what_was_saved_comes_back(tmp_path):
    Checkpoint(tmp_path / "c", "f").save(TENSORS, {"epoch": 2, "best": -float("inf")})
    saved = Checkpoint(tmp_path / "c", "f").load()
    assert saved and saved.numbers == {"epoch": 2, "best": -float("inf")}
    assert all(torch.equal(saved.tensors[name], value) for name, value in TENSORS.items())
    assert [path.name for path in (tmp_path / "c").iterdir()] == [STATE_FILE]


def test_a_state_of_another_training_or_a_damaged_one_is_not_gone_on_from(tmp_path):
    assert Checkpoint(tmp_path / "none", "f").load() is None
    checkpoint = Checkpoint(tmp_path / "c", "f")
    checkpoint.save(TENSORS, {"epoch": 1})
    assert Checkpoint(tmp_path / "c", "other").load() is None
    path = tmp_path / "c" / STATE_FILE
    path.write_bytes(path.read_bytes()[:100])
    assert checkpoint.load() is None


def test_a_write_that_was_cut_short_leaves_the_last_state(tmp_path):
    checkpoint = Checkpoint(tmp_path / "c", "f")
    checkpoint.save(TENSORS, {"epoch": 1})
    (tmp_path / "c" / f"{STATE_FILE}.new").write_bytes(b"half of it")
    assert checkpoint.load().numbers == {"epoch": 1}
    checkpoint.clear()
    assert not (tmp_path / "c").exists() and checkpoint.load() is None


def test_it_is_due_after_its_time_and_not_before(tmp_path):
    assert Checkpoint(tmp_path, "f", every=0.0).due and not Checkpoint(tmp_path, "f", every=3600.0).due


def test_the_fingerprint_knows_rows_and_settings_and_no_order_of_sets(row):
    one = fingerprint([row(themes=frozenset("abcdef"))], 1)
    assert one == fingerprint([row(themes=frozenset("fedcba"))], 1)
    assert one != fingerprint([row(themes=frozenset("abcde"))], 1)
    assert one != fingerprint([row(themes=frozenset("abcdef"))], 2)
