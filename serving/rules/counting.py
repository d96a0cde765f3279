"""How many responses of a kind came within a time: asked of the store for one response, slid over many in a replay."""

import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Protocol

from sqlalchemy import BindParameter, ColumnElement, Connection, Select, and_, bindparam, func, or_, select

from nlp.taxonomy import Taxonomy
from serving.rules.lineage import Themes, descendants, lineage_of
from serving.store.tables import responses, tags

COLUMNS = ("sentiment", "group", "band", "respondent", *("source", "survey", "touchpoint", "channel"))
COLUMNS = (*COLUMNS, "unit", "employee", "segment", "language", "metric")
"""What can be counted by besides themes: the columns of `responses`."""
DIMENSIONS = ("theme", *COLUMNS)
LONGEST = timedelta(days=366)
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
_WINDOW = re.compile(r"([1-9]\d{0,5})([mhd])", re.ASCII)


@dataclass(frozen=True, slots=True)
class Count:
    """What is counted: dimensions with a value, dimensions that agree with the response at hand, and how far back."""

    fixed: tuple[tuple[str, str], ...]
    own: tuple[str, ...]
    window: timedelta

    @property
    def dimensions(self) -> tuple[str, ...]:
        return (*(name for name, _ in self.fixed), *self.own)

    def key(self, row: Mapping[str, Any]) -> tuple[Any, ...] | None:
        """What a response must agree in to be counted for this one; None where this one does not know."""
        found = tuple(row[name] for name in self.own)
        return None if None in found else found

    def covers(self, row: Mapping[str, Any], themes: Themes) -> bool:
        """Whether a response is of the kind with the values given."""
        wanted = dict(self.fixed)
        theme = wanted.pop("theme", None)
        if theme is not None:
            # beside a theme the sentiment is that theme's, as in theme("delivery", "negative")
            moods = themes.get(theme, frozenset())
            mood = wanted.pop("sentiment", None)
            if not moods or (mood is not None and mood not in moods):
                return False
        return all(row[name] == value for name, value in wanted.items())


class Counts(Protocol):
    """Answers how many responses of a kind there were in the time before a response, that one included."""

    def count(self, wanted: Count) -> int: ...


def window(text: str) -> timedelta | None:
    """`30m`, `24h` or `7d`; None for anything else and for more than 366 days."""
    found = _WINDOW.fullmatch(text)
    span = timedelta(**{_UNITS[found[2]]: int(found[1])}) if found else None
    return span if span is not None and span <= LONGEST else None


class StoredCounts:
    """Asks the store, once for each kind."""

    def __init__(
        self, connection: Connection, workspace: str, row: Mapping[str, Any], themes: Themes, frame: Taxonomy
    ) -> None:
        self._connection, self._workspace, self._row, self._themes = connection, workspace, row, themes
        self._frame = frame
        self._known: dict[Count, int] = {}

    def count(self, wanted: Count) -> int:
        if wanted not in self._known:
            self._known[wanted] = self._ask(wanted)
        return self._known[wanted]

    def _ask(self, wanted: Count) -> int:
        key = wanted.key(self._row)
        if key is None:
            return 0
        at, values = self._row["answered_at"], dict(wanted.fixed) | dict(zip(wanted.own, key, strict=True))
        theme = values.pop("theme", None)
        covered = None if theme is None else tuple(descendants(theme, self._frame))
        given = {"in_workspace": self._workspace, "after": at - wanted.window, "until": at, "but": self._row["uid"]}
        given |= {f"of_{name}": value for name, value in values.items()}
        elsewhere = () if theme is None else lineage_of(self._frame).moved_from(theme)
        others = self._connection.execute(_counted(covered, elsewhere, tuple(values)), given).scalar_one()
        return others + wanted.covers(self._row, self._themes)


@lru_cache(maxsize=256)
def _counted(themes: tuple[str, ...] | None, elsewhere: tuple[str, ...], names: tuple[str, ...]) -> Select[int]:
    """Built once for each kind of count: building a statement takes longer than running it."""
    values = {name: bindparam(f"of_{name}") for name in names}
    held = [
        responses.c.workspace == bindparam("in_workspace"),
        responses.c.answered_at > bindparam("after"),
        responses.c.answered_at <= bindparam("until"),
        responses.c.uid != bindparam("but"),  # whether its tags are stored yet must not matter
    ]
    if themes is not None:
        held.append(_tagged(themes, elsewhere, values.pop("sentiment", None)))
    held += [responses.c[name] == value for name, value in values.items()]
    return select(func.count()).select_from(responses).where(*held)


def _tagged(
    themes: tuple[str, ...], elsewhere: tuple[str, ...], mood: BindParameter[str] | None
) -> ColumnElement[bool]:
    # tags of an older frame can be under a theme of this one by their dots alone
    dotted = or_(*(tags.c.theme.startswith(f"{id}.", autoescape=True) for id in themes))
    below = or_(tags.c.theme.in_(themes), and_(dotted, tags.c.theme.not_in(elsewhere)) if elsewhere else dotted)
    of = and_(tags.c.workspace == bindparam("in_workspace"), tags.c.response == responses.c.uid, below)
    return select(1).where(of if mood is None else and_(of, tags.c.sentiment == mood)).exists()


class SlidingCounts:
    """Counts over responses that are given in the order of their answers; keeps those within the windows alone."""

    def __init__(self, counts: tuple[Count, ...]) -> None:
        self._times: dict[Count, dict[tuple[Any, ...], deque[datetime]]] = {wanted: {} for wanted in counts}

    def add(self, row: Mapping[str, Any], themes: Themes) -> None:
        """Takes note of a response; all of one time come before the first of them is asked about."""
        for wanted, times in self._times.items():
            key = wanted.key(row)
            if key is not None and wanted.covers(row, themes):
                times.setdefault(key, deque()).append(row["answered_at"])

    def count(self, wanted: Count, row: Mapping[str, Any]) -> int:
        """How many as of this response, which is the newest there is."""
        key = wanted.key(row)
        times = self._times[wanted].get(key) if key is not None else None
        if not times:
            return 0
        start = row["answered_at"] - wanted.window
        while times and times[0] <= start:
            times.popleft()
        return len(times)
