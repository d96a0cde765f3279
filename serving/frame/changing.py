"""What people do to the code frame of their workspace: each change is checked, counted, kept as a version."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from nlp.errors import InputError
from nlp.taxonomy import Theme
from serving.audit import record
from serving.frame import rewriting, searching
from serving.frame.effective import Frame, effective, every_theme
from serving.frame.following import follow, follows_answers
from serving.frame.own import Own, check
from serving.frame.reach import Reach, reach
from serving.frame.renewing import Concerned, concerned, count, renew, uids_of
from serving.frame.store import hold, newest, save
from serving.parts import Parts
from serving.rules.lineage import descendants


class UnknownThemeError(InputError):
    """The code frame of this workspace has no such theme."""


class FrameChangedError(InputError):
    """Somebody else changed the code frame since it was read."""


class ThemeStateError(InputError):
    """The theme is in a state in which this cannot be done."""


@dataclass(frozen=True, slots=True)
class Work:
    """Who changes which workspace's code frame, at what time, in which transaction; `dry`: nothing is changed."""

    connection: Connection
    parts: Parts
    workspace: str
    by: str
    now: datetime
    dry: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """A frame as it is after a change, or would be, and how far the change reaches."""

    frame: Frame
    reach: Reach
    left: int = 0
    """Answers that are left to the background, or would be."""
    job: str | None = None
    """Which rewrites them."""


Make = Callable[[Own, Frame], Own]
"""The own part after a change, of the one before and the frame that it made; raises InputError."""


def put(work: Work, own: Own, seen: int | None) -> Change:
    """Replaces the whole own part; FrameChangedError where it is not at the version seen."""

    def make(before: Own, frame: Frame) -> Own:
        if seen is not None and seen != frame.own_version:
            raise FrameChangedError("the code frame has changed since it was read; read it again and decide anew")
        return own

    return _change(work, "put", None, make)


def merge(work: Work, id: str, into: str) -> Change:
    """Makes a theme a part of another: answers that have it, and those still to come, are shown with that one."""

    def make(own: Own, frame: Frame) -> Own:
        _in_use(frame, id)
        _in_use(frame, into)
        if id == into:
            raise ThemeStateError("into: a theme cannot be merged into itself")
        if into in descendants(id, frame):
            raise ThemeStateError(f"into: {into} lies under {id}; move it first, or merge it into {id}")
        moves = {name: into if up == id else up for name, up in own.moves.items() if name != id}
        themes = tuple(replace(each, parent=into) if each.parent == id else each for each in own.themes)
        return replace(own, themes=themes, moves=moves, merges={**own.merges, id: into})

    return _change(work, "merge", id, make, {"into": into})


def split(work: Work, id: str, into: Sequence[Theme]) -> Change:
    """Puts narrower themes of the workspace's own under a theme; new answers are given those that fit them."""

    def make(own: Own, frame: Frame) -> Own:
        _in_use(frame, id)
        return replace(own, themes=(*own.themes, *(replace(theme, parent=id) for theme in into)))

    return _change(work, "split", id, make, {"into": [theme.id for theme in into]})


def move(work: Work, id: str, parent: str | None) -> Change:
    """Puts a theme, with all that lies under it, under another group or theme, or under none."""

    def make(own: Own, frame: Frame) -> Own:
        theme = _in_use(frame, id)
        if theme.parent == parent:
            raise ThemeStateError(f"parent: {id} is there already")
        if parent is not None and parent != id and parent in descendants(id, frame):
            raise ThemeStateError(f"parent: {parent} lies under {id}; move it first")
        if id in {each.id for each in own.themes}:
            moved = (replace(each, parent=parent) if each.id == id else each for each in own.themes)
            return replace(own, themes=tuple(moved))
        return replace(own, moves={**own.moves, id: parent})

    return _change(work, "move", id, make, {"parent": parent})


def retire(work: Work, id: str) -> Change:
    """Takes a theme out of use: new answers are not given it, those that have it keep it."""

    def make(own: Own, frame: Frame) -> Own:
        _in_use(frame, id)
        return replace(own, retired=tuple(sorted({*own.retired, id})))

    return _change(work, "retire", id, make)


