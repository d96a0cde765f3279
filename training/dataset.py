"""Labelled rows: what a person or a source says about a verbatim, with gaps where nothing was said."""

import gzip
import hashlib
import json
import re
import unicodedata
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nlp.errors import InputError
from nlp.text import normalise
from nlp.types import MOODS, SIGNALS, Respondent, Response, Scale
from training.fields import Fields

UNKNOWN = -1
_NO_LETTER = re.compile(r"[\W_]+")
NAMED = 5  # rows that an error names; more would hide what it says


@dataclass(frozen=True, slots=True)
class LabelledRow:
    """One labelled verbatim; None means that nothing is known for that task.

    `theme_sentiments` may name themes although `themes` is None: the moods are known, the full list is not.
    `priority` is -1 where it is not labelled, None where the label says "no case". `themes_disputed` and
    `signals_disputed` are what careful readers did not agree on: neither right nor wrong. `undecided` names the fields
    that are unlabelled because what was said about them contradicts itself.
    """

    id: str
    text: str
    language: str | None = None
    question: str | None = None
    themes: frozenset[str] | None = None
    themes_disputed: frozenset[str] = frozenset()
    theme_sentiments: Mapping[str, str] | None = None
    sentiment: str | None = None
    justified: bool | None = None
    signals: frozenset[str] | None = None
    signals_disputed: frozenset[str] = frozenset()
    metric: str | None = None
    score: float | None = None
    scale: Scale | None = None
    contact_consent: bool | None = None
    priority: int | None = UNKNOWN
    source: str = ""
    undecided: frozenset[str] = frozenset()

    @property
    def response(self) -> Response:
        """The row as the classifier would get it, without its labels."""
        return Response(
            id=self.id,
            text=self.text,
            question=self.question,
            metric=self.metric,
            score=self.score,
            scale=self.scale,
            respondent=None if self.contact_consent is None else Respondent(contact_consent=self.contact_consent),
        )

    @property
    def theme_ids(self) -> frozenset[str]:
        """Every theme that the labels name as right."""
        return (self.themes or frozenset()) | frozenset(self.theme_sentiments or ())


@dataclass(frozen=True, slots=True)
class Targets:
    """What a batch of rows should be answered with; -1 where unknown.

    int8 arrays: themes (n, themes), moods (n, themes), sentiment (n,), justified (n,), signals (n, signals).
    """

    themes: np.ndarray
    moods: np.ndarray
    sentiment: np.ndarray
    justified: np.ndarray
    signals: np.ndarray


def read_jsonl(path: Path) -> Iterator[dict[str, Any]]:
    """Objects of a JSON Lines file, gzipped or not; an unreadable line is an InputError with its number."""
    return (row for _, row in numbered_jsonl(path))


