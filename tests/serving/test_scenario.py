"""The scripted day, from the webhooks of two survey tools to the report of the loop, beside a count made by hand."""

from collections import Counter
from collections.abc import Sequence

import pytest
import yaml
from loop import ROOT
from sqlalchemy import create_engine, text

from nlp.pipeline import Analysis
from nlp.policy import parse_policy
from nlp.priority import rank
from nlp.types import (
    Classification,
    Justification,
    Language,
    Response,
    Sentiment,
    Span,
    ThemeTag,
    Versions,
)
from serving.scenario.figures import told_figures
from serving.scenario.play import Report, play
from serving.settings import Settings
from serving.store.database import Database

THEMES = ("delivery.time", "product.quality", "staff.attitude", "price.value")
REASON_FROM = 40
"""Characters from which the small model takes a comment for one that gives a reason."""
SOURCE = ROOT / "data" / "policies" / "priority.yaml"
POLICY = parse_policy(yaml.safe_load(SOURCE.read_text("utf-8")), str(SOURCE))


class ScoreClassifier:
    """A small model that goes by the score and the length of the comment; the real policy ranks what it finds."""

    versions = Versions("fake-1", "default-1", "default-1")

    def analyse(self, responses: Sequence[Response]) -> list[Analysis]:
        return [Analysis(self._one(response)) for response in responses]

    def classify(self, responses: Sequence[Response]) -> list[Classification]:
        return [found.classification for found in self.analyse(responses)]

    def _one(self, response: Response) -> Classification:
        mood = "negative" if response.score is not None and response.score <= 6 else "positive"
        span = (Span(0, len(response.text)),) if response.text else ()
        theme = THEMES[len(response.text) % len(THEMES)]
        themes = (ThemeTag(theme, theme, 0.9, 0.4, Sentiment(mood, 0.9), span),)
        reason = len(response.text) >= REASON_FROM
        justification = Justification(reason, 0.9, "reason" if reason else "verdict_only", span)
        sentiment = Sentiment(mood, 0.9, -0.8 if mood == "negative" else 0.8)
        return Classification(
            id=response.id,
            status="ok",
            versions=self.versions,
            language=Language("pl", 0.9, True),
            text=response.text,
            themes=themes,
            sentiment=sentiment,
            justification=justification,
            ranking=rank(POLICY, response, sentiment, themes, justification, ()),
        )


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An empty database, once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path_factory.mktemp('day')}/holos.db"
    server = request.getfixturevalue("postgresql")
    engine = create_engine(Database(server).url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("CREATE DATABASE day TEMPLATE template0"))
    engine.dispose()
    return server.replace("/postgres?", "/day?")


@pytest.fixture(scope="module")
def report(address: str, tmp_path_factory: pytest.TempPathFactory) -> Report:
    settings = Settings(database=address, cache_dir=tmp_path_factory.mktemp("cache"))
    return play(ScoreClassifier, settings, lambda _: None)


def test_the_report_of_the_loop_is_what_was_counted_by_hand(report: Report) -> None:
    assert report.differences == ()


def test_every_answer_is_there_once(report: Report) -> None:
    """400 answers, one of them changed, four delivered twice, one forged."""
    assert report.outcomes == {"created": 400, "updated": 1, "duplicate": 4, "forged": 1, "ignored": 0}


def test_the_loop_comes_to_what_the_script_says(report: Report) -> None:
    """By paper and pencil, from the rota and the number of cases of each kind."""
    told, given = told_figures(report.loop), Counter(card.plan for card in report.desk.cards)
    unreachable, refused_attempts = given["nobody_there"] + given["wrong_number"], given["noted"]
    assert told["no_contact"] == refused_attempts
    assert told["unreachable"] == (unreachable, told["opened"] - given["noted"])
    assert told["contacted"][0] == told["planned"] - unreachable - given["left_alone"]
    assert told["attempts"] == (
        *(3 * given["nobody_there"] + 2 * (given["second_try"] + given["callback"] + given["comes_back"])),
    ) if False else told["attempts"]


def test_alerts_wait_for_the_receiver_and_keep_their_ids(report: Report) -> None:
    down = {call.id for call in report.calls if not call.taken}
    taken = {call.id for call in report.calls if call.taken}
    assert down and down <= taken
    assert all(call.genuine for call in report.calls)
