"""docs/taxonomy.md names every route, key, state and figure of the code frame there is."""

from typing import get_args

from fastapi import FastAPI
from loop import ROOT

from serving.frame import schemas as to
from serving.frame.own import MOST_THEMES
from serving.frame.rewriting import MOST_AT_ONCE
from serving.frame.routes import router
from serving.frame.searching import HISTORY

PAGE = (ROOT / "docs" / "taxonomy.md").read_text("utf-8")


def test_every_route_is_named_with_its_method() -> None:
    app = FastAPI()
    app.include_router(router)
    for path, methods in app.openapi()["paths"].items():
        lines = " ".join(line for line in PAGE.splitlines() if line.startswith("| `") and f"{path}`" in line)
        assert all(method.upper() in lines for method in methods), (path, list(methods))


def test_every_key_and_word_is_there() -> None:
    keys = [*to.TaxonomyIn.model_fields, *to.PartIn.model_fields, *to.ThemeReach.model_fields]
    keys += [*to.Rewriting.model_fields, *to.Searching.model_fields, "rewriting", "searching"]
    states = get_args(to.TaxonomyTheme.model_fields["state"].annotation)
    ways = get_args(to.TaxonomyTheme.model_fields["found_by"].annotation)
    for word in (*keys, *states, *ways):
        assert f"`{word}`" in PAGE or f'"{word}"' in PAGE, word
    assert f"{MOST_THEMES} at most" in PAGE
    assert f"{MOST_AT_ONCE:,} answers" in PAGE and f"{HISTORY.days} days" in PAGE
