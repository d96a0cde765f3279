"""One transaction's work on the cases of a workspace: steps that are saved, noted, audited and told together."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping

from serving import audit
from serving.cases import rows
from serving.cases.clock import Clock
from serving.cases.events import CaseEvent
from serving.cases.policy import CasePolicy
from serving.cases.state import transition
from serving.outbox.events import emit

SYSTEM = "system"
"""Who did it where no person did."""

_COPIED = ("response", "respondent", "state", "priority", "reason", "contact", "team", "assignee", "theme", "tags")
_COUNTED = ("unit", "employee", "attempts", "escalation", "version")
_TIMES = ("opened_at", "due_at", "next_attempt_at", "first_contact_at", "breached_at", "resolved_at")


@dataclass(frozen=True, slots=True)
class Work:
    """Who works on which workspace's cases, by what policy, at what time, in which transaction."""

    connection: Connection
    workspace: str
    policy: CasePolicy
    now: datetime
    by: str = SYSTEM

    @property
    def clock(self) -> Clock:
        return self.policy.clock(self.workspace)

    def find(self, id: str) -> RowMapping:
        """A case nobody else can change until the transaction ends; UnknownCaseError where there is none."""
        return rows.find_case(self.connection, self.workspace, id, lock=True)

    def step(self, row: RowMapping, event: CaseEvent, kind: str, detail: Mapping[str, Any]) -> RowMapping:
        """The case after an event, saved and noted in its history as `kind`. Raises what `transition` raises."""
        case = transition(rows.case_of_row(row), event, self.now)
        rows.save(self.connection, self.workspace, row["id"], row["version"], case)
        self.note(row["id"], kind, detail)
        return rows.find_case(self.connection, self.workspace, row["id"])

    def note(self, id: str, kind: str, detail: Mapping[str, Any]) -> None:
        rows.note(self.connection, self.workspace, id, kind, self.by, detail, self.now)

    def audit(self, id: str, action: str, detail: Mapping[str, Any]) -> None:
        audit.record(self.connection, self.workspace, self.by, f"case.{action}", f"case:{id}", detail, self.now)

    def tell(
        self, row: Mapping[str, Any], type: str, more: Mapping[str, Any] | None = None, dedupe: str | None = None
    ) -> bool:
        """Writes an event about a case as its row says; False where it was told before (see `emit`)."""
        data = {**_data(row), **(more or {})}
        return emit(self.connection, self.workspace, type, f"case:{row['id']}", data, self.now, dedupe) is not None


def _data(row: Mapping[str, Any]) -> dict[str, Any]:
    """Enough to route, show and act on an alert without asking back."""
    times = {name: row[name] and row[name].isoformat() for name in _TIMES}
    return {"case": row["id"], **{name: row[name] for name in (*_COPIED, *_COUNTED)}, **times}
