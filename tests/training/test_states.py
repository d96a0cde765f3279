"""Token states kept on disk: each text is encoded once, and what a kill left half-written is not believed."""

import numpy as np
import pytest

pytest.importorskip("filelock")

from nlp.encoder import Encoded
from training import states
from training.states import INDEX_FILE, STATES_FILE, TokenStates

WIDTH = 4


class CountingEncoder:
    """An encoder whose states are the lengths of words; it remembers what it was asked."""

    dimension = WIDTH

    def __init__(self, version: str = "v1") -> None:
        self.version = version
        self.read: list[str] = []

    def stream(self, texts, spans, contexts):
        for text, context in zip(texts, contexts, strict=True):
            self.read.append(text)
            words = text.split()
            tokens = np.array([[len(word), len(context or ""), 1, 0] for word in words], np.float32)
            yield Encoded(tokens.reshape(-1, WIDTH), np.zeros((len(words), 2), np.int32))


def test_states_come_in_order_and_each_text_is_read_once(tmp_path):
    encoder = CountingEncoder()
    texts, questions = ["one three", "", "a bb ccc", "one three"], [None, None, None, "why?"]
    first = TokenStates(tmp_path, encoder).of(texts, questions)
    assert [state[:, 0].tolist() for state in first] == [[3, 5], [], [1, 2, 3], [3, 5]]
    assert first[3][:, 1].tolist() == [4, 4] and first[0].dtype == np.float16
    again = TokenStates(tmp_path, encoder).of([*reversed(texts), "new"], [*reversed(questions), None])
    assert [state.tolist() for state in again[:4]] == [state.tolist() for state in reversed(first)]
    assert encoder.read == [*texts, "new"]


def test_another_encoder_has_states_of_its_own(tmp_path):
    one, other = CountingEncoder("v1"), CountingEncoder("v2")
    TokenStates(tmp_path, one).of(["x"], [None])
    TokenStates(tmp_path, other).of(["x"], [None])
    assert one.read == other.read == ["x"]


def test_chunks_are_written_one_by_one_and_a_kill_costs_one(tmp_path, monkeypatch):
    monkeypatch.setattr(states, "CHUNK", 2)
    encoder = CountingEncoder()
    stream = encoder.stream

    def dying(texts, spans, contexts):
        if "five" in texts:
            yield from stream(texts[:1], spans[:1], contexts[:1])
            raise KeyboardInterrupt
        yield from stream(texts, spans, contexts)

    encoder.stream = dying
    texts = ["one", "two two", "three", "four", "five", "six"]
    with pytest.raises(KeyboardInterrupt):
        TokenStates(tmp_path, encoder).of(texts, [None] * 6)
    encoder.stream, encoder.read = stream, []
    found = TokenStates(tmp_path, encoder).of(texts, [None] * 6)
    assert encoder.read == ["five", "six"]
    assert [state[:, 0].tolist() for state in found] == [[3], [3, 3], [5], [4], [4], [3]]


@pytest.mark.parametrize("tail", [1, 13, 14])
def test_half_a_row_that_a_kill_left_behind_is_passed_over(tmp_path, tail):
    encoder = CountingEncoder()
    TokenStates(tmp_path, encoder).of(["a bb"], [None])
    (folder,) = tmp_path.iterdir()
    with (folder / STATES_FILE).open("ab") as file:
        file.write(b"x" * tail)
    (found,) = TokenStates(tmp_path, encoder).of(["a bb"], [None])
    assert found[:, 0].tolist() == [1, 2] and encoder.read == ["a bb"]


@pytest.mark.parametrize("cut", [1, 7, 30])
def test_a_damaged_index_or_file_costs_a_second_reading_and_no_wrong_states(tmp_path, cut):
    encoder = CountingEncoder()
    texts = ["a bb", "ccc dddd", "eeeee"]
    TokenStates(tmp_path, encoder).of(texts, [None] * 3)
    (folder,) = tmp_path.iterdir()
    for name in (INDEX_FILE, STATES_FILE):
        path = folder / name
        path.write_bytes(path.read_bytes()[:-cut])
        found = TokenStates(tmp_path, encoder).of(texts, [None] * 3)
        assert [state[:, 0].tolist() for state in found] == [[1, 2], [3, 4], [5]]
