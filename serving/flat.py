"""One classification as the cells of one row, beside the row's own columns."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from nlp.types import Classification
from serving.rows import Row
from serving.schemas import clean

PREFIX = "holos_"
LISTED = ";"
"""Between the items of one cell; no theme id or signal has it."""

Cell = str | int | float | bool | date | datetime | None


def table_row(row: Row, answer: Classification) -> dict[str, Any]:
    """The row's own columns, its verbatim redacted (blank where it was not read), then the flat results."""
    own = {clean(str(name)): value for name, value in row.raw.items() if not str(name).startswith(PREFIX)}
    if (column := row.plan.text_column) in own:
        own[column] = answer.text
    return own | flatten(answer)


RESULTS: Mapping[str, str] = {
    "holos_id": "str",
    "holos_status": "str",
    "holos_error": "str",
    "holos_language": "str",
    "holos_language_confidence": "float",
    "holos_text": "str",
    "holos_themes": "str",
    "holos_theme_sentiments": "str",
    "holos_sentiment": "str",
    "holos_sentiment_confidence": "float",
    "holos_sentiment_score": "float",
    "holos_justified": "bool",
    "holos_kind": "str",
    "holos_signals": "str",
    "holos_group": "str",
    "holos_priority": "int",
    "holos_priority_reason": "str",
    "holos_needs_review": "bool",
    "holos_model_version": "str",
    "holos_taxonomy_version": "str",
    "holos_policy_version": "str",
}
"""The flat results in their order, each with the kind of its cells."""


def flatten(answer: Classification) -> dict[str, Cell]:
    """One classification as the cells of one row; lists are joined by semicolons."""
    said = answer.to_dict()
    sentiment, language = said.get("sentiment", {}), said.get("language", {})
    justification = said.get("justification", {})
    themes, signals = said.get("themes"), said.get("signals")
    values = (
        said["id"],
        said["status"],
        f"{answer.error.code}: {answer.error.detail}" if answer.error else None,
        language.get("code"),
        language.get("confidence"),
        said.get("text"),
        _joined(themes, "{id}"),
        _joined(themes, "{id}={sentiment[label]}"),
        sentiment.get("label"),
        sentiment.get("confidence"),
        sentiment.get("score"),
        justification.get("justified"),
        justification.get("kind"),
        None if signals is None else LISTED.join(signals),
        said.get("group"),
        said.get("priority"),
        said.get("priority_reason"),
        said.get("needs_review"),
        answer.versions.model,
        answer.versions.taxonomy,
        answer.versions.policy,
    )
    return dict(zip(RESULTS, values, strict=True))


def _joined(themes: Sequence[Mapping[str, Any]] | None, pattern: str) -> str | None:
    return None if themes is None else LISTED.join(pattern.format(**theme) for theme in themes)
