"""Figures as text, JSON and one self-contained HTML page."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from nlp.errors import InputError
from training.compare import ALL, LENGTH, Difference
from training.evaluate import Figures, Report, Score

Lines = tuple[str, list[str], list[list[str]]]

COLUMNS = (
    ("rows", lambda f: str(f.rows)),
    ("themes micro-F1", lambda f: f1(f.themes)),
    ("themes macro-F1", lambda f: number(f.themes_macro_f1)),
    ("themes AP", lambda f: number(f.themes_average_precision)),
    ("theme+sentiment", lambda f: f1(f.theme_sentiments)),
    ("sentiment (4)", lambda f: number(f.sentiment_accuracy)),
    ("justified F1", lambda f: f1(f.justified)),
    ("signals F1", lambda f: f1(f.signals)),
    (
        "priority 1 P / R",
        lambda f: f"{f.priority_one.precision:.3f} / {f.priority_one.recall:.3f}" if f.priority_one else "-",
    ),
)


def tables(report: Report, differences: Sequence[Difference] = ()) -> list[Lines]:
    """Every table as (name, header, lines of cells)."""
    quality = [[group, *(read(found) for _, read in COLUMNS)] for group, found in parts(report)]
    themes = [
        [
            theme,
            *(f"{value:.3f}" for value in (s.precision, s.recall, s.f1)),
            _range(s),
            number(report.overall.average_precision.get(theme)),
            str(s.support),
            *_by_language(report, theme),
        ]
        for theme, s in sorted(report.overall.per_theme.items())
    ]
    header = ["theme", "precision", "recall", "F1", "F1 (95 %)", "AP", "rows", *(f"F1 {x}" for x in report.by_language)]
    out = [
        ("Quality by language and length", ["part", *(name for name, _ in COLUMNS)], quality),
        ("Themes", header, themes),
    ]
    return [*out, against(differences)] if differences else out


def parts(report: Report) -> Iterator[tuple[str, Figures]]:
    """Every part of the rows by name: all, languages, length bands."""
    yield ALL, report.overall
    yield from report.by_language.items()
    yield from ((LENGTH + band, found) for band, found in report.by_length.items())


def against(differences: Sequence[Difference]) -> Lines:
    """The differences as a table."""
    lines = [
        [d.figure, d.group, number(d.baseline), number(d.candidate), f"{d.low:+.3f} to {d.high:+.3f}", d.verdict]
        for d in differences
    ]
    return "Against", ["figure", "part", "baseline", "model", "difference (95 %)", "the model is"], lines


def show(report: Report, differences: Sequence[Difference], console: Console) -> None:
    """Prints the tables; of a comparison what is clear, and how much is not."""
    clear = [each for each in differences if each.verdict in ("better", "worse")]
    for name, header, lines in tables(report, clear):
        # Text, not str: rich would read the brackets of a theme id as markup.
        table = Table(title=name)
        for column in header:
            table.add_column(Text(column))
        for line in lines:
            table.add_row(*map(Text, line))
        console.print(table)
    if differences:
        console.print(f"{len(differences) - len(clear)} of {len(differences)} figures compared: no clear difference.")


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
        from training.page import page  # draws, which only a page needs

        path.write_text(page(report, differences, title), encoding="utf-8")
    else:
        path.write_text(json.dumps(plain(report, differences, title), ensure_ascii=False, indent=1) + "\n", "utf-8")


def plain(report: Report, differences: Sequence[Difference], title: str) -> dict:
    """The report as JSON values."""
    return {
        "title": title,
        "overall": _figures(report.overall),
        "languages": {name: _figures(each) for name, each in report.by_language.items()},
        "lengths": {name: _figures(each) for name, each in report.by_length.items()},
        "reliability": {name: asdict(each) for name, each in report.reliability.items()},
        "mistakes": {kind: [asdict(each) for each in found] for kind, found in report.mistakes.items()},
        "against": [asdict(each) | {"verdict": each.verdict} for each in differences],
    }


def _figures(figures: Figures) -> dict:
    confusion = {f"{gold}>{said}": count for (gold, said), count in figures.sentiment_confusion.items()}
    return asdict(figures) | {"sentiment_confusion": confusion}


def _by_language(report: Report, theme: str) -> list[str]:
    scores = [f.per_theme.get(theme) for f in report.by_language.values()]
    return [f1(score) if score and score.support else "-" for score in scores]


def f1(score: Score | None) -> str:
    """A cell."""
    return f"{score.f1:.3f}" if score else "-"


def number(value: float | None) -> str:
    """A cell."""
    return f"{value:.3f}" if value is not None else "-"


def _range(score: Score) -> str:
    return f"{score.ranges.f1.low:.2f} to {score.ranges.f1.high:.2f}" if score.ranges and score.ranges.f1 else "-"