def add(work: Work, theme: Theme, action: str) -> Change:
    """A theme of the workspace's own, as people make it of an issue."""

    def make(own: Own, frame: Frame) -> Own:
        if theme.id in {*frame.ids, *frame.merged, *(each.id for each in (*frame.groups, *frame.retired))}:
            raise InputError(f"theme.id: there is a theme {theme.id} already; link to it, or take another id")
        return replace(own, themes=(*own.themes, theme))

    return _change(work, action, theme.id, make)


def _change(
    work: Work, action: str, subject: str | None, make: Make, detail: Mapping[str, Any] | None = None
) -> Change:
    connection, workspace, base = work.connection, work.workspace, work.parts.taxonomy()
    if not work.dry:
        hold(connection, workspace, change=True)
    version, own = newest(connection, workspace)
    before = effective(base, own, version)
    new = make(own, before)
    check(new, base, own)
    after = effective(base, new, version + 1)
    found = reach(connection, workspace, _touched(before, after, subject if action in _OF_ONE else None))
    others = _others(connection, workspace, before, after)
    uids = uids_of(connection, workspace, others, None, rewriting.MOST_AT_ONCE + 1)
    left = count(connection, workspace, others) if len(uids) > rewriting.MOST_AT_ONCE else 0
    if work.dry:
        return Change(after, found, left)
    save(connection, workspace, version + 1, new, work.by, action, subject, work.now)
    job = rewriting.ask(connection, workspace, version + 1, others, left, work.by, work.now) if left else None
    if not left:
        renew(connection, work.parts, workspace, uids, after)
    if not left or not follows_answers(before, after):
        follow(connection, workspace, before, after, work.now)
    searching.ask(connection, workspace, before, after, work.by, work.now)
    said = {"version": version + 1, **(detail or {}), **asdict(found)}
    record(connection, workspace, work.by, f"taxonomy.{action}", _subject(subject), said, work.now)
    return Change(after, found, left, job)


def _others(connection: Connection, workspace: str, before: Frame, after: Frame) -> Concerned:
    """What the change makes others of; ThemeStateError while answers are still rewritten for an earlier one."""
    found, left = concerned(before, after), rewriting.under_way(connection, workspace)
    if found and left is not None:
        raise ThemeStateError(
            f"{left} answers are still rewritten after an earlier change; themes can be merged and parted again once "
            "GET /v1/taxonomy says `rewriting: null`, all else can be changed now"
        )
    return found


_OF_ONE = ("split",)
"""Changes of what is said of a theme that itself stays as it is."""


def _touched(before: Frame, after: Frame, also: str | None) -> set[str]:
    """Themes that are another one, under another, or in or out of use after a change; with all that lies under them."""
    was, now = ({theme.id: theme.parent for theme in every_theme(frame)} for frame in (before, after))
    retired = [{theme.id for theme in frame.retired} for frame in (before, after)]
    found = {
        id for id in {*was, *now} if was.get(id, id) != now.get(id, id) or (id in retired[0]) != (id in retired[1])
    }
    found |= {before.named(id) for id in {*before.merged, *after.merged} if before.named(id) != after.named(id)}
    moved = {id for id in found if id in was and id in now and was[id] != now[id]}
    found |= {below for id in moved for below in descendants(id, before)}
    return found | ({also} if also else set())


def _in_use(frame: Frame, id: str) -> Theme:
    found = next((theme for theme in frame.themes if theme.id == id), None)
    if found is not None:
        return found
    if id in frame.merged:
        raise ThemeStateError(f"{id} is merged into {frame.merged[id]}")
    if id in {theme.id for theme in frame.retired}:
        raise ThemeStateError(f"{id} is retired")
    raise UnknownThemeError(f"there is no theme {id} in the code frame of this workspace")


def _subject(theme: str | None) -> str:
    return "taxonomy" if theme is None else f"theme:{theme}"
