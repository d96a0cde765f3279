"""Column types that mean the same on SQLite and PostgreSQL."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Column, DateTime, Integer, String, TypeDecorator
from sqlalchemy.dialects.postgresql import JSONB

from nlp.errors import InputError

ID = 64
"""Characters of an id: a UUID's 32, or a name people gave."""
NAME = 512
"""Characters of what senders name themselves: their ids, surveys, touchpoints, units."""


class Moment(TypeDecorator[datetime]):
    """A point in time: aware in, UTC out. SQLite keeps no zone, so a naive time is refused, not guessed."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise InputError(f"the time {value.isoformat()} has no offset; give one, as in 2026-11-02T09:30:00+01:00")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


Json = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
"""Objects and lists; None is NULL."""

Serial = BigInteger().with_variant(Integer, "sqlite")
"""A number the database counts up; SQLite counts only `INTEGER` primary keys."""


def workspace() -> Column[str]:
    return Column("workspace", String(ID), primary_key=True)


def serial() -> Column[int]:
    return Column("id", Serial, primary_key=True, autoincrement=True)
