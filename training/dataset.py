"""Labelled rows: what a person or a source says about a verbatim, with gaps where nothing was said."""

import gzip
import hashlib
import json
import unicodedata
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nlp.errors import InputError
from nlp.text import normalise
from nlp.types import MOODS, SIGNALS, Respondent, Response, Scale
from training.fields import Fields

UNKNOWN = -1


@dataclass(frozen=True, slots=True)
class LabelledRow:
    """One labelled verbatim; None means that nothing is known for that task.

    `theme_sentiments` may name themes although `themes` is None: the moods are known, the full list is not.
    `priority` is -1 where it is not labelled, None where the label says "no case". `themes_disputed` and
    `signals_disputed` are what careful readers did not agree on: neither right nor wrong.
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
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rt", encoding="utf-8-sig") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield _object(line, f"{path}, line {number}")
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
    )


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
    kept = "".join(char for char in plain if char.isalnum())
    return hashlib.sha256((kept or plain).encode()).hexdigest()


def split(rows: Iterable[LabelledRow], share: float) -> tuple[list[LabelledRow], list[LabelledRow]]:
    """Parts rows by the hash of their text into (train, dev) so that one answer is never on both sides."""
    train, dev = [], []
    for row in rows:
        bucket = int(text_key(row.text)[:8], 16) / 0xFFFFFFFF
        (dev if bucket < share else train).append(row)
    return train, dev


def check_themes(rows: Iterable[LabelledRow], themes: Sequence[str]) -> None:
    """InputError where labels name themes outside the taxonomy."""
    unknown = sorted({theme for row in rows for theme in row.theme_ids} - set(themes))
    if unknown:
        raise InputError(f"theme ids outside the taxonomy: {', '.join(unknown)}; add them to it or mend the labels")
