"""Erasing a person everywhere in one transaction: their rows, and every trace of them in rows about something else."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from serving.audit import record
from serving.cases.rows import lock_respondent
from serving.issues.forgetting import forget
from serving.privacy import elsewhere, originals
from serving.privacy.person import delete_rows, find_person
from serving.privacy.tombstones import bury, is_buried, pseudonym
from serving.privacy.traces import traces_of
from serving.store.database import Database


@dataclass(frozen=True, slots=True)
class Erased:
    """What was erased: rows by table; `digest` is what the person is called from now on."""

    digest: str
    counts: dict[str, int]
    known: bool
    """False: there was nothing of this person, and there never was."""

    @property
    def subject(self) -> str:
        return subject_of(self.digest)


def subject_of(digest: str) -> str:
    """What the audit calls a person: nothing that tells who it is."""
    return f"respondent:#{digest[:32]}"


def erase(
    connection: Connection, workspace: str, respondent: str, by: str, now: datetime, *, block: bool = False
) -> Erased:
    """Erases a person; `block` refuses what arrives of them later. Raises `originals.UnderWayError` for an import.

    Asking again is no error. What arrives of them while this runs waits for it, and is new data afterwards.
    """
    if connection.dialect.name == "sqlite":
        # what is deleted is overwritten with zeros, not only let go
        connection.exec_driver_sql("PRAGMA secure_delete = ON")
    digest = pseudonym(connection, workspace, respondent, now)
    lock_respondent(connection, workspace, respondent)
    person = find_person(connection, workspace, respondent)
    traces = traces_of(person)
    counts = Counter(originals.erase(connection, workspace, person))
    counts.update(elsewhere.erase_events(connection, workspace, person, traces))
    counts.update(elsewhere.erase_answers(connection, workspace, traces))
    if issues := forget(connection, workspace, person.subject.responses):
        counts["clusters cleaned"] = issues
    counts.update(delete_rows(connection, workspace, person.subject))
    counts.update(elsewhere.erase_traces(connection, workspace, traces, subject_of(digest)))
    known = bool(counts) or is_buried(connection, workspace, digest)
    done = Erased(digest, dict(sorted(counts.items())), known)
    if known or block:
        bury(connection, workspace, digest, by, block, done.counts, now)
        record(connection, workspace, by, "respondent.erase", done.subject, {"block": block, **done.counts}, now)
    return done


def settle(database: Database) -> None:
    """After the transaction: takes what was erased out of SQLite's log too; others' reads may put that off."""
    if database.is_sqlite:
        with database.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.rollback()
