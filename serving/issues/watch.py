"""Every hour: what rises, falls or returns in each workspace, told once to whom it concerns."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256

import numpy as np
from sqlalchemy import Connection, and_, select

from nlp.emerging import Finding, findings
from serving.frame.store import frame_of
from serving.issues.alarm_policy import AlarmPolicy, load_alarm_policy, policy_of
from serving.issues.alarms import Told, subject_of, window_rows, worth_telling
from serving.issues.known import ENDED, MERGED
from serving.issues.sentence import Reason, dominant, sentence
from serving.issues.series import CLUSTER, COMPLAINTS, THEME, Columns, Key, load_columns, rows_of, tally
from serving.keys import ensure_workspace
from serving.outbox.events import emit
from serving.parts import Parts
from serving.store.columns import NAME
from serving.store.database import insert
from serving.store.issue_tables import alarms, cluster_lineage, clusters
from serving.store.tables import workspaces

FALLING = "falling"


def run_once(parts: Parts) -> int:
    """How many alarms were told; several processes may do this at once, none is told twice."""
    shipped, now = load_alarm_policy(parts.settings.data_dir), parts.clock()
    with parts.database.read() as connection:
        names = connection.execute(select(workspaces.c.id).order_by(workspaces.c.id)).scalars().all()
    return sum(_watch(parts, name, shipped, now) for name in names)


def tell_now(parts: Parts, workspace: str) -> int:
    """The same in one workspace, where something came up just now."""
    return _watch(parts, workspace, load_alarm_policy(parts.settings.data_dir), parts.clock())


def _watch(parts: Parts, workspace: str, shipped: AlarmPolicy, now: datetime) -> int:
    with parts.database.read() as connection:
        policy = policy_of(connection, workspace, shipped)
        columns = load_columns(connection, workspace, parts.taxonomy(), now)
        found = _found(columns, policy, now)
        if not _chosen(connection, workspace, found, columns, policy, now):
            return 0
    with parts.database.write() as connection:
        _take_turn(connection, workspace, now)
        # another process may have told it since: whoever holds the workspace's row sees what was told
        chosen = _chosen(connection, workspace, found, columns, policy, now)
        labels = {key: label(connection, parts, workspace, key) for key in map(subject_of, chosen)}
        return sum(
            _tell(connection, workspace, each, columns, policy, labels[subject_of(each)], now) for each in chosen
        )


def _found(columns: Columns, policy: AlarmPolicy, now: datetime) -> list[Finding]:
    if not len(columns.at):
        return []
    counted = tally(columns, now, policy.zone)
    return findings(counted.series, counted.totals, counted.weekdays, policy.sensitivity)


def _take_turn(connection: Connection, workspace: str, now: datetime) -> None:
    """On SQLite writers take turns anyway."""
    ensure_workspace(connection, workspace, now)
    connection.execute(select(workspaces.c.id).where(workspaces.c.id == workspace).with_for_update())


def _chosen(
    connection: Connection,
    workspace: str,
    found: Sequence[Finding],
    columns: Columns,
    policy: AlarmPolicy,
    now: datetime,
) -> list[Finding]:
    if not found:
        return []
    told = _told(connection, workspace, now - timedelta(days=policy.sensitivity.quiet))
    hidden = _muted(connection, workspace, now)
    return worth_telling(found, columns, told, now, policy.sensitivity, hidden)


def _told(connection: Connection, workspace: str, since: datetime) -> list[Told]:
    """What was told, under what it is now: an issue that a run found to be one with another is that other."""
    of = alarms.c
    asked = select(of.kind, of.subject, of.direction, of.observed, of.days, of.at)
    rows = connection.execute(asked.where(of.workspace == workspace, of.at > since).order_by(of.id)).all()
    into = _merged(connection, workspace, since)
    return [Told(row[0], _followed(row[1], into) if row[0] == CLUSTER else row[1], *row[2:]) for row in rows]


def _merged(connection: Connection, workspace: str, since: datetime) -> dict[str, str]:
    """What issues that are no more went into, the last time."""
    of, own = cluster_lineage.c, clusters.c
    joined = cluster_lineage.join(clusters, and_(own.workspace == of.workspace, own.id == of["from"]))
    gone = and_(of.kind == "merge", of.at > since, own.state.in_((ENDED, MERGED)))
    asked = select(of["from"], of.to).select_from(joined).where(of.workspace == workspace, gone)
    return {before: after for before, after in connection.execute(asked.order_by(of.id)) if before and after}


def _followed(id: str, into: Mapping[str, str]) -> str:
    seen = {id}
    while (after := into.get(id)) and after not in seen:
        seen.add(after)
        id = after
    return id


def _muted(connection: Connection, workspace: str, now: datetime) -> list[Key]:
    of = clusters.c
    asked = select(of.id).where(of.workspace == workspace, of.muted_until > now).order_by(of.id)
    return [(CLUSTER, id) for id in connection.execute(asked).scalars()]


def label(connection: Connection, parts: Parts, workspace: str, key: Key) -> str:
    """What people call a theme, issue or touchpoint."""
    kind, id = key
    if kind == THEME:
        return frame_of(connection, workspace, parts.taxonomy()).label(id)
    if kind != CLUSTER:
        return id
    of = clusters.c
    named = select(of.name, of.label).where(of.workspace == workspace, of.id == id)
    row = connection.execute(named).one_or_none()
    return (row.name or row.label) if row else id


def _tell(
    connection: Connection,
    workspace: str,
    finding: Finding,
    columns: Columns,
    policy: AlarmPolicy,
    name: str,
    now: datetime,
) -> int:
    """Writes the alarm and, unless it falls, the event that wakes people; 0 where that was written before."""
    kind, id = subject_of(finding)
    words = sentence(reason(finding, columns, name, now), policy.language, now, policy.zone)
    event = None
    if finding.direction != FALLING:
        data = {"kind": kind, "id": id, "label": name, "sentence": words, "direction": finding.direction}
        data |= {"observed": finding.observed, "expected": round(finding.expected, 2), "days": finding.days}
        if kind == THEME:
            data["theme"] = id
        type = "cluster.emerging" if kind == CLUSTER else "theme.spike"
        event = emit(connection, workspace, type, f"{kind}:{id}"[:NAME], data, now, _dedupe(finding, now))
        if event is None:
            return 0
    row = {"workspace": workspace, "at": now, "kind": kind, "subject": id, "direction": finding.direction}
    row |= {"observed": finding.observed, "expected": finding.expected, "days": finding.days}
    row |= {"p": finding.p, "q": finding.q, "sentence": words, "event": event}
    connection.execute(insert(connection, alarms).values(**row))
    return 1


def reason(finding: Finding, columns: Columns, name: str, now: datetime) -> Reason:
    """What the sentence of a finding says."""
    kind, _ = subject_of(finding)
    rows = window_rows(finding, columns, now)
    falling = finding.direction == FALLING
    said = {each: getattr(columns, each) for each in ("touchpoint", "unit", "language") if each != kind}
    complaints = finding.kind not in (THEME, CLUSTER)
    return Reason(
        subject=name,
        kind=kind,
        complaints=complaints,
        observed=finding.observed,
        expected=finding.expected,
        days=finding.days,
        negative=None if complaints or falling else _negative(finding, columns, rows),
        dominant=() if falling else dominant({each: value[rows] for each, value in said.items()}, said),
        away=_away(finding, columns, now) if finding.direction == "returning" else None,
    )


def _negative(finding: Finding, columns: Columns, rows: np.ndarray) -> float:
    """Of a theme the mentions that complain of it, of an issue the answers that complain at all."""
    if finding.kind == THEME:
        return float(np.isin(rows, rows_of(columns, COMPLAINTS, finding.id)).mean())
    return float(columns.unhappy[rows].mean())


def _away(finding: Finding, columns: Columns, now: datetime) -> int | None:
    """Whole days between the last answer before the window and the first within."""
    rows = rows_of(columns, finding.kind, finding.id)
    inside = window_rows(finding, columns, now)
    before = np.setdiff1d(rows, inside)
    if not len(before) or not len(inside):
        return None
    return int((columns.at[inside].min() - columns.at[before].max()) / np.timedelta64(1, "D"))


def _dedupe(finding: Finding, now: datetime) -> str:
    """One word for a subject, its direction and the hour; of any length as long as names may be."""
    key = "\0".join((*subject_of(finding), finding.direction))
    return f"alarm:{sha256(key.encode()).hexdigest()}:{now:%Y-%m-%dT%H}"
