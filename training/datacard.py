"""What a set of labelled rows holds, on one page: the data card printed before training."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table
from rich.text import Text

from nlp.language import LanguageDetector
from nlp.types import MOODS, SIGNALS
from training.dataset import LabelledRow, name_rows
from training.prepare import TASKS, Conflict, Prepared
from training.tally import LONG, MEDIUM, MEDIUM_UP_TO, SHORT, SHORT_UP_TO, length_band

RARE = 8  # rows; with fewer, a theme's threshold is luck
LENGTHS = {
    SHORT: f"up to {SHORT_UP_TO} characters",
    MEDIUM: f"up to {MEDIUM_UP_TO} characters",
    LONG: f"over {MEDIUM_UP_TO} characters",
}
SAMPLE = 5_000  # texts whose language is found: a second or two, and shares within a point or two
SHOWN = 10  # conflicts in the printed card; the rest are counted


@dataclass(frozen=True, slots=True)
class DataCard:
    """Counts of rows, most frequent first; `rare` holds themes and signals with too few rows to learn, 0 included.

    Languages are the labels' own, found from the texts where there is none, estimated from a sample beyond 5,000.
    `tasks` counts the rows labelled for each task.
    """

    rows: int
    duplicates: int
    unlabelled: int
    conflicts: tuple[Conflict, ...]
    languages: Mapping[str, int]
    lengths: Mapping[str, int]
    tasks: Mapping[str, int]
    themes: Mapping[str, int]
    sentiment: Mapping[str, int]
    justified: Mapping[str, int]
    signals: Mapping[str, int]
    rare: Mapping[str, int]
    warnings: tuple[str, ...] = ()


def data_card(prepared: Prepared) -> DataCard:
    """Counts what the prepared rows hold."""
    rows = prepared.rows
    tasks = {task: sum(getattr(row, task) is not None for row in rows) for task in TASKS}
    themes = _counts((theme for row in rows for theme in row.theme_ids), prepared.themes or ())
    signals = _counts(signal for row in rows for signal in row.signals or ())
    named = {signal: signals.get(signal, 0) for signal in SIGNALS} if tasks["signals"] else {}
    return DataCard(
        rows=len(rows),
        duplicates=prepared.duplicates,
        unlabelled=len(prepared.unlabelled),
        conflicts=prepared.conflicts,
        languages=_counts(_languages(rows)),
        lengths=_in_order(Counter(length_band(row.text) for row in rows), (SHORT, MEDIUM, LONG)),
        tasks={task: count for task, count in tasks.items() if count},
        themes=themes,
        sentiment=_in_order(Counter(row.sentiment for row in rows if row.sentiment), MOODS),
        justified=_in_order(Counter(str(row.justified).lower() for row in rows), ("true", "false")),
        signals=signals,
        rare={name: count for name, count in (themes | named).items() if count < RARE},
        warnings=prepared.warnings,
    )


def show(card: DataCard, console: Console) -> None:
    """Prints the card as tables, and in words what should be mended before training."""
    console.print(
        f"{card.rows} labelled rows; {card.duplicates} duplicates merged, {len(card.conflicts)} contradictory texts, "
        f"{card.unlabelled} without labels left out"
    )
    lengths = {LENGTHS[band]: count for band, count in card.lengths.items()}
    blocks = [("language", card.languages), ("length", lengths), ("labelled task", card.tasks)]
    blocks += [("sentiment", card.sentiment), ("justified", card.justified)]
    summary = Table.grid(padding=(0, 3))
    summary.add_row(*(_table(title, counts) for title, counts in blocks if counts))
    console.print(summary)
    for title, counts in (("theme", card.themes), ("signal", card.signals)):
        if counts:
            console.print(_table(title, counts, card.rows, card.rare))
    if card.conflicts:
        console.print(_conflicts(card.conflicts))
    for line in _advice(card):
        console.print(line, markup=False, highlight=False)


def _table(title: str, counts: Mapping[str, int], of: int = 0, rare: Mapping[str, int] | None = None) -> Table:
    """Names and counts; with `of`, shares of that many rows, and a mark for what is too rare."""
    table = Table(title, box=None, header_style="bold", pad_edge=False)
    table.add_column("rows", justify="right")
    if of:
        table.add_column("share", justify="right")
        table.add_column("")
    for name, count in counts.items():
        more = (f"{count / of:.1%}", "too rare to learn" if name in (rare or ()) else "") if of else ()
        table.add_row(Text(name), str(count), *more)
    return table


def _conflicts(conflicts: Sequence[Conflict]) -> Table:
    table = Table("contradictory rows", "left unlabelled", box=None, header_style="bold", pad_edge=False)
    for conflict in conflicts[:SHOWN]:
        table.add_row(Text(name_rows(conflict.ids)), ", ".join(conflict.fields))
    if len(conflicts) > SHOWN:
        table.add_row(f"and {len(conflicts) - SHOWN} more", "")
    return table


def _advice(card: DataCard) -> Iterable[str]:
    yield from (f"warning: {warning}" for warning in card.warnings)
    if card.conflicts:
        yield "warning: decide on the contradictory rows and label them alike; until then those fields teach nothing"
    if card.rare:
        names = ", ".join(f"{name} ({count})" for name, count in card.rare.items())
        yield f"warning: too rare to learn, fewer than {RARE} rows: {names}; label more of them or merge them"


def _counts(found: Iterable[str], names: Sequence[str] = ()) -> dict[str, int]:
    """Most frequent first, then by name; `names` that were not found stand last."""
    counts = Counter(found)
    ordered = dict(sorted(counts.items(), key=lambda each: (-each[1], each[0])))
    return ordered | {name: 0 for name in names if name not in counts}


def _in_order(counts: Mapping[str, int], names: Sequence[str]) -> dict[str, int]:
    return {name: counts[name] for name in names if name in counts}


def _languages(rows: Sequence[LabelledRow]) -> Counter[str]:
    """Rows by the language given; where none is, by that of the text, estimated from a sample if there are many."""
    counts = Counter(row.language for row in rows if row.language is not None)
    rest = [row.text for row in rows if row.language is None]
    if rest:
        detector = LanguageDetector()
        sample = rest[:: -(-len(rest) // SAMPLE)]
        found = Counter(detector.detect(text).code for text in sample)
        counts.update({code: round(count * len(rest) / len(sample)) for code, count in found.items()})
    return counts
