"""What people do to issues; every step is audited, and stands through all later runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, delete, func, select, update
from sqlalchemy import insert as plain_insert

from nlp.errors import InputError
from nlp.spread import unit
from serving.audit import record
from serving.issues import spreads, turns
from serving.issues.forgetting import UNNAMED, forget_quotes_in
from serving.issues.identity import Line
from serving.issues.known import ACTIVE, DISMISSED, ENDED, MERGED, PERSON, RUN
from serving.issues.window import decoded, within
from serving.issues.writing import new_issue, put, tell
from serving.store.database import new_id
from serving.store.issue_tables import cluster_members, clusters, improvements
from serving.store.tables import responses, vectors

AT_ONCE = 500


class UnknownIssueError(InputError):
    """There is no such issue in this workspace."""


class IssueChangedError(InputError):
    """Somebody else changed the issue since it was read."""


class IssueStateError(InputError):
    """The issue is in a state, or of a kind, in which this cannot be done."""


@dataclass(frozen=True, slots=True)
class Work:
    """Who works on which workspace's issues, at what time, in which transaction; no run writes meanwhile."""

    connection: Connection
    workspace: str
    by: str
    now: datetime

    def find(self, id: str) -> RowMapping:
        return find(self.connection, self.workspace, id)

    def change(self, row: Mapping[str, Any], **values: Any) -> None:
        """Writes what people decided; the version tells others that they did."""
        mine = (clusters.c.workspace == self.workspace, clusters.c.id == row["id"])
        new = {**values, "version": row["version"] + 1, "updated_at": self.now}
        self.connection.execute(update(clusters).where(*mine).values(new))

    def audit(self, id: str, action: str, detail: Mapping[str, Any]) -> None:
        record(self.connection, self.workspace, self.by, f"cluster.{action}", f"cluster:{id}", detail, self.now)

    def regroup(self) -> None:
        """After a change of what issues there are: they are looked for again soon, and looked up anew at once."""
        turns.ask(self.connection, self.workspace)
        spreads.changed(self.connection, self.workspace, self.now)


def find(connection: Connection, workspace: str, id: str) -> RowMapping:
    """The row of an issue; UnknownIssueError where there is none."""
    asked = select(clusters).where(clusters.c.workspace == workspace, clusters.c.id == id)
    row = connection.execute(asked).mappings().one_or_none()
    if row is None:
        raise UnknownIssueError(f"there is no cluster {id} in this workspace")
    return row


def edit(work: Work, id: str, seen: int | None, values: Mapping[str, Any]) -> None:
    """Names, gives away, mutes or links an issue; IssueChangedError where it is not at the version seen."""
    row = work.find(id)
    if seen is not None and seen != row["version"]:
        raise IssueChangedError("the cluster has changed since it was read; read it again and decide anew")
    work.change(row, **values)
    work.audit(id, "edit", {"fields": sorted(values)})


def merge(work: Work, id: str, into: str) -> None:
    """Makes an issue a part of another: its answers, and those still to come, are shown there."""
    row, other = _whole(work, id), _whole(work, into)
    if id == into:
        raise IssueStateError("into: a cluster cannot be merged into itself")
    work.change(row, state=MERGED, merged_into=into)
    members = _strengths(work, id)
    put(work.connection, work.workspace, [((uid, into), strength) for uid, strength in members.items()], RUN, work.now)
    for part in _parts(work, id):
        work.change(part, parent=into)
    work.change(other, size=_size(work, into))
    tell(work.connection, work.workspace, [Line("merge", id, into, len(members))], work.by, work.now)
    work.audit(id, "merge", {"into": into, "members": len(members)})
    work.regroup()


def split(work: Work, id: str, uids: Sequence[str], name: str | None) -> str:
    """Makes an issue of its own of these members; the two stay apart whatever later runs find. The new issue's id."""
    row = _whole(work, id)
    members, wanted = _strengths(work, id), list(dict.fromkeys(uids))
    strangers = [uid for uid in wanted if uid not in members]
    if strangers:
        raise InputError(f"members: {len(strangers)} are not in this cluster, the first of them {strangers[0]}")
    if len(wanted) == len(members):
        raise IssueStateError("members: these are all of them; leave at least one where it is")
    new = new_id()
    copied = ("keywords", "facts", "first_seen", "last_seen", "trend", "encoder")
    quotes = [quote for quote in row["quotes"] if quote["response"] in set(wanted)]
    columns = {"label": UNNAMED, "quotes": quotes, "impact": None, "name": name, **{each: row[each] for each in copied}}
    columns |= {"centroid": _centroid(work, row, wanted), "size": len(wanted)}
    work.connection.execute(plain_insert(clusters).values(new_issue(work.workspace, new, columns, work.now)))
    _leave(work, id, wanted)
    put(work.connection, work.workspace, [((uid, new), members[uid]) for uid in wanted], PERSON, work.now)
    forget_quotes_in(work.connection, work.workspace, id, wanted)
    work.change(row, size=_size(work, id))
    tell(work.connection, work.workspace, [Line("split", id, new, len(wanted))], work.by, work.now)
    work.audit(id, "split", {"to": new, "members": len(wanted)})
    work.regroup()
    return new


