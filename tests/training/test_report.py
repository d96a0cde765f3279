"""The same figures as a table, as JSON and as a page that needs nothing else."""

import io
import json
import re
import subprocess
import sys

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
    assert quality[1] == ["language", *(name for name, _ in COLUMNS)]
    assert [line[:3] for line in quality[2]] == [["all", "2", "0.800"], ["en", "1", "1.000"], ["pl", "1", "0.667"]]
    assert dict(zip(quality[1], quality[2][0], strict=True))["priority 1 P / R"] == "1.000 / 1.000"
    assert dict(zip(quality[1], quality[2][2], strict=True))["priority 1 P / R"] == "-"
    assert themes[2] == [
        ["a", "1.000", "1.000", "1.000", "2", "1.000", "1.000"],
        ["b", "0.000", "0.000", "0.000", "1", "-", "0.000"],
    ]
    assert themes[1][-2:] == ["F1 en", "F1 pl"]


def test_a_comparison_says_which_is_better_where(report):
    _, _, (name, header, lines) = tables(report, DIFFERENCES)
    assert name == "Against" and {len(line) for line in lines} == {len(header)}
    assert lines[0] == ["themes micro-F1", "all", "0.500", "0.750", "+0.100 to +0.400", "better"]
    assert [line[-1] for line in lines] == ["better", "no clear difference", "worse"]


def test_every_table_is_shown(report):
    out = io.StringIO()
    show(report, DIFFERENCES, Console(file=out, width=200))
    for word in ("Quality by language", "Themes", "Against", "0.800", "no clear difference", "F1 pl"):
        assert word in out.getvalue()


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
    assert data["overall"]["themes"] == pytest.approx({"precision": 1.0, "recall": 2 / 3, "f1": 0.8, "support": 3})
    assert data["overall"]["sentiment_confusion"] == {"negative>negative": 1, "mixed>neutral": 1}
    assert data["languages"]["pl"]["justified"] is None
    assert [each["verdict"] for each in data["against"]] == ["better", "no clear difference", "worse"]


def test_the_page_stands_alone_and_escapes_what_it_is_given(row, said, tmp_path):
    rows = [row(language="<pl>", themes=frozenset({"<script>x</script>"}))]
    write(evaluate(rows, [said()]), DIFFERENCES, tmp_path / "r.html", "<b>m</b> & n")
    page = (tmp_path / "r.html").read_text("utf-8")
    assert page.startswith("<!doctype html>") and page.rstrip().endswith("</html>")
    assert "<title>Holos: &lt;b&gt;m&lt;/b&gt; &amp; n</title>" in page
    assert "<script" not in page and "&lt;script&gt;" in page and "<pl>" not in page
    assert not re.search(r"https?://|src=|href=", page)
    assert page.count("<table>") == 3


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
    code = "import sys, training.cli; sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
