"""Answers get the vectors by which issues are found right after they came in: once each, whole or not at all."""

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from issue_points import ENCODER, ProblemVectors
from issue_rows import Answers, effective, issue_of, issues, members
from loop import Clock
from sqlalchemy import delete, func, select, update

from nlp.errors import ModelError
from serving.ingest.arrivals import Arrival
from serving.ingest.take import take
from serving.issues import backlog, online
from serving.issues import vectors as reading
from serving.issues.backlog import SWEEP
from serving.issues.discovery import run_once as run_discovery
from serving.issues.turns import READING
from serving.issues.vectors import CHARACTERS, PORTION, run_once
from serving.issues.window import LENGTH, load_window
from serving.parts import Parts
from serving.privacy.erase import erase
from serving.schemas import ResponseIn
from serving.store.database import Database
from serving.store.issue_tables import cluster_members, clusters, discoveries
from serving.store.tables import responses, vectors

NAMES = ("courier", "invoice", "queue", "screen")


@pytest.fixture
def answers(parts: Parts) -> Answers:
    return Answers(parts.database)


@pytest.fixture
def ids(parts: Parts, answers: Answers) -> dict[str, str]:
    """The issue of each problem, of 20 answers."""
    groups = {name: answers.about(name, 20) for name in NAMES}
    assert run_discovery(parts) == 1
    with parts.database.read() as connection:
        return {name: issue_of(connection, uids) for name, uids in groups.items()}


@dataclass
class Meanwhile(ProblemVectors):
    """Has something happen while it reads for the first time."""

    happens: Callable[[], object]
    done: list[object] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def vectors(self, texts: Sequence[str]) -> np.ndarray:
        if not self.done:
            self.done.append(self.happens())
        return super().vectors(texts)


def take_in(parts: Parts, *texts: str, id: str = "n", respondent: str | None = None) -> list[str]:
    person = None if respondent is None else {"id": respondent}
    items = [
        Arrival(ResponseIn(id=f"{id}-{number}", text=text, respondent=person)) for number, text in enumerate(texts)
    ]
    return [taken.uid or "" for taken in asyncio.run(take(parts, "acme", items, "test"))]


def read_by(parts: Parts, uids: Sequence[str]) -> dict[str, list[str]]:
    """The encoders of the vectors of each answer."""
    asked = select(vectors.c.response, vectors.c.encoder).where(vectors.c.response.in_(uids))
    with parts.database.read() as connection:
        rows = connection.execute(asked.order_by(vectors.c.encoder)).all()
    return {uid: [row.encoder for row in rows if row.response == uid] for uid in uids}


def sizes(parts: Parts) -> dict[str, int]:
    with parts.database.read() as connection:
        return {id: row["size"] for id, row in issues(connection).items()}


def said(parts: Parts, uid: str, text: str, themes: list[tuple[str, str, list[tuple[int, int]]]]) -> None:
    """Has an answer read as speaking of these themes."""
    tags = [
        {"id": id, "label": id, "sentiment": {"label": mood}, "spans": [{"start": a, "end": b} for a, b in spans]}
        for id, mood, spans in themes
    ]
    with parts.database.write() as connection:
        new = {"text": text, "effective": {**effective(text), "themes": tags}}
        connection.execute(update(responses).where(responses.c.uid == uid).values(new))


def test_an_answer_is_taken_in_without_and_has_one_after_a_pass(parts: Parts, ids: dict[str, str]) -> None:
    (uid,) = take_in(parts, "the courier was late")
    assert ENCODER not in read_by(parts, [uid])[uid]
    assert sizes(parts)[ids["courier"]] == 20
    assert (run_once(parts), run_once(parts)) == (1, 0)
    assert ENCODER in read_by(parts, [uid])[uid]
    with parts.database.read() as connection:
        assert uid in members(connection, ids["courier"])
    assert sizes(parts)[ids["courier"]] == 21


def test_what_says_nothing_is_not_read(parts: Parts, answers: Answers, clock: Clock) -> None:
    uids = answers.about("courier", 3)
    with parts.database.write() as connection:
        connection.execute(delete(vectors))
        junk = {"effective": effective("?", kind="junk")}
        connection.execute(update(responses).where(responses.c.uid == uids[0]).values(junk))
        connection.execute(update(responses).where(responses.c.uid == uids[1]).values(answered_at=clock.now - LENGTH))
    assert run_once(parts) == 1
    assert read_by(parts, uids) == {uids[0]: [], uids[1]: [], uids[2]: [ENCODER]}


