"""Which issues want a title, who asks for it, and what came of it, in the store.

An issue is asked for by one process at a time: its `title_due` is its lease. Where that process died, or the endpoint
failed, it is due again once that time has come.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, and_, or_, select, update

from nlp.taxonomy import Taxonomy
from serving.audit import record
from serving.frame.store import frame_of
from serving.issues.forgetting import made_of
from serving.issues.known import ACTIVE
from serving.store.issue_tables import clusters
from serving.store.language import language_of
from serving.titles.prompt import Subject

LEASE = timedelta(minutes=5)
"""Several times what one line may take; a process silent for so long is taken for dead."""
FIRST_WAIT, LONGEST_WAIT = timedelta(minutes=15), timedelta(hours=24)
"""Before an issue that came to nothing is asked for again, doubled each time: the same words bring the same line."""
LEFT = 0.5
"""Share of the quotes a title was made of that are still quoted, below which the issue is another than it names."""
BY = "titles"
"""Who does it, in the audit."""


@dataclass(frozen=True, slots=True)
class Asked:
    """An issue that this process asks for: what is told of it, its quotes' answers, and the lease."""

    workspace: str
    id: str
    subject: Subject
    responses: tuple[str, ...]
    until: datetime


def waiting(connection: Connection, workspace: str, now: datetime) -> str | None:
    """The issue that wants a title most: whole ones first, then the largest. None: there is none."""
    language, of = language_of(connection, workspace), clusters.c
    asked = select(of.id, of.quotes, of.title, of.title_of).where(_due(workspace, now))
    rows = connection.execute(asked.order_by(of.parent.is_not(None), of.size.desc(), of.id)).mappings()
    return next((row["id"] for row in rows if _wants(row, language)), None)


def claim(connection: Connection, workspace: str, id: str, base: Taxonomy, model: str, now: datetime) -> Asked | None:
    """Takes an issue for LEASE, with what may be told of it; None where somebody was faster, or it wants none any more.

    The audit says that its quotes leave, and to which model.
    """
    mine, until = and_(clusters.c.id == id, _due(workspace, now)), now + LEASE
    if not connection.execute(update(clusters).where(mine).values(title_due=until)).rowcount:
        return None
    own = (clusters.c.workspace == workspace, clusters.c.id == id)
    row = connection.execute(select(clusters).where(*own)).mappings().one()
    language = language_of(connection, workspace)
    if not _wants(row, language):
        connection.execute(update(clusters).where(*own).values(title_due=None))
        return None
    frame = frame_of(connection, workspace, base)
    quotes = _quotes(row)
    subject = Subject(
        [*quotes.values()],
        [word for word in row["keywords"] if isinstance(word, str)],
        [frame.label(theme) for theme in row["facts"].get("themes", ())],
        language or _most_frequent(row["facts"].get("languages", {})),
    )
    record(
        connection, workspace, BY, "cluster.ask_title", f"cluster:{id}", {"model": model, "quotes": len(quotes)}, now
    )
    return Asked(workspace, id, subject, (*quotes,), until)


def keep(connection: Connection, asked: Asked, title: str, now: datetime) -> bool:
    """Stores a title and ends the turn; False where what it was made of is no longer there, or people gave a name."""
    row = _held(connection, asked)
    if row is None:
        return False
    told = set(asked.responses) <= {*_quotes(row)} and set(asked.subject.keywords) <= {*row["keywords"]}
    new: dict[str, Any] = {"title_due": None}
    if kept := told and row["name"] is None:
        made = {"language": asked.subject.language, "quotes": [*asked.responses]}
        new |= {"title": title, "title_of": made, "title_tries": None, "updated_at": now}
    _set(connection, asked, new)
    return kept


def put_off(connection: Connection, asked: Asked, until: datetime, now: datetime) -> int:
    """Ends a turn that came to nothing; the issue is due after a while, not before `until`. Failures in a row."""
    row = _held(connection, asked)
    if row is None:
        return 0
    tries = (row["title_tries"] or 0) + 1
    _set(connection, asked, {"title_tries": tries, "title_due": max(until, now + wait(tries))})
    return tries


def wait(tries: int) -> timedelta:
    """How long to wait after so many failures in a row."""
    return min(FIRST_WAIT * 2 ** min(tries - 1, 10), LONGEST_WAIT)


def _due(workspace: str, now: datetime) -> ColumnElement[bool]:
    """Issues that people have not named and that nobody asks for now."""
    of = clusters.c
    free = or_(of.title_due.is_(None), of.title_due <= now)
    return and_(of.workspace == workspace, of.state == ACTIVE, of.name.is_(None), free)


def _wants(row: Mapping[str, Any], language: str | None) -> bool:
    """Whether there is no title, or it is of other quotes or in another language than the workspace's."""
    quotes = _quotes(row)
    if not quotes or row["title"] is None:
        return bool(quotes)
    made = made_of(row["title_of"])
    if not made or (language is not None and row["title_of"].get("language") != language):
        return True
    return len(made & {*quotes}) < LEFT * len(made)


def _quotes(row: Mapping[str, Any]) -> dict[str, str]:
    """Texts by response."""
    return {each["response"]: each["text"] for each in row["quotes"] if each["text"]}


def _most_frequent(languages: Mapping[str, float]) -> str | None:
    known = [code for code in languages if code != "und"]
    return min(known, key=lambda code: (-languages[code], code), default=None)


def _held(connection: Connection, asked: Asked) -> RowMapping | None:
    """The issue's row, for the rest of the transaction; None where the turn is no longer ours."""
    mine = (clusters.c.workspace == asked.workspace, clusters.c.id == asked.id, clusters.c.title_due == asked.until)
    return connection.execute(select(clusters).where(*mine).with_for_update()).mappings().one_or_none()


def _set(connection: Connection, asked: Asked, values: Mapping[str, Any]) -> None:
    mine = (clusters.c.workspace == asked.workspace, clusters.c.id == asked.id)
    connection.execute(update(clusters).where(*mine).values(values))
