"""The rules in force over responses decided on before: cases are ranked and routed anew, nobody is told again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, and_, select

from nlp.errors import InputError
from serving.cases.book import Opened, open_or_join, reprioritise
from serving.cases.policy import CasePolicy, load_case_policy
from serving.cases.state import ACTIVE
from serving.frame.store import frame_of
from serving.parts import Parts
from serving.rules.facts import facts_of
from serving.rules.ruleset import current, decide
from serving.store.loop_tables import case_responses, cases
from serving.store.saving import update_rows
from serving.store.tables import responses, tags

CHUNK = 200
"""Responses in one transaction: others who write wait for its end."""
MOST = 10_000
"""Responses of one call, which answers when all are done."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What applying the rules again did; `cases` are those that were open and changed."""

    responses: int = 0
    relabelled: int = 0
    cases: int = 0
    opened: int = 0

    def __add__(self, other: "Changes") -> "Changes":
        return Changes(
            self.responses + other.responses,
            self.relabelled + other.relabelled,
            self.cases + other.cases,
            self.opened + other.opened,
        )


def apply_again(
    parts: Parts, workspace: str, since: datetime, until: datetime, open_new: bool, by: str, now: datetime
) -> Changes:
    """Decides anew on the responses of a period that have open cases, with `open_new` on all of it.

    Thank-yous, notices and webhooks are left out: what they would tell of is past. Raises InputError for more than
    10,000 responses.
    """
    with parts.database.read() as connection:
        uids = _uids(connection, workspace, since, until, open_new)
    if len(uids) > MOST:
        raise InputError(f"the period has more than {MOST} responses; apply the rules to shorter ones in turn")
    policy, done = load_case_policy(parts.settings.data_dir), Changes()
    for start in range(0, len(uids), CHUNK):
        with parts.database.write() as connection:
            done += _chunk(connection, parts, workspace, uids[start : start + CHUNK], policy, open_new, by, now)
    return done


def _chunk(
    connection: Connection,
    parts: Parts,
    workspace: str,
    uids: Sequence[str],
    policy: CasePolicy,
    open_new: bool,
    by: str,
    now: datetime,
) -> Changes:
    rules, frame = current(connection, workspace), frame_of(connection, workspace, parts.taxonomy())
    policy = policy.within(frame)
    tagged, before = _tags(connection, workspace, uids), _case_versions(connection, workspace, uids)
    labelled: list[dict[str, Any]] = []
    found: list[Opened | None] = []
    rows = _rows(connection, workspace, uids)
    for row in rows:
        # the calendar is that of its arrival, as it is in a replay: the preview holds
        facts = facts_of(connection, workspace, row, tagged.get(row["uid"], ()), frame, row["received_at"])
        decision = decide(rules, facts)
        if list(decision.tags) != row["labels"]:
            labelled.append({"uid": row["uid"], "labels": list(decision.tags)})
        change = open_or_join if open_new else reprioritise
        found.append(change(connection, workspace, row, decision, policy, now, by))
    update_rows(connection, workspace, labelled)
    after = _case_versions(connection, workspace, uids)
    moved = sum(version != after.get(case) for case, version in before.items())
    opened = sum(each is not None and each.outcome == "opened" for each in found)
    return Changes(len(rows), len(labelled), moved, opened)


def _uids(connection: Connection, workspace: str, since: datetime, until: datetime, every: bool) -> list[str]:
    column = responses.c.answered_at
    held = responses.c.workspace == workspace, column >= since, column < until
    asked = select(responses.c.uid).where(*held).order_by(column, responses.c.uid).limit(MOST + 1)
    if not every:
        asked = asked.where(responses.c.uid.in_(_in_open_cases(workspace)))
    return list(connection.execute(asked).scalars())


def _in_open_cases(workspace: str) -> Any:
    of = and_(cases.c.workspace == case_responses.c.workspace, cases.c.id == case_responses.c.case)
    found = select(case_responses.c.response).select_from(case_responses.join(cases, of))
    return found.where(cases.c.workspace == workspace, cases.c.state.in_(ACTIVE))


def _rows(connection: Connection, workspace: str, uids: Sequence[str]) -> Sequence[RowMapping]:
    held = responses.c.workspace == workspace, responses.c.uid.in_(uids)
    asked = select(responses).where(*held).order_by(responses.c.answered_at, responses.c.uid)
    return connection.execute(asked).mappings().all()


def _tags(connection: Connection, workspace: str, uids: Sequence[str]) -> Mapping[str, list[tuple[str, str]]]:
    asked = select(tags.c.response, tags.c.theme, tags.c.sentiment).order_by(tags.c.theme)
    found: dict[str, list[tuple[str, str]]] = {}
    for uid, theme, mood in connection.execute(asked.where(tags.c.workspace == workspace, tags.c.response.in_(uids))):
        found.setdefault(uid, []).append((theme, mood))
    return found


def _case_versions(connection: Connection, workspace: str, uids: Sequence[str]) -> dict[str, int]:
    of = and_(cases.c.workspace == case_responses.c.workspace, cases.c.id == case_responses.c.case)
    asked = select(cases.c.id, cases.c.version).select_from(cases.join(case_responses, of))
    held = cases.c.workspace == workspace, case_responses.c.response.in_(uids)
    return {id: version for id, version in connection.execute(asked.where(*held))}
