"""What was needed once is given back."""

import sys
from pathlib import Path

import pytest

from serving.memory import give_back

STATUS = Path("/proc/self/status")
MIB = 1024
SMALL = 1_000  # bytes: freed pieces of this size stay with the allocator


def resident() -> float:
    """MiB of this process."""
    (line,) = (line for line in STATUS.read_text("utf-8").splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) / MIB


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc has a word for it")
def test_what_the_allocator_keeps_goes_back_to_the_system() -> None:
    give_back()
    pieces = [bytearray(SMALL) for _ in range(200_000)]
    kept = pieces[-1]  # at the end of the heap, so that the rest cannot be cut off from there
    full = resident()
    del pieces
    give_back()
    assert full - resident() > 100 and len(kept) == SMALL
