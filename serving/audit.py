"""Who read and changed what: rows that are only ever added."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert

from serving.store.loop_tables import audit


def record(
    connection: Connection,
    workspace: str,
    by: str,
    action: str,
    subject: str | None,
    detail: Mapping[str, Any],
    now: datetime,
) -> None:
    """One line of the audit; `action` reads like `case.resolve`, `subject` like `case:0192...`; never a verbatim."""
    row = {"workspace": workspace, "at": now, "by": by, "action": action, "subject": subject, "detail": dict(detail)}
    connection.execute(insert(audit).values(**row))
