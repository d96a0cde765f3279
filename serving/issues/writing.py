"""Puts what a run found into the store: issues, members and lineage, in the transaction that ends the run."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, bindparam, delete, select
from sqlalchemy import insert as plain_insert
from sqlalchemy import update as plain_update

from serving.issues.identity import Line
from serving.issues.known import ACTIVE, MERGED, PERSON, RUN, Book, Member
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
    """A run's result. `strengths`: every membership there is to be, by (response, issue); `read`: the answers it read.

    `columns` are those of issues that were found; `parents` and `states` of those that are new or changed.
    """

    read: Collection[str]
    strengths: Mapping[Pair, float]
    columns: Mapping[str, Mapping[str, Any]]
    parents: Mapping[str, str | None]
    states: Mapping[str, str]
    lineage: Sequence[Line]


def write(connection: Connection, workspace: str, book: Book, found: Found, now: datetime) -> None:
    """Writes the difference between what is known and what was found; answers erased meanwhile are left out."""
    gone = set(found.read) - _alive(connection, workspace, found.read)
    _write_issues(connection, workspace, book, found, gone, now)
    before = {(uid, id): member for id, issue in book.issues.items() for uid, member in issue.members.items()}
    read = set(found.read)
    removed = [
        pair
        for pair, member in before.items()
        if pair[0] in read and pair not in found.strengths and not _stays(book, found, pair[1], member)
    ]
    _remove(connection, workspace, removed)
    new = [
        (pair, strength)
        for pair, strength in found.strengths.items()
        if pair[0] not in gone and _differs(before.get(pair), strength)
    ]
    put(connection, workspace, new, RUN, now)
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
    rows = []
    for id in born:
        columns = {**_without(found.columns[id], gone), "parent": found.parents.get(id), "state": found.states[id]}
        rows.append(new_issue(workspace, id, columns, now))
    if rows:
        connection.execute(plain_insert(clusters), rows)
    for id in sorted((set(found.columns) | set(found.states)) - set(born)):
        columns = _without(found.columns[id], gone) if id in found.columns else {}
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


def _without(columns: Mapping[str, Any], gone: Collection[str]) -> dict[str, Any]:
    quotes = [each for each in columns["quotes"] if each["response"] not in gone]
    return {**columns, "quotes": quotes}


def _alive(connection: Connection, workspace: str, uids: Collection[str]) -> set[str]:
    """Which of these responses are there, and stay until the transaction ends."""
    found: set[str] = set()
    ordered = sorted(uids)
    for start in range(0, len(ordered), AT_ONCE):
        some = ordered[start : start + AT_ONCE]
        asked = select(responses.c.uid).where(responses.c.workspace == workspace, responses.c.uid.in_(some))
        found.update(
            connection.execute(asked.order_by(responses.c.uid).with_for_update(read=True, key_share=True)).scalars()
        )
    return found


def _remove(connection: Connection, workspace: str, pairs: Sequence[Pair]) -> None:
    if pairs:
        of = cluster_members.c
        this = and_(of.workspace == workspace, of.response == bindparam("uid"), of.cluster == bindparam("id"))
        connection.execute(delete(cluster_members).where(this), [{"uid": uid, "id": id} for uid, id in sorted(pairs)])
