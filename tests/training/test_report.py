"""The same figures as a table, as JSON and as a page that needs nothing else."""

import io
import json
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from rich.console import Console

from nlp.errors import InputError
from training.cli import evaluate as evaluate_files
from training.compare import Difference
from training.evaluate import evaluate
from training.report import COLUMNS, show, tables, write


@pytest.fixture
def report(row, said):
    rows = [
        row("1", language="pl", themes=frozenset("ab"), theme_sentiments={"a": "negative"}, sentiment="negative"),
        row("2", language="en", themes=frozenset("a"), sentiment="mixed", justified=True, priority=1),
    ]
    found = [said("1", {"a": "negative"}, "negative"), said("2", {"a": "neutral"}, "neutral", True, priority=1)]
    return evaluate(rows, found)


DIFFERENCES = [
    Difference("themes micro-F1", "all", 0.5, 0.75, 0.1, 0.4),
    Difference("sentiment accuracy", "pl", 0.5, 0.25, -0.5, 0.0),
    Difference("sentiment accuracy", "en", 0.5, 0.25, -0.5, -0.125),
]


def test_the_tables_say_what_was_counted(report):
    quality, themes = tables(report)
    assert quality[1] == ["part", *(name for name, _ in COLUMNS)]
    assert [line[:3] for line in quality[2]] == [
        ["all", "2", "0.800"],
        ["en", "1", "1.000"],
        ["pl", "1", "0.667"],
        ["length: short", "2", "0.800"],
    ]
    assert dict(zip(quality[1], quality[2][0], strict=True))["priority 1 P / R"] == "1.000 / 1.000"
    assert dict(zip(quality[1], quality[2][2], strict=True))["priority 1 P / R"] == "-"
    assert themes[2] == [
        ["a", "1.000", "1.000", "1.000", "1.00 to 1.00", "-", "2", "1.000", "1.000"],
        ["b", "0.000", "0.000", "0.000", "0.00 to 0.00", "-", "1", "-", "0.000"],
    ]
    assert themes[1][-2:] == ["F1 en", "F1 pl"]


def test_a_comparison_says_which_is_better_where(report):
    _, _, (name, header, lines) = tables(report, DIFFERENCES)
    assert name == "Against" and {len(line) for line in lines} == {len(header)}
    assert lines[0] == ["themes micro-F1", "all", "0.500", "0.750", "+0.100 to +0.400", "better"]
    assert [line[-1] for line in lines] == ["better", "no clear difference", "worse"]


def test_of_a_comparison_only_what_is_clear_is_shown(report):
    out = io.StringIO()
    show(report, DIFFERENCES, Console(file=out, width=200))
    shown = out.getvalue()
    for word in ("Quality by language", "Themes", "Against", "0.800", "F1 pl", "+0.100 to +0.400", "-0.500 to -0.125"):
        assert word in shown
    assert "-0.500 to +0.000" not in shown
    assert "1 of 3 figures compared: no clear difference." in shown


def test_texts_are_kept_out_of_what_is_printed(row, said):
    rows = [row(text="a secret of mine", sentiment="mixed")]
    report = evaluate(rows, [replace(said(), text="a secret of mine")])
    out = io.StringIO()
    show(report, (), Console(file=out, width=200))
    assert "secret" not in out.getvalue() and report.mistakes["sentiment"][0].evidence == ("a secret of mine",)


@pytest.mark.parametrize("theme", ["price[net]", "odd[/]"])
def test_a_theme_with_brackets_is_shown_as_it_is(row, said, theme):
    out = io.StringIO()
    rows = [row(themes=frozenset({theme}))]
    show(evaluate(rows, [said(themes={theme: "neutral"})]), (), Console(file=out, width=200))
    assert theme in out.getvalue()


