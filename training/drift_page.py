"""A drift report to read: the verdict first, what changed in sentences, then small tables; as text, HTML or JSON."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from jinja2 import Environment
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from nlp.errors import InputError
from training.drift import ALPHA, SMALLEST_AUC, TOP, Change, Drift, visible_share

NUMBERS = ("length", "score", "confidence", "meaning")  # kinds whose figures are no shares
MOST_LINES = 12  # of a table on the page; JSON has all
PRINTED = 4  # of a kind in the terminal
NAMED = 3  # changes that the verdict names
KINDS = ("language", "theme", "sentiment", "reason given", "signal", "reliability", "length", "score", "confidence")

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Holos: {{ title }}</title>
<style>body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;color:#222}
table{border-collapse:collapse;margin:.5rem 0}td,th{padding:.15rem .7rem;border-bottom:1px solid #ddd;text-align:right}
td:first-child,th:first-child{text-align:left}.verdict{font-size:1.15rem;padding:.7rem 1rem;border-left:5px solid
{{ "#b3261e" if drifted else "#2e7d32" }};background:#f6f6f6}section{display:inline-block;vertical-align:top;
margin-right:2.5rem}tr.on td{font-weight:600}h2{font-size:1rem;margin:1.2rem 0 .2rem}</style><h1>{{ title }}</h1>
<p class="verdict">{{ verdict }}</p>
{% if sentences %}<ol>{% for each in sentences %}<li>{{ each }}</li>{% endfor %}</ol>
{% endif %}{% for name, header, lines in tables %}<section><h2>{{ name }}</h2>
<table><tr>{% for h in header %}<th>{{ h }}</th>{% endfor %}</tr>{% for on, line in lines %}
<tr{% if on %} class="on"{% endif %}>{% for cell in line %}<td>{{ cell }}</td>{% endfor %}</tr>{% endfor %}</table>
</section>{% endfor %}<p>{{ note }}</p></html>
"""


def verdict(drift: Drift) -> str:
    """Drifted or not and why, in one or two sentences."""
    sizes = f"{drift.rows[0]} responses before, {drift.rows[1]} after"
    if drift.drifted:
        first = "; ".join(map(sentence, drift.called[:NAMED]))
        more = len(drift.called) - NAMED
        rest = f"; and {more} more change{'s' * (more > 1)}" if more > 0 else ""
        return f"Drifted: yes, because {first}{rest} ({sizes})."
    seen = visible_share(drift.rows)
    return (
        f"Drifted: no; nothing changed beyond chance and by enough to matter ({sizes}). So many would have shown a "
        f"share of 10 % growing to {seen:.0%}, four times in five."
    )


def sentence(change: Change) -> str:
    """A change in plain words."""
    grew = "rose" if change.after > change.before else "fell"
    shares = f"from {_percent(change.before)} to {_percent(change.after)}"
    if change.kind == "meaning":
        return f"a classifier tells the periods apart by what the texts mean (AUC {change.after:.2f}; chance is 0.50)"
    if change.kind == "length":
        return f"the middle length {grew} from {change.before:.0f} to {change.after:.0f} characters"
    if change.kind in NUMBERS:
        what = "mean score" if change.kind == "score" else "mean confidence"
        if abs(change.after - change.before) < 0.01:
            return f"the {what} {_of(change)} stayed at {change.after:.2f}, but spreads otherwise"
        return f"the {what} {_of(change)} {grew} from {change.before:.2f} to {change.after:.2f}"
    if change.kind == "word":
        return f"texts with the word {change.name} {grew} {shares}"
    subject = {
        "language": "the share of the language",
        "theme": "the theme",
        "signal": "the signal",
        "sentiment": "the sentiment",
        "reason given": "the share of comments read as",
    }.get(change.kind, "the share of")
    name = {"needs review": "answers that need review", "unsupported language": "unsupported languages"}.get(
        change.name
    )
    return f"{subject} {name or change.name} {grew} {shares}"


def _of(change: Change) -> str:
    return f"of {change.name} (0 lowest, 1 highest)" if change.kind == "score" else change.name


