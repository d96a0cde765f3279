"""Puts what a run found into the store: issues, members and lineage, in the transaction that ends the run."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, bindparam, delete, select
from sqlalchemy import insert as plain_insert
from sqlalchemy import update as plain_update

from serving.issues.identity import Line
from serving.issues.known import ACTIVE, MERGED, PERSON, RUN, Book, Member
from serving.issues.window import unread
from serving.store.database import insert
from serving.store.issue_tables import cluster_lineage, cluster_members, clusters
from serving.store.tables import responses

AT_ONCE = 500
MOVED = 0.01
"""A strength that changed by less is not written again."""

Pair = tuple[str, str]
"""Response and issue."""


@dataclass(frozen=True, slots=True)
class Found:
    """A run's result. `strengths`: every membership there is to be, by (response, issue), put there by `by`.

    `read`: the answers it read, with the revisions of their texts; `encoder`: whose vectors it read. `columns` are
    those of issues that were found; `parents` and `states` of those that are new or changed.
    """

    read: Mapping[str, int]
    encoder: str
    strengths: Mapping[Pair, float]
    columns: Mapping[str, Mapping[str, Any]]
    parents: Mapping[str, str | None]
    states: Mapping[str, str]
    lineage: Sequence[Line]
    by: str = RUN


def write(connection: Connection, workspace: str, book: Book, found: Found, now: datetime) -> None:
    """Writes the difference between what is known and what was found.

    Answers that were erased, or whose text changed, meanwhile are left out: where they belong is not for this run.
    """
    same = _unchanged(connection, workspace, found)
    gone = set(found.read) - same
    _write_issues(connection, workspace, book, found, gone, now)
    before = {(uid, id): member for id, issue in book.issues.items() for uid, member in issue.members.items()}
    removed = [
        pair
        for pair, member in before.items()
        if pair[0] in same and pair not in found.strengths and not _stays(book, found, pair[1], member)
    ]
    _remove(connection, workspace, removed)
    new = [
        (pair, strength)
        for pair, strength in found.strengths.items()
        if pair[0] not in gone and _differs(before.get(pair), strength)
    ]
    put(connection, workspace, new, found.by, now)
    tell(connection, workspace, found.lineage, RUN, now)


def put(connection: Connection, workspace: str, pairs: Iterable[tuple[Pair, float]], by: str, now: datetime) -> None:
    """Memberships, new or with a new strength; who put an answer there first, and when, stays."""
    rows = [
        {"workspace": workspace, "response": uid, "cluster": id, "strength": strength, "by": by, "since": now}
        for (uid, id), strength in sorted(pairs)
    ]
    if rows:
        statement = insert(connection, cluster_members)
        keys = ["workspace", "response", "cluster"]
        same = statement.on_conflict_do_update(index_elements=keys, set_={"strength": statement.excluded["strength"]})
        connection.execute(same, rows)


def tell(connection: Connection, workspace: str, lines: Iterable[Line], by: str, now: datetime) -> None:
    """Lines of the lineage."""
    rows = [
        {
            "workspace": workspace,
            "at": now,
            "kind": line.kind,
            "from": line.before,
            "to": line.after,
            "shared": line.shared,
            "by": by,
        }
        for line in lines
    ]
    if rows:
        connection.execute(plain_insert(cluster_lineage), rows)


def new_issue(workspace: str, id: str, columns: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """The row of an issue that nobody has worked on yet."""
    nobody = dict.fromkeys(("parent", "merged_into", "name", "owner", "theme", "muted_until"))
    fixed = {"state": ACTIVE, "made_at": now, "updated_at": now, "version": 1}
    return {**nobody, **fixed, **columns, "workspace": workspace, "id": id}


def _stays(book: Book, found: Found, id: str, member: Member) -> bool:
    """What people put there, and what tells the parts of a merged issue from one another."""
    return member.by == PERSON or (book.issues[id].state == MERGED and id not in found.columns)


def _differs(before: Member | None, strength: float) -> bool:
    return before is None or abs(before.strength - strength) > MOVED


def _write_issues(
    connection: Connection, workspace: str, book: Book, found: Found, gone: Collection[str], now: datetime
) -> None:
    born = [id for id in found.columns if id not in book.issues]
    left = Counter(id for uid, id in found.strengths if uid in gone)
    rows = []
    for id in born:
        own = {"parent": found.parents.get(id), "state": found.states[id]}
        columns = {**_without(found.columns[id], gone, left[id]), **own}
        rows.append(new_issue(workspace, id, columns, now))
    if rows:
        connection.execute(plain_insert(clusters), rows)
    for id in sorted((set(found.columns) | set(found.states)) - set(born)):
        columns = _without(found.columns[id], gone, left[id]) if id in found.columns else {}
        if id in found.states:
            columns["state"] = found.states[id]
        if id in found.parents:
            columns["parent"] = found.parents[id]
        connection.execute(
            plain_update(clusters)
            .where(clusters.c.workspace == workspace, clusters.c.id == id)
            .values(**_earliest(columns, book.issues[id].first_seen), updated_at=now)
        )


def _earliest(columns: dict[str, Any], before: datetime | None) -> dict[str, Any]:
    """An issue was first seen when it was first seen, though that answer has left the window."""
    first = columns.get("first_seen")
    return columns if first is None or before is None else {**columns, "first_seen": min(first, before)}


def _without(columns: Mapping[str, Any], gone: Collection[str], left: int) -> dict[str, Any]:
    """The columns without the answers that are gone, so many of which were counted."""
    quotes = [each for each in columns["quotes"] if each["response"] not in gone]
    return {**columns, "quotes": quotes, "size": columns["size"] - left}


def _unchanged(connection: Connection, workspace: str, found: Found) -> set[str]:
    """Which answers are as they were read, with their vectors; nobody takes in another text until we are done.

    Whoever does locks the whole row, and so do we for him; what else is written to it goes on.
    """
    same: set[str] = set()
    ordered, of = sorted(found.read), responses.c
    for start in range(0, len(ordered), AT_ONCE):
        mine = (of.workspace == workspace, of.uid.in_(ordered[start : start + AT_ONCE]), ~unread(found.encoder))
        asked = select(of.uid, of.revision).where(*mine).order_by(of.uid)
        rows = connection.execute(asked.with_for_update(read=True, key_share=True))
        same.update(uid for uid, revision in rows if revision == found.read[uid])
    return same


def _remove(connection: Connection, workspace: str, pairs: Sequence[Pair]) -> None:
    if pairs:
        of = cluster_members.c
        this = and_(of.workspace == workspace, of.response == bindparam("uid"), of.cluster == bindparam("id"))
        connection.execute(delete(cluster_members).where(this), [{"uid": uid, "id": id} for uid, id in sorted(pairs)])