def test_the_json_holds_every_figure(report, tmp_path):
    write(report, DIFFERENCES, tmp_path / "r.json", "m on żółw")
    data = json.loads((tmp_path / "r.json").read_text("utf-8"))
    assert data["title"] == "m on żółw" and set(data["languages"]) == {"en", "pl"}
    themes = data["overall"]["themes"]
    ranges = themes.pop("ranges")
    assert themes == pytest.approx({"precision": 1.0, "recall": 2 / 3, "f1": 0.8, "support": 3})
    assert ranges["f1"]["low"] <= 0.8 <= ranges["f1"]["high"]
    assert data["lengths"]["short"]["rows"] == 2
    assert data["overall"]["priority_table"]["flagged_right"] == 1
    assert [each["labelled"] for each in data["mistakes"]["sentiment"]] == ["mixed"]
    assert set(data["reliability"]) == {"tagged themes", "sentiment", "justified"}
    assert data["overall"]["sentiment_confusion"] == {"negative>negative": 1, "mixed>neutral": 1}
    assert data["languages"]["pl"]["justified"] is None
    assert [each["verdict"] for each in data["against"]] == ["better", "no clear difference", "worse"]


def test_the_page_stands_alone_and_escapes_what_it_is_given(row, said, tmp_path):
    bad = "<script>x</script>"
    rows = [
        row(bad, bad, language="<pl>", themes=frozenset({bad, "$a$"}), sentiment="mixed", justified=False, priority=1)
    ]
    found = [replace(said(themes={f"--><b>{bad}": "mixed"}, justified=True), text=bad)]
    differences = [*DIFFERENCES, Difference("theme F1", bad, 0.1, 0.9, 0.5, 0.9)]
    write(evaluate(rows, found, [bad], np.full((1, 1), 0.2)), differences, tmp_path / "r.html", "<b>m</b> & n")
    page = (tmp_path / "r.html").read_text("utf-8")
    assert page.startswith("<!doctype html>") and page.rstrip().endswith("</html>")
    assert "<title>Holos: &lt;b&gt;m&lt;/b&gt; &amp; n</title>" in page
    assert "<script" not in page and "&lt;script&gt;" in page and "<pl>" not in page and "<b>" not in page
    assert not re.search(r"https?://|src=|href=\"(?!#)|@import|url\((?!#)", page)
    for name in ("Quality", "Against", "Themes", "Sentiment", "Priority one", "Calibration", "Worst errors"):
        assert f"<h2>{name}" in page


def test_the_page_is_well_formed_with_each_id_once(report, tmp_path):
    write(report, DIFFERENCES, tmp_path / "r.html", "t")
    page = (tmp_path / "r.html").read_text("utf-8")
    open_tags: list[str] = []
    ids: list[str] = []

    class Walk(HTMLParser):
        def handle_starttag(self, tag, attrs):
            ids.extend(value for name, value in attrs if name == "id")
            if tag not in ("meta",):
                open_tags.append(tag)

        def handle_startendtag(self, tag, attrs):
            ids.extend(value for name, value in attrs if name == "id")

        def handle_endtag(self, tag):
            assert open_tags.pop() == tag

    Walk().feed(page)
    assert open_tags == [] and ids and len(ids) == len(set(ids))
    assert page.count('<svg role="img" aria-label="') == page.count("<svg") == 4


@pytest.mark.parametrize("name", ["report.txt", "report", "report.HTM"])
def test_another_ending_is_refused(report, tmp_path, name):
    with pytest.raises(InputError, match=f"{name}.*html or .json"):
        write(report, (), tmp_path / name, "t")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["report.txt", "nowhere/report.json"])
def test_a_report_that_cannot_be_written_is_refused_before_scoring(tmp_path, name):
    nothing = tmp_path / "there-is-nothing-here"
    with pytest.raises(InputError, match=name.split("/")[0]):
        evaluate_files(nothing, nothing, None, tmp_path / name, nothing, nothing)


def test_scoring_needs_no_torch():
    code = "import sys, training.cli; sys.exit(any(m in sys.modules for m in ('torch', 'transformers', 'matplotlib')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
