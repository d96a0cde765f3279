"""Token states of texts that a frozen encoder has read, kept on disk: a text is encoded once, whatever trains on it."""

import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from filelock import FileLock

from nlp.encoder import TransformerEncoder

STATES_FILE, INDEX_FILE = "states.f16", "index.bin"
CHUNK = 2048  # texts encoded between two writes: what a kill can cost
INDEX = np.dtype([("key", "S20"), ("start", "<u8"), ("tokens", "<u4")])


class TokenStates:
    """States float16 (tokens, d) by text and question, in one append-only file under a folder per encoder.

    Arrays come memory-mapped: 50,000 texts take gigabytes on disk and next to none in memory. What was half-written
    when a process died is not in the index and is overwritten.
    """

    def __init__(self, folder: Path, encoder: TransformerEncoder) -> None:
        self._encoder = encoder
        self._folder = folder / hashlib.sha256(encoder.version.encode()).hexdigest()[:20]
        self._folder.mkdir(parents=True, exist_ok=True)
        self._states, self._index = self._folder / STATES_FILE, self._folder / INDEX_FILE
        self._known: dict[bytes, tuple[int, int]] = {}

    def of(self, texts: Sequence[str], questions: Sequence[str | None]) -> list[np.ndarray]:
        """The states of each text in order; those not read before are read now."""
        keys = [_key(text, question) for text, question in zip(texts, questions, strict=True)]
        with FileLock(self._folder / "lock"):
            self._complete(keys, texts, questions)
        width = self._encoder.dimension
        places = [self._known[key] for key in keys]
        whole = max((start + tokens for start, tokens in places if tokens), default=0)
        if not whole:
            return [np.zeros((0, width), np.float16) for _ in keys]
        # What a kill left behind them need not be whole rows.
        mapped = np.memmap(self._states, np.float16, "r", shape=(whole, width))
        return [mapped[start : start + tokens] for start, tokens in places]

    def _complete(self, keys: Sequence[bytes], texts: Sequence[str], questions: Sequence[str | None]) -> None:
        self._known = {bytes(entry["key"]): (int(entry["start"]), int(entry["tokens"])) for entry in self._entries()}
        fresh = list({key: index for index, key in enumerate(keys) if key not in self._known}.values())
        for at in range(0, len(fresh), CHUNK):
            part = fresh[at : at + CHUNK]
            self._add([keys[i] for i in part], self._read([texts[i] for i in part], [questions[i] for i in part]))

    def _read(self, texts: Sequence[str], questions: Sequence[str | None]) -> Iterator[np.ndarray]:
        for encoded in self._encoder.stream(texts, [()] * len(texts), questions):
            yield encoded.tokens.astype(np.float16)

    def _entries(self) -> np.ndarray:
        raw = self._index.read_bytes() if self._index.exists() else b""
        entries = np.frombuffer(raw[: len(raw) // INDEX.itemsize * INDEX.itemsize], INDEX)
        held = self._states.stat().st_size // (2 * self._encoder.dimension) if self._states.exists() else 0
        return entries[entries["start"] + entries["tokens"] <= held]

    def _add(self, keys: Sequence[bytes], states: Iterator[np.ndarray]) -> None:
        start = max((at + tokens for at, tokens in self._known.values()), default=0)
        entries = []
        with open(self._states, "r+b" if self._states.exists() else "w+b") as out:
            out.seek(start * 2 * self._encoder.dimension)
            for key, values in zip(keys, states, strict=True):
                out.write(np.ascontiguousarray(values).tobytes())
                entries.append((key, start, len(values)))
                start += len(values)
            out.truncate()
            out.flush()
            os.fsync(out.fileno())
        self._known |= {key: (at, tokens) for key, at, tokens in entries}
        rows = [(key, at, tokens) for key, (at, tokens) in self._known.items()]
        fresh = self._index.with_suffix(".new")
        fresh.write_bytes(np.array(rows, INDEX).tobytes())
        os.replace(fresh, self._index)


def _key(text: str, question: str | None) -> bytes:
    # no zero byte at the end, which numpy's strings would drop
    return hashlib.sha256(f"{question or ''}\0{text}".encode()).hexdigest()[:20].encode()
