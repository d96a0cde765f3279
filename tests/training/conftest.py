"""Small makers of labelled rows and classifications."""

from collections.abc import Callable

import pytest

from nlp.types import Classification, Failure, Justification, Ranking, Sentiment, Span, ThemeTag, Versions
from training.dataset import LabelledRow

VERSIONS = Versions("m", "t", "p")


@pytest.fixture
def row() -> Callable[..., LabelledRow]:
    """A labelled row; what is not given is not labelled."""

    def make(id: str = "r", text: str = "text", **labels) -> LabelledRow:
        return LabelledRow(id=id, text=text, **labels)

    return make


@pytest.fixture
def said() -> Callable[..., Classification]:
    """A classification with the themes given as {id: mood}."""

    def make(
        id: str = "r",
        themes: dict[str, str] | None = None,
        sentiment: str = "neutral",
        justified: bool = False,
        signals: tuple[str, ...] = (),
        priority: int | None = None,
    ) -> Classification:
        tags = tuple(
            ThemeTag(theme, theme, 0.9, 0.5, Sentiment(mood, 0.9), (Span(0, 1),))
            for theme, mood in (themes or {}).items()
        )
        return Classification(
            id,
            "ok",
            VERSIONS,
            themes=tags,
            sentiment=Sentiment(sentiment, 0.9, 0.0),
            justification=Justification(justified, 0.9, "reason" if justified else "verdict_only"),
            signals=signals,
            ranking=Ranking("detractor", priority, "because"),
        )

    return make


@pytest.fixture
def failed() -> Classification:
    """What the pipeline gives for a text that it could not read."""
    return Classification("r", "error", VERSIONS, error=Failure("internal_error", "it broke"))
