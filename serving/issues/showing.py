"""Issues as answers: rows turned into what the routes give."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from fastapi import Response
from sqlalchemy import Connection

from serving.etags import etag
from serving.issues import listing
from serving.issues import schemas as to
from serving.issues.actions import find
from serving.issues.effect import Rate, effect, rates

_ITEM = tuple(name for name in to.ClusterItem.model_fields if name not in ("title", "title_by", "facts"))
_ALARM = tuple(to.ClusterAlarm.model_fields)
_DONE = ("id", "action", "owner", "on", "by", "made_at")


def item(row: Mapping[str, Any]) -> to.ClusterItem:
    """An issue as lists show it."""
    values = {name: row[name] for name in _ITEM}
    title = row["name"] or row["title"] or row["label"]
    by: to.TitleBy = "person" if row["name"] else "endpoint" if row["title"] else "words"
    return to.ClusterItem(**values, title=title, title_by=by, facts=to.ClusterFacts(**row["facts"]))


def shown(connection: Connection, workspace: str, id: str, now: datetime, answer: Response | None) -> to.ClusterOut:
    """An issue with all that belongs to it; its ETag goes into the answer."""
    row = find(connection, workspace, id)
    if answer is not None:
        answer.headers["ETag"] = etag(row["version"])
    asked = (connection, workspace, id)
    return to.ClusterOut(
        **item(row).model_dump(),
        parts=[item(each) for each in listing.parts_of(*asked)],
        lineage=[_line(each) for each in listing.lineage_of(*asked)],
        improvements=[improvement(connection, workspace, each, now) for each in listing.improvements_of(*asked)],
        alarms=[to.ClusterAlarm(**{name: each[name] for name in _ALARM}) for each in listing.alarms_of(*asked)],
    )


def improvement(connection: Connection, workspace: str, row: Mapping[str, Any], now: datetime) -> to.ImprovementOut:
    """An improvement with the rates before and after it."""
    found = effect(*rates(connection, workspace, row["cluster"], row["on"], now))
    interval = found.interval and to.RatioInterval(low=found.interval.low, high=found.interval.high)
    return to.ImprovementOut(
        **{name: row[name] for name in _DONE},
        before=_rate(found.before),
        after=_rate(found.after),
        ratio=found.ratio,
        interval=interval,
        verdict=found.verdict,
        sentence=found.sentence,
    )


def _rate(rate: Rate) -> to.ClusterRate:
    return to.ClusterRate(count=rate.count, answers=rate.answers, per_1000=rate.per_1000)


def _line(row: Mapping[str, Any]) -> to.ClusterLineage:
    return to.ClusterLineage(**{name: row[name] for name in ("at", "kind", "from", "to", "shared", "by")})
