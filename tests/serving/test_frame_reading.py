"""Themes of a workspace's own in new answers: found by what their description says, and marked."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from zlib import crc32

import numpy as np
import pytest
from conftest import WordClassifier
from loop import START, Api, Clock

from nlp.errors import InputError
from nlp.pipeline import Analysis, Pieces
from nlp.taxonomy import Taxonomy, Theme
from nlp.types import Classification, Failure, Response, Sentiment, Span, ThemeTag
from nlp.zeroshot import SENTENCES, THRESHOLD, VIEWS
from serving.app import ROUTERS
from serving.batcher import Batcher, Overloaded
from serving.frame import failing, reading
from serving.frame.failing import AGAIN, Failing
from serving.frame.flight import Flight
from serving.parts import Parts

WIDTH = 96
RAIN = Theme("delivery.rain", "soaked parcel", "the parcel was soaked by rain", "delivery.time")
SMALL = Taxonomy("small", ())


def meaning(text: str) -> np.ndarray:
    """float32 (96,): the sum of directions of its words, so that texts of the same words are alike."""
    words = text.casefold().replace(".", " ").replace(",", " ").replace(":", " ").split() or ["-"]
    return sum(np.random.default_rng(crc32(word.encode())).normal(size=WIDTH) for word in words).astype(np.float32)


class Meaning(WordClassifier):
    """The small classifier, with vectors that follow from the words."""

    async def analyse(self, responses: Sequence[Response]) -> list[Analysis]:
        return [Analysis(found, None, meaning(found.text)) for found in self.classify(responses)]


@pytest.fixture
def reader() -> Meaning:
    return Meaning()


@pytest.fixture
def served(api: Callable[..., Api], parts: Parts, reader: Meaning) -> Api:
    found = api(*ROUTERS)
    found.app.state.parts = replace(parts, analyse=reader.analyse)
    return found


def test_own_themes_are_found_by_what_they_say_and_marked(served: Api, reader: Meaning) -> None:
    client = served.client()
    own = {"id": RAIN.id, "label": RAIN.label, "description": RAIN.description, "parent": RAIN.parent}
    assert client.put("/v1/taxonomy", json={"themes": [own]}, headers={"If-Match": "*"}).status_code == 200
    texts = ("the parcel was soaked by rain", "late, the parcel was soaked by rain", "a friendly clerk", "late again")
    body = {"items": [{"id": str(number), "text": text} for number, text in enumerate(texts)]}
    found = [each["classification"] for each in client.post("/v1/responses", json=body).json()["items"]]
    # of two themes one under the other an answer has the narrower
    assert [[tag["id"] for tag in each["themes"]] for each in found] == [[RAIN.id], [RAIN.id], [], ["delivery.time"]]
    tag = found[0]["themes"][0]
    assert tag["zero_shot"] is True and tag["confidence"] >= tag["threshold"] == THRESHOLD
    assert (tag["label"], tag["spans"], tag["sentiment"]["label"]) == (
        RAIN.label,
        [{"start": 0, "end": len(texts[0])}],
        "positive",
    )
    assert {each["versions"]["taxonomy"] for each in found} == {"default-1+1"}
    both = client.get("/v1/responses", params={"theme": "delivery.time"}).json()["items"]
    assert {each["id"] for each in both} == {"0", "1", "3"}
    asked = len(reader.batches)
    client.post("/v1/responses", json={"items": [{"id": "9", "text": "the parcel was soaked by rain again"}]})
    assert reader.batches[asked:] == [1], "the themes are put into vectors once"


def test_other_workspaces_have_none_of_it(served: Api) -> None:
    own = {"id": RAIN.id, "label": RAIN.label, "description": RAIN.description}
    served.client().put("/v1/taxonomy", json={"themes": [own]}, headers={"If-Match": "*"})
    body = {"items": [{"id": "0", "text": "the parcel was soaked by rain"}]}
    (found,) = served.client("other").post("/v1/responses", json=body).json()["items"]
    assert found["classification"]["themes"] == []
    assert found["classification"]["versions"]["taxonomy"] == "default-1"


def test_the_spans_that_are_near_are_the_evidence_and_give_the_mood(parts: Parts, reader: Meaning) -> None:
    pair = replace(parts, analyse=reader.analyse)
    response = Response("r", "a friendly clerk. the parcel was soaked by rain.")
    cut = len("a friendly clerk. ")
    spans = (Span(0, cut), Span(cut, len(response.text)))
    moods = np.array([[0.1, 0.1, 0.7, 0.1], [0.8, 0.1, 0.05, 0.05]], np.float32)

    async def read() -> Any:
        (found,) = await reader.analyse([response])
        points = np.stack([meaning(response.text[span.start : span.end]) for span in spans])
        general = ThemeTag("general", "General", 0.9, 0.4, Sentiment("neutral", 0.9), ())
        said = replace(found.classification, themes=(general,))
        found = replace(found, classification=said, pieces=Pieces(spans, points, moods))
        zero = await reading._reader(pair, (RAIN,), "fake-1", WIDTH)
        return reading.with_own(pair, zero, found, response).classification

    (tag,) = asyncio.run(read()).themes
    assert (tag.id, tag.sentiment.label, tag.zero_shot) == (RAIN.id, "negative", True)
    assert tag.spans == (Span(cut, len(response.text) - 1),)


def test_a_label_that_says_nothing_finds_nothing(parts: Parts) -> None:
    class Deaf(Meaning):
        async def analyse(self, responses: Sequence[Response]) -> list[Analysis]:
            found = await super().analyse(responses)
            return [replace(each, vector=None) if "?" in each.classification.text else each for each in found]

    pair = replace(parts, analyse=Deaf().analyse)
    assert asyncio.run(reading._reader(pair, (Theme("x", "???", "???"),), "fake-1", WIDTH)) is None
    with pytest.raises(reading.Unread):
        asyncio.run(reading._reader(pair, (RAIN,), "another model", WIDTH))


def test_many_requests_at_once_have_the_themes_read_once(parts: Parts) -> None:
    class Engine(WordClassifier):
        def analyse(self, responses: Sequence[Response]) -> list[Analysis]:
            return [Analysis(found, None, meaning(found.text)) for found in self.classify(responses)]

    reader = Engine()
    themes = tuple(Theme(f"own.{number}", f"theme {number}", f"says {number}") for number in range(500))

    async def ask(times: int) -> list[Any]:
        with ThreadPoolExecutor(1) as thread:
            queue = Batcher(reader, thread, batch_size=64)
            pair = replace(parts, analyse=queue.submit)
            found = await asyncio.gather(*(reading._reader(pair, themes, "fake-1", WIDTH) for _ in range(times)))
            await queue.close()
        return found

    asyncio.run(ask(1))
    texts = sum(reader.batches)
    reader.batches.clear()
    many = asyncio.run(ask(10))  # of a queue of its own: nothing is known of it yet
    assert sum(reader.batches) == texts >= 500 * VIEWS
    assert many[0].themes == themes and all(each is many[0] for each in many)


def test_a_full_queue_is_asked_again_for_the_portion_it_had_no_room_for(parts: Parts) -> None:
    class Full(Meaning):
        asked = 0

        async def analyse(self, responses: Sequence[Response]) -> list[Analysis]:
            self.asked += 1
            if self.asked % 2:
                raise Overloaded(0)
            return await super().analyse(responses)

    full = Full()
    pair = replace(parts, analyse=full.analyse)
    assert asyncio.run(reading._reader(pair, (RAIN,), "fake-1", WIDTH)).themes == (RAIN,)
    assert full.asked > 2 and max(full.batches) <= reading.PORTION


class Faulty(Meaning):
    """Fails on some texts, and keeps what it was asked to read."""

    def __init__(self, fails: Callable[[str], bool]) -> None:
        super().__init__()
        self.fails, self.asked = fails, list[str]()

    async def analyse(self, responses: Sequence[Response]) -> list[Analysis]:
        self.asked += [response.text for response in responses]
        found = await super().analyse(responses)
        return [self._failed(each) if self.fails(each.classification.text) else each for each in found]

    def _failed(self, found: Analysis) -> Analysis:
        failure = Failure("internal_error", "it cannot be read")
        return Analysis(Classification(found.classification.id, "error", self.versions, error=failure))


def found_by(faulty: Faulty, parts: Parts, *themes: Theme) -> tuple[Theme, ...] | None:
    pair = replace(parts, analyse=faulty.analyse, taxonomy=lambda: SMALL)
    found = asyncio.run(reading._reader(pair, themes, "fake-1", WIDTH))
    return None if found is None else found.themes


def test_a_passing_fault_of_the_model_is_forgotten(parts: Parts) -> None:
    faulty = Faulty(lambda text: True)
    with pytest.raises(reading.Unread):
        found_by(faulty, parts, RAIN)
    faulty.fails = lambda text: False
    assert found_by(faulty, parts, RAIN) == (RAIN,)


def test_a_text_that_the_model_read_the_second_time_is_not_held(parts: Parts) -> None:
    faulty = Faulty(lambda text: faulty.asked.count(text) == 1 and text == RAIN.label)
    assert found_by(faulty, parts, RAIN) == (RAIN,)
    asked = len(faulty.asked)
    assert found_by(faulty, parts, RAIN) == (RAIN,) and len(faulty.asked) == asked


def test_a_text_that_fails_for_good_is_left_out_and_tried_again_after_a_while(parts: Parts, clock: Clock) -> None:
    bad, fixed = Theme("own.bad", "broken label", ""), Theme("own.bad", "mended label", "")
    faulty = Faulty(lambda text: "broken" in text)
    assert found_by(faulty, parts, RAIN, bad) == (RAIN,)
    faulty.asked.clear()
    assert found_by(faulty, parts, RAIN, bad) == (RAIN,) and faulty.asked == []
    assert found_by(faulty, parts, bad, RAIN) == (RAIN,), "the frame was changed elsewhere"
    assert RAIN.label in faulty.asked and bad.label not in faulty.asked
    assert found_by(faulty, parts, RAIN, fixed) == (RAIN, fixed)
    clock.forward(seconds=AGAIN.total_seconds())
    faulty.asked.clear()
    assert found_by(faulty, parts, RAIN, bad) == (RAIN,) and bad.label in faulty.asked
    faulty.asked.clear()
    assert found_by(faulty, parts, RAIN, bad) == (RAIN,) and faulty.asked == []
    clock.forward(seconds=AGAIN.total_seconds())
    faulty.fails = lambda text: False
    assert found_by(faulty, parts, RAIN, bad) == (RAIN, bad)
    faulty.asked.clear()
    clock.forward(seconds=2 * AGAIN.total_seconds())
    assert found_by(faulty, parts, RAIN, bad) == (RAIN, bad) and faulty.asked == []


def test_what_readings_are_held_against_is_made_anew_after_a_while_too(parts: Parts, clock: Clock) -> None:
    faulty = Faulty(lambda text: text == SENTENCES[0])
    assert found_by(faulty, parts, RAIN) == (RAIN,)
    faulty.asked.clear()
    assert found_by(faulty, parts, RAIN) == (RAIN,) and faulty.asked == []
    clock.forward(seconds=AGAIN.total_seconds())
    assert found_by(faulty, parts, RAIN) == (RAIN,) and SENTENCES[0] in faulty.asked


def test_of_more_failures_than_are_held_the_first_are_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failing, "MOST", 2)
    held = Failing()
    for text in ("a", "b", "a", "c"):
        held.hold("reader", "m", [text], START)
    assert held.held("reader", "m", ["a", "b", "c"], START) == {"a", "c"}
    assert held.held("reader", "another", ["a"], START) == held.held("other", "m", ["a"], START) == frozenset()
    assert held.until("reader", "m", ["a", "b"]) == START + AGAIN and held.until("reader", "m", ["b"]) is None


def test_of_more_than_are_remembered_the_oldest_goes() -> None:
    made: list[str] = []
    flight: Flight[str] = Flight(2)

    async def ask(*keys: str) -> None:
        for key in keys:

            async def make(key: str = key) -> str:
                made.append(key)
                return key.upper()

            assert await flight.get(key, make) == key.upper()

    asyncio.run(ask("a", "b", "c", "b", "c"))
    assert made == ["a", "b", "c"]
    asyncio.run(ask("a"))
    assert made == ["a", "b", "c", "a"]


def test_who_asked_first_may_hang_up_and_what_failed_is_made_anew() -> None:
    flight: Flight[int] = Flight(2)
    tries: list[int] = []

    async def make() -> int:
        tries.append(1)
        number = len(tries)
        await asyncio.sleep(0.01)
        if number == 2:
            raise InputError("not now")
        return number

    async def both() -> list[Any]:
        first = asyncio.create_task(flight.get("a", make))
        second = asyncio.create_task(flight.get("a", make))
        await asyncio.sleep(0)
        first.cancel()
        return await asyncio.gather(second, *(flight.get("b", make) for _ in range(2)), return_exceptions=True)

    kept, *failed = asyncio.run(both())
    assert kept == 1 and [type(each) for each in failed] == [InputError] * 2
    assert asyncio.run(flight.get("b", make)) == 3
