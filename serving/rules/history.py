"""Stored responses in the order of their answers, as facts: read in chunks, no column that no rule asks for."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, literal, select, tuple_

from nlp.taxonomy import Taxonomy
from serving.rules.counting import Count, SlidingCounts
from serving.rules.facts import NEEDS, Facts
from serving.rules.lineage import Lineage, Themes
from serving.rules.rule import RuleSet
from serving.rules.vocabulary import CLOCKS, FACTS
from serving.store.columns import Moment
from serving.store.tables import responses, tags

CHUNK = 5_000
"""Rows read at a time: few enough to hold, many enough that queries cost little."""
_ALWAYS = ("uid", "answered_at", "priority")
_ASKED_BY = {"signal": "signals", "mentions": "text", **dict.fromkeys(CLOCKS, "received_at")}

Row = dict[str, Any]


def history(
    connection: Connection,
    workspace: str,
    rule_sets: Sequence[RuleSet],
    frame: Taxonomy,
    since: datetime,
    until: datetime,
) -> Iterator[Facts]:
    """The facts of every response answered from `since` to before `until`, as they were when it came.

    Counts slide along in memory: those of stored responses alone, whenever they arrived.
    """
    counts = tuple(
        dict.fromkeys(count for rules in rule_sets for rule in rules.rules for count in rule.condition.counts)
    )
    sliding = SlidingCounts(counts)
    start = since - max((count.window for count in counts), default=timedelta(0))
    rows = _rows(connection, workspace, columns_of(rule_sets), start, until)
    lineage = Lineage(frame)
    for at, together in groupby(rows, key=lambda found: found[0]["answered_at"]):
        facts = [_facts(row, tagged, lineage, sliding) for row, tagged in together]
        for found in facts:
            sliding.add(found.row, found.themes)
        yield from facts if at >= since else ()


class _Slid:
    """The counts as one response sees them."""

    __slots__ = ("_row", "_sliding")

    def __init__(self, sliding: SlidingCounts, row: Mapping[str, Any]) -> None:
        self._sliding, self._row = sliding, row

    def count(self, wanted: Count) -> int:
        return self._sliding.count(wanted, self._row)


def _facts(row: Row, tagged: Sequence[tuple[str, str]], lineage: Lineage, sliding: SlidingCounts) -> Facts:
    themes: Themes = lineage.covered(tagged) if tagged else _NONE
    return Facts(
        row,
        tuple(theme for theme, _ in tagged),
        themes,
        row.get("received_at", row["answered_at"]),
        _Slid(sliding, row),
    )


_NONE: Themes = {}


def columns_of(rule_sets: Iterable[RuleSet]) -> tuple[str, ...]:
    """The columns of `responses` that these rules ask for."""
    wanted = dict.fromkeys(_ALWAYS)
    for rule in (rule for rules in rule_sets for rule in rules.rules):
        condition = rule.condition
        for name in condition.facts:
            wanted |= dict.fromkeys(NEEDS.get(name, (FACTS[name].column or name,)))
        wanted |= dict.fromkeys(name for count in condition.counts for name in count.dimensions if name != "theme")
        wanted |= dict.fromkeys(_ASKED_BY[name] for name in condition.functions if name in _ASKED_BY)
    return tuple(wanted)


def newest(connection: Connection, workspace: str, since: datetime, until: datetime, most: int) -> datetime | None:
    """From when on there are `most` responses up to `until`; None where there are no more than that."""
    held = _within(workspace, since, until)
    found = select(responses.c.answered_at).where(*held).order_by(responses.c.answered_at.desc()).offset(most).limit(1)
    oldest = connection.execute(found).scalar()
    return None if oldest is None else oldest + timedelta(microseconds=1)


def _within(workspace: str, since: datetime, until: datetime) -> tuple[Any, ...]:
    column = responses.c.answered_at
    return responses.c.workspace == workspace, column >= since, column < until


def _rows(
    connection: Connection, workspace: str, columns: tuple[str, ...], since: datetime, until: datetime
) -> Iterator[tuple[Row, list[tuple[str, str]]]]:
    order = (responses.c.answered_at, responses.c.uid)
    asked = select(*(responses.c[name] for name in columns)).order_by(*order).limit(CHUNK)
    held = _within(workspace, since, until)
    last: tuple[datetime, str] | None = None
    while True:
        # the plain bounds beside the pairs: databases use one or the other of them to go through the index
        after = () if last is None else (tuple_(*order) > _key(*last), responses.c.answered_at >= last[0])
        found = connection.execute(asked.where(*held, *after)).all()
        chunk = [dict(zip(columns, row, strict=True)) for row in found]
        if chunk:
            end = (chunk[-1]["answered_at"], chunk[-1]["uid"])
            before_end = (tuple_(*order) <= _key(*end), responses.c.answered_at <= end[0])
            tagged = _tags(connection, workspace, (*held, *after, *before_end))
            for row in chunk:
                yield row, tagged.get(row["uid"], [])
            last = end
        if len(chunk) < CHUNK:
            return


def _key(at: datetime, uid: str) -> Any:
    return tuple_(literal(at, Moment), literal(uid))


def _tags(connection: Connection, workspace: str, held: tuple[Any, ...]) -> dict[str, list[tuple[str, str]]]:
    # not a join in any order: SQLite would read all tags of the workspace for each chunk
    of = tags.c.workspace == workspace, tags.c.response.in_(select(responses.c.uid).where(*held))
    found: dict[str, list[tuple[str, str]]] = {}
    for uid, theme, mood in connection.execute(select(tags.c.response, tags.c.theme, tags.c.sentiment).where(*of)):
        found.setdefault(uid, []).append((theme, mood))
    return found
