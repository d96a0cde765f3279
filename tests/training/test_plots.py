"""Plots: elements that a page can hold in either face, with words beside them."""

import re
import xml.etree.ElementTree as ET

import pytest

from training.compare import Difference
from training.figures import Ranges, Score
from training.intervals import Interval
from training.plots import (
    ACCENT,
    FAINT,
    INK,
    MOST_BARS,
    difference_lines,
    reliability_curves,
    sentiment_heat,
    theme_bars,
)
from training.reliability import Bin, Reliability

HALF = Interval(0.25, 0.75)
SCORES = {f"theme {n}": Score(0.5, 0.5, 0.5, n, Ranges(HALF, None, HALF)) for n in range(4)}


def drawings() -> list[str]:
    return [
        theme_bars(SCORES),
        reliability_curves({"sentiment": Reliability(0.1, 20, (Bin(10, 0.2, 0.3, HALF), Bin(10, 0.8, 0.7, HALF)))}),
        sentiment_heat({("negative", "negative"): 8, ("negative", "mixed"): 2, ("mixed", "failed"): 1}),
        difference_lines([Difference("themes micro-F1", "all", 0.5, 0.6, 0.05, 0.15)]),
    ]


@pytest.mark.parametrize("number", range(4))
def test_a_plot_is_an_element_of_the_page(number):
    svg = drawings()[number]
    root = ET.fromstring(svg)
    assert root.tag == "svg" and root.get("role") == "img" and root.get("aria-label")
    assert "currentColor" in svg and "var(--accent)" in svg
    assert not any(colour in svg for colour in (INK, ACCENT, FAINT, "#000000", "xmlns", "http", "<style", "<image"))


@pytest.mark.parametrize("number", range(4))
def test_references_lead_to_ids_of_the_same_plot(number):
    svg = drawings()[number]
    ids = re.findall(r' id="([^"]+)"', svg)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', svg)) <= {(each, "") for each in ids} | {
        ("", each) for each in ids
    }


def test_the_same_figures_give_the_same_plot():
    assert drawings() == drawings()


def test_themes_are_named_commonest_first_and_without_support_not_at_all():
    svg = theme_bars(SCORES)
    assert [int(n) for n in re.findall(r">theme (\d) \(", svg)] == [3, 2, 1]
    many = theme_bars({f"t{n}": Score(0.5, 0.5, 0.5, n) for n in range(1, 100)})
    assert len(re.findall(r">t\d+ \(", many)) == MOST_BARS and "t99 (99)" in many and ">t1 (" not in many


def test_the_alternative_text_tells_the_figures():
    _, curves, heat, lines = drawings()
    assert "sentiment 0.100" in curves.split(">")[0]
    assert "8 of 11 right" in heat.split(">")[0] and "negative answered as mixed 2" in heat.split(">")[0]
    assert "1 of them clear" in lines.split(">")[0]


def test_an_id_is_no_formula_and_no_markup():
    svg = theme_bars({"$x$ <b>&": Score(0.5, 0.5, 0.5, 1)})
    assert "$x$ &lt;b&gt;&amp; (1)" in svg
