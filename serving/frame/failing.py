"""Texts of themes that a model fails on: remembered by a process, so that not every answer that comes in tries them."""

import hashlib
from collections.abc import Hashable, Iterable, Sequence
from datetime import datetime, timedelta

from serving.logs import get_logger

AGAIN = timedelta(hours=1)
"""After so long a text is tried again: what failed may have been the memory, not the text."""
MOST = 10_000
"""Texts held at once, each in some two hundred bytes; of more the first go, and are tried again early."""
PROBE = "The parcel came late."
"""Any model reads it: one that fails on this too has failed for a while, whatever it was given."""

Key = tuple[Hashable, str, str]


class Failing:
    """Until when texts are not to be tried, by who reads them, its model and their digest."""

    def __init__(self) -> None:
        self._until: dict[Key, datetime] = {}

    def hold(self, reader: Hashable, model: str, texts: Sequence[str], now: datetime) -> None:
        """These failed just now."""
        if texts:
            get_logger().warning("theme_texts_failed", count=len(texts), model=model)
        for text in texts:
            self._until.pop(key := _key(reader, model, text), None)
            self._until[key] = now + AGAIN
        while len(self._until) > MOST:
            del self._until[next(iter(self._until))]

    def held(self, reader: Hashable, model: str, texts: Iterable[str], now: datetime) -> frozenset[str]:
        """Those of the texts that are not to be tried now; of the others it is forgotten that they failed."""
        found = set()
        for text in texts:
            until = self._until.get(key := _key(reader, model, text), now)
            if until > now:
                found.add(text)
            else:
                self._until.pop(key, None)
        return frozenset(found)

    def until(self, reader: Hashable, model: str, texts: Iterable[str]) -> datetime | None:
        """When the first of these that failed is to be tried again; None where none failed."""
        found = (self._until.get(_key(reader, model, text)) for text in texts)
        return min((moment for moment in found if moment is not None), default=None)


def _key(reader: Hashable, model: str, text: str) -> Key:
    return reader, model, hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
