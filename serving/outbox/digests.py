"""Digests that are due: one event for each channel and scheduled time, delivered like any other."""

from datetime import datetime

from sqlalchemy import Connection, or_, select, update

from serving.outbox.digest_text import has_news, reader_of
from serving.outbox.events import DIGEST
from serving.outbox.hours import Period, last_period
from serving.outbox.spread import send_alone
from serving.outbox.targets import Channel, to_channel
from serving.parts import Parts
from serving.store.loop_tables import channels


def run_once(parts: Parts) -> int:
    """Queues the digests whose time has come; answers how many."""
    now = parts.clock()
    with parts.database.read() as connection:
        found = select(channels).where(channels.c.disabled_at.is_(None), channels.c.digest.is_not(None))
        rows = [to_channel(row) for row in connection.execute(found).mappings()]
    due = [(channel, period) for channel in rows if (period := due_period(channel, now)) is not None]
    return sum(_queue(parts, channel, period, now) for channel, period in due)


def due_period(channel: Channel, now: datetime) -> Period | None:
    """What the digest is about that a channel has not had; only the last one where several were missed."""
    if channel.digest is None:
        return None
    period = last_period(channel.digest, now)
    return period if (channel.last_digest_at or channel.created_at) < period.end else None


def _queue(parts: Parts, channel: Channel, period: Period, now: datetime) -> bool:
    with parts.database.write() as connection:
        if not _mine(connection, channel, period) or not has_news(connection, reader_of(connection, parts, channel)):
            return False
        data = {"from": period.start.isoformat(), "to": period.end.isoformat()}
        send_alone(connection, channel.workspace, "channel", channel.id, DIGEST, data, now)
        return True


def _mine(connection: Connection, channel: Channel, period: Period) -> bool:
    """Whether this process is the one that makes this digest."""
    last = channels.c.last_digest_at
    where = (channels.c.workspace == channel.workspace, channels.c.id == channel.id)
    not_made = or_(last.is_(None), last < period.end)
    done = connection.execute(update(channels).where(*where, not_made).values(last_digest_at=period.end))
    return bool(done.rowcount)
