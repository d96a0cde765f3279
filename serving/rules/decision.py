"""What a workspace's rules decide about one response."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Notice:
    """Somebody to be told: a channel by its id or name, or everybody of a role (`frontline`, `manager`, `team`)."""

    to: str
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """The actions of the rules that matched, put together; where two set one thing the earlier rule wins."""

    priority: int | None = None
    """1 to 4; None: the priority policy's stands."""
    team: str | None = None
    assignee: str | None = None
    tags: tuple[str, ...] = ()
    notices: tuple[Notice, ...] = ()
    webhooks: tuple[str, ...] = ()
    """Ids of webhooks that get a `response.flagged` event of their own."""
    thank: bool = False
    no_contact: bool = False
    matched: tuple[str, ...] = ()
    """Ids of the rules that matched, in order."""
