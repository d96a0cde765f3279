"""Files that people sent to be imported: raw, of any format, so a person is not taken out of them; the file goes."""

import json
from collections.abc import Iterator

from sqlalchemy import Connection, and_, delete, select

from nlp.errors import HolosError
from serving.privacy.person import Person
from serving.store.loop_tables import job_files, jobs

FINISHED = ("done", "failed", "cancelled")
_SEALED = (b"PK\x03\x04", b"PAR1", b"\x1f\x8b")
"""How files begin that words cannot be looked up in: xlsx, Parquet, gzip."""
_ENCODINGS = ("utf-8", "cp1250", "cp1251", "utf-16-le", "utf-16-be")


class UnderWayError(HolosError):
    """An import whose file may hold the person is still to be read: erased now, they would be back in a minute."""


def erase(connection: Connection, workspace: str, person: Person) -> dict[str, int]:
    """Deletes files of finished jobs that may hold the person. Raises UnderWayError for one that is not finished."""
    gone, open_jobs = 0, []
    for job, state, name in list(_holding(connection, workspace, person)):
        if state not in FINISHED:
            open_jobs.append(job)
            continue
        mine = (job_files.c.workspace == workspace, job_files.c.job == job, job_files.c.name == name)
        gone += connection.execute(delete(job_files).where(*mine)).rowcount
    if open_jobs:
        raise UnderWayError(f"import {', '.join(sorted(set(open_jobs)))} is under way; erase when it is done")
    return {"job_files": gone} if gone else {}


def may_hold(data: bytes, names: tuple[str, ...]) -> bool:
    """Whether a file may name one of these; a file that cannot be searched may."""
    if data.startswith(_SEALED):
        return True
    return any(word in data for name in names for word in _spellings(name))


def _holding(connection: Connection, workspace: str, person: Person) -> Iterator[tuple[str, str, str]]:
    assert person.subject.respondent is not None
    names = (person.subject.respondent, *person.sent_ids)
    same = and_(jobs.c.workspace == job_files.c.workspace, jobs.c.id == job_files.c.job)
    asked = select(job_files.c.job, jobs.c.state, job_files.c.name, job_files.c.data).join(jobs, same)
    # one file at a time: each may be as large as an import may be
    asked = asked.where(job_files.c.workspace == workspace).execution_options(yield_per=1)
    for job, state, name, data in connection.execute(asked):
        if may_hold(data, names):
            yield job, state, name


def _spellings(name: str) -> Iterator[bytes]:
    for encoding in _ENCODINGS:
        yield name.encode(encoding, "replace")
    yield json.dumps(name)[1:-1].encode()
    yield name.replace('"', '""').encode()
