"""A small classifier whose every answer can be told from its own text."""

import time
from collections.abc import Sequence

from nlp.pipeline import Analysis
from nlp.types import Classification, Justification, Language, Ranking, Response, Sentiment, Versions

VERSIONS = Versions("fake-1", "default-1", "default-1")
LABELS = ("negative", "neutral", "positive")


def answer(response: Response) -> Classification:
    """What the fake says of one response: its sentiment and score follow from the text's length."""
    mood = LABELS[len(response.text) % 3]
    return Classification(
        id=response.id,
        status="ok",
        versions=VERSIONS,
        language=Language("en", 1.0, True),
        text=response.text.upper(),
        sentiment=Sentiment(mood, 0.5, len(response.text) % 100 / 100),
        justification=Justification(False, 1.0, "verdict_only"),
        ranking=Ranking(None, None, "fake"),
    )


class FakeClassifier:
    """Answers like a model: a little work for each batch and each text; raises on the text `explode`."""

    versions = VERSIONS

    def __init__(self, batch_seconds: float = 0.002, text_seconds: float = 0.0002) -> None:
        self.batch_seconds, self.text_seconds = batch_seconds, text_seconds
        self.batches: list[int] = []

    def classify(self, responses: Sequence[Response]) -> list[Classification]:
        self.batches.append(len(responses))
        time.sleep(self.batch_seconds + self.text_seconds * len(responses))
        if any(response.text == "explode" for response in responses):
            raise ValueError("cannot read explode")
        return [answer(response) for response in responses]

    def analyse(self, responses: Sequence[Response]) -> list[Analysis]:
        return [Analysis(found) for found in self.classify(responses)]
