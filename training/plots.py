"""Plots of a report as inline SVG: text stays text, colours are the page's own, nothing is loaded from elsewhere."""

import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from nlp.types import MOODS
from training.compare import Difference
from training.figures import Score
from training.reliability import Reliability
from training.tally import FAILED

# Colours that stand in a drawing for the page's: the page has a light and a dark face.
INK, ACCENT, FAINT = "#010203", "#040506", "#070809"
FACES = {INK: "currentColor", ACCENT: "var(--accent)", FAINT: "var(--faint)"}
WIDTH = 8.6  # inches
LINE = 0.23  # inches a bar or a difference takes
DEEPEST = 0.6  # of a heat map's colour: the numbers on it must be read on either face
MOST_BARS = 60  # themes on a plot; the table has all

SETTINGS = {
    "svg.fonttype": "none",
    "font.size": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    **dict.fromkeys(("text.color", "axes.labelcolor", "xtick.color", "ytick.color", "axes.edgecolor"), INK),
    "grid.color": FAINT,
    "axes.axisbelow": True,
}


def theme_bars(scores: Mapping[str, Score]) -> str:
    """F1 of each theme with its interval, the commonest on top."""
    kept = sorted((item for item in scores.items() if item[1].support), key=lambda item: (-item[1].support, item[0]))
    kept = kept[:MOST_BARS]
    with _drawing("themes", height=0.9 + LINE * len(kept)) as (figure, out):
        axes = figure.add_subplot()
        for place, (_, score) in enumerate(kept):
            axes.barh(place, score.f1, color=ACCENT, alpha=0.55, height=0.7)
            if score.ranges and (f1 := score.ranges.f1):
                axes.plot([f1.low, f1.high], [place, place], color=INK, linewidth=1.3)
        _lines(axes, [f"{theme} ({score.support})" for theme, score in kept])
        axes.set_xlim(0, 1)
        axes.set_xlabel("F1; the line is the 95 % interval; labelled rows in brackets")
    return _described(out(), f"Bar chart of F1 for {len(kept)} themes with intervals; the table below has the numbers.")


def reliability_curves(found: Mapping[str, Reliability]) -> str:
    """Confidence against the share that was right, a panel each."""
    with _drawing("reliability", height=2.9) as (figure, out):
        for number, (name, each) in enumerate(found.items(), 1):
            axes = figure.add_subplot(1, len(found), number)
            axes.plot([0, 1], [0, 1], color=INK, alpha=0.5, linewidth=0.8, linestyle=(0, (4, 3)))
            for bin in each.bins:
                axes.plot(
                    [bin.confidence] * 2, [bin.interval.low, bin.interval.high], color=INK, linewidth=0.8, alpha=0.6
                )
            axes.plot(
                [b.confidence for b in each.bins], [b.right for b in each.bins], "o-", color=ACCENT, markersize=3.5
            )
            axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="confidence", xticks=(0, 0.5, 1), yticks=(0, 0.5, 1))
            axes.set_ylabel("share that is right" if number == 1 else "")
            axes.set_title(f"{name}: ECE {each.error:.3f}", fontsize=9.5)
            axes.set_aspect("equal")
            axes.grid(True, linewidth=0.6)
    told = "; ".join(f"{name} {each.error:.3f}" for name, each in found.items())
    return _described(out(), f"Reliability curves. Expected calibration error: {told}.")


def sentiment_heat(confusion: Mapping[tuple[str, str], int]) -> str:
    """Labelled sentiment (rows) against answered sentiment (columns), shaded by the share of the row."""
    columns = [*MOODS, *([FAILED] if any(said == FAILED for _, said in confusion) else [])]
    with _drawing("confusion", height=2.9, width=5.2) as (figure, out):
        axes = figure.add_subplot()
        for line, gold in enumerate(MOODS):
            total = sum(confusion.get((gold, said), 0) for said in columns)
            for column, said in enumerate(columns):
                count = confusion.get((gold, said), 0)
                share = count / total if total else 0.0
                axes.add_patch(
                    Rectangle((column - 0.5, line - 0.5), 1, 1, color=ACCENT, alpha=DEEPEST * share, linewidth=0)
                )
                axes.text(column, line, str(count), ha="center", va="center")
        axes.set(xlim=(-0.5, len(columns) - 0.5), ylim=(len(MOODS) - 0.5, -0.5))
        axes.set_xticks(range(len(columns)), columns)
        axes.set_yticks(range(len(MOODS)), MOODS)
        axes.set(xlabel="answered", ylabel="labelled")
        axes.tick_params(length=0)
    right = sum(count for (gold, said), count in confusion.items() if gold == said)
    total = sum(confusion.values())
    wrong = [f"{gold} answered as {said} {n}" for (gold, said), n in confusion.items() if gold != said]
    return _described(out(), f"Confusion of sentiment: {right} of {total} right; {', '.join(wrong) or 'none wrong'}.")


def difference_lines(differences: Sequence[Difference]) -> str:
    """Each difference with its interval beside the line of no difference."""
    with _drawing("against", height=0.9 + LINE * len(differences)) as (figure, out):
        axes = figure.add_subplot()
        axes.axvline(0, color=INK, linewidth=0.9)
        for place, each in enumerate(differences):
            clear = each.low > 0 or each.high < 0
            colour = ACCENT if clear else INK
            axes.plot([each.low, each.high], [place, place], color=colour, linewidth=2.2 if clear else 1.0)
            axes.plot(each.candidate - each.baseline, place, "o", color=colour, markersize=4)
        _lines(axes, [f"{each.figure}, {each.group}" for each in differences])
        axes.set_xlabel("worse  ←  difference with its 95 % interval  →  better")
    clear = sum(each.low > 0 or each.high < 0 for each in differences)
    return _described(out(), f"Differences of {len(differences)} figures with intervals, {clear} of them clear.")


def _lines(axes: Axes, labels: Sequence[str]) -> None:
    """Names the lines of a plot from top to bottom."""
    axes.set_yticks(range(len(labels)), labels)
    for label in axes.get_yticklabels():
        label.set_parse_math(False)  # a $ in a theme's id is no formula
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(True, axis="x", linewidth=0.6)


@contextmanager
def _drawing(name: str, height: float, width: float = WIDTH) -> Iterator[tuple[Figure, Callable[[], str]]]:
    """A figure and what turns it into SVG; ids begin with `name`, for a page holds several."""
    figure = Figure(figsize=(width, height), layout="constrained")

    def out() -> str:
        written = io.StringIO()
        with matplotlib.rc_context({**SETTINGS, "svg.hashsalt": name}):
            figure.savefig(written, format="svg", transparent=True, metadata={"Date": None})
        return _inline(written.getvalue(), name)

    with matplotlib.rc_context(SETTINGS):
        yield figure, out


def _inline(svg: str, name: str) -> str:
    """The drawing as an element of a page: no prolog, metadata or style of its own, the page's colours."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", svg, flags=re.DOTALL)
    svg = re.sub(r' xmlns(:\w+)?="[^"]*"| version="[^"]*"', "", svg)
    svg = re.sub(r'( id="|xlink:href="#|url\(#)', rf"\g<1>{name}-", svg).replace("xlink:href", "href")
    for colour, face in FACES.items():
        svg = svg.replace(colour, face)
    return svg.strip()


def _described(svg: str, words: str) -> str:
    """The drawing with its text alternative; `words` hold no text from outside."""
    return svg.replace("<svg", f'<svg role="img" aria-label="{words}"', 1)
