"""Fixtures of the tests of files and of the command line."""

import re
from collections.abc import Sequence

import pytest

from nlp.types import (
    Classification,
    Justification,
    Language,
    Ranking,
    Redaction,
    Response,
    Sentiment,
    Span,
    ThemeTag,
    Versions,
)

DIGITS = re.compile(r"\d{9}")


class WordClassifier:
    """A small classifier of few words: it finds late deliveries in Polish and English and hides nine-digit numbers."""

    versions = Versions("fake-1", "default-1", "default-1")

    def __init__(self) -> None:
        self.batches: list[int] = []

    def classify(self, responses: Sequence[Response]) -> list[Classification]:
        self.batches.append(len(responses))
        return [self._one(response) for response in responses]

    def _one(self, response: Response) -> Classification:
        text = DIGITS.sub("<PHONE>", response.text)
        late = "late" in text or "spóźni" in text
        sentiment = Sentiment("negative" if late else "positive", 0.9, -0.8 if late else 0.8)
        spans = (Span(0, len(text)),) if text else ()
        themes = (
            (ThemeTag("delivery.time", "Delivery time", 0.9, 0.4, Sentiment("negative", 0.9), spans),) if late else ()
        )
        low = late and response.score is not None and response.score <= 3
        reason = f"score {response.score:g} is low and the comment gives a reason" if low else "no rule"
        found = text.find("<PHONE>")
        return Classification(
            id=response.id,
            status="ok",
            versions=self.versions,
            language=Language("pl" if "spóźni" in text else "en", 0.99, True),
            text=text,
            themes=themes,
            sentiment=sentiment,
            justification=Justification(late, 0.9, "reason" if late else "verdict_only", spans if late else ()),
            signals=("contact_request",) if found >= 0 else (),
            ranking=Ranking("detractor" if low else None, 1 if low else None, reason),
            redactions=(Redaction("PHONE", found, found + 7),) if found >= 0 else (),
        )


@pytest.fixture
def word_classifier() -> WordClassifier:
    return WordClassifier()
