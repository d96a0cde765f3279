"""Retry as a value: what one try's answer means for the next."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

WAITS = tuple(
    timedelta(seconds=seconds)
    for seconds in (0, 5, 300, 1800, 2 * 3600, 5 * 3600, 10 * 3600, 14 * 3600, 20 * 3600, 24 * 3600)
)
"""Before the first try, the second, ...: the schedule that Standard Webhooks recommends."""
JITTER = 0.1
"""A wait is up to this part shorter or longer, so that receivers that fail together do not come back together."""
LONGEST_WAIT = timedelta(hours=24)
"""A Retry-After beyond the longest wait of the schedule counts as that."""
GONE = 410


@dataclass(frozen=True, slots=True)
class Answer:
    """What one try met: an HTTP status (200 for a channel that took it), or an error in words."""

    status: int | None = None
    retry_after: str | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Delivered:
    """The receiver has it."""


@dataclass(frozen=True, slots=True)
class Again:
    """To be tried at this time."""

    at: datetime


@dataclass(frozen=True, slots=True)
class GiveUp:
    """A dead letter, and why; `disable`: the receiver wants nothing more at all."""

    reason: str
    disable: bool = False


def next_try(tries: int, answer: Answer, now: datetime, random: float) -> Delivered | Again | GiveUp:
    """What follows the `tries`-th try (1 is the first); `random` is in [0, 1)."""
    if answer.status is not None and 200 <= answer.status < 300:
        return Delivered()
    if answer.status == GONE:
        return GiveUp("the receiver answered 410 Gone", disable=True)
    if tries >= len(WAITS):
        return GiveUp(f"{tries} tries failed, the last one with {in_words(answer)}")
    wait = WAITS[tries] * (1 + JITTER * (2 * random - 1))
    asked = retry_after(answer.retry_after, now)
    return Again(now + max(wait, min(asked, LONGEST_WAIT)))


def retry_after(value: str | None, now: datetime) -> timedelta:
    """How long a Retry-After header asks to wait, in seconds or as an HTTP date; zero where it says nothing."""
    nothing = timedelta()
    if value is None:
        return nothing
    value = value.strip()
    if value.isascii() and value.isdigit():
        # ten digits are three centuries, and a timedelta holds no more than thirteen
        return timedelta(seconds=int(value[:10]))
    try:
        date = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return nothing
    date = date if date.tzinfo else date.replace(tzinfo=UTC)
    return max(date - now, nothing)


def in_words(answer: Answer) -> str:
    """One answer, for a log of deliveries."""
    if answer.status is None:
        return answer.error or "no answer"
    redirect = " (redirects are not followed)" if 300 <= answer.status < 400 else ""
    return f"HTTP {answer.status}{redirect}"
