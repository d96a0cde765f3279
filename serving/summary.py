"""What a run found, for a person at a terminal: themes, sentiment, languages, and whom to call first."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from nlp.types import MOODS, Classification

MAX_THEMES = 20
MAX_FIRST = 20
"""Rows that a screen shows; the files have all of them."""
QUOTE = 100
"""Characters of a quote: one or two lines of a terminal."""


@dataclass(frozen=True, slots=True)
class First:
    """A response to call first."""

    id: str
    reason: str
    quote: str


class Summary:
    """Counts that grow answer by answer, so that a file of any length fits in memory."""

    def __init__(self) -> None:
        self.rows = 0
        self.errors = 0
        self.sentiments: Counter[str] = Counter()
        self.languages: Counter[str] = Counter()
        self.themes: Counter[str] = Counter()
        self.theme_sentiments: Counter[tuple[str, str]] = Counter()
        self.priorities: Counter[int | None] = Counter()
        self.first: list[First] = []

    def add(self, answer: Classification) -> None:
        """Counts one answer."""
        self.rows += 1
        if answer.error is not None:
            self.errors += 1
            return
        assert answer.sentiment and answer.language and answer.ranking
        self.sentiments[answer.sentiment.label] += 1
        self.languages[answer.language.code + ("" if answer.language.supported else " (unsupported)")] += 1
        for tag in answer.themes:
            self.themes[tag.id] += 1
            self.theme_sentiments[tag.id, tag.sentiment.label] += 1
        self.priorities[answer.ranking.priority] += 1
        if answer.ranking.priority == 1 and len(self.first) < MAX_FIRST:
            self.first.append(First(answer.id, answer.ranking.reason, quote(answer)))

    def show(self, console: Console) -> None:
        """Prints the summary."""
        console.print(Group(*self._parts()))

    def _parts(self) -> list[RenderableType]:
        read = self.rows - self.errors
        line = f"{read} {'response' if read == 1 else 'responses'} classified"
        parts: list[RenderableType] = [Text(line + (f", {self.errors} with an error" if self.errors else ""))]
        if read:
            parts += [
                Text(f"Sentiment: {_shares(self.sentiments, read)}"),
                Text(f"Languages: {_shares(self.languages, read)}"),
            ]
        if self.themes:
            parts.append(self._themes())
        count = self.priorities[1]
        parts.append(
            Text(f"To call first: {count}" + (f", here are {len(self.first)}" if count > len(self.first) else ""))
        )
        if self.first:
            parts.append(_call_first(self.first))
        return parts

    def _themes(self) -> Table:
        table = Table("Theme")
        for name in ("Responses", *MOODS):
            table.add_column(name, justify="right")
        for theme, count in sorted(self.themes.items(), key=lambda item: (-item[1], item[0]))[:MAX_THEMES]:
            split = (str(self.theme_sentiments[theme, mood] or "") for mood in MOODS)
            table.add_row(Text(theme), str(count), *split)
        return table


def quote(answer: Classification) -> str:
    """The redacted words that give the reason, or the verbatim's beginning, on one line."""
    spans = answer.justification.spans if answer.justification else ()
    text = answer.text[min(span.start for span in spans) : max(span.end for span in spans)] if spans else answer.text
    # control characters of a customer never reach a terminal
    line = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
    return line if len(line) <= QUOTE else line[: QUOTE - 1].rstrip() + "…"


def _shares(counts: Counter[str], total: int) -> str:
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{name} {count} ({count / total:.0%})" for name, count in ordered)


def _call_first(first: Sequence[First]) -> Table:
    table = Table("Response", "Why", "In their words")
    for found in first:
        table.add_row(Text(_line(found.id)), Text(_line(found.reason)), Text(found.quote))
    return table


def _line(text: str) -> str:
    return "".join(sign if sign.isprintable() else " " for sign in text)