def numbered_jsonl(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """As `read_jsonl`, with the numbers of the lines."""
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rt", encoding="utf-8-sig") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield number, _object(line, f"{path}, line {number}")
    except UnicodeDecodeError:
        raise InputError(f"{path} is not in UTF-8; save it in that encoding") from None
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise InputError(f"{path} ends in .gz but is no whole gzip file; pack it again or rename it") from None


def _object(line: str, where: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise InputError(f"{where}: not JSON ({error.msg} at column {error.colno})") from None
    if not isinstance(row, dict):
        raise InputError(f"{where}: a JSON object is expected, this is a {type(row).__name__}")
    return row


def parse_row(row: Mapping[str, Any], source: str = "") -> LabelledRow:
    """A labelled row of the contract; raises InputError naming the id and the field."""
    read = Fields(row, source)
    return LabelledRow(
        id=read.identity,
        text=normalise(read.text()),
        language=read.string("lang") or read.string("language"),
        question=read.string("question"),
        themes=read.strings("themes"),
        themes_disputed=read.strings("themes_disputed") or frozenset(),
        theme_sentiments=read.moods("theme_sentiments"),
        sentiment=read.mood("sentiment"),
        justified=read.flag("justified"),
        signals=read.signals("signals"),
        signals_disputed=read.signals("signals_disputed") or frozenset(),
        metric=read.string("metric"),
        score=read.number("score"),
        scale=read.scale("scale"),
        contact_consent=read.consent(),
        priority=read.whole("priority", UNKNOWN),
        source=source,
        undecided=read.strings("undecided") or frozenset(),
    )


def to_record(row: LabelledRow) -> dict[str, Any]:
    """The contract's JSON object, which `parse_row` reads back; what is not known is left out."""
    record = {
        "id": row.id,
        "text": row.text,
        "language": row.language,
        "question": row.question,
        "metric": row.metric,
        "score": row.score,
        "scale": row.scale and {"min": row.scale.min, "max": row.scale.max},
        "respondent": None if row.contact_consent is None else {"contact_consent": row.contact_consent},
        "themes": None if row.themes is None else sorted(row.themes),
        "themes_disputed": sorted(row.themes_disputed) or None,
        "theme_sentiments": None if row.theme_sentiments is None else dict(row.theme_sentiments),
        "sentiment": row.sentiment,
        "justified": row.justified,
        "signals": None if row.signals is None else sorted(row.signals),
        "signals_disputed": sorted(row.signals_disputed) or None,
        "undecided": sorted(row.undecided) or None,
    }
    known = {name: value for name, value in record.items() if value is not None}
    return known if row.priority == UNKNOWN else known | {"priority": row.priority}


def targets(rows: Sequence[LabelledRow], themes: Sequence[str]) -> Targets:
    """Arrays for training, with disputed themes unknown; raises InputError for theme ids outside the taxonomy."""
    check_themes(rows, themes)
    columns = {theme: index for index, theme in enumerate(themes)}
    out = Targets(
        themes=np.full((len(rows), len(themes)), UNKNOWN, np.int8),
        moods=np.full((len(rows), len(themes)), UNKNOWN, np.int8),
        sentiment=np.full(len(rows), UNKNOWN, np.int8),
        justified=np.full(len(rows), UNKNOWN, np.int8),
        signals=np.full((len(rows), len(SIGNALS)), UNKNOWN, np.int8),
    )
    for index, row in enumerate(rows):
        _fill(out, index, row, columns)
    return out


def _fill(out: Targets, index: int, row: LabelledRow, columns: Mapping[str, int]) -> None:
    if row.themes is not None:
        out.themes[index] = 0
        out.themes[index, [columns[theme] for theme in row.themes]] = 1
        out.themes[index, [columns[theme] for theme in row.themes_disputed if theme in columns]] = UNKNOWN
    for theme, mood in (row.theme_sentiments or {}).items():
        out.moods[index, columns[theme]] = MOODS.index(mood)
    if row.sentiment is not None:
        out.sentiment[index] = MOODS.index(row.sentiment)
    if row.justified is not None:
        out.justified[index] = int(row.justified)
    if row.signals is not None:
        out.signals[index] = [
            UNKNOWN if signal in row.signals_disputed else int(signal in row.signals) for signal in SIGNALS
        ]


def text_key(text: str) -> str:
    """A hash of the text that ignores case, blanks and punctuation: equal for what a reader calls the same answer."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    kept = _NO_LETTER.sub("", plain)
    return hashlib.sha256((kept or plain).encode()).hexdigest()


def split(rows: Iterable[LabelledRow], share: float) -> tuple[list[LabelledRow], list[LabelledRow]]:
    """Parts rows by the hash of their text into (train, dev) so that one answer is never on both sides."""
    train, dev = [], []
    for row in rows:
        bucket = int(text_key(row.text)[:8], 16) / 0xFFFFFFFF
        (dev if bucket < share else train).append(row)
    return train, dev


def check_themes(rows: Iterable[LabelledRow], themes: Sequence[str], source: str = "labels") -> None:
    """InputError where labels name themes outside the taxonomy, with the rows that do."""
    known = set(themes)
    found = [(row.id, row.theme_ids - known) for row in rows if not row.theme_ids <= known]
    if found:
        unknown = ", ".join(sorted(frozenset().union(*(ids for _, ids in found))))
        named = name_rows(dict(found))
        raise InputError(
            f"{source}: theme ids outside the taxonomy: {unknown}; they stand in {named}; add them to it or "
            "mend the labels"
        )


def name_rows(ids: Collection[str]) -> str:
    """Some ids for an error message, and how many more there are."""
    named = ", ".join(list(ids)[:NAMED])
    rest = f" and {len(ids) - NAMED} more" if len(ids) > NAMED else ""
    return f"row{'s' * (len(ids) > 1)} {named}{rest}"
