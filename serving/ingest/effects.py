"""What follows from a response that came in or changed: rules, cases and events, in the transaction it is kept in."""

import hashlib
import json
from collections.abc import Container, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from serving.audit import record
from serving.cases.book import open_or_join
from serving.cases.policy import load_case_policy
from serving.frame.store import frame_of
from serving.outbox.events import emit
from serving.parts import Parts
from serving.rules.decision import Decision
from serving.rules.facts import facts_of
from serving.rules.ruleset import current, decide
from serving.store.effective import Fields
from serving.store.responses import correct
from serving.store.saving import Saved, Values, update_rows


def react(connection: Connection, parts: Parts, workspace: str, saved: Sequence[Saved], now: datetime) -> None:
    """Applies the rules in force to what was created or updated, in order."""
    rows = [each.row for each in saved if each.outcome != "duplicate"]
    new = {each.uid for each in saved if each.outcome == "created"}
    apply_rules(connection, parts, workspace, rows, now, new=new)


def apply_rules(
    connection: Connection,
    parts: Parts,
    workspace: str,
    rows: Sequence[Mapping[str, Any]],
    now: datetime,
    *,
    new: Container[str] = (),
) -> None:
    """Decides on each response, opens, joins or moves its case, and writes the events; `new`: uids without a past."""
    rules, frame = current(connection, workspace), frame_of(connection, workspace, parts.taxonomy())
    policy = load_case_policy(parts.settings.data_dir).within(frame)
    labelled: list[Values] = []
    for row in rows:
        decision = decide(rules, facts_of(connection, workspace, row, _themes(row), frame, now))
        labels = list(decision.tags)
        if labels != row["labels"]:
            labelled.append({"uid": row["uid"], "labels": labels})
        row = {**row, "labels": labels}
        # most of what arrives calls for nothing, and need not be asked about one by one
        if row["uid"] not in new or row["priority"] or decision.priority:
            open_or_join(connection, workspace, row, decision, policy, now)
        _tell(connection, workspace, row, decision, now)
    update_rows(connection, workspace, labelled)


def corrected(
    connection: Connection,
    parts: Parts,
    workspace: str,
    uid: str,
    fields: Fields,
    by: str,
    note: str | None,
    now: datetime,
) -> Values | None:
    """A person's correction with all that follows from it; as `serving.store.responses.correct` otherwise."""
    row = correct(connection, parts, workspace, uid, fields, by, note, now)
    if row is not None:
        record(connection, workspace, by, "response.correct", f"response:{uid}", {"fields": sorted(fields)}, now)
        apply_rules(connection, parts, workspace, [row], now)
    return row


def _themes(row: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(tag["id"], tag["sentiment"]["label"]) for tag in row["effective"]["themes"]]


def _tell(connection: Connection, workspace: str, row: Mapping[str, Any], decision: Decision, now: datetime) -> None:
    subject, told = f"response:{row['uid']}", {**_summary(row), "rules": list(decision.matched)}
    if decision.thank:
        emit(connection, workspace, "response.thanked", subject, told, now, f"thanked:{row['uid']}")
    if decision.webhooks or decision.notices:
        whom = {
            "webhooks": list(decision.webhooks),
            "notices": [{"to": notice.to, "message": notice.message} for notice in decision.notices],
        }
        # the same people are not told the same of one response again
        word = hashlib.sha256(json.dumps(whom, sort_keys=True).encode()).hexdigest()
        dedupe = f"flagged:{row['uid']}:{row['revision']}:{word}"
        emit(connection, workspace, "response.flagged", subject, {**told, **whom}, now, dedupe)


def _summary(row: Mapping[str, Any]) -> Values:
    """What an event says of a response: nothing that redaction took out."""
    plain = ("id", "source", "survey", "touchpoint", "channel", "unit", "employee", "respondent", "language", "text")
    found = ("metric", "score", "group", "sentiment", "priority", "signals", "labels")
    return {
        "response": row["uid"],
        **{name: row[name] for name in (*plain, *found)},
        "answered_at": row["answered_at"].isoformat(),
        "themes": [{"id": id, "sentiment": sentiment} for id, sentiment in _themes(row)],
    }
