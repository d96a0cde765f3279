"""The vectors by which issues are found: rare pieces lead, and a text has one vector in any company."""

import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from nlp.encoder import Encoded
from nlp.issue_vectors import IssueEncoder, piece_weights
from nlp.tokens import Specials, TextTokenizer

PIECES = [("<unk>", 0.0), ("▁the", -3.0), ("▁parcel", -12.0)]
STATES = np.eye(3, dtype=np.float32)


def tokenizer():
    made = Tokenizer(models.Unigram(PIECES, unk_id=0))
    made.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    return TextTokenizer(made, Specials(0, 0, 0, 0), "")


class PieceStates:
    """An encoder whose state of a token is its piece."""

    version, dimension = "pieces-1", 3

    def __init__(self):
        self.tokenizer = tokenizer()

    def encode(self, texts, spans, contexts):
        return [Encoded(STATES[tokens.ids], tokens.offsets) for tokens in self.tokenizer.encode(texts)]


def test_rare_pieces_lead_where_weights_are_known():
    plain = IssueEncoder(PieceStates()).vectors(["the parcel"])[0]
    rare = IssueEncoder(PieceStates(), tokenizer(), piece_weights(PIECES)).vectors(["the parcel"])[0]
    assert plain[1] == pytest.approx(plain[2])
    assert rare[2] > 0.99
    np.testing.assert_allclose([np.linalg.norm(plain), np.linalg.norm(rare)], 1, rtol=1e-5)


def test_handles_leave_no_trace_and_an_empty_text_is_zero():
    encoder = IssueEncoder(PieceStates())
    vectors = encoder.vectors(["@shop the parcel", "the parcel", ""])
    np.testing.assert_array_equal(vectors[0], vectors[1])
    assert not vectors[2].any()
    assert encoder.vectors([]).shape == (0, 3)


def test_many_texts_keep_their_order(monkeypatch):
    monkeypatch.setattr("nlp.issue_vectors.CHUNK", 2)
    texts = ["the", "parcel", "the", "parcel", "parcel"]
    assert IssueEncoder(PieceStates()).vectors(texts).argmax(axis=1).tolist() == [1, 2, 1, 2, 2]


def test_the_version_says_how_the_vectors_were_made():
    weighted = IssueEncoder(PieceStates(), tokenizer(), piece_weights(PIECES))
    assert IssueEncoder(PieceStates()).version != weighted.version != "pieces-1"
