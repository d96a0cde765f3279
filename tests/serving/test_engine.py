"""What the service loads once it is ready, beside the thread that answers."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator

import numpy as np
import pytest
import structlog
from fakes import FakeClassifier

from nlp.pipeline import Analysis
from nlp.taxonomy import Taxonomy, Theme
from nlp.types import Response
from serving.engine import Engine
from serving.metrics import Metrics


class Warming(FakeClassifier):
    """Notes which threads load, answer and warm it; `warm` lasts until `gate` and may fail."""

    def __init__(self, error: Exception | None = None) -> None:
        super().__init__(0, 0)
        self.error = error
        self.gate, self.warming = threading.Event(), threading.Event()
        self.answering: set[str] = set()
        self.warmed_in = ""

    def classify(self, responses):
        self.answering.add(threading.current_thread().name)
        return super().classify(responses)

    def warm(self) -> None:
        self.warmed_in = threading.current_thread().name
        self.warming.set()
        assert self.gate.wait(5)
        if self.error:
            raise self.error


@pytest.fixture
def events() -> Iterator[list]:
    with structlog.testing.capture_logs() as captured:
        yield captured


def run(classifier: FakeClassifier, scenario: Callable[[Engine], Awaitable[None]]) -> None:
    async def body() -> None:
        engine = Engine(lambda: classifier, Metrics())
        engine.start()
        try:
            async with asyncio.timeout(10):
                while not engine.ready:
                    await asyncio.sleep(0.001)
                await scenario(engine)
        finally:
            await engine.close()

    asyncio.run(body())


async def _answers(engine: Engine) -> None:
    (said,) = await engine.classify([Response("r-1", "It was late")])
    assert said.id == "r-1" and engine.ready and engine.alive


def test_texts_are_answered_while_the_rest_is_being_loaded() -> None:
    classifier = Warming()

    async def scenario(engine: Engine) -> None:
        assert await asyncio.to_thread(classifier.warming.wait, 5)
        await _answers(engine)
        assert not classifier.gate.is_set()

    try:
        run(classifier, scenario)  # and the shutdown does not wait for it either
    finally:
        classifier.gate.set()
    assert classifier.warmed_in == "holos-warm" and classifier.warmed_in not in classifier.answering


def test_what_cannot_be_warmed_is_logged_without_its_message(events: list) -> None:
    classifier = Warming(ImportError("a secret path"))
    classifier.gate.set()

    async def scenario(engine: Engine) -> None:
        while not any(event["event"] == "not_warmed" for event in events):
            await asyncio.sleep(0.001)
        await _answers(engine)

    run(classifier, scenario)
    (event,) = (event for event in events if event["event"] == "not_warmed")
    assert event["error"] == "ImportError" and "secret" not in str(event)


def test_a_classifier_with_nothing_to_warm_is_served(events: list) -> None:
    run(FakeClassifier(0, 0), _answers)
    assert [event["event"] for event in events] == ["ready"]


class SmallEncoder:
    version = "small-1"


class Reading(FakeClassifier):
    """Gives a vector with every answer, by an encoder that has a name and a frame of its own."""

    encoder = SmallEncoder()
    taxonomy = Taxonomy("t-9", (Theme("delivery", "Delivery", ""),))

    def analyse(self, responses):
        return (Analysis(found, None, np.full(4, len(found.text), np.float32)) for found in self.classify(responses))


def test_an_analysis_keeps_what_the_classification_rests_on_and_classify_gives_the_same_without_it() -> None:
    asked = [Response(f"r-{number}", "x" * number) for number in range(70)]

    async def scenario(engine: Engine) -> None:
        analysed = await engine.analyse(asked)
        assert [each.classification for each in analysed] == await engine.classify(asked)
        assert [each.vector[0] for each in analysed if each.vector is not None] == [float(n) for n in range(70)]
        assert engine.encoder(analysed[0].classification.versions.model) == "small-1"
        assert engine.encoder("another model") == "another model"
        assert engine.taxonomy().version == "t-9"

    run(Reading(0, 0), scenario)
