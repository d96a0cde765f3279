"""Which moments matter, over HTTP's window: the effects of themes and touchpoints on the score or the net score."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from sqlalchemy import Connection

from serving.insights import frame
from serving.insights.explain import Effect, LeftOut, WithoutTheme, explain
from serving.insights.intervals import Estimate, mean_of, sample
from serving.insights.window import Period, Window

Outcome = Literal["score", "net"]

NET = {"promoter": 100.0, "passive": 0.0, "detractor": -100.0}
"""What one answer adds to the net score, which is their mean; 0 for an answer that no scale places."""
WARNING = (
    "Effects are what goes along with a mention while the other themes and touchpoints are held still. Comments are "
    "written by those who feel strongly, and the score and the comment by the same person in the same mood: mending a "
    "theme need not move the score as much."
)


@dataclass(frozen=True, slots=True)
class Drivers:
    """What moves the score of a period, the largest effect on the mean of all first."""

    period: Period
    n: int
    metric: str | None
    left_aside: int
    outcome: Outcome
    mean: Estimate
    explained: float | None
    effects: tuple[Effect, ...]
    themes: tuple[WithoutTheme, ...]
    left_out: tuple[LeftOut, ...]
    warning: str


def drivers(connection: Connection, workspace: str, window: Window, outcome: Outcome) -> Drivers:
    """The effects on the score, or on the net score, of a window's responses on one metric."""
    of = frame.measure(connection, workspace, window)
    found = frame.load(connection, workspace, window, of, "touchpoint")
    mentions = frame.load_mentions(connection, workspace, window, found)
    values = found.score if outcome == "score" else np.array([NET.get(group, 0.0) for group in found.group])
    result = explain(found, mentions, values)
    return Drivers(
        period=window.period,
        n=found.n,
        metric=of.metric,
        left_aside=of.left_aside,
        outcome=outcome,
        mean=mean_of(sample(values)),
        explained=result.explained,
        effects=result.effects,
        themes=result.themes,
        left_out=result.left_out,
        warning=WARNING,
    )
