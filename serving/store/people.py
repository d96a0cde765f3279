"""Who answered: one row for each person of a workspace, in which what was heard last stands."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from nlp.types import Scalar
from serving.store.database import insert
from serving.store.saving import AT_ONCE
from serving.store.tables import respondents

_ANSWERS = ("contact_consent", "segment", "value")


@dataclass(frozen=True, slots=True)
class Person:
    """What one answer says of its sender; `at` is when it was given."""

    id: str
    contact_consent: bool | None
    segment: str | None
    value: float | None
    attributes: Mapping[str, Scalar]
    at: datetime


def known(connection: Connection, workspace: str, ids: Iterable[str], *, lock: bool = False) -> dict[str, Person]:
    """Those of these people of whom there is a row; `lock` keeps others from changing it until the transaction ends."""
    wanted = sorted(set(ids))
    found: dict[str, Person] = {}
    for start in range(0, len(wanted), AT_ONCE):
        some = wanted[start : start + AT_ONCE]
        mine = (respondents.c.workspace == workspace, respondents.c.id.in_(some))
        # in one order, so that two batches with the same people wait and never block each other
        statement = select(respondents).where(*mine).order_by(respondents.c.id)
        for row in connection.execute(statement.with_for_update() if lock else statement).mappings():
            said = {name: row[name] for name in _ANSWERS}
            found[row["id"]] = Person(row["id"], **said, attributes=row["attributes"], at=row["updated_at"])
    return found


def remember(connection: Connection, workspace: str, people: Sequence[Person]) -> None:
    """Lays what was said over what is known: the newest word on each thing stands, in whatever order they arrive."""
    if not people:
        return
    found = known(connection, workspace, (person.id for person in people), lock=True)
    for person in people:
        found[person.id] = merged(found[person.id], person) if person.id in found else person
    statement = insert(connection, respondents)
    new = {name: statement.excluded[name] for name in (*_ANSWERS, "attributes", "updated_at")}
    rows = [_row(workspace, found[id]) for id in sorted(found)]
    connection.execute(statement.on_conflict_do_update(index_elements=["workspace", "id"], set_=new), rows)


def merged(one: Person, other: Person) -> Person:
    """Both together; where they differ the later one is right, and what it does not say stays."""
    old, new = (one, other) if one.at <= other.at else (other, one)
    said = {name: _first(getattr(new, name), getattr(old, name)) for name in _ANSWERS}
    return Person(new.id, **said, attributes={**old.attributes, **new.attributes}, at=new.at)


def _first(value: Any, fallback: Any) -> Any:
    return fallback if value is None else value


def _row(workspace: str, person: Person) -> dict[str, Any]:
    said = {name: getattr(person, name) for name in _ANSWERS}
    return {
        "workspace": workspace,
        "id": person.id,
        **said,
        "attributes": dict(person.attributes),
        "updated_at": person.at,
    }