def dismiss(work: Work, id: str) -> None:
    """Takes an issue out of the list and of the alarms; it is found again by later runs, and stays dismissed."""
    row = work.find(id)
    if row["state"] != ACTIVE:
        raise IssueStateError(f"the cluster is {row['state']}; only an active one can be dismissed")
    work.change(row, state=DISMISSED)
    work.audit(id, "dismiss", {})


def restore(work: Work, id: str) -> None:
    """Undoes a dismissal or a merge."""
    row = work.find(id)
    if row["state"] not in (DISMISSED, MERGED):
        raise IssueStateError(f"the cluster is {row['state']}; only a dismissed or merged one can be restored")
    work.change(row, state=ACTIVE, merged_into=None, size=_size(work, id))
    if row["state"] == MERGED:
        uids = list(_strengths(work, id))
        into = work.find(row["merged_into"])
        _leave(work, into["id"], uids)
        forget_quotes_in(work.connection, work.workspace, into["id"], uids)
        work.change(into, size=_size(work, into["id"]))
        tell(work.connection, work.workspace, [Line("undo", into["id"], id, len(uids))], work.by, work.now)
        work.regroup()
    work.audit(id, "restore", {"from": row["state"]})


def improve(work: Work, id: str, action: str, owner: str | None, on: Any) -> str:
    """Attaches an action to an issue, from whose day on its rate is compared; the action's id."""
    work.find(id)
    new = new_id()
    row = {"workspace": work.workspace, "id": new, "cluster": id, "action": action, "owner": owner, "on": on}
    work.connection.execute(plain_insert(improvements).values(**row, by=work.by, made_at=work.now, done=False))
    work.audit(id, "improve", {"improvement": new, "on": on.isoformat()})
    return new


def _whole(work: Work, id: str) -> RowMapping:
    row = work.find(id)
    if row["parent"] is not None:
        raise IssueStateError(f"{id} is a part of {row['parent']}; merge and split whole clusters")
    if row["state"] not in (ACTIVE, DISMISSED):
        raise IssueStateError(f"the cluster {id} is {row['state']}")
    return row


def _strengths(work: Work, id: str) -> dict[str, float]:
    of = cluster_members.c
    mine = (of.workspace == work.workspace, of.cluster == id)
    found = work.connection.execute(select(of.response, of.strength).where(*mine))
    return {uid: strength for uid, strength in found}


def _size(work: Work, id: str) -> int:
    """Members in the window."""
    of = cluster_members.c
    joined = cluster_members.join(responses, (responses.c.workspace == of.workspace) & (responses.c.uid == of.response))
    mine = (of.workspace == work.workspace, of.cluster == id, within(work.workspace, work.now))
    return work.connection.execute(select(func.count()).select_from(joined).where(*mine)).scalar_one()


def _parts(work: Work, id: str) -> Sequence[RowMapping]:
    mine = (clusters.c.workspace == work.workspace, clusters.c.parent == id, clusters.c.state != ENDED)
    return work.connection.execute(select(clusters).where(*mine)).mappings().all()


def _leave(work: Work, id: str, uids: Sequence[str]) -> None:
    """Takes answers out of an issue, its parts and what was merged into it."""
    of, here = cluster_members.c, sorted({id, *_below(work, id)})
    for start in range(0, len(uids), AT_ONCE):
        some = uids[start : start + AT_ONCE]
        mine = (of.workspace == work.workspace, of.cluster.in_(here), of.response.in_(some))
        work.connection.execute(delete(cluster_members).where(*mine))


def _below(work: Work, id: str) -> set[str]:
    asked = select(clusters.c.id, clusters.c.parent, clusters.c.merged_into).where(
        clusters.c.workspace == work.workspace, clusters.c.state != ENDED
    )
    above = {row.id: row.merged_into or row.parent for row in work.connection.execute(asked)}
    found = {id}
    while more := {below for below, up in above.items() if up in found and below not in found}:
        found |= more
    return found - {id}


def _centroid(work: Work, row: Mapping[str, Any], uids: Sequence[str]) -> bytes:
    """Where answers lie as the last run spread them; the issue's own centroid where they have no vectors."""
    kept = spreads.kept(work.connection, work.workspace, row["encoder"])
    data, languages = [], []
    for start in range(0, len(uids), AT_ONCE):
        for found in work.connection.execute(_vectors(work, row["encoder"], uids[start : start + AT_ONCE])):
            data.append(found.data)
            languages.append(found.language or "und")
    if kept is None or not data:
        return row["centroid"]
    points = kept.spread.apply(decoded(data), languages)
    return unit(points.sum(axis=0, keepdims=True))[0].astype("<f4").tobytes()


def _vectors(work: Work, encoder: str, uids: Sequence[str]) -> Select:
    joined = vectors.join(
        responses, (responses.c.workspace == vectors.c.workspace) & (responses.c.uid == vectors.c.response)
    )
    mine = (vectors.c.workspace == work.workspace, vectors.c.encoder == encoder, vectors.c.part == 0)
    asked = select(vectors.c.data, responses.c.language).select_from(joined)
    return asked.where(*mine, vectors.c.response.in_(uids)).order_by(vectors.c.response)
