"""Rows of cases: found, written with a check of their version, and what is noted about them."""

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, bindparam, select, update
from sqlalchemy import insert as plain_insert

from nlp.errors import InputError
from serving.cases.state import ACTIVE, Case
from serving.store.database import insert_of
from serving.store.loop_tables import case_events, case_responses, cases
from serving.store.tables import respondents, responses

_FIELDS = tuple(field.name for field in fields(Case))


class UnknownCaseError(InputError):
    """There is no such case in this workspace."""


class VersionChangedError(InputError):
    """Somebody else changed the case since it was read."""


def case_of_row(row: Mapping[str, Any]) -> Case:
    """The part of a row that changes by transitions."""
    return Case(**{name: row[name] for name in _FIELDS})


def find_case(connection: Connection, workspace: str, id: str, lock: bool = False) -> RowMapping:
    """A case with unit and employee of the response that opened it; UnknownCaseError where there is none."""
    row = _find(connection, workspace, id, lock)
    if row is None:
        raise UnknownCaseError(f"there is no case {id} in this workspace")
    return row


def _find(connection: Connection, workspace: str, id: str, lock: bool) -> RowMapping | None:
    statement = with_response(workspace).where(cases.c.id == id)
    if lock:
        statement = statement.with_for_update(of=cases)
    return connection.execute(statement).mappings().one_or_none()


def with_response(workspace: str) -> Any:
    """Cases of a workspace beside where their first response came from."""
    same = (responses.c.workspace == cases.c.workspace) & (responses.c.uid == cases.c.response)
    named = (responses.c.unit, responses.c.employee, responses.c.text)
    return select(cases, *named).select_from(cases.outerjoin(responses, same)).where(cases.c.workspace == workspace)


def case_of_response(connection: Connection, workspace: str, response: str) -> str | None:
    """The case that a response opened or joined last."""
    return connection.execute(_CASE_OF_RESPONSE, {"in_workspace": workspace, "of": response}).scalar()


def open_case_of(connection: Connection, workspace: str, respondent: str, since: datetime, contact: bool) -> str | None:
    """The newest active case of a person; one that must not lead to a contact takes no response that may."""
    statement = _OPEN_TO_CONTACT if contact else _OPEN
    return connection.execute(statement, {"in_workspace": workspace, "of": respondent, "since": since}).scalar()


def lock_respondent(connection: Connection, workspace: str, respondent: str) -> None:
    """Whoever opens or joins a case of this person next waits until this transaction ends (on SQLite all do)."""
    connection.execute(_LOCK, {"in_workspace": workspace, "of": respondent})


def insert_case(
    connection: Connection, workspace: str, id: str, case: Case, named: Mapping[str, Any]
) -> dict[str, Any]:
    """A new row, which is returned; `named` are the columns that no transition changes."""
    row = {"workspace": workspace, "id": id, **columns_of(case), **named}
    connection.execute(_INSERT_CASE, row)
    return row


def columns_of(case: Case) -> dict[str, Any]:
    return {name: getattr(case, name) for name in _FIELDS}


def save(connection: Connection, workspace: str, id: str, before: int, case: Case) -> None:
    """VersionChangedError where the row is no longer at the version `before`."""
    here = (cases.c.workspace == workspace, cases.c.id == id, cases.c.version == before)
    done = connection.execute(update(cases).where(*here).values(**columns_of(case)))
    if not done.rowcount:
        raise VersionChangedError("the case has changed since it was read; read it again and decide anew")


def add_tags(connection: Connection, workspace: str, id: str, old: list[str], new: tuple[str, ...]) -> None:
    """Tags that rules gave; each stands once."""
    if set(new) - set(old):
        here = (cases.c.workspace == workspace, cases.c.id == id)
        connection.execute(update(cases).where(*here).values(tags=[*old, *(tag for tag in new if tag not in old)]))


def link(
    connection: Connection, workspace: str, id: str, response: str, priority: int | None, reason: str, now: datetime
) -> None:
    """Puts a response into a case, or changes what it asks for there; `joined_at` stays that of the first time."""
    row = {"workspace": workspace, "case": id, "response": response, "joined_at": now}
    connection.execute(_link(connection.dialect.name), {**row, "priority": priority, "reason": reason})


def most_urgent(connection: Connection, workspace: str, id: str) -> RowMapping | None:
    """The priority and reason of the response of a case that asks for the most; None where none asks any more."""
    linked = case_responses.c
    statement = select(linked.priority, linked.reason).where(
        linked.workspace == workspace, linked.case == id, linked.priority.is_not(None)
    )
    ordered = statement.order_by(linked.priority, linked.joined_at, linked.response).limit(1)
    return connection.execute(ordered).mappings().one_or_none()


def note(
    connection: Connection, workspace: str, id: str, kind: str, by: str, detail: Mapping[str, Any], now: datetime
) -> None:
    """One line of the history of a case; never a customer's words."""
    row = {"workspace": workspace, "case": id, "at": now, "kind": kind, "by": by, "detail": dict(detail)}
    connection.execute(_INSERT_EVENT, row)


def _of(table: Any, column: Any) -> tuple[ColumnElement[bool], ...]:
    return table.c.workspace == bindparam("in_workspace"), column == bindparam("of")


@cache
def _link(dialect: str) -> Any:
    statement = insert_of(dialect, case_responses)
    asked = {name: statement.excluded[name] for name in ("priority", "reason")}
    return statement.on_conflict_do_update(index_elements=["workspace", "case", "response"], set_=asked)


# Statements of the way every answer takes are built once: building one takes longer than running it.
_INSERT_CASE, _INSERT_EVENT = plain_insert(cases), plain_insert(case_events)
_LOCK = select(respondents.c.id).where(*_of(respondents, respondents.c.id)).with_for_update()
_CASE_OF_RESPONSE = (
    select(case_responses.c.case)
    .where(*_of(case_responses, case_responses.c.response))
    .order_by(case_responses.c.joined_at.desc())
    .limit(1)
)
_OPEN = (
    select(cases.c.id)
    .where(*_of(cases, cases.c.respondent), cases.c.state.in_(ACTIVE), cases.c.opened_at >= bindparam("since"))
    .order_by(cases.c.opened_at.desc(), cases.c.id.desc())
    .limit(1)
)
_OPEN_TO_CONTACT = _OPEN.where(cases.c.contact)
