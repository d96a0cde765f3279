"""Where a training stands, kept on disk so that one that was killed goes on where it was."""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

STATE_FILE = "state.safetensors"
EVERY = 60.0  # seconds between two checkpoints: a kill costs a minute at most, writing them costs under 1 %


@dataclass(frozen=True, slots=True)
class Saved:
    """A checkpoint as read back: tensors by name, numbers by name."""

    tensors: Mapping[str, Tensor]
    numbers: Mapping[str, float]


class Checkpoint:
    """One folder that holds the newest state of one training; `fingerprint` says which training that is.

    A state is written beside the old one and renamed, so that there is always a whole one.
    """

    def __init__(self, folder: Path, fingerprint: str, every: float = EVERY) -> None:
        self.folder = folder
        self.fingerprint = fingerprint
        self._every = every
        self._last = monotonic()

    @property
    def due(self) -> bool:
        """Whether it is time to save again."""
        return monotonic() - self._last >= self._every

    def save(self, tensors: Mapping[str, Tensor], numbers: Mapping[str, float]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        fresh = self.folder / f"{STATE_FILE}.new"
        about = {"fingerprint": self.fingerprint, "numbers": json.dumps(dict(numbers))}
        save_file({name: values.detach().cpu().contiguous() for name, values in tensors.items()}, fresh, about)
        with open(fresh, "rb") as written:
            os.fsync(written.fileno())
        os.replace(fresh, self.folder / STATE_FILE)
        self._last = monotonic()

    def load(self) -> Saved | None:
        """The state to go on from; None where there is none, or one of other rows, settings or software."""
        try:
            with safe_open(self.folder / STATE_FILE, framework="pt") as stored:
                about = stored.metadata() or {}
                if about.get("fingerprint") != self.fingerprint:
                    return None
                names = stored.keys()  # a method of the file, which is no mapping
                tensors = {name: stored.get_tensor(name) for name in names}
                return Saved(tensors, json.loads(about["numbers"]))
        except (FileNotFoundError, SafetensorError, KeyError, ValueError):
            return None

    def clear(self) -> None:
        """Removes what was kept: the training has ended."""
        shutil.rmtree(self.folder, ignore_errors=True)


def fingerprint(rows: Sequence[Any], *settings: Any) -> str:
    """What says whether a checkpoint is of the same training: its rows, its settings and the software."""
    digest = hashlib.sha256(f"{torch.__version__}|{settings!r}".encode())
    for row in rows:
        # sets in order: their own changes with every process
        digest.update(json.dumps(asdict(row), default=sorted, sort_keys=True).encode())
    return digest.hexdigest()
