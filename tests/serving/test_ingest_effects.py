"""What follows from a response: rules, events, a correction that stands over later readings, people who are gone."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from loop import Clock
from sqlalchemy import select
from test_ingest_take import arrival, outcomes, rows, taking

from nlp.pipeline import Analysis
from serving.frame.changing import Work, merge, put
from serving.frame.own import Own
from serving.ingest.effects import corrected
from serving.ingest.take import take
from serving.parts import Parts
from serving.privacy.tombstones import bury, pseudonym
from serving.rules.store import save
from serving.store import loop_tables, tables
from serving.store.responses import correct
from serving.store.search import Filters, search

RULES = """
mode: all
rules:
  - id: late
    when: theme("delivery")
    then: {tag: logistics, webhook: hook-1, notify: {to: manager, message: late again}}
  - id: happy
    when: group == "promoter"
    then: {thank: true}
  - id: vip
    when: segment == "vip"
    then: {priority: 1, assign: {team: care}}
"""


@pytest.fixture(autouse=True)
def in_force(parts: Parts, clock: Clock) -> None:
    with parts.database.write() as connection:
        save(connection, "acme", RULES, "test", clock.now)


def events(parts: Parts, type: str) -> list[dict[str, Any]]:
    return [event["data"] for event in rows(parts, loop_tables.events, "at") if event["type"] == type]


def correcting(parts: Parts, uid: str | None, **fields: Any) -> dict[str, Any]:
    assert uid is not None
    with parts.database.write() as connection:
        found = corrected(connection, parts, "acme", uid, fields, "anna", None, parts.clock())
    assert found is not None
    return found


def test_a_rule_tags_flags_and_is_told_whom_it_names(parts: Parts) -> None:
    (taken,) = taking(parts, arrival(id="r-1", respondent={"id": "c-1"}))
    (row,) = rows(parts, tables.responses)
    assert row["labels"] == ["logistics"]
    (told,) = events(parts, "response.flagged")
    assert (told["response"], told["webhooks"], told["rules"]) == (taken.uid, ["hook-1"], ["late"])
    assert told["notices"] == [{"to": "manager", "message": "late again"}]
    assert events(parts, "response.thanked") == []


def test_a_promoter_is_thanked_once_and_has_no_case(parts: Parts) -> None:
    happy = arrival(id="r-1", text="lovely", score=10, respondent={"id": "c-1"})
    given = replace(parts, analyse=_as_promoters(parts))
    taking(given, happy)
    taking(given, arrival(id="r-1", text="lovely indeed", score=10, respondent={"id": "c-1"}))
    (told,) = events(parts, "response.thanked")
    assert told["respondent"] == "c-1"
    assert rows(parts, loop_tables.cases) == []


def test_a_rule_opens_a_case_where_the_policy_would_not(parts: Parts) -> None:
    taking(parts, arrival(id="r-1", text="fine", score=9, respondent={"id": "c-1", "segment": "vip"}))
    (case,) = rows(parts, loop_tables.cases)
    assert (case["priority"], case["team"]) == (1, "care")


def test_who_refused_contact_has_a_case_that_is_no_contact_task(parts: Parts) -> None:
    taking(parts, arrival(id="r-1", respondent={"id": "c-1", "contact_consent": False}))
    (case,) = rows(parts, loop_tables.cases)
    assert (case["contact"], case["due_at"]) == (False, None)


def test_rules_see_a_correction_and_nobody_is_told_the_same_twice(parts: Parts) -> None:
    (taken,) = taking(parts, arrival(id="r-1"))
    found = correcting(parts, taken.uid, themes=["price.level"])
    (row,) = rows(parts, tables.responses)
    assert row["labels"] == [] and row["corrected"] and row["effective"] == found["effective"]
    assert [(tag["theme"], tag["by"]) for tag in rows(parts, tables.tags)] == [("price.level", "person")]
    correcting(parts, taken.uid, themes=["delivery.time"])
    assert rows(parts, tables.responses)[0]["labels"] == ["logistics"]
    assert len(events(parts, "response.flagged")) == 1
    assert [each["by"] for each in rows(parts, tables.corrections)] == ["anna", "anna"]


def test_a_correction_that_calls_for_a_case_opens_one(parts: Parts) -> None:
    (taken,) = taking(parts, arrival(id="r-1", text="fine", score=9))
    assert rows(parts, loop_tables.cases) == []
    correcting(parts, taken.uid, signals=["safety_risk"])
    (case,) = rows(parts, loop_tables.cases)
    assert case["priority"] == 1 and "harmed" in case["reason"]


def test_a_person_is_right_also_after_the_code_frame_changed(parts: Parts) -> None:
    (taken,) = taking(parts, arrival(id="r-1", text="late, call 601234567"))
    before = correcting(parts, taken.uid, sentiment="mixed")["effective"]
    with parts.database.write() as connection:
        work = Work(connection, parts, "acme", "ola", parts.clock())
        assert merge(work, "delivery.time", "delivery.courier").reach.answers == 1
    (row,) = rows(parts, tables.responses)
    assert row["sentiment"] == row["effective"]["sentiment"]["label"] == "mixed" and row["corrected"]
    assert [tag["id"] for tag in row["effective"]["themes"]] == ["delivery.courier"]
    assert row["effective"]["redactions"] == before["redactions"] != []
    assert [tag["theme"] for tag in rows(parts, tables.tags)] == ["delivery.courier"]
    assert [each["model"] for each in rows(parts, tables.analyses, tables.analyses.c.id)] == ["fake-1"]


def test_a_correction_ends_where_the_sender_changes_the_text(parts: Parts) -> None:
    (taken,) = taking(parts, arrival(id="r-1"))
    correcting(parts, taken.uid, sentiment="mixed", themes=["price.level"])
    taking(parts, arrival(id="r-1", text="A week late, and the box was broken"))
    (row,) = rows(parts, tables.responses)
    assert (row["corrected"], row["sentiment"], row["revision"]) == (False, "negative", 2)
    assert [tag["theme"] for tag in rows(parts, tables.tags)] == ["delivery.time"]
    assert len(rows(parts, tables.corrections)) == 1, "what was said is kept"


def test_a_response_of_another_workspace_cannot_be_corrected(parts: Parts) -> None:
    (taken,) = taking(parts, arrival(id="r-1"), workspace="other")
    with parts.database.write() as connection:
        now = parts.clock()
        assert correct(connection, parts, "acme", str(taken.uid), {"sentiment": "mixed"}, "anna", None, now) is None


def test_what_arrives_of_somebody_who_was_erased_for_good_is_refused(parts: Parts, clock: Clock) -> None:
    with parts.database.write() as connection:
        digest = pseudonym(connection, "acme", "c-1", clock.now)
        bury(connection, "acme", digest, "test", True, {}, clock.now)
    taken = taking(parts, arrival(id="a", respondent={"id": "c-1"}), arrival(id="b", respondent={"id": "c-2"}))
    assert outcomes(taken) == ["error", "created"]
    assert taken[0].error and taken[0].error.code == "respondent_erased"
    assert [row["respondent"] for row in rows(parts, tables.responses)] == ["c-2"]


def test_somebody_erased_while_the_model_read_is_not_kept(parts: Parts, clock: Clock) -> None:
    async def analyse(responses: Any) -> list[Analysis]:
        with parts.database.write() as connection:
            bury(connection, "acme", pseudonym(connection, "acme", "c-1", clock.now), "test", True, {}, clock.now)
        return await parts.analyse(responses)

    sent = [arrival(id="a", respondent={"id": "c-1"}), arrival(id="b", respondent={"id": "c-2"})]
    taken = asyncio.run(take(replace(parts, analyse=analyse), "acme", sent, "test"))
    assert outcomes(taken) == ["error", "created"]
    assert [row["id"] for row in rows(parts, tables.respondents)] == ["c-2"]


def test_a_batch_counts_what_it_changed_in_the_audit(parts: Parts) -> None:
    taking(parts, arrival(id="a"), arrival(id="b"), arrival(id="a"))
    taking(parts, arrival(id="a"))
    found = [row["detail"] for row in rows(parts, loop_tables.audit) if row["action"] == "response.take"]
    assert found == [{"created": 2, "duplicate": 1}]


def test_a_search_never_leaves_its_workspace(parts: Parts) -> None:
    taking(parts, arrival(id="a"), workspace="other")
    with parts.database.read() as connection:
        assert search(connection, "acme", Filters(), 10) == []
        assert len(search(connection, "other", Filters(themes=("delivery.time",)), 10)) == 1
        assert connection.execute(select(tables.tags.c.workspace)).scalars().all() == ["other"]


def _as_promoters(parts: Parts) -> Any:
    from nlp.types import Ranking

    async def analyse(responses: Any) -> list[Analysis]:
        found = await parts.analyse(responses)
        ranking = Ranking("promoter", None, "a high score")
        return [Analysis(replace(each.classification, ranking=ranking), None, each.vector) for each in found]

    return analyse


def test_a_case_goes_to_the_team_of_where_its_theme_is_now(parts: Parts) -> None:
    """The shipped policy: `price.billing` is for billing, `price` for marketing, `delivery` for logistics."""
    with parts.database.write() as connection:
        work = Work(connection, parts, "acme", "ola", parts.clock())
        put(work, Own(moves={"delivery.time": "price"}), None)
    taking(parts, arrival(id="r-1", score=2, respondent={"id": "c-1"}))
    with parts.database.write() as connection:
        work = Work(connection, parts, "acme", "ola", parts.clock())
        put(work, Own(merges={"price.billing": "delivery.time"}), None)
    taking(parts, arrival(id="r-2", score=2, respondent={"id": "c-2"}))
    taking(parts, arrival(id="r-3", score=2, respondent={"id": "c-3"}), workspace="other")
    teams = {case["respondent"]: case["team"] for case in rows(parts, loop_tables.cases)}
    assert teams == {"c-1": "marketing", "c-2": "billing", "c-3": "logistics"}
