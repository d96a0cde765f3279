"""Issues as the last run and people left them: who belongs to them, what was merged, what must stay apart."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, func, or_, select

from nlp.births import WINDOWS
from serving.issues.window import LENGTH, within
from serving.store.issue_tables import cluster_lineage, cluster_members, clusters, improvements
from serving.store.tables import responses

ACTIVE, DISMISSED, MERGED, ENDED = "active", "dismissed", "merged", "ended"
RUN, BIRTH, ONLINE, PERSON = "run", "birth", "online", "person"
"""Who put an answer into an issue: a full run, the hourly look that found the issue, the answer itself, people."""
REMEMBERED = timedelta(days=400)
"""An issue that ended can return under its id for a year and a month: what recurs every winter is one issue."""
FRESH = timedelta(days=WINDOWS[-1])
"""For so long after an hourly look found an issue full runs leave it whole: dissolved while the answers that brought it
up are recent, it would be found again, and told again, under another id."""


@dataclass(frozen=True, slots=True)
class Member:
    """One answer's place in one issue."""

    strength: float
    by: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Issue:
    """An issue with its members of the window; `touched`: people named, own, mute, link, dismissed or split it.

    `fresh`: an hourly look found it less than FRESH ago.
    """

    id: str
    parent: str | None
    state: str
    merged_into: str | None
    touched: bool
    first_seen: datetime | None
    last_seen: datetime | None
    members: Mapping[str, Member]
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class Book:
    """All issues of a workspace; `apart`: pairs that people split. `edits` changes with whatever people change."""

    issues: Mapping[str, Issue]
    apart: tuple[tuple[str, str], ...]
    edits: int

    def root(self, id: str) -> str:
        """The issue that people merged this one into, through any number of merges; itself where they did not."""
        seen = {id}
        while (into := self.issues[id].merged_into if id in self.issues else None) and into not in seen:
            seen.add(into)
            id = into
        return id

    def own(self) -> dict[str, frozenset[str]]:
        """The members of each issue that are not there by way of one that was merged into it."""
        lent: dict[str, set[str]] = {}
        for issue in self.issues.values():
            if issue.state == MERGED:
                lent.setdefault(self.root(issue.id), set()).update(issue.members)
        return {id: frozenset(issue.members) - lent.get(id, set()) for id, issue in self.issues.items()}

    def split(self, one: str, other: str) -> bool:
        """Whether people hold these two apart."""
        pair = {self.root(one), self.root(other)}
        return len(pair) == 2 and any({self.root(a), self.root(b)} == pair for a, b in self.apart)


def load_book(connection: Connection, workspace: str, now: datetime) -> Book:
    """Everything known; issues that ended long ago are forgotten."""
    recent = or_(clusters.c.state != ENDED, clusters.c.last_seen > now - REMEMBERED)
    names = ("id", "parent", "state", "merged_into", "name", "owner", "theme", "muted_until", "first_seen", "last_seen")
    asked = select(*(clusters.c[name] for name in names), clusters.c.made_at)
    asked = asked.where(clusters.c.workspace == workspace, recent)
    rows = connection.execute(asked.order_by(clusters.c.id)).mappings().all()
    members = _members(connection, workspace, now)
    worked = set(connection.execute(_improved(workspace)).scalars())
    issues = {row["id"]: _issue(row, members.get(row["id"], {}), row["id"] in worked, now) for row in rows}
    return Book(issues, _split_by_people(connection, workspace, issues), edits(connection, workspace))


def edits(connection: Connection, workspace: str) -> int:
    """A number that grows with every change people make to issues."""
    asked = select(func.coalesce(func.sum(clusters.c.version), 0)).where(
        clusters.c.workspace == workspace, clusters.c.state != ENDED
    )
    done = select(func.count()).select_from(improvements).where(improvements.c.workspace == workspace)
    by_people = select(func.count()).select_from(cluster_lineage)
    lines = by_people.where(cluster_lineage.c.workspace == workspace, cluster_lineage.c.by != RUN)
    return sum(connection.execute(each).scalar_one() for each in (asked, done, lines))


def _issue(row: Mapping[str, Any], members: Mapping[str, Member], worked: bool, now: datetime) -> Issue:
    told = any(row[name] is not None for name in ("name", "owner", "theme", "muted_until"))
    touched = told or worked or row["state"] == DISMISSED or any(each.by == PERSON for each in members.values())
    up = any(each.by == BIRTH for each in members.values()) and row["state"] in (ACTIVE, DISMISSED)
    return Issue(
        row["id"],
        row["parent"],
        row["state"],
        row["merged_into"],
        touched,
        row["first_seen"],
        row["last_seen"],
        members,
        up and row["made_at"] > now - FRESH,
    )


def _members(connection: Connection, workspace: str, now: datetime) -> dict[str, dict[str, Member]]:
    of = cluster_members.c
    joined = cluster_members.join(
        responses, and_(responses.c.workspace == of.workspace, responses.c.uid == of.response)
    )
    asked = select(of.cluster, of.response, of.strength, of.by, of.since).select_from(joined)
    found: dict[str, dict[str, Member]] = {}
    for cluster, uid, strength, by, since in connection.execute(asked.where(within(workspace, now))):
        found.setdefault(cluster, {})[uid] = Member(strength, by, since)
    return found


def _improved(workspace: str):
    return select(improvements.c.cluster).where(improvements.c.workspace == workspace).distinct()


def _split_by_people(connection: Connection, workspace: str, known: Iterable[str]) -> tuple[tuple[str, str], ...]:
    of, names = cluster_lineage.c, set(known)
    asked = select(of["from"], of.to).where(of.workspace == workspace, of.kind == "split", of.by != RUN)
    return tuple((a, b) for a, b in connection.execute(asked.order_by(of.id)) if a in names and b in names)


def over(issue: Issue, now: datetime) -> bool:
    """Whether nothing was said of it for as long as the window is."""
    return issue.last_seen is not None and issue.last_seen <= now - LENGTH
