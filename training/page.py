"""A report as one HTML page that needs nothing else: no script, no network, a light and a dark face."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from jinja2 import Environment
from markupsafe import Markup

from training.compare import ALL, Difference
from training.evaluate import Figures, Report, Score
from training.intervals import RESAMPLES, Interval
from training.mistakes import FIRST, JUSTIFIED, MISSED, SENTIMENT, TOLD
from training.plots import difference_lines, reliability_curves, sentiment_heat, theme_bars
from training.report import against, f1, number, parts
from training.tally import MEDIUM_UP_TO, SHORT_UP_TO

CHANCE = 20  # at 95 %, one comparison in so many looks clear although nothing differs
THEME_HEADER = ("theme", "rows", "precision", "recall", "F1")

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Holos: {{ title }}</title>
<style>
:root{color-scheme:light dark;--ink:#1c1f23;--back:#fff;--accent:#1f6feb;--faint:#d9dde3;--quiet:#59636e}
@media (prefers-color-scheme:dark){:root{--ink:#e6e9ee;--back:#15181c;--accent:#5b9dff;--faint:#353b44;--quiet:#a0a9b4}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--back);margin:2rem auto;max-width:86rem;
padding:0 1rem}
h2{margin-top:2.5rem}p{max-width:48rem;color:var(--quiet)}
.wide{overflow-x:auto}summary{cursor:pointer}
table{font-size:13.5px;border-collapse:collapse;margin:1rem 0;font-variant-numeric:tabular-nums}
td,th{padding:.25rem .6rem;border-bottom:1px solid var(--faint);text-align:right;vertical-align:top;white-space:nowrap}
td:first-child,th:first-child{text-align:left}th{white-space:normal}.words td,.words th{text-align:left;
white-space:normal}
svg{max-width:100%;height:auto;display:block;margin:1rem 0}svg *{stroke-linejoin:round;stroke-linecap:butt}
</style></head><body><main><h1>{{ title }}</h1>
{% for part in sections %}<section><h2>{{ part.name }}</h2>
{% if part.note %}<p>{{ part.note }}</p>{% endif %}
{% for plot in part.plots %}{{ plot }}{% endfor %}
{% for table in part.tables %}{% if table.folded %}<details><summary>{{ table.name }}</summary>
{% elif table.name %}<h3>{{ table.name }}</h3>{% endif %}
<div class="wide"><table{% if table.words %} class="words"{% endif %}><thead><tr>
{%- for cell in table.header %}<th scope="col">{{ cell }}</th>{% endfor %}</tr></thead><tbody>
{% for line in table.lines %}<tr>{% for cell in line %}<td>{{ cell }}</td>{% endfor %}</tr>
{% endfor %}</tbody></table></div>{% if table.folded %}</details>{% endif %}{% endfor %}</section>
{% endfor %}</main></body></html>
"""


