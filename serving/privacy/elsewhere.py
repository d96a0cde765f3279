"""A person in rows about something else: events and their deliveries, kept answers, jobs, the audit."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, Table, and_, delete, select, tuple_, update

from serving.privacy.person import Person, Subject, chunks
from serving.privacy.traces import ERASED, Traces, without
from serving.problems import STATUS, Code, Problem
from serving.store.access_tables import idempotency
from serving.store.frame_tables import frames
from serving.store.issue_tables import alarms, clusters, improvements
from serving.store.loop_tables import attempts, audit, case_events, deliveries, events, jobs, refusals
from serving.store.tables import corrections

DOCUMENTS: tuple[tuple[Table, tuple[str, ...]], ...] = (
    (events, ("subject", "data", "dedupe")),
    (jobs, ("params", "result", "error")),
    (refusals, ("detail",)),
    (audit, ("subject", "detail")),
    (case_events, ("detail",)),
    (attempts, ("notes",)),
    (corrections, ("note",)),
    (clusters, ("name", "quotes", "title", "title_of")),
    (improvements, ("action",)),
    (alarms, ("sentence",)),
    (frames, ("examples",)),
)
"""Columns that a person may be named or quoted in; the row stays."""
TITLES = ("name", "title", "action", "sentence")
"""Columns whose few words ("damaged parcel") may stand in anybody's verbatim: a whole one alone is a quote there."""
PAGE = 1000
_GONE = Problem(Code.GONE, "the answer of this request was erased with the person it was about")


def erase_events(connection: Connection, workspace: str, person: Person, traces: Traces) -> dict[str, int]:
    """Deletes events about the person's responses and cases, with their deliveries."""
    doomed = tuple(_events_about(connection, workspace, person.subject))
    counts = {"events": 0, "deliveries": 0}
    for some in chunks(doomed):
        of_them = and_(deliveries.c.workspace == workspace, deliveries.c.event.in_(some))
        _free_merged(connection, workspace, of_them)
        counts["deliveries"] += connection.execute(delete(deliveries).where(of_them)).rowcount
        mine = (events.c.workspace == workspace, events.c.id.in_(some))
        counts["events"] += connection.execute(delete(events).where(*mine)).rowcount
    return {name: count for name, count in counts.items() if count}


def erase_answers(connection: Connection, workspace: str, traces: Traces) -> dict[str, int]:
    """Replaces kept answers about the person: their request stays known, sending it again brings nothing back."""
    gone = 0
    for row in _rows(connection, workspace, idempotency, ("answer",)):
        if traces.in_text(row["key"]):
            gone += connection.execute(delete(idempotency).where(_same(idempotency, row))).rowcount
        elif without(row["answer"], traces) is not row["answer"]:
            new = {"status": STATUS[Code.GONE], "answer": _GONE.to_dict("")}
            gone += connection.execute(update(idempotency).where(_same(idempotency, row)).values(new)).rowcount
    return {"idempotency": gone} if gone else {}


def erase_traces(connection: Connection, workspace: str, traces: Traces, alias: str) -> dict[str, int]:
    """Takes the person out of rows that are about something else; subjects of the audit become the alias."""
    counts: dict[str, int] = {}
    for table, names in DOCUMENTS:
        for row in _rows(connection, workspace, table, names):
            new = {name: _cleaned(name, row[name], traces, alias) for name in names}
            new = {name: value for name, value in new.items() if value is not row[name]}
            if new:
                connection.execute(update(table).where(_same(table, row)).values(new))
                counts[f"{table.name} cleaned"] = counts.get(f"{table.name} cleaned", 0) + 1
    return counts


def _cleaned(name: str, value: Any, traces: Traces, alias: str) -> Any:
    if name == "subject" and value in (traces.respondent, f"respondent:{traces.respondent}"):
        return alias
    if name == "dedupe" and value is not None and traces.in_text(value):
        return None  # a word that must be unique: what is replaced must not meet another
    if name == "subject" and value is not None and value.startswith(("response:", "case:")):
        return value  # our own numbers, of rows that are gone
    if name in TITLES and value is not None:
        named = traces.names is not None and traces.names.search(value)
        if named or any(text in value for text in traces.texts):
            return None if name == "title" else ERASED  # no person wrote it: another is asked for
        return value
    return without(value, traces)


def _events_about(connection: Connection, workspace: str, subject: Subject) -> Iterator[str]:
    subjects = [*(f"response:{uid}" for uid in subject.responses), *(f"case:{id}" for id in subject.cases)]
    subjects.append(f"respondent:{subject.respondent}")
    for some in chunks(subjects):
        asked = select(events.c.id).where(events.c.workspace == workspace, events.c.subject.in_(some))
        yield from connection.execute(asked).scalars()


def _free_merged(connection: Connection, workspace: str, going: Any) -> None:
    """Deliveries that a deleted one was to tell of too are due by themselves again."""
    waiting = select(deliveries.c.id).where(going, deliveries.c.state == "pending")
    merged = (deliveries.c.workspace == workspace, deliveries.c.merged_into.in_(waiting))
    connection.execute(update(deliveries).where(*merged).values(state="pending", merged_into=None))


def _rows(connection: Connection, workspace: str, table: Table, names: Sequence[str]) -> Iterator[Any]:
    """These columns of every row, a page at a time: such tables grow long."""
    ids = list(table.primary_key)
    columns = dict.fromkeys([*ids, *(table.c[name] for name in names)])
    asked = select(*columns).where(table.c.workspace == workspace).order_by(*ids).limit(PAGE)
    rows = connection.execute(asked).mappings().all()
    while rows:
        yield from rows
        last = tuple_(*(rows[-1][column.name] for column in ids))
        rows = connection.execute(asked.where(tuple_(*ids) > last)).mappings().all()


def _same(table: Table, row: Any) -> Any:
    return and_(*(column == row[column.name] for column in table.primary_key))
