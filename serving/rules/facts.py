"""The facts of one response: its row, its effective themes, the time, and counts that are asked for when needed."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, RowMapping

from nlp.taxonomy import Taxonomy
from serving.rules.counting import Counts, StoredCounts
from serving.rules.lineage import Themes, lineage_of
from serving.rules.vocabulary import FACTS

_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Facts:
    """What conditions are evaluated on; a fact that is not known is None."""

    row: Mapping[str, Any]
    """A row of `responses`; only the columns that the rules need."""
    tagged: tuple[str, ...]
    themes: Themes
    at: datetime
    """When it is: what `hour` and its like are asked for."""
    counts: Counts

    def mentions(self, beginnings: tuple[str, ...]) -> bool:
        return _beginning(beginnings).search(self.row["text"]) is not None


_DERIVED: Mapping[str, Callable[[Facts], Any]] = {
    "themes": lambda facts: list(facts.tagged),
    "respondent_known": lambda facts: facts.row["respondent"] is not None,
    "age_hours": lambda facts: (facts.row["received_at"] - facts.row["answered_at"]).total_seconds() / _HOUR,
}


def getter(name: str) -> Callable[[Facts], Any]:
    """How to read a fact."""
    column = FACTS[name].column or name
    return _DERIVED.get(name) or (lambda facts: facts.row[column])


NEEDS: Mapping[str, tuple[str, ...]] = {
    "themes": (),
    "respondent_known": ("respondent",),
    "age_hours": ("received_at", "answered_at"),
}
"""The columns behind the facts that are no column themselves."""


def facts_of(
    connection: Connection,
    workspace: str,
    response: RowMapping,
    themes: Sequence[tuple[str, str]],
    frame: Taxonomy,
    now: datetime,
) -> Facts:
    """The facts of a stored response with its effective (theme, sentiment) tags, corrections laid over them.

    `now` is what the calendar is read at. Counts end at the time of the answer and are one query each, asked when a
    condition comes to them.
    """
    covered = lineage_of(frame).covered(themes)
    counts = StoredCounts(connection, workspace, response, covered, frame)
    return Facts(response, tuple(sorted(theme for theme, _ in themes)), covered, now, counts)


@lru_cache(maxsize=256)
def _beginning(beginnings: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{'|'.join(map(re.escape, beginnings))})", re.IGNORECASE)