def tables(drift: Drift) -> list[tuple[str, list[str], list[tuple[bool, list[str]]]]]:
    """(name, header, lines); a line says whether its change counts, then its cells."""
    out = []
    for kind in KINDS:
        changes = [change for change in drift.changes if change.kind == kind][:MOST_LINES]
        if changes:
            out.append((kind.capitalize(), ["", "before", "after", "q"], [(c.counts, _cells(c)) for c in changes]))
    words = [
        (False, [f"{w.text} ({w.language})", _percent(w.before), _percent(w.after), f"{w.z:+.1f}"])
        for w in drift.words[:MOST_LINES]
    ]
    if words:
        out.append(("Words, share of texts", ["", "before", "after", "z"], words))
    if domain := drift.domain:
        interval = f"{domain.low:.2f} to {domain.high:.2f}"
        line = ["told apart", f"{domain.auc:.2f}", f"{domain.accuracy:.2f}", interval, str(domain.texts)]
        out.append(("Meaning", ["", "AUC", "right", "95 %", "texts"], [(domain.auc >= SMALLEST_AUC, line)]))
    return out


def show(drift: Drift, console: Console) -> None:
    """Prints the verdict, the sentences, and the largest differences of each kind, those that count in bold."""
    console.print(Text(verdict(drift), style="bold"))
    for number, change in enumerate(drift.called[:TOP], 1):
        console.print(Text(f"{number:3}. {sentence(change)}"))
    table = Table(box=SIMPLE, pad_edge=False)
    for column in ("", "", "before", "after", "q"):
        table.add_column(column, justify="right" if column else "left")
    for kind in (*KINDS, "word", "meaning"):
        for number, change in enumerate([each for each in drift.changes if each.kind == kind][:PRINTED]):
            first = "" if number else kind
            table.add_row(Text(first), *map(Text, _cells(change)), style="bold" if change.counts else "")
    console.print(table)


def check_path(path: Path) -> None:
    """InputError where no report could be written to `path`."""
    if path.suffix not in (".html", ".json"):
        raise InputError(f"{path}: a report ends in .html or .json")
    if not path.absolute().parent.is_dir():
        raise InputError(f"{path}: the folder {path.parent} does not exist; make it or name another")


def write(drift: Drift, path: Path, title: str) -> None:
    """Writes the report by the ending of its path: .html, one page, or .json, everything."""
    check_path(path)
    if path.suffix == ".json":
        path.write_text(json.dumps(content(drift, title), ensure_ascii=False, indent=1) + "\n", "utf-8")
        return
    note = f"Bold: beyond chance (false discoveries held to {ALPHA:.0%}) and large enough to matter."
    if drift.undated:
        note += f" {drift.undated} responses without a date were left out."
    page = Environment(autoescape=True).from_string(PAGE)
    path.write_text(
        page.render(
            title=title,
            verdict=verdict(drift),
            drifted=drift.drifted,
            sentences=[sentence(change) for change in drift.called[:TOP]],
            tables=tables(drift),
            note=note,
        ),
        "utf-8",
    )


def content(drift: Drift, title: str) -> dict[str, Any]:
    """Everything that was compared."""
    return {
        "title": title,
        "drifted": drift.drifted,
        "verdict": verdict(drift),
        "rows": {"before": drift.rows[0], "after": drift.rows[1], "undated": drift.undated},
        "top": [sentence(change) for change in drift.called[:TOP]],
        "changes": [_plain(change) for change in drift.changes],
        "words": [asdict(word) for word in drift.words],
        "meaning": asdict(drift.domain) if drift.domain else None,
    }


def _plain(change: Change) -> dict[str, Any]:
    return asdict(change) | {"counts": change.counts}


def _cells(change: Change) -> Sequence[str]:
    if change.kind == "length":
        return [change.name, f"{change.before:.0f}", f"{change.after:.0f}", _q(change.q)]
    if change.kind in NUMBERS:
        return [change.name, f"{change.before:.2f}", f"{change.after:.2f}", _q(change.q)]
    return [change.name, _percent(change.before), _percent(change.after), _q(change.q)]


def _q(q: float) -> str:
    return "<0.001" if q < 0.001 else f"{q:.3f}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %" if share < 0.1 else f"{100 * share:.0f} %"
