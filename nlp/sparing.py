"""Imports a library without the heavy ones that it would take along where they happen to be installed."""

import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from types import ModuleType


class _Refusal:
    """A finder of modules that finds none, and for one thread says of some that they are not installed."""

    def __init__(self, names: frozenset[str]) -> None:
        self._names = names
        self._thread = threading.get_ident()

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name in self._names and threading.get_ident() == self._thread:
            raise ModuleNotFoundError(f"{name} is not wanted here", name=name)
        return None


@contextmanager
def importing_without(*names: str) -> Iterator[None]:
    """Meanwhile importing these fails in this thread; what is imported already stays, and other threads do not notice.

    For libraries that try to import what they can do without: one that asks `find_spec` first gets the error too.
    """
    refusal = _Refusal(frozenset(names))
    sys.meta_path.insert(0, refusal)
    try:
        yield
    finally:
        sys.meta_path.remove(refusal)
