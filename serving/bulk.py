"""A whole file through a classifier: rows in, one classification for each row out, in order."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice

from nlp.types import Classification, Failure
from serving.batcher import Classifier
from serving.rows import Row
from serving.schemas import METRIC_SCALES, check

CHUNK = 256
"""Rows classified together: enough for full batches of like length, few enough for a progress bar that moves."""
MAX_REPORTED = 20
"""Rows whose problem is printed; beyond that they are counted, and the output has each one."""


@dataclass(slots=True)
class Outcome:
    """How many rows there were, how many of them could not be read, and how many failed for what they hold."""

    rows: int = 0
    unreadable: int = 0
    refused: int = 0

    @property
    def failed(self) -> bool:
        """True when not one row could be read."""
        return 0 < self.rows == self.unreadable


def classify_file(
    classifier: Classifier,
    rows: Iterable[Row],
    now: datetime,
    keep: Callable[[Row, Classification], None],
    say: Callable[[str], None],
    advance: Callable[[int], None] = lambda rows: None,
) -> Outcome:
    """Classifies every row, hands each answer to `keep`, and says which rows failed and why (never their text)."""
    outcome = Outcome()
    for chunk in _chunks(_within_scale(row, say) for row in rows):
        for row, answer in zip(chunk, classify_rows(classifier, chunk, now), strict=True):
            keep(row, answer)
            outcome.rows += 1
            if answer.error is not None:
                outcome.unreadable += row.item is None
                outcome.refused += row.item is not None
                _report(outcome, row, answer.error, say)
        advance(len(chunk))
    return outcome


def classify_rows(classifier: Classifier, rows: Sequence[Row], now: datetime) -> list[Classification]:
    """One classification for each row, in order; only what can be classified reaches the classifier."""
    responses = [row.item.to_response(now) if row.item else None for row in rows]
    failures = [check(response) if response else row.problem for row, response in zip(rows, responses, strict=True)]
    fit = [response for response, failure in zip(responses, failures, strict=True) if response and failure is None]
    answers = classifier.classify(fit) if fit else []
    if len(answers) != len(fit):
        raise RuntimeError(f"the classifier answered {len(answers)} of {len(fit)} responses")
    classified = iter(answers)
    return [
        next(classified)
        if failure is None
        else Classification(response.id if response else row.id, "error", classifier.versions, error=failure)
        for row, response, failure in zip(rows, responses, failures, strict=True)
    ]


def _within_scale(row: Row, say: Callable[[str], None]) -> Row:
    """The row without a score that its scale does not have: its words are still worth reading."""
    item = row.item
    if item is None or item.score is None:
        return row
    scale = item.scale or METRIC_SCALES.get(item.metric or "")
    if scale is None or not math.isfinite(item.score) or scale.min <= item.score <= scale.max:
        return row
    say(f"row {row.number}: score {item.score:g} is outside the scale {scale.min:g} to {scale.max:g}; read without it")
    return replace(row, item=item.model_copy(update={"score": None}))


def _report(outcome: Outcome, row: Row, failure: Failure, say: Callable[[str], None]) -> None:
    count = outcome.unreadable + outcome.refused
    if count <= MAX_REPORTED:
        say(f"row {row.number}: {failure.code}: {failure.detail}")
    elif count == MAX_REPORTED + 1:
        say("more rows could not be classified; the output names each one")


def _chunks(rows: Iterable[Row]) -> Iterator[list[Row]]:
    source = iter(rows)
    while chunk := list(islice(source, CHUNK)):
        yield chunk
