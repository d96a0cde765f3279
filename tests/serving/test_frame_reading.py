"""Themes of a workspace's own in new answers: found by what their description says, and marked."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any
from zlib import crc32

import numpy as np
import pytest
from conftest import WordClassifier
from loop import Api

from nlp.pipeline import Analysis, Pieces
from nlp.taxonomy import Theme
from nlp.types import Response, Sentiment, Span, ThemeTag
from nlp.zeroshot import THRESHOLD
from serving.app import ROUTERS
from serving.frame import reading
from serving.parts import Parts

WIDTH = 96
RAIN = Theme("delivery.rain", "soaked parcel", "the parcel was soaked by rain", "delivery.time")


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
    assert asyncio.run(reading._reader(pair, (RAIN,), "another model", WIDTH)) is None
