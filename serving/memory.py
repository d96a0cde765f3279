"""Gives memory that was needed once back to the system, which the allocator keeps for what may come."""

import ctypes
import sys
from contextlib import suppress


def give_back() -> None:
    """Takes hundredths of a second, and other threads go on; does nothing where the allocator has no word for it."""
    if sys.platform == "linux":
        with suppress(AttributeError, OSError):  # musl
            ctypes.CDLL(None).malloc_trim(0)
