"""Taking responses in: each is kept once, with everything that follows from it, or not at all."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from loop import Clock
from sqlalchemy import func, select

from serving.ingest.arrivals import Arrival, Taken
from serving.ingest.take import take
from serving.parts import Parts
from serving.schemas import ResponseIn
from serving.store import loop_tables, tables
from serving.store.saving import AT_ONCE

LATE = "The courier was two days late"


def arrival(source: str | None = None, **fields: Any) -> Arrival:
    return Arrival(ResponseIn.model_validate({"text": LATE, "metric": "nps", "score": 2, **fields}), source)


def taking(parts: Parts, *arrivals: Arrival, workspace: str = "acme") -> list[Taken]:
    return asyncio.run(take(parts, workspace, arrivals, "test"))


def rows(parts: Parts, table: Any, *order: Any) -> list[dict[str, Any]]:
    with parts.database.read() as connection:
        return [dict(row) for row in connection.execute(select(table).order_by(*order)).mappings()]


def outcomes(taken: Sequence[Taken]) -> list[str]:
    return [each.outcome for each in taken]


def test_a_low_score_with_a_reason_is_kept_with_its_case_tags_vector_and_events(parts: Parts, clock: Clock) -> None:
    (taken,) = taking(parts, arrival(id="r-1", respondent={"id": "c-1", "contact_consent": True}))
    assert (taken.outcome, taken.id, taken.error) == ("created", "r-1", None)
    (row,) = rows(parts, tables.responses)
    assert row["uid"] == taken.uid and row["effective"] == taken.classification
    assert (row["revision"], row["priority"], row["group"], row["band"]) == (1, 1, "detractor", "low")
    assert row["received_at"] == row["answered_at"] == clock.now
    (tag,) = rows(parts, tables.tags)
    assert (tag["response"], tag["theme"], tag["sentiment"], tag["by"]) == (
        row["uid"],
        "delivery.time",
        "negative",
        "model",
    )
    (vector,) = rows(parts, tables.vectors)
    assert (vector["part"], vector["encoder"], vector["end"], len(vector["data"])) == (0, "fake-1", len(LATE), 16)
    (case,) = rows(parts, loop_tables.cases)
    assert (case["response"], case["priority"], case["contact"]) == (row["uid"], 1, True)
    assert "case.opened" in [event["type"] for event in rows(parts, loop_tables.events)]


def test_a_redelivery_changes_nothing_and_says_so(parts: Parts, clock: Clock, word_classifier: Any) -> None:
    given = arrival(id="r-1", answered_at="2026-11-01T10:00:00Z", respondent={"id": "c-1"})
    first = taking(parts, given)
    before = [rows(parts, table) for table in (tables.responses, tables.analyses, loop_tables.events)]
    clock.forward(days=1)
    again = taking(parts, given)
    assert outcomes(again) == ["duplicate"]
    assert (again[0].uid, again[0].classification) == (first[0].uid, first[0].classification)
    assert [rows(parts, table) for table in (tables.responses, tables.analyses, loop_tables.events)] == before
    assert word_classifier.batches == [1], "what is known is not read again"


def test_an_answer_without_a_date_is_the_same_answer_a_day_later(parts: Parts, clock: Clock) -> None:
    taking(parts, arrival(id="r-1"))
    clock.forward(days=1)
    assert outcomes(taking(parts, arrival(id="r-1"))) == ["duplicate"]


def test_an_update_is_a_revision_with_a_new_reading_and_keeps_the_old_one(parts: Parts, clock: Clock) -> None:
    (first,) = taking(parts, arrival(id="r-1"))
    clock.forward(hours=2)
    (second,) = taking(parts, arrival(id="r-1", text="All fine now", score=9))
    assert (second.outcome, second.uid) == ("updated", first.uid)
    (row,) = rows(parts, tables.responses)
    assert (row["revision"], row["text"], row["score"], row["corrected"]) == (2, "All fine now", 9, False)
    assert row["answered_at"] == clock.now.replace(hour=9), "an update without a date has the date of before"
    assert [each["revision"] for each in rows(parts, tables.analyses, tables.analyses.c.id)] == [1, 2]
    assert rows(parts, tables.tags) == []
    assert len(rows(parts, tables.vectors)) == 1


def test_one_batch_may_hold_an_answer_its_repetition_and_its_update(parts: Parts) -> None:
    taken = taking(parts, arrival(id="a"), arrival(id="a"), arrival(id="b"), arrival(id="a", score=3))
    assert outcomes(taken) == ["created", "duplicate", "created", "updated"]
    assert taken[0].uid == taken[1].uid == taken[3].uid != taken[2].uid


def test_sources_and_workspaces_keep_their_ids_apart(parts: Parts) -> None:
    taken = taking(parts, arrival(id="a", source="web"), arrival("shop", id="a"), arrival(id="a"))
    assert outcomes(taken) == ["created"] * 3
    assert outcomes(taking(parts, arrival(id="a"), workspace="other")) == ["created"]
    found = {(row["workspace"], row["source"]) for row in rows(parts, tables.responses)}
    assert found == {("acme", "web"), ("acme", "shop"), ("acme", ""), ("other", "")}


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"text": "x" * 10_001}, "text_too_long"),
        ({"score": 11}, "invalid_score"),
        ({"id": "x" * 513}, "field_too_long"),
        ({"unit": "a\x00b"}, "invalid_text"),
        ({"attributes": {"a\x00": 1}}, "invalid_text"),
        ({"attributes": {str(n): 1 for n in range(201)}}, "too_many_attributes"),
        ({"answered_at": "0001-01-01T00:00:00Z"}, "invalid_date"),
    ],
)
def test_what_is_wrong_with_one_answer_stays_with_it(parts: Parts, fields: dict[str, Any], code: str) -> None:
    taken = taking(parts, arrival(id="before"), arrival(**{"id": "bad", **fields}), arrival(id="after"))
    assert outcomes(taken) == ["created", "error", "created"]
    assert taken[1].error and taken[1].error.code == code and taken[1].uid is None
    assert {row["id"] for row in rows(parts, tables.responses)} == {"before", "after"}


def test_nothing_personal_is_kept_beside_the_words(parts: Parts) -> None:
    taking(
        parts,
        arrival(
            id="r-1",
            text="Late again, call 601234567",
            question="Why did you write to anna.nowak@example.com?",
            attributes={"contact": "anna.nowak@example.com", "orders": 3},
            respondent={"id": "c-1", "email": "anna.nowak@example.com"},
        ),
    )
    (row,) = rows(parts, tables.responses)
    assert row["attributes"] == {"contact": "<EMAIL>", "orders": 3}
    written = str([row, rows(parts, tables.analyses), rows(parts, loop_tables.events), rows(parts, loop_tables.cases)])
    assert "601234567" not in written and "anna.nowak" not in written and "<PHONE>" in written
    (person,) = rows(parts, tables.respondents)
    assert person["attributes"] == {"email": "anna.nowak@example.com"}


def test_the_newest_word_of_a_person_stands_whatever_the_order(parts: Parts) -> None:
    def said(id: str, day: int, **person: Any) -> Arrival:
        return arrival(id=id, answered_at=f"2026-10-0{day}T10:00:00Z", respondent={"id": "c-1", **person})

    taking(parts, said("b", 5, contact_consent=False, city="Lublin"))
    taking(parts, said("a", 3, contact_consent=True, segment="gold", city="Opole", phone="1"))
    taking(parts, said("c", 7, value=120.5))
    (person,) = rows(parts, tables.respondents)
    assert (person["contact_consent"], person["segment"], person["value"]) == (False, "gold", 120.5)
    assert person["attributes"] == {"city": "Lublin", "phone": "1"}
    snapshots = {row["id"]: (row["contact_consent"], row["segment"]) for row in rows(parts, tables.responses)}
    assert snapshots == {"b": (False, None), "a": (True, "gold"), "c": (False, "gold")}


def test_nothing_is_kept_where_what_belongs_to_it_fails(parts: Parts) -> None:
    def fail(connection: Any, taken: Any) -> None:
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError):
        asyncio.run(take(parts, "acme", [arrival(id="r-1")], "test", also=fail))
    for table in (tables.responses, tables.analyses, tables.respondents, loop_tables.cases, loop_tables.events):
        assert rows(parts, table) == []


def test_callers_with_overlapping_ids_make_one_row_of_each(parts: Parts) -> None:
    batches = [[arrival(id=f"r-{(start + step) % 40}") for step in range(25)] for start in range(0, 40, 5)]

    def send(batch: list[Arrival]) -> list[Taken]:
        return taking(parts, *batch)

    with ThreadPoolExecutor(8) as threads:
        taken = [each for batch in threads.map(send, batches) for each in batch]
    assert outcomes(taken).count("created") == 40 and outcomes(taken).count("duplicate") == len(taken) - 40
    for table in (tables.responses, tables.analyses, loop_tables.cases):
        with parts.database.read() as connection:
            assert connection.execute(select(func.count()).select_from(table)).scalar_one() == 40
    uids = {each.id: each.uid for each in taken if each.outcome == "created"}
    assert all(uids[each.id] == each.uid for each in taken)


def test_a_batch_may_be_larger_than_what_one_statement_asks_for(parts: Parts) -> None:
    batch = [arrival(id=f"r-{number}", text="fine", score=9) for number in range(AT_ONCE + 20)]
    assert set(outcomes(taking(parts, *batch))) == {"created"}
    assert set(outcomes(taking(parts, *batch))) == {"duplicate"}


def test_a_text_the_model_fails_on_is_refused_alone(parts: Parts) -> None:
    from nlp.pipeline import Analysis
    from nlp.types import Classification, Failure, Versions

    async def analyse(responses: Sequence[Any]) -> list[Analysis]:
        found = await parts.analyse(responses)
        failed = Classification(responses[0].id, "error", Versions("m", "t", "p"), error=Failure("internal_error", "?"))
        return [Analysis(failed), *found[1:]]

    taken = taking(replace(parts, analyse=analyse), arrival(id="a"), arrival(id="b"))
    assert outcomes(taken) == ["error", "created"]
    assert [row["id"] for row in rows(parts, tables.responses)] == ["b"]
