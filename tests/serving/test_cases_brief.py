"""The brief of whoever calls: in the customer's language, in their words, without a score or a gender."""

import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from case_rows import ACME, TEXT, shipped, store, theme
from loop import ROOT, START, Api
from sqlalchemy import insert, select
from starlette.testclient import TestClient

from nlp.taxonomy import Theme
from serving.cases import actions
from serving.cases.book import open_or_join
from serving.cases.briefs import load_briefs
from serving.cases.routes import router
from serving.cases.work import Work
from serving.frame.changing import Work as Change
from serving.frame.changing import put
from serving.frame.own import Own
from serving.parts import Parts
from serving.rules.decision import Decision
from serving.store.database import Database
from serving.store.loop_tables import audit
from serving.store.tables import workspaces

LANGUAGES = load_briefs(ROOT / "data").languages
QUOTE = "Kurier spóźnił się trzy dni."


@pytest.fixture
def client(api: Callable[..., Api]) -> TestClient:
    return api(router).client()


def opened(database: Database, uid: str = "r1", days: int = 0, **given: Any) -> str:
    with database.write() as connection:
        response = store(connection, uid, **given)
        now = START + timedelta(days=days)
        return open_or_join(connection, ACME, response, Decision(), shipped(), now).case


def test_a_brief_has_what_a_caller_needs(client: TestClient, database: Database):
    earlier = opened(database, "r0", touchpoint="delivery")
    with database.write() as connection:
        connection.execute(insert(workspaces).values(id=ACME, name="Paczki SA", settings={}, created_at=START))
        work = Work(connection, ACME, shipped(), START, "ola")
        actions.attempt(work, earlier, None, actions.Tried("phone", "reached", "upset"))
        actions.resolve(work, earlier, None, {"promise": "A refund by Monday", "satisfied": False})
    case = opened(database, "r1", days=3, signals=["contact_request", "churn_intent"])
    with database.write() as connection:
        work = Work(connection, ACME, shipped(), START + timedelta(days=3), "ola")
        actions.attempt(work, case, None, actions.Tried("phone", "no_answer"))
    brief = client.get(f"/v1/cases/{case}/brief").json()
    words = LANGUAGES["pl"]
    assert (brief["language"], brief["person"]["attributes"]) == ("pl", {"phone": "+48 600 100 200"})
    assert [each["text"] for each in brief["said"]] == [TEXT]
    assert brief["quotes"] == [{"response": "r1", "theme": "delivery.time", "label": "czas dostawy", "text": QUOTE}]
    assert brief["opening"] == words.opening(asked=True, company="Paczki SA")
    assert brief["apology"] == words.single["apology"]
    assert brief["say"] == [words.single["again"], words.about(["czas dostawy"])]
    assert brief["never"] == [words.never_signals["churn_intent"], words.never_themes["delivery"], *words.never]
    assert [each["response"] for each in brief["earlier_answers"]] == ["r0"]
    (before,) = brief["earlier_cases"]
    assert (before["id"], before["promise"], before["satisfied"]) == (earlier, "A refund by Monday", False)
    assert [(each["case"], each["result"]) for each in brief["attempts"]] == [(earlier, "reached"), (case, "no_answer")]
    with database.read() as connection:
        read = connection.execute(select(audit.c.by).where(audit.c.action == "case.brief")).scalars().all()
    assert read == ["key:test-acme"], "who saw how to reach a person is on record"


@pytest.mark.parametrize(
    ("written", "asked", "spoken"),
    [
        ("uk", None, "uk"),
        ("ru", None, "ru"),
        ("de", None, "en"),
        (None, None, "en"),
        ("uk", "pl", "pl"),
        ("pl", "en-GB", "en"),
    ],
)
def test_the_language_is_the_customers_unless_another_is_asked_for(client, database: Database, written, asked, spoken):
    case = opened(database, language=written)
    brief = client.get(f"/v1/cases/{case}/brief", params={"language": asked} if asked else {}).json()
    assert (brief["language"], brief["closing"]) == (spoken, LANGUAGES[spoken].single["closing"])


@pytest.mark.parametrize(
    ("mood", "themes", "signals", "apology"),
    [
        ("negative", [], [], "apology"),
        ("positive", [theme("price.level", "negative")], [], "apology"),
        ("positive", [theme("price.level", "positive")], [], None),
        ("neutral", [], ["safety_risk"], "apology_safety"),
    ],
)
def test_an_apology_where_the_mood_calls_for_it(client: TestClient, database: Database, mood, themes, signals, apology):
    case = opened(database, sentiment=mood, themes=tuple(themes), signals=signals)
    brief = client.get(f"/v1/cases/{case}/brief").json()
    assert brief["apology"] == (apology and LANGUAGES["pl"].single[apology])
    assert (brief["say"] == [LANGUAGES["pl"].single["thanks"]]) is (not brief["quotes"])


def test_a_theme_that_a_person_added_is_shown_with_the_whole_comment(client: TestClient, database: Database):
    added = {"id": "own.theme", "label": "Own theme", "sentiment": {"label": "negative"}, "confidence": None}
    case = opened(database, themes=(added,), person=None)
    brief = client.get(f"/v1/cases/{case}/brief").json()
    assert [(each["label"], each["text"]) for each in brief["quotes"]] == [("Own theme", TEXT)]
    assert (brief["person"], brief["earlier_answers"], brief["earlier_cases"]) == (None, [], [])


def test_what_not_to_promise_goes_by_the_code_frame(client: TestClient, database: Database, parts: Parts):
    case, words = opened(database, themes=(theme("delivery.time"), theme("rain"))), LANGUAGES["pl"]
    own = Own((Theme("rain", "Rain", "", "digital.account"),), moves={"delivery.time": "price"})
    with database.write() as connection:
        put(Change(connection, parts, ACME, "ola", START), own, None)
    brief = client.get(f"/v1/cases/{case}/brief").json()
    assert brief["never"] == [words.never_themes["price"], words.never_themes["digital"], *words.never]


def test_no_brief_cites_a_score(client: TestClient, database: Database):
    case = opened(database, score=7.0, themes=())
    assert "score" not in client.get(f"/v1/cases/{case}/brief").text


def sentences(code: str) -> str:
    words = LANGUAGES[code]
    spoken = [words.opening(asked, company) for asked in (True, False) for company in ("Acme", None)]
    return json.dumps([spoken, dict(words.single), words.questions], ensure_ascii=False)


GENDERED = {
    # past tenses and forms of address that tell a gender
    "pl": r"\b(Pan|Pani|Pana|Panu|Panem|\w+łem|\w+łam|\w+łbym|\w+łabym|rad|rada|pewien|pewna)\b",
    "uk": r"\b(пан|пані|пане|радий|рада|зателефонував|зателефонувала|хотів|хотіла|вдячний|вдячна)\b",
    "ru": r"\b(господин|госпожа|рад|рада|позвонил|позвонила|хотел|хотела|благодарен|благодарна)\b",
    "en": r"\b(sir|madam|mr|mrs|ms)\b",
}


@pytest.mark.parametrize("code", GENDERED)
def test_no_sentence_tells_a_gender_or_holds_a_number(code: str):
    assert re.findall(GENDERED[code], sentences(code), re.IGNORECASE) == []
    assert re.findall(r"\d", sentences(code)) == []
