"""Cases and issues after the code frame changed: the themes they are about follow what those became."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, select, update

from serving.cases.assignment import main_theme
from serving.frame.effective import Frame
from serving.store.issue_tables import clusters
from serving.store.loop_tables import audit, cases
from serving.store.tables import responses

CHUNK = 500
"""Rows in memory together."""
PROMOTED = "cluster.promote"
"""In the audit: a theme was made of an issue, which nothing else links to one."""

Places = Mapping[str, Collection[str]]
"""By a theme of before, the themes that it may be now: it and all that were merged into it went there."""


@dataclass(frozen=True, slots=True)
class Moved:
    """A case or issue, the theme it was about and the one it is about now."""

    id: str
    was: str
    theme: str


def follow(connection: Connection, workspace: str, before: Frame, after: Frame, now: datetime) -> None:
    """Once the stored answers are renewed: gives cases and issues of themes that are another one now that one.

    Where a theme stays and what was merged into it goes elsewhere, a case goes by its response, an issue by the
    theme it was promoted to.
    """
    places = _places(before, after)
    several = {was: found for was, found in places.items() if len(found) > 1}
    # all is read before anything is written: what goes to a theme is not to go on with that theme's own
    about = list(_of_cases(connection, workspace, several, after))
    linked = list(_of_issues(connection, workspace, several, before, after))
    _write(connection, workspace, cases, about, now)
    _write(connection, workspace, clusters, linked, now)
    for was in places.keys() - several.keys():
        for table in (cases, clusters):
            _put(connection, table, (table.c.workspace == workspace, table.c.theme == was), *places[was], now)


def follows_answers(before: Frame, after: Frame) -> bool:
    """Whether `follow` goes by what stored answers say, and not by themes alone."""
    return any(len(found) > 1 for found in _places(before, after).values())


def _places(before: Frame, after: Frame) -> Places:
    found: dict[str, set[str]] = {}
    for id in {*before.merged, *after.merged}:
        was = before.named(id)
        found.setdefault(was, {after.named(was)}).add(after.named(id))
    return {was: places for was, places in found.items() if places != {was}}


def _of_cases(connection: Connection, workspace: str, places: Places, after: Frame) -> Iterator[Moved]:
    """A case whose response says nothing of the themes it may be goes with its old theme."""
    asked = select(cases.c.id, cases.c.response, cases.c.theme).where(cases.c.workspace == workspace)
    rows = connection.execute(asked.where(cases.c.theme.in_(sorted(places))).order_by(cases.c.id)).all()
    for some in _pieces(rows):
        mine = (responses.c.workspace == workspace, responses.c.uid.in_({row.response for row in some}))
        found = connection.execute(select(responses.c.uid, responses.c.effective).where(*mine))
        said = {row.uid: row.effective["themes"] for row in found}
        for row in some:
            tags = [tag for tag in said.get(row.response, ()) if tag["id"] in places[row.theme]]
            yield Moved(row.id, row.theme, main_theme({"themes": tags}) or after.named(row.theme))


def _of_issues(connection: Connection, workspace: str, places: Places, before: Frame, after: Frame) -> Iterator[Moved]:
    """An issue goes where the theme went that it was promoted to."""
    of = clusters.c
    asked = select(of.id, of.theme).where(of.workspace == workspace, of.theme.in_(sorted(places)))
    rows = connection.execute(asked.order_by(of.id)).all()
    first = _promoted(connection, workspace) if rows else {}
    for row in rows:
        mine = first.get(row.id, row.theme)
        yield Moved(row.id, row.theme, after.named(mine if before.named(mine) == row.theme else row.theme))


def _promoted(connection: Connection, workspace: str) -> dict[str, str]:
    """By issue, the theme that was last made of it."""
    of = audit.c
    asked = select(of.subject, of.detail).where(of.workspace == workspace, of.action == PROMOTED).order_by(of.id)
    return {row.subject.removeprefix("cluster:"): row.detail["theme"] for row in connection.execute(asked)}


def _write(connection: Connection, workspace: str, table: Table, moved: Iterable[Moved], now: datetime) -> None:
    ids: dict[str, list[str]] = {}
    for each in moved:
        if each.theme != each.was:
            ids.setdefault(each.theme, []).append(each.id)
    for theme, mine in ids.items():
        for some in _pieces(mine):
            _put(connection, table, (table.c.workspace == workspace, table.c.id.in_(some)), theme, now)


def _put(connection: Connection, table: Table, held: Sequence[ColumnElement[bool]], theme: str, now: datetime) -> None:
    new = {"theme": theme, "updated_at": now, "version": table.c.version + 1}
    connection.execute(update(table).where(*held).values(new))


def _pieces(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(values), CHUNK):
        yield values[start : start + CHUNK]
