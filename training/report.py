"""Figures as text, JSON and one self-contained HTML page."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from jinja2 import Environment
from rich.console import Console
from rich.table import Table
from rich.text import Text

from nlp.errors import InputError
from training.compare import Difference
from training.evaluate import Figures, Report, Score

COLUMNS = (
    ("rows", lambda f: str(f.rows)),
    ("themes micro-F1", lambda f: _f1(f.themes)),
    ("themes macro-F1", lambda f: _number(f.themes_macro_f1)),
    ("theme+sentiment", lambda f: _f1(f.theme_sentiments)),
    ("sentiment (4)", lambda f: _number(f.sentiment_accuracy)),
    ("justified F1", lambda f: _f1(f.justified)),
    ("signals F1", lambda f: _f1(f.signals)),
    (
        "priority 1 P / R",
        lambda f: f"{f.priority_one.precision:.3f} / {f.priority_one.recall:.3f}" if f.priority_one else "-",
    ),
)

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Holos: {{ title }}</title>
<style>body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:68rem;padding:0 1rem}
table{border-collapse:collapse;margin:1rem 0}td,th{padding:.25rem .7rem;border-bottom:1px solid #ddd;text-align:right}
td:first-child,th:first-child{text-align:left}</style><h1>{{ title }}</h1>
{% for name, header, lines in tables %}<h2>{{ name }}</h2>
<table><tr>{% for h in header %}<th>{{ h }}</th>{% endfor %}</tr>
{% for line in lines %}<tr>{% for cell in line %}<td>{{ cell }}</td>{% endfor %}</tr>
{% endfor %}</table>{% endfor %}</html>
"""


def tables(report: Report, differences: Sequence[Difference] = ()) -> list[tuple[str, list[str], list[list[str]]]]:
    """Every table as (name, header, lines of cells)."""
    quality = [["all", *_line(report.overall)], *([lang, *_line(f)] for lang, f in report.by_language.items())]
    themes = [
        [theme, f"{s.precision:.3f}", f"{s.recall:.3f}", f"{s.f1:.3f}", str(s.support), *_by_language(report, theme)]
        for theme, s in sorted(report.overall.per_theme.items())
    ]
    out = [
        ("Quality by language", ["language", *(name for name, _ in COLUMNS)], quality),
        ("Themes", ["theme", "precision", "recall", "F1", "rows", *(f"F1 {x}" for x in report.by_language)], themes),
    ]
    if differences:
        lines = [
            [d.figure, d.group, _number(d.baseline), _number(d.candidate), f"{d.low:+.3f} to {d.high:+.3f}", d.verdict]
            for d in differences
        ]
        out.append(("Against", ["figure", "rows", "baseline", "model", "difference (95 %)", "the model is"], lines))
    return out


def show(report: Report, differences: Sequence[Difference], console: Console) -> None:
    """Prints the tables."""
    for name, header, lines in tables(report, differences):
        # Text, not str: rich would read the brackets of a theme id as markup.
        table = Table(title=name)
        for column in header:
            table.add_column(Text(column))
        for line in lines:
            table.add_row(*map(Text, line))
        console.print(table)


def check_path(path: Path) -> None:
    """InputError where no report could be written to `path`; asked before the work, not after it."""
    if path.suffix not in (".html", ".json"):
        raise InputError(f"{path}: a report ends in .html or .json")
    if not path.parent.is_dir():
        raise InputError(f"{path}: the folder {path.parent} does not exist; make it or name another")


def write(report: Report, differences: Sequence[Difference], path: Path, title: str) -> None:
    """Writes the report by the ending of its path: .html or .json."""
    check_path(path)
    if path.suffix == ".html":
        page = Environment(autoescape=True).from_string(PAGE)
        path.write_text(page.render(title=title, tables=tables(report, differences)), encoding="utf-8")
    else:
        content = {
            "title": title,
            **_plain(report),
            "against": [asdict(d) | {"verdict": d.verdict} for d in differences],
        }
        path.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _plain(report: Report) -> dict:
    return {"overall": _figures(report.overall), "languages": {k: _figures(v) for k, v in report.by_language.items()}}


def _figures(figures: Figures) -> dict:
    confusion = {f"{gold}>{said}": count for (gold, said), count in figures.sentiment_confusion.items()}
    return asdict(figures) | {"sentiment_confusion": confusion}


def _line(figures: Figures) -> list[str]:
    return [read(figures) for _, read in COLUMNS]


def _by_language(report: Report, theme: str) -> list[str]:
    scores = [f.per_theme.get(theme) for f in report.by_language.values()]
    return [_f1(score) if score and score.support else "-" for score in scores]


def _f1(score: Score | None) -> str:
    return f"{score.f1:.3f}" if score else "-"


def _number(value: float | None) -> str:
    return f"{value:.3f}" if value is not None else "-"
