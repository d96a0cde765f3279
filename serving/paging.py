"""Keyset pagination: a cursor says after which row the next page starts, whatever was added meanwhile."""

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Query

from serving.problems import Code, ProblemError, problem

Row = TypeVar("Row")
DEFAULT, MOST = 100, 1000

Limit = Annotated[int, Query(ge=1, le=MOST, description="rows in one page")]
Cursor = Annotated[str | None, Query(min_length=1, max_length=2000, description="`next` of the page before")]


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Rows, and the cursor of the page that follows; None on the last one."""

    items: tuple[Row, ...]
    next: str | None


def page(rows: Sequence[Row], limit: int, key: Callable[[Row], Sequence[Any]]) -> Page[Row]:
    """A page of `limit` rows out of `limit + 1` that were asked for: the one too many tells that more follow."""
    kept = tuple(rows[:limit])
    return Page(kept, encode(key(kept[-1])) if len(rows) > limit else None)


def encode(key: Sequence[Any]) -> str:
    """The sort key of a row (JSON values) as an opaque word."""
    return base64.urlsafe_b64encode(json.dumps(list(key)).encode()).decode().rstrip("=")


def decode(cursor: str, length: int) -> list[Any]:
    """The sort key in a cursor; a 400 unless it is one that `encode` made, of this many values."""
    try:
        found = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, list) or len(found) != length:
        raise wrong_cursor()
    return found


def version_in(cursor: str | None) -> int | None:
    """The version that a list of versions, newest first, goes on below; None at its start."""
    if cursor is None:
        return None
    found = decode(cursor, 1)[0]
    if not isinstance(found, int) or isinstance(found, bool) or not 0 < found < 2**31:
        raise wrong_cursor()
    return found


def moment_in(value: Any) -> datetime:
    """A time in a cursor, in UTC; a 400 unless it is one that can be asked for."""
    try:
        found = datetime.fromisoformat(value)
        if found.tzinfo is not None:
            return found.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        pass
    raise wrong_cursor()


def id_in(value: Any) -> str:
    """An id in a cursor; a 400 unless a database can be asked for it."""
    if not isinstance(value, str) or "\x00" in value or not value.isascii():
        raise wrong_cursor()
    return value


def wrong_cursor() -> ProblemError:
    return problem(Code.BAD_CURSOR, "the cursor is none that this list gave; start again without one")
