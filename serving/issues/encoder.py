"""The encoder by which issues are found, in a process that has better things to do.

It is opened when first needed, and computes in one thread that gives way to all others.
"""

import os
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from serving.memory import give_back
from serving.settings import Settings

if TYPE_CHECKING:
    import numpy as np

    from nlp.issue_vectors import IssueEncoder

NICE = 10
"""Where answers are taken in meanwhile, these get about nine tenths of a core that both want (Linux: 1024 to 110)."""
THREADS = 1
TASKS = Path("/proc/self/task")
"""The threads of this process, on Linux."""


class BareEncoder:
    """A `serving.parts.IssueVectors` of this installation's own encoder; safe to share between threads."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._version: str | None = None
        self._encoder: IssueEncoder | None = None
        self._thread = ThreadPoolExecutor(THREADS, thread_name_prefix="holos-issues")

    @property
    def version(self) -> str:
        """Known without opening the encoder; raises ModelError where there is none."""
        with self._lock:
            if self._version is None:
                from nlp.artifact import issue_encoder_version

                self._version = issue_encoder_version(self._settings.data_dir, self._settings.encoder)
            return self._version

    def vectors(self, texts: Sequence[str]) -> "np.ndarray":
        """float32 (n, d), unit rows; raises ModelError where the encoder cannot be opened."""
        return self._thread.submit(self._vectors, texts).result()

    def _vectors(self, texts: Sequence[str]) -> "np.ndarray":
        if self._encoder is None:
            self._encoder = self._open()
        return self._encoder.vectors(texts)

    def _open(self) -> "IssueEncoder":
        from nlp.artifact import open_issue_encoder

        of, before = self._settings, _threads()
        found = open_issue_encoder(
            of.data_dir, of.cache_dir, precision=of.precision, threads=THREADS, encoder=of.encoder
        )
        _give_way(_threads() - before)
        give_back()  # reading the weights takes twice what they take in the end
        return found


def _threads() -> set[int]:
    return {int(task.name) for task in TASKS.iterdir()} if sys.platform == "linux" else set()


def _give_way(threads: set[int]) -> None:
    """Lowers the priority of the threads that the runtime has started to compute in.

    Never that of a thread of Python: put off while it holds the interpreter, it would hold up the whole process.
    """
    for thread in threads - {each.native_id for each in threading.enumerate()}:
        with suppress(OSError):  # it has ended, or has a lower priority
            os.setpriority(os.PRIO_PROCESS, thread, NICE)