@dataclass(frozen=True, slots=True)
class Grid:
    """A table; `words` where its cells are text rather than numbers, `folded` under its name until it is opened."""

    header: Sequence[str]
    lines: Sequence[Sequence[str]]
    name: str = ""
    words: bool = False
    folded: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page: plots as SVG, then tables."""

    name: str
    note: str
    tables: Sequence[Grid] = ()
    plots: Sequence[str] = ()


def page(report: Report, differences: Sequence[Difference], title: str) -> str:
    """The whole page."""
    return render(title, list(_sections(report, differences)))


def render(title: str, sections: Sequence[Section]) -> str:
    """Sections as a page; everything but the plots is escaped."""
    shown = [
        {"name": s.name, "note": s.note, "tables": s.tables, "plots": [Markup(plot) for plot in s.plots]}
        for s in sections
    ]
    return Environment(autoescape=True).from_string(PAGE).render(title=title, sections=shown)


def _sections(report: Report, differences: Sequence[Difference]) -> Iterator[Section]:
    overall = report.overall
    yield _quality(report)
    if differences:
        yield _against(differences)
    if overall.per_theme:
        yield _themes(report)
    if overall.sentiment_confusion:
        yield _sentiment(overall)
    if overall.priority_table:
        yield _first(report)
    if report.reliability:
        yield _reliability(report)
    if report.mistakes:
        yield _mistakes(report)


def _quality(report: Report) -> Section:
    header = ["part", "rows", "failed", "themes micro-F1", "themes macro-F1", "themes AP", "theme+sentiment F1"]
    header += ["sentiment accuracy", "sentiment macro-F1", "justified F1", "signals F1"]
    lines = [
        [
            name,
            str(found.rows),
            str(found.failed),
            _score(found.themes),
            _single(found, "themes_macro_f1"),
            number(found.themes_average_precision),
            _score(found.theme_sentiments),
            _single(found, "sentiment_accuracy"),
            _single(found, "sentiment_macro_f1"),
            _score(found.justified),
            _score(found.signals),
        ]
        for name, found in parts(report)
    ]
    note = (
        f"Intervals in brackets: 95 %, rows resampled {RESAMPLES:,} times. "
        f"A short text has up to {SHORT_UP_TO} characters, a medium one up to {MEDIUM_UP_TO}."
    )
    return Section("Quality by language and length", note, [Grid(header, lines)])


def _against(differences: Sequence[Difference]) -> Section:
    clear = [each for each in differences if each.verdict in ("better", "worse")]
    note = (
        f"The model minus the one it is held against, on the same rows. {len(clear)} of {len(differences)} differences "
        f"leave out zero; by chance alone about {len(differences) / CHANCE:.0f} would."
    )
    drawn = [each for each in differences if each.group == ALL or each in clear]
    _, header, lines = against(differences)
    grid = Grid(header, lines, f"All {len(lines)} differences", folded=True)
    return Section("Against", note, [grid], [difference_lines(drawn)])


def _themes(report: Report) -> Section:
    overall = report.overall
    groups = [(name, found) for name, found in parts(report) if name != ALL]
    header = [*THEME_HEADER, "AP", *(f"F1 {name}" for name, _ in groups)]
    lines = []
    for line, theme in _theme_lines(overall):
        there = [found.per_theme.get(theme) for _, found in groups]
        cells = (f1(each) if each and each.support else "-" for each in there)
        lines.append([*line, number(overall.average_precision.get(theme)), *cells])
    folded = [
        Grid(THEME_HEADER, [line for line, _ in _theme_lines(found)], f"Themes, {name}", folded=True)
        for name, found in groups
        if found.per_theme
    ]
    note = "Commonest first. AP: average precision, how well probabilities put the right rows first, at any threshold."
    plots = [theme_bars(overall.per_theme)] if any(s.support for s in overall.per_theme.values()) else []
    return Section("Themes", note, [Grid(header, lines), *folded], plots)


def _theme_lines(found: Figures) -> Iterator[tuple[list[str], str]]:
    """Cells of THEME_HEADER and the theme, the commonest first."""
    for theme, score in sorted(found.per_theme.items(), key=lambda item: (-item[1].support, item[0])):
        yield [theme, *_measures(score)], theme


def _measures(score: Score) -> list[str]:
    ranges = score.ranges
    precision = _ranged(score.precision, ranges and ranges.precision)
    return [str(score.support), precision, _ranged(score.recall, ranges and ranges.recall), _score(score)]


def _sentiment(overall: Figures) -> Section:
    lines = [[mood, *_measures(score)] for mood, score in overall.per_sentiment.items()]
    grid = Grid(["sentiment", *THEME_HEADER[1:]], lines)
    note = "Rows are what the label says, columns what was answered; the stronger the colour, the larger its share."
    return Section("Sentiment", note, [grid], [sentiment_heat(overall.sentiment_confusion)])


def _first(report: Report) -> Section:
    header = ["part", "flagged, right", "flagged, wrong", "missed", "left, right", "precision", "recall"]
    lines = []
    for name, found in parts(report):
        if table := found.priority_table:
            flagged, wanted = table.flagged_right + table.flagged_wrong, table.flagged_right + table.missed
            line = [name, *map(str, (table.flagged_right, table.flagged_wrong, table.missed, table.left_right))]
            line += [_ranged(table.flagged_right / flagged, table.precision) if flagged else "-"]
            lines.append([*line, _ranged(table.flagged_right / wanted, table.recall) if wanted else "-"])
    note = "Who is called first: flagged as priority one against labelled so. Intervals by Wilson."
    return Section("Priority one", note, [Grid(header, lines)])


def _reliability(report: Report) -> Section:
    lines = [
        [name, str(found.count), number(found.error), str(len(found.bins))]
        for name, found in report.reliability.items()
    ]
    note = (
        "Of what is said with a confidence of 0.8, eight in ten should be right: points on the broken line. ECE is the "
        "mean gap over bins of equal mass. Every theme counts those not tagged too, tagged themes what a reader sees."
    )
    grid = Grid(["confidence of", "answers", "ECE", "bins"], lines)
    return Section("Calibration", note, [grid], [reliability_curves(report.reliability)])


def _mistakes(report: Report) -> Section:
    names = {TOLD: "Themes said wrongly", MISSED: "Themes missed", SENTIMENT: "Sentiment"}
    names |= {JUSTIFIED: "Justification", FIRST: "Priority one"}
    header = ["row", "language", "labelled", "answered", "confidence", "read from"]
    grids = [
        Grid(
            header,
            [[m.id, m.language, m.labelled, m.answered, f"{m.confidence:.2f}", " … ".join(m.evidence)] for m in found],
            names[kind],
            words=True,
        )
        for kind, found in report.mistakes.items()
    ]
    note = (
        "Wrong answers that the model was surest of: look at the label as well as the answer. Texts are redacted; "
        "they are customers' words all the same, so share this page with care."
    )
    return Section("Worst errors", note, grids)


def _score(score: Score | None) -> str:
    return _ranged(score.f1, score.ranges and score.ranges.f1) if score else "-"


def _single(found: Figures, name: str) -> str:
    value = getattr(found, name)
    return "-" if value is None else _ranged(value, found.ranges.get(name))


def _ranged(value: float, interval: Interval | None) -> str:
    return f"{value:.3f} ({interval.low:.2f} to {interval.high:.2f})" if interval else f"{value:.3f}"
