"""Fills the weight-less ONNX graph: reads which weights it refers to, merges an adapter, lays out the weights file.

Only the few protobuf fields that name weights are read, so that serving needs neither torch nor the onnx package.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from nlp.errors import ModelError

INPUT, ATTENTION, OUTPUT = "words", "attention", "states"  # names of the graph's inputs and its output
IDS = "ids"  # the first input of a graph that has its word table inside
WEIGHTS_FILE = "weights.bin"  # what the graph's references point to, beside the graph
WORD_TABLE = "embeddings.word_embeddings.weight"  # never part of the graph: looked up outside

# Field numbers of onnx.proto: ModelProto.graph, GraphProto.initializer, TensorProto.{dims,data_type,name,
# external_data}, StringStringEntryProto.{key,value}.
_GRAPH, _INITIALIZER = 7, 5
_DIMS, _TYPE, _NAME, _EXTERNAL = 1, 2, 8, 13
_KEY, _VALUE = 1, 2
_FLOAT = 1  # TensorProto.DataType.FLOAT
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # wire types


@dataclass(frozen=True, slots=True)
class Slot:
    """A float32 weight that the graph expects at a place of the weights file."""

    name: str
    shape: tuple[int, ...]
    offset: int
    length: int


def slots(graph: bytes) -> tuple[Slot, ...]:
    """The weights that an ONNX graph keeps outside itself, by place; ModelError where the bytes are no such graph."""
    try:
        found = [
            slot
            for model_field, body in _fields(memoryview(graph))
            if model_field == _GRAPH
            for graph_field, tensor in _fields(body)
            if graph_field == _INITIALIZER and (slot := _slot(tensor))
        ]
    except (IndexError, KeyError, ValueError, TypeError) as error:
        raise ModelError(f"the encoder's graph is not readable ONNX ({error}); reinstall holos") from None
    if not found:
        raise ModelError("the encoder's graph refers to no weights; reinstall holos or export it again")
    return tuple(sorted(found, key=lambda slot: slot.offset))


def fill(wanted: tuple[Slot, ...], weights: Mapping[str, np.ndarray], out: np.ndarray) -> None:
    """Puts every weight at its place; `out` is uint8 of `size(wanted)` bytes, in memory or mapped from a file."""
    for slot in wanted:
        if slot.name not in weights:
            raise ModelError(f"the encoder's weights lack {slot.name}, which its graph needs; they do not fit together")
        values = weights[slot.name]
        if values.shape != slot.shape:
            raise ModelError(f"weight {slot.name} has shape {values.shape}, the encoder's graph needs {slot.shape}")
        out[slot.offset : slot.offset + slot.length] = np.ascontiguousarray(values, "<f4").reshape(-1).view(np.uint8)


def size(wanted: tuple[Slot, ...]) -> int:
    """Bytes of the weights file."""
    return max(slot.offset + slot.length for slot in wanted)


def merge(weights: dict[str, np.ndarray], adapter: Mapping[str, np.ndarray] | None) -> dict[str, np.ndarray]:
    """The weights with an adapter in them: W' = W + B A for every pair `NAME.A` (r, in), `NAME.B` (out, r)."""
    merged = dict(weights)
    names = {key.removesuffix(".A").removesuffix(".B") for key in adapter or ()}
    for name in sorted(names):
        target = f"{name}.weight"
        down, up = (adapter.get(f"{name}.{part}") for part in "AB")
        if down is None or up is None or target not in merged:
            raise ModelError(f"the adapter's {name} has no counterpart in the encoder; it was trained on another one")
        change = up.astype(np.float32) @ down.astype(np.float32)
        if change.shape != merged[target].shape:
            raise ModelError(f"the adapter changes {name} as {change.shape}, the encoder has {merged[target].shape}")
        merged[target] = merged[target] + change
    return merged


def _slot(tensor: memoryview) -> Slot | None:
    """An initialiser's place in the weights file; None where the graph holds its values itself."""
    dims: list[int] = []
    external: dict[str, str] = {}
    name, kind = "", 0
    for field, value in _fields(tensor):
        if field == _DIMS:
            dims += [value] if isinstance(value, int) else list(_packed(value))
        elif field == _TYPE:
            kind = value
        elif field == _NAME:
            name = bytes(value).decode()
        elif field == _EXTERNAL:
            entry = dict(_fields(value))
            external[bytes(entry[_KEY]).decode()] = bytes(entry[_VALUE]).decode()
    if not external:
        return None
    if kind != _FLOAT or external.get("location") != WEIGHTS_FILE:
        raise ValueError(f"weight {name} is not float32 in {WEIGHTS_FILE}")
    return Slot(name, tuple(dims), int(external["offset"]), int(external["length"]))


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Field numbers and values of a protobuf message, in order."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        wire = key & 7
        if wire == _VARINT:
            value, at = _varint(message, at)
        elif wire == _BYTES:
            length, at = _varint(message, at)
            if at + length > len(message):
                raise ValueError("it ends too early")
            value, at = message[at : at + length], at + length
        elif wire in (_FIXED64, _FIXED32):
            width = 8 if wire == _FIXED64 else 4
            value, at = message[at : at + width], at + width
        else:
            raise ValueError(f"unknown wire type {wire}")
        yield key >> 3, value


def _packed(message: memoryview) -> Iterator[int]:
    at = 0
    while at < len(message):
        value, at = _varint(message, at)
        yield value


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
