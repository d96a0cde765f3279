"""Vectors of made-up problems for the tests of issues: each near the direction of its problem, near no other."""

from collections.abc import Sequence

import numpy as np

WIDTH = 32
ENCODER = "enc-1"
NEAR = 0.25
"""How far answers about one problem lie from its direction, as the length of a random vector."""
NAMES = ("courier", "invoice", "queue", "screen", "heating")


def direction(problem: str) -> np.ndarray:
    """Unit float32; every problem has its own, near no other."""
    seed = sum(byte * 31**place for place, byte in enumerate(problem.encode())) % 2**32
    found = np.random.default_rng(seed).normal(size=WIDTH).astype(np.float32)
    return found / np.linalg.norm(found)


def near(problem: str, random: np.random.Generator, spread: float = NEAR) -> np.ndarray:
    """A unit vector near a problem's direction."""
    found = direction(problem) + spread * random.normal(size=WIDTH).astype(np.float32) / np.sqrt(WIDTH)
    return found / np.linalg.norm(found)


class ProblemVectors:
    """Reads texts by the problem they name; what names none is about something else."""

    version = ENCODER

    def __init__(self) -> None:
        self.read: list[str] = []

    def vectors(self, texts: Sequence[str]) -> np.ndarray:
        self.read += texts
        found = [near(_problem(text), np.random.default_rng(sum(text.encode()))) for text in texts]
        return np.stack(found) if found else np.zeros((0, WIDTH), np.float32)


def _problem(text: str) -> str:
    return next((name for name in NAMES if name in text), text)