def test_answers_of_an_earlier_version_are_caught_up_with_the_newest_first(parts: Parts, answers: Answers) -> None:
    uids = answers.about("courier", PORTION + 10)
    with parts.database.write() as connection:
        connection.execute(update(vectors).values(encoder="an earlier one"))
    assert run_once(parts) == PORTION
    first = read_by(parts, uids)
    assert all(ENCODER in first[uid] for uid in uids[10:]) and not any(ENCODER in first[uid] for uid in uids[:10])
    assert (run_once(parts), run_once(parts)) == (10, 0)
    assert all(ENCODER in encoders for encoders in read_by(parts, uids).values())


def test_answers_in_an_issue_stay_there_and_count_once_when_caught_up_with(parts: Parts, ids: dict[str, str]) -> None:
    before = sizes(parts)
    with parts.database.write() as connection:
        connection.execute(delete(vectors))
    while run_once(parts):
        pass
    assert sizes(parts) == before


def test_what_a_correction_lets_speak_is_found_by_the_next_look_at_everything(
    parts: Parts, answers: Answers, clock: Clock
) -> None:
    (uid,) = answers.about("courier", 1)
    silent, speaking = effective("?", kind="junk"), effective("?")
    with parts.database.write() as connection:
        connection.execute(delete(vectors))
        connection.execute(update(responses).values(effective=silent))
    assert run_once(parts) == 0
    for number in range(backlog.OVERLAP // 10 + 1):  # its analysis is far behind what is new
        answers.about(f"oddity {number}", 10)
    run_once(parts)
    with parts.database.write() as connection:
        connection.execute(update(responses).where(responses.c.uid == uid).values(effective=speaking))
    assert run_once(parts) == 0
    clock.forward(seconds=SWEEP.total_seconds())
    assert run_once(parts) == 1
    assert read_by(parts, [uid])[uid] == [ENCODER]


def test_the_surest_answers_of_an_old_issue_are_read_too(parts: Parts, ids: dict[str, str], clock: Clock) -> None:
    with parts.database.write() as connection:
        connection.execute(delete(vectors))
    clock.forward(days=100)
    while run_once(parts):
        pass
    with parts.database.read() as connection:
        read = set(connection.execute(select(vectors.c.response)).scalars())
        assert all(members(connection, id) <= read for id in ids.values())


def test_the_complaint_alone_is_read_of_a_text_about_several_things(parts: Parts, answers: Answers) -> None:
    uid, other = answers.about("queue", 2)
    text = "Lovely food, but the courier was late. Nice staff."
    start, end = text.index("but"), text.index(" Nice")
    with parts.database.write() as connection:
        connection.execute(delete(vectors))
    said(parts, uid, text, [("food", "positive", [(0, 11)]), ("delivery", "negative", [(start, end)])])
    assert run_once(parts) == 2
    assert set(parts.issue_vectors.read) == {"but the courier was late.", _text(parts, other)}
    with parts.database.read() as connection:
        row = connection.execute(select(vectors.c.start, vectors.c.end).where(vectors.c.response == uid)).one()
    assert tuple(row) == (start, end)


def _text(parts: Parts, uid: str) -> str:
    with parts.database.read() as connection:
        return connection.execute(select(responses.c.text).where(responses.c.uid == uid)).scalar_one()


def test_a_failure_between_reading_and_writing_leaves_nothing_half_written(
    parts: Parts, ids: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    uids = take_in(parts, "the courier was late", "a wrong invoice")
    before = sizes(parts)
    with monkeypatch.context() as patch:
        patch.setattr(online, "_count", _fails)
        with pytest.raises(RuntimeError):
            run_once(parts)
    with parts.database.read() as connection:
        of = cluster_members.c
        assert connection.execute(select(of.cluster).where(of.response.in_(uids))).all() == []
    assert not any(ENCODER in encoders for encoders in read_by(parts, uids).values()) and sizes(parts) == before
    assert run_once(parts) == 2
    assert sizes(parts) == {**before, ids["courier"]: 21, ids["invoice"]: 21}


def _fails(*given: object) -> None:
    raise RuntimeError("the process ends here")


def test_one_text_that_cannot_be_read_does_not_stop_the_others(parts: Parts, ids: dict[str, str]) -> None:
    class Fragile(ProblemVectors):
        def vectors(self, texts: Sequence[str]) -> np.ndarray:
            if any("explode" in text for text in texts):
                raise ValueError("cannot read it")
            return super().vectors(texts)

    fragile = replace(parts, issue_vectors=Fragile())
    good, bad = take_in(parts, "the courier was late", "explode, courier")
    assert (run_once(fragile), run_once(fragile)) == (2, 0)
    with parts.database.read() as connection:
        assert members(connection, ids["courier"]) >= {good}
        of = cluster_members.c
        assert connection.execute(select(of.cluster).where(of.response == bad)).all() == []
        assert bad not in load_window(connection, "acme", ENCODER, parts.clock()).heard


class Failing(ProblemVectors):
    """Fails on texts that are given together, and on those given alone after so many, for as long as it is told to."""

    def __init__(self, together: Exception, alone: Exception, good: int) -> None:
        super().__init__()
        self.together, self.alone, self.good, self.failing, self.left = together, alone, good, True, 0

    def vectors(self, texts: Sequence[str]) -> np.ndarray:
        if self.failing and len(texts) > 1:
            self.left = self.good
            raise self.together
        self.left -= 1
        if self.failing and self.left < 0:
            raise self.alone
        return super().vectors(texts)


@pytest.mark.parametrize("good", [0, 1, 2])
@pytest.mark.parametrize(
    ("together", "alone"),
    [
        (MemoryError(), MemoryError()),
        (RuntimeError("it cannot be opened"), RuntimeError("it cannot be opened")),
        (MemoryError(), ModelError("there is no encoder any more")),
    ],
    ids=["memory", "runtime", "no encoder"],
)
def test_while_the_encoder_fails_on_everything_all_wait(
    parts: Parts, ids: dict[str, str], together: Exception, alone: Exception, good: int
) -> None:
    uids = take_in(parts, "the courier was late", "a wrong invoice", "the queue was long")
    encoder = Failing(together, alone, good)
    failing = replace(parts, issue_vectors=encoder)
    for _ in range(2):
        with pytest.raises(type(alone)):
            run_once(failing)
    assert not any(ENCODER in encoders for encoders in read_by(parts, uids).values())
    encoder.failing = False
    assert (run_once(failing), run_once(failing)) == (3, 0)
    assert sizes(parts) == {**dict.fromkeys(ids.values(), 21), ids["screen"]: 20}


def test_a_text_that_waits_alone_and_cannot_be_read_is_not_tried_for_ever(parts: Parts, ids: dict[str, str]) -> None:
    class Fragile(ProblemVectors):
        def vectors(self, texts: Sequence[str]) -> np.ndarray:
            if any("explode" in text for text in texts):
                raise MemoryError
            return super().vectors(texts)

    fragile = replace(parts, issue_vectors=Fragile())
    (bad,) = take_in(parts, "explode, courier")
    assert (run_once(fragile), run_once(fragile)) == (1, 0)
    assert ENCODER in read_by(parts, [bad])[bad]
    with parts.database.read() as connection:
        assert bad not in load_window(connection, "acme", ENCODER, parts.clock()).heard


def test_long_texts_are_read_in_smaller_portions(parts: Parts, answers: Answers) -> None:
    uids = answers.about("courier", 7)
    with parts.database.write() as connection:
        connection.execute(delete(vectors))
        connection.execute(update(responses).values(text="courier " * (CHARACTERS // 16)))
        long = {"text": "courier " * CHARACTERS}
        connection.execute(update(responses).where(responses.c.uid == uids[-1]).values(long))
    assert [run_once(parts) for _ in range(5)] == [1, 2, 2, 2, 0]
    assert all(read_by(parts, uids).values())


def test_without_an_encoder_all_wait(parts: Parts, ids: dict[str, str]) -> None:
    class Missing(ProblemVectors):
        def vectors(self, texts: Sequence[str]) -> np.ndarray:
            raise ModelError("there is no encoder")

    (uid,) = take_in(parts, "the courier was late")
    with pytest.raises(ModelError):
        run_once(replace(parts, issue_vectors=Missing()))
    assert run_once(parts) == 1
    assert ENCODER in read_by(parts, [uid])[uid]


def test_a_text_that_changes_while_it_is_read_is_read_anew(parts: Parts, ids: dict[str, str]) -> None:
    (uid,) = take_in(parts, "the courier was late")
    changing = Meanwhile(lambda: take_in(parts, "the queue was long"))
    run_once(replace(parts, issue_vectors=changing))
    with parts.database.read() as connection:
        assert uid not in members(connection, ids["courier"]) | members(connection, ids["queue"])
    assert run_once(parts) == 1
    with parts.database.read() as connection:
        assert uid in members(connection, ids["queue"]) and uid not in members(connection, ids["courier"])
    assert sizes(parts) == {**dict.fromkeys(ids.values(), 20), ids["queue"]: 21}


def test_an_answer_erased_while_it_is_read_stays_erased(parts: Parts, ids: dict[str, str], clock: Clock) -> None:
    (uid,) = take_in(parts, "the courier was late", respondent="ola")

    def forget() -> None:
        with parts.database.write() as connection:
            erase(connection, "acme", "ola", "test", clock.now)

    run_once(replace(parts, issue_vectors=Meanwhile(forget)))
    assert read_by(parts, [uid]) == {uid: []}
    assert sizes(parts)[ids["courier"]] == 20


def test_erasing_takes_the_vector_along(parts: Parts, ids: dict[str, str], clock: Clock) -> None:
    (uid,) = take_in(parts, "the courier was late", respondent="ola")
    run_once(parts)
    with parts.database.write() as connection:
        erase(connection, "acme", "ola", "test", clock.now)
    assert read_by(parts, [uid]) == {uid: []}
    assert sizes(parts)[ids["courier"]] == 20
    assert run_once(parts) == 0


@pytest.fixture
def second(parts: Parts) -> Iterator[Parts]:
    """The same installation as another process has it."""
    database = Database(parts.database.url)
    yield replace(parts, database=database, issue_vectors=ProblemVectors())
    database.close()


def test_of_two_processes_one_reads_until_it_falls_silent(
    parts: Parts, second: Parts, ids: dict[str, str], clock: Clock
) -> None:
    take_in(parts, "the courier was late")
    assert run_once(parts, "one") == 1
    take_in(parts, "a wrong invoice", id="m")
    assert run_once(second, "two") == 0
    clock.forward(seconds=READING.total_seconds())
    assert run_once(second, "two") == 1
    assert run_once(parts, "one") == 0


def test_two_processes_that_read_the_same_count_it_once(
    parts: Parts, second: Parts, ids: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a lease ran out while its holder was still at it: both have read everything before either writes."""
    uids = take_in(parts, *(f"the courier was late {number}" for number in range(30)))
    met = threading.Barrier(2, timeout=60)
    monkeypatch.setattr(reading, "_claimed", lambda *given: True)
    both = [replace(each, issue_vectors=Meanwhile(met.wait)) for each in (parts, second)]
    threads = [threading.Thread(target=run_once, args=(each, f"w{number}")) for number, each in enumerate(both)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(each.issue_vectors.read) for each in both] == [30, 30]
    with parts.database.read() as connection:
        assert members(connection, ids["courier"]) >= set(uids)
        of = vectors.c
        assert (
            connection.execute(select(func.count()).where(of.response.in_(uids), of.encoder == ENCODER)).scalar() == 30
        )
    assert sizes(parts)[ids["courier"]] == 50


def test_workspaces_are_read_apart(parts: Parts, answers: Answers, ids: dict[str, str]) -> None:
    other = Answers(parts.database, "other", made=10_000)
    (uid,) = other.about("courier", 1)
    with parts.database.write() as connection:
        connection.execute(delete(vectors).where(vectors.c.workspace == "other"))
    assert run_once(parts) == 1
    with parts.database.read() as connection:
        where = connection.execute(select(vectors.c.workspace).where(vectors.c.response == uid)).scalars().all()
        readers = dict(connection.execute(select(discoveries.c.workspace, discoveries.c.reading_by)).all())
        assert where == ["other"] and uid not in members(connection, ids["courier"])
        assert readers["acme"] is None and readers["other"] is not None
        assert connection.execute(select(clusters.c.id).where(clusters.c.workspace == "other")).all() == []
