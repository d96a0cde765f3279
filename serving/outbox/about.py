"""What an event is about, as it is in the store now: for whom it is, and what a message says of it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, RowMapping, select

from serving.frame.effective import Frame
from serving.outbox.targets import Channel, Scope
from serving.rules.lineage import lineage_of
from serving.store.loop_tables import cases
from serving.store.tables import responses, tags

Names = frozenset[str]


@dataclass(frozen=True, slots=True)
class About:
    """Whom and what an event concerns; None where it has no such side: a model has no unit, a theme no employee."""

    teams: Names | None = None
    units: Names | None = None
    employees: Names | None = None
    themes: Names | None = None
    case: RowMapping | None = None
    response: RowMapping | None = None


@dataclass(frozen=True, slots=True)
class Addressed:
    """Whom alone an event is for: webhooks by id; channels by id, name or role, with what they are told."""

    webhooks: Names
    notices: Mapping[str, str | None]

    def names(self, channel: Channel) -> bool:
        return channel.id in self.notices or channel.name in self.notices

    def names_role(self, channel: Channel) -> bool:
        return channel.role in self.notices

    def message(self, channel: Channel) -> str | None:
        found = (self.notices.get(word) for word in (channel.id, channel.name, channel.role))
        return next((message for message in found if message), None)


def addressed(event: Mapping[str, Any]) -> Addressed | None:
    """Whom an event names; None for everybody who subscribed."""
    data = event["data"]
    if "webhooks" not in data and "notices" not in data:
        return None
    notices = {notice["to"]: notice.get("message") for notice in data.get("notices", ())}
    return Addressed(frozenset(data.get("webhooks", ())), notices)


def about(connection: Connection, event: Mapping[str, Any]) -> About:
    """Reads the case or response that the event's subject names."""
    kind, _, id = (event["subject"] or "").partition(":")
    case = _case(connection, event["workspace"], id) if kind == "case" else None
    response = _response(connection, event["workspace"], case["response"] if case else id, kind)
    if case is None and response is None and kind not in ("case", "response"):
        theme = id if kind == "theme" else event["data"].get("theme")
        return About(themes=_names([theme]) if isinstance(theme, str) else None)
    themes = _themes(connection, event["workspace"], response["uid"]) if response else []
    return About(
        teams=_names([case and case["team"]]),
        units=_names([response and response["unit"]]),
        employees=_names([case and case["assignee"], response and response["employee"]]),
        themes=_names([case and case["theme"], *themes]),
        case=case,
        response=response,
    )


def within(scope: Scope, found: About, frame: Frame) -> bool:
    """Whether a channel of this scope is for it; a side that the event does not have is not asked about."""
    sides = ((scope.teams, found.teams), (scope.units, found.units), (scope.employees, found.employees))
    if any(asked and has is not None and has.isdisjoint(asked) for asked, has in sides):
        return False
    if not scope.themes or found.themes is None:
        return True
    # an event may be older than the frame: it is about what its theme is called now
    lineage = lineage_of(frame)
    held = {level for theme in found.themes for level in lineage.above(frame.named(theme))}
    return not held.isdisjoint(scope.themes)


def _names(values: Iterable[Any]) -> Names:
    return frozenset(value for value in values if value)


def _case(connection: Connection, workspace: str, id: str) -> RowMapping | None:
    where = (cases.c.workspace == workspace, cases.c.id == id)
    return connection.execute(select(cases).where(*where)).mappings().one_or_none()


def _response(connection: Connection, workspace: str, uid: str, kind: str) -> RowMapping | None:
    if kind not in ("case", "response"):
        return None
    where = (responses.c.workspace == workspace, responses.c.uid == uid)
    return connection.execute(select(responses).where(*where)).mappings().one_or_none()


def _themes(connection: Connection, workspace: str, uid: str) -> list[str]:
    where = (tags.c.workspace == workspace, tags.c.response == uid)
    return list(connection.execute(select(tags.c.theme).where(*where)).scalars())
