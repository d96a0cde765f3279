"""Gives memory that was needed once back to the system, which the allocator keeps for what may come."""

import ctypes
import gc
import sys
from contextlib import suppress


def give_back() -> None:
    """Takes hundredths of a second; does nothing where the system's allocator has no word for it (glibc has)."""
    gc.collect()
    if sys.platform == "linux":
        with suppress(AttributeError, OSError):  # musl
            ctypes.CDLL(None).malloc_trim(0)
