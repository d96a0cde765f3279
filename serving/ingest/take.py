"""Taking responses in: read by the model, then kept in one transaction with their cases, rules and events."""

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from nlp.pipeline import Analysis
from nlp.types import Failure, Response
from serving.audit import record
from serving.frame.reading import analyse, framed
from serving.ingest.arrivals import Arrival, Sent, Taken, arrived, is_known, person_of, sent, with_known
from serving.ingest.effects import react
from serving.issues.online import leave
from serving.parts import Parts
from serving.privacy.tombstones import blocked
from serving.store.database import untangled
from serving.store.people import known, remember
from serving.store.saving import Arrived, Saved, by_key, save

Also = Callable[[Connection, Sequence[Taken]], None]
"""What else belongs into the transaction; what it raises undoes all of it."""


@dataclass(frozen=True, slots=True)
class _Read:
    """An arrival that the model has read; `response` is what it was given."""

    place: int
    sent: Sent
    response: Response
    analysis: Analysis


async def take(
    parts: Parts,
    workspace: str,
    items: Sequence[Arrival],
    actor: str,
    *,
    dated: datetime | None = None,
    also: Also | None = None,
) -> list[Taken]:
    """What became of each arrival, in order, once all of it is durable; what is wrong with one stays with it.

    `dated` is the time of answers that have none (now, if left out). Raises what `parts.analyse` raises; nothing is
    kept then.
    """
    dated = dated or parts.clock()
    given, out, fit = await asyncio.to_thread(_look, parts, workspace, items, dated)
    analyses = await analyse(parts, workspace, [response for _, response in fit]) if fit else []
    read: list[_Read] = []
    for (place, response), analysis in zip(fit, analyses, strict=True):
        error = analysis.classification.error
        if error is None:
            read.append(_Read(place, given[place], response, analysis))
        else:
            out[place] = Taken("error", response.id, error=error)
    return await asyncio.to_thread(untangled, lambda: _keep(parts, workspace, read, out, actor, also))


def _look(
    parts: Parts, workspace: str, items: Sequence[Arrival], dated: datetime
) -> tuple[list[Sent], dict[int, Taken], list[tuple[int, Response]]]:
    """The arrivals, what is settled without the model, and the places and responses that are left for it."""
    given = [sent(item, dated) for item in items]
    wrong = ((place, each) for place, each in enumerate(given) if each.failure)
    out = {place: Taken("error", each.response.id, error=each.failure) for place, each in wrong}
    fit = [(place, each) for place, each in enumerate(given) if each.failure is None]
    with parts.database.read() as connection:
        stored = by_key(connection, workspace, (each.key for _, each in fit))
        people = known(connection, workspace, _people(each for _, each in fit))
        erased = blocked(connection, workspace, _people(each for _, each in fit))
    left: list[tuple[int, Response]] = []
    for place, each in fit:
        row = stored.get(each.key)
        if each.respondent in erased:
            out[place] = _refused(each)
        elif row is not None and is_known(parts, each, row):
            out[place] = Taken("duplicate", row["id"], row["uid"], row["effective"])
        else:
            left.append((place, with_known(each, people.get(each.respondent or ""))))
    return given, out, left


def _keep(
    parts: Parts, workspace: str, read: Sequence[_Read], out: dict[int, Taken], actor: str, also: Also | None
) -> list[Taken]:
    now = parts.clock()
    if not read and also is None:
        return _in_order(out)
    ready = [arrived(parts, each.sent, each.response, each.analysis) for each in read]
    with parts.database.write() as connection:
        erased = blocked(connection, workspace, _people(each.sent for each in read))
        if erased:  # while the model read: rare enough to pick them out again
            out = out | {each.place: _refused(each.sent) for each in read if each.sent.respondent in erased}
            read, ready = _without(erased, read, ready)
        ready = framed(connection, parts, workspace, ready, [each.response for each in read])
        saved = save(connection, workspace, ready, now) if ready else []
        changed = [each for each, what in zip(read, saved, strict=True) if what.outcome != "duplicate"]
        remember(connection, workspace, [person for each in changed if (person := person_of(each.sent))])
        leave(connection, workspace, [what.uid for what in saved if what.outcome == "updated"], now)
        react(connection, parts, workspace, saved, now)
        if changed:
            counts = dict(Counter(what.outcome for what in saved))
            record(connection, workspace, actor, "response.take", None, counts, now)
        taken = _in_order(out | {each.place: _taken(what) for each, what in zip(read, saved, strict=True)})
        if also is not None:
            also(connection, taken)
    return taken


def _without(
    erased: Collection[str], read: Sequence[_Read], ready: Sequence[Arrived]
) -> tuple[list[_Read], list[Arrived]]:
    kept = [pair for pair in zip(read, ready, strict=True) if pair[0].sent.respondent not in erased]
    return [each for each, _ in kept], [each for _, each in kept]


def _people(given: Iterable[Sent]) -> set[str]:
    return {each.respondent for each in given if each.respondent}


def _refused(given: Sent) -> Taken:
    detail = "this respondent was erased, and what arrives of them is refused; send it without the respondent"
    return Taken("error", given.response.id, error=Failure("respondent_erased", detail))


def _taken(saved: Saved) -> Taken:
    return Taken(saved.outcome, saved.row["id"], saved.uid, saved.row["effective"])


def _in_order(out: dict[int, Taken]) -> list[Taken]:
    return [out[place] for place in sorted(out)]
