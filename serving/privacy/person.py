"""One person in the store: which rows are about them, told by the names of columns, so that new tables are covered."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, Table, and_, delete, select

from serving.store import loop_tables, tables
from serving.store.loop_tables import case_responses, cases
from serving.store.tables import analyses, respondents, responses

AT_ONCE = 500
"""Ids in one statement; databases take some thousands."""
NOT_OURS = frozenset({"webhooks", "channels", "connectors", "rule_sets", "keys", "workspaces", "tombstones"})
"""Tables of settings, in which no person's data stands."""

assert loop_tables.metadata is tables.metadata


@dataclass(frozen=True, slots=True)
class Subject:
    """What rows about a person, or about some responses, are found by."""

    respondent: str | None
    responses: tuple[str, ...]
    cases: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Person:
    """A respondent with everything that is found by them."""

    subject: Subject
    sent_ids: tuple[str, ...]
    """The senders' ids of their responses."""
    texts: tuple[str, ...]
    """Redacted verbatims, those of earlier revisions too."""


def find_person(connection: Connection, workspace: str, respondent: str) -> Person:
    """What is stored of a person now; empty where there is nothing."""
    here = (responses.c.workspace == workspace, responses.c.respondent == respondent)
    asked = select(responses.c.uid, responses.c.id, responses.c.text, responses.c.question).where(*here)
    rows = connection.execute(asked.order_by(responses.c.uid)).all()
    uids = tuple(row.uid for row in rows)
    subject = Subject(respondent, uids, cases_of(connection, workspace, respondent, uids))
    texts = {row.text for row in rows} | set(_earlier_texts(connection, workspace, uids))
    return Person(subject, tuple(row.id for row in rows), tuple(sorted(texts)))


def cases_of(connection: Connection, workspace: str, respondent: str, uids: Sequence[str]) -> tuple[str, ...]:
    """Cases of this person or opened by their responses."""
    mine = select(cases.c.id).where(cases.c.workspace == workspace, cases.c.respondent == respondent)
    found = set(connection.execute(mine).scalars())
    for some in chunks(uids):
        opened = select(cases.c.id).where(cases.c.workspace == workspace, cases.c.response.in_(some))
        # a case of somebody else that an answer of theirs was once counted to is not theirs
        here = and_(case_responses.c.workspace == cases.c.workspace, case_responses.c.case == cases.c.id)
        joined = select(cases.c.id).join(case_responses, here).where(cases.c.workspace == workspace)
        joined = joined.where(case_responses.c.response.in_(some), cases.c.respondent.is_(None))
        found.update(connection.execute(opened).scalars(), connection.execute(joined).scalars())
    return tuple(sorted(found))


def rows_about(connection: Connection, workspace: str, subject: Subject) -> Iterator[tuple[Table, RowMapping]]:
    """Every row about a subject, a row once."""
    for table in tables.metadata.sorted_tables:
        seen: set[tuple[Any, ...]] = set()
        for condition in _conditions(table, workspace, subject):
            for row in connection.execute(select(table).where(condition).order_by(*table.primary_key)).mappings():
                key = tuple(row[column.name] for column in table.primary_key)
                if key not in seen:
                    seen.add(key)
                    yield table, row


def delete_rows(connection: Connection, workspace: str, subject: Subject) -> dict[str, int]:
    """Deletes every row about a subject and tells how many of which table."""
    counts: dict[str, int] = {}
    # children first: what a cascade takes along is not counted
    for table in reversed(tables.metadata.sorted_tables):
        gone = sum(
            connection.execute(delete(table).where(condition)).rowcount
            for condition in _conditions(table, workspace, subject)
        )
        if gone:
            counts[table.name] = gone
    return counts


def chunks(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), AT_ONCE):
        yield ids[start : start + AT_ONCE]


def _conditions(table: Table, workspace: str, subject: Subject) -> Iterator[ColumnElement[bool]]:
    """What tells a table's rows about a subject; nothing where none can be."""
    if table.name in NOT_OURS or "workspace" not in table.c:
        return
    here = table.c.workspace == workspace
    if subject.respondent is not None:
        column = table.c.id if table is respondents else table.c.get("respondent")
        if column is not None:
            yield and_(here, column == subject.respondent)
    own = {"responses": ("uid", subject.responses), "cases": ("id", subject.cases)}
    named = [("response", subject.responses), ("case", subject.cases), own.get(table.name, ("", ()))]
    for name, ids in named:
        if name in table.c:
            for some in chunks(ids):
                yield and_(here, table.c[name].in_(some))


def _earlier_texts(connection: Connection, workspace: str, uids: Sequence[str]) -> Iterator[str]:
    for some in chunks(uids):
        asked = select(analyses.c.result).where(analyses.c.workspace == workspace, analyses.c.response.in_(some))
        for result in connection.execute(asked).scalars():
            if isinstance(text := result.get("text"), str):
                yield text
