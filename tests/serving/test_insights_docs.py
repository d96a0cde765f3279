"""The page about insights names every route, every figure and every limit there is."""

from dataclasses import fields

import pytest
from fastapi import FastAPI
from loop import ROOT

from serving.insights import digest, drivers, explain, held, loop, outcomes, retention, scores, themes, value, volumes
from serving.insights.routes import router

PAGE = (ROOT / "docs" / "insights.md").read_text("utf-8")
# names and lists, which need no formula
PLAIN = {
    *("period", "every", "by", "id", "name", "overall", "groups", "group", "themes", "theme", "effects", "feature"),
    *("complaints", "praise", "respondents", "mean", "q", "warning", "outcome", "outcomes", "share"),
}


@pytest.mark.parametrize(
    "report",
    [
        *(volumes.Volume, volumes.Volumes, themes.Theme, themes.Themes, digest.Digest, scores.Group, scores.Scores),
        *(explain.Effect, drivers.Drivers, loop.Closure, loop.Loop, retention.Retention, retention.OutcomeCompared),
        *(value.Worth, value.Value, outcomes.Taken),
    ],
)
def test_every_figure_is_explained(report: type) -> None:
    names = {field.name for field in fields(report)} - PLAIN
    missing = {name for name in names if f"`{name}`" not in PAGE and f"`{name}[]`" not in PAGE}
    assert missing == set()


def test_every_route_has_its_place() -> None:
    app = FastAPI()
    app.include_router(router)
    paths = list(app.openapi()["paths"])
    assert len(paths) == 9
    assert [path for path in paths if path not in PAGE] == []


def test_the_limits_are_those_of_the_code() -> None:
    for words in (
        f"groups of fewer than {held.PEOPLE} different people",
        f"from {scores.COMPARED_FROM} scores on either side",
        f"fewer than {explain.MENTIONS} responses",
        f"or {explain.MOST_EFFECTS};",
        f"{loop.MOST_ATTEMPTS} standing for {loop.MOST_ATTEMPTS} and more",
        f"{digest.QUOTE_LENGTH} characters at most",
        f"{outcomes.MOST_ITEMS:,} rows at most",
        f"first {outcomes.REFUSALS_SHOWN}",
    ):
        assert words in PAGE, words
