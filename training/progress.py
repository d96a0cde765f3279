"""How far a training is, and how long it still takes."""

from collections import deque
from time import monotonic

EVERY = 10.0  # seconds between two lines
RECENT = 50  # batches whose loss is averaged


class Clock:
    """Counts the steps of a training of `total` steps, of which `done` were made before this process began."""

    def __init__(self, total: int, done: int = 0) -> None:
        self._total, self._done, self._first = total, done, done
        self._began = self._said = monotonic()
        self._losses: deque[float] = deque(maxlen=RECENT)

    def tick(self, loss: float) -> str | None:
        """Counts one step; now and then a line to print."""
        self._done += 1
        self._losses.append(loss)
        now = monotonic()
        if now - self._said < EVERY:
            return None
        self._said = now
        left = (now - self._began) / (self._done - self._first) * max(0, self._total - self._done)
        share = min(1.0, self._done / max(1, self._total))
        return f"{share:4.0%}, loss {sum(self._losses) / len(self._losses):.4f}, {duration(left)} left at most"


def duration(seconds: float) -> str:
    """Seconds as people say them."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
