"""The scripted day, from the webhooks of two survey tools to the report of the loop, beside a count made by hand."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import yaml
from databases import copied
from loop import ROOT

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
from serving.loading import open_pipeline
from serving.scenario.card import later
from serving.scenario.checks import alerts_told
from serving.scenario.figures import differences, told_figures
from serving.scenario.play import Report, play
from serving.scenario.setting_up import COURIERS, MANAGER
from serving.settings import Settings

THEMES = ("delivery.time", "product.quality", "staff.attitude", "price.value")
REASON_FROM = 40
"""Characters from which the small model takes a comment for one that gives a reason."""
SOURCE = ROOT / "data" / "policies" / "priority.yaml"
ONE_ATTEMPT = (
    *("same_day", "late", "photos", "refused", "rescued", "next_day", "by_mail", "thursday", "wrong_number", "friday"),
)
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
def address(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An empty database, once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path_factory.mktemp('day')}/holos.db"
        return
    with copied(request.getfixturevalue("postgresql"), "template0") as made:
        yield made


@pytest.fixture(scope="module")
def report(address: str, tmp_path_factory: pytest.TempPathFactory) -> Report:
    settings = Settings(database=address, cache_dir=tmp_path_factory.mktemp("cache"))
    return play(ScoreClassifier, settings, lambda _: None)


def test_the_report_of_the_loop_is_what_was_counted_by_hand(report: Report) -> None:
    assert report.differences == ()


def test_every_answer_is_there_once(report: Report) -> None:
    """400 answers, one of them changed, four delivered twice, one forged."""
    assert report.outcomes == {"created": 400, "updated": 1, "duplicate": 4, "forged": 1, "ignored": 0}


def test_the_loop_comes_to_what_the_plans_say(report: Report) -> None:
    """By paper and pencil: what one case of each plan comes to, times the cases that got it."""
    told, given = told_figures(report.loop), Counter(card.plan for card in report.desk.cards)

    def cases(*plans: str) -> int:
        return sum(given[plan] for plan in plans)

    never = cases("nobody_there", "wrong_number", "left_alone")
    content = cases("same_day", "second_try", "photos", "callback", "comes_back", "next_day", "thursday")
    disappointed = cases("late", "rescued", "third_day")
    assert told["no_contact"] == cases("noted")
    assert told["planned"] == told["opened"] - cases("noted")
    assert told["contacted"] == (told["planned"] - never, told["planned"])
    assert told["unreachable"] == (cases("nobody_there", "wrong_number"), told["planned"])
    assert told["satisfied"] == (content, content + disappointed)
    assert told["reopened"][0] == cases("comes_back")
    assert told["open_now"] == cases("left_alone")
    assert told["attempts"] == (
        cases(*ONE_ATTEMPT) + 2 * cases("second_try", "callback", "comes_back", "third_day") + 3 * cases("nobody_there")
    )
    assert all(given[plan] for plan in report.desk.script.plans), "every plan is played"


def test_the_figures_of_the_small_model(report: Report) -> None:
    told = told_figures(report.loop)
    assert (told["opened"], told["planned"]) == (204, 180)
    assert told["contacted"] == (137, 180)
    assert told["in_time"] == (114, 179)
    assert told["attempts"] == 221
    assert told["overdue_now"] == 28


def test_alerts_wait_for_the_receiver_and_keep_their_ids(report: Report) -> None:
    start, end = report.desk.script.outage
    refused = [call for call in report.calls if not call.taken]
    taken = {call.id: call for call in report.calls if call.taken}
    assert len(refused) > 50
    assert all(start <= call.at < end for call in refused)
    assert all(taken[call.id].at >= end and taken[call.id].body == call.body for call in refused)
    assert all(call.genuine for call in report.calls)


def test_mails_go_to_those_they_are_for(report: Report) -> None:
    couriers, managers = report.mails[COURIERS], report.mails[MANAGER]
    texts = [mail.get_body(("plain", "html")).get_content() for mail in couriers]  # type: ignore[union-attr]
    assert texts and all("courier-desk" in text for text in texts)
    assert any("overdue" in str(mail["subject"]) for mail in managers)


def test_a_wrong_figure_is_named(report: Report) -> None:
    loop = {**report.loop, "overall": {**report.loop["overall"], "planned": 7}}
    found = differences(report.desk, loop, report.events[1:])
    assert f"planned: {told_figures(report.loop)['planned']} by hand, 7 by the product" in found


def test_an_alert_that_was_never_told_is_named(report: Report) -> None:
    mails = {name: len(found) for name, found in report.mails.items()}
    assert alerts_told(report.desk, report.events, report.calls, mails) == []
    lost = report.calls[-1].id
    kept = [call for call in report.calls if call.id != lost]
    assert alerts_told(report.desk, report.events, kept, mails) == ["1 events were never told"]
    forged = [replace(call, genuine=False) if call.id == lost else call for call in report.calls]
    assert alerts_told(report.desk, report.events, forged, mails) == ["a call was not signed by us"]


@pytest.mark.parametrize(
    ("start", "hours", "expected"),
    [
        ("2026-09-14T10:00", 24, "2026-09-15T10:00"),
        ("2026-09-14T22:00", 24, "2026-09-16T08:00"),
        ("2026-09-18T15:00", 24, "2026-09-21T15:00"),
        ("2026-09-19T12:00", 24, "2026-09-22T08:00"),
        ("2026-09-14T12:40", 24, "2026-09-15T13:00"),
        ("2026-09-14T10:00", 120, "2026-09-21T10:00"),
    ],
)
def test_the_clerk_knows_the_working_week(start: str, hours: float, expected: str) -> None:
    zone = ZoneInfo("Europe/Warsaw")
    due = later(datetime.fromisoformat(start).replace(tzinfo=zone), hours)
    assert due == datetime.fromisoformat(expected).replace(tzinfo=zone)


@pytest.mark.model
@pytest.mark.slow
def test_the_day_with_the_real_model(tmp_path: Path) -> None:
    settings = Settings(database=f"sqlite:///{tmp_path}/holos.db")
    said: list[object] = []
    found = play(lambda: open_pipeline(settings), settings, said.append)
    assert found.differences == ()
    assert found.outcomes == {"created": 400, "updated": 1, "duplicate": 4, "forged": 1, "ignored": 0}
    assert len(said) > 50
