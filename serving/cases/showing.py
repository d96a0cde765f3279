"""Cases as answers: rows turned into what the routes give."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from fastapi import Response
from sqlalchemy import RowMapping

from serving import etags
from serving.cases import listing
from serving.cases.rows import case_of_row
from serving.cases.schemas import AttemptOut, CaseHistory, CaseItem, CaseOut, CaseResponse
from serving.cases.state import possible
from serving.cases.work import Work

_ITEM = tuple(name for name in CaseItem.model_fields if name != "overdue")
_RESPONSE = tuple(name for name in CaseResponse.model_fields if name not in ("themes", "priority"))


def item(row: Mapping[str, Any], now: datetime) -> CaseItem:
    """A case as lists show it."""
    return CaseItem(**_item(row, now))


def etag(case: Mapping[str, Any]) -> str:
    return etags.etag(case["version"])


def shown(work: Work, row: RowMapping, answer: Response) -> CaseOut:
    """A case with all that belongs to it; its ETag goes into the answer."""
    answer.headers["ETag"] = etag(row)
    return whole(work, row)


def whole(work: Work, row: RowMapping) -> CaseOut:
    asked = (work.connection, work.workspace, row["id"])
    return CaseOut(
        **_item(row, work.now),
        responses=[_response(each) for each in listing.responses_of(*asked)],
        events=[CaseHistory(**_only(each, CaseHistory)) for each in listing.events_of(*asked)],
        attempt_log=[AttemptOut(**_only(each, AttemptOut)) for each in listing.attempts_of(*asked)],
        possible=list(possible(row["state"])),
    )


def _item(row: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    case = case_of_row(row)
    late = case.owes_contact and case.due_at is not None and case.due_at < now
    return {**{name: row[name] for name in _ITEM}, "overdue": late}


def _response(row: Mapping[str, Any]) -> CaseResponse:
    themes = [tag["id"] for tag in row["effective"].get("themes") or []]
    return CaseResponse(**{name: row[name] for name in _RESPONSE}, themes=themes, priority=row["asks_for"])


def _only(row: Mapping[str, Any], kind: type[CaseHistory] | type[AttemptOut]) -> dict[str, Any]:
    return {name: row[name] for name in kind.model_fields}
