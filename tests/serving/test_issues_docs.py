"""docs/issues.md names every route, figure, filter, verdict and kind of lineage there is."""

from typing import get_args

from fastapi import FastAPI
from loop import ROOT

from serving.issues import schemas as to
from serving.issues.effect import DAYS, Verdict
from serving.issues.listing import Sort
from serving.issues.promotion import EXAMPLES
from serving.issues.routes import router
from serving.issues.window import LENGTH

PAGE = (ROOT / "docs" / "issues.md").read_text("utf-8")
PLAIN = {"id", "parent", "state", "merged_into", "name", "facts", "owner", "theme", "muted_until", "made_at"}
PLAIN |= {"updated_at", "version"}


def test_every_route_is_named_with_its_method() -> None:
    app = FastAPI()
    app.include_router(router)
    for path, methods in app.openapi()["paths"].items():
        lines = " ".join(line for line in PAGE.splitlines() if line.startswith("| `") and f"{path}`" in line)
        assert all(method.upper() in lines for method in methods), (path, list(methods))


def test_every_figure_is_explained() -> None:
    figures = [name for name in to.ClusterItem.model_fields if name not in PLAIN]
    figures += [f"facts.{name}" for name in to.ClusterFacts.model_fields]
    figures += [name for name in to.ClusterOut.model_fields if name not in to.ClusterItem.model_fields]
    assert [name for name in figures if f"`{name}`" not in PAGE] == []


def test_every_word_of_a_closed_set_is_there() -> None:
    kinds = get_args(to.ClusterLineage.model_fields["kind"].annotation)
    for word in (*get_args(Verdict), *get_args(Sort), *get_args(to.State), *kinds, *to.ClusterEditIn.model_fields):
        assert f"`{word}`" in PAGE, word


def test_the_numbers_are_those_of_the_code() -> None:
    assert f"the last {LENGTH.days} days" in PAGE and f"the {DAYS} days before" in PAGE
    assert f"Its {EXAMPLES} surest answers" in PAGE
