"""Issues that become sub-issues and the other way about keep their ids, and what people made of them."""

import numpy as np
from issue_points import ENCODER
from issue_rows import Answers, issues, members
from loop import START, Clock
from sqlalchemy import select, update

from nlp.cluster import Clustering
from nlp.portrait import Answer
from nlp.spread import fit_spread
from serving.issues.describe import Placed, described
from serving.issues.identity import Placement
from serving.issues.known import RUN, Book, Issue, Member, load_book
from serving.issues.levels import identified, parents
from serving.issues.names import Naming
from serving.issues.window import Window, load_window
from serving.issues.writing import Found, write
from serving.parts import Parts
from serving.store.issue_tables import clusters

COUNT = 30
UIDS = tuple(f"u{number:02}" for number in range(COUNT))
VECTORS = np.random.default_rng(1).normal(size=(COUNT, 4)).astype(np.float32)
POINTS = VECTORS / np.linalg.norm(VECTORS, axis=1, keepdims=True)
WINDOW = Window(
    encoder="enc",
    uids=UIDS,
    texts=tuple(f"text {uid}" for uid in UIDS),
    languages=("en",) * COUNT,
    vectors=VECTORS,
    answers=(Answer("en"),) * COUNT,
    scale=None,
    revisions=(1,) * COUNT,
)


def issue(id: str, rows: range, parent: str | None = None, state: str = "active", **more) -> Issue:
    found = {UIDS[row]: Member(0.8, RUN, START) for row in rows}
    return Issue(id, parent, state, more.get("into"), more.get("touched", False), START, START, found)


def clustering(window: Window, labels: list[int], parts: list[int]) -> Clustering:
    """A run's result that holds these issues and sub-issues; -1 for a row in none."""
    none, spread = np.zeros((0, 4), np.float32), fit_spread(window.vectors)
    strength = np.full(len(labels), 0.8, np.float32)
    own, sub = np.array(labels, np.int32), np.array(parts, np.int32)
    return Clustering(own, strength, sub, none, none, np.zeros(0, np.int32), spread)


def placed(known: list[Issue], labels: list[int], sub: list[int]) -> tuple[Placement, Placement]:
    book = Book({each.id: each for each in known}, (), 0)
    return identified(book, WINDOW, clustering(WINDOW, labels, sub), POINTS, {}, frozenset())


def states(found: tuple[Placement, Placement]) -> dict[str, str]:
    return {**found[0].states, **found[1].states}


def test_a_swallowed_issue_is_a_sub_issue_under_its_id() -> None:
    found = placed([issue("big", range(20)), issue("small", range(20, 30))], [0] * 30, [0] * 20 + [1] * 10)
    assert set(found[0].shown) == {"big"} and found[1].shown[20:] == ("small",) * 10
    (new,) = found[1].born
    assert parents(*found) == {"small": "big", new: "big"}
    assert states(found) == {"small": "active", new: "active"}
    told = [(line.kind, line.before, line.after) for line in (*found[0].lineage, *found[1].lineage)]
    assert told == [("merge", "small", "big"), ("birth", None, new)]


def test_a_sub_issue_found_by_itself_is_an_issue_with_what_people_made_of_it() -> None:
    for state in ("active", "dismissed"):
        known = [issue("big", range(30)), issue("part", range(20, 30), "big", state, touched=True)]
        found = placed(known, [0] * 20 + [1] * 10, [-1] * 30)
        assert found[0].shown == ("big",) * 20 + ("part",) * 10
        assert found[0].born == frozenset() and states(found) == {"part": state}
        assert parents(*found) == {"part": None}
        told = [(line.kind, line.before, line.after) for line in (*found[0].lineage, *found[1].lineage)]
        assert told == [("split", "big", "part")]


def test_a_piece_of_a_dismissed_issue_stays_dismissed_under_its_own_id() -> None:
    known = [issue("big", range(30), None, "dismissed", touched=True), issue("part", range(20, 30), "big")]
    assert states(placed(known, [0] * 20 + [1] * 10, [-1] * 30)) == {"part": "dismissed"}


def test_an_issue_goes_before_a_sub_issue() -> None:
    # up: the larger half goes on as the whole; down: the whole goes on as the part
    known = [issue("whole", range(30)), issue("one", range(18), "whole"), issue("two", range(18, 30), "whole")]
    found = placed(known, [0] * 18 + [1] * 12, [-1] * 30)
    assert found[0].shown == ("whole",) * 18 + ("two",) * 12
    known = [issue("big", range(18)), issue("small", range(18, 30)), issue("aa", range(18, 25), "small")]
    found = placed(known, [0] * 30, [0] * 18 + [1] * 12)
    assert found[1].shown[18:] == ("small",) * 12


def test_what_is_only_partly_found_again_takes_no_id_of_the_other_level() -> None:
    found = placed([issue("big", range(20)), issue("small", range(20, 30))], [0] * 30, [0] * 10 + [1] * 20)
    assert states(found)["small"] == "ended" and "small" not in found[1].shown
    found = placed([issue("big", range(30)), issue("part", range(10, 20), "big")], [0] * 15 + [1] * 15, [-1] * 30)
    assert "part" not in found[0].shown and states(found)["part"] == "ended"


def test_an_issue_that_people_merged_others_into_stays_an_issue() -> None:
    known = [
        issue("gone", range(10), None, "merged", into="main"),
        issue("main", range(10, 16)),
        issue("big", range(16, 30)),
    ]
    found = placed(known, [0] * 10 + [1] * 20, [-1] * 10 + [0] * 6 + [1] * 14)
    assert set(found[0].shown[:10]) == {"main"} and "main" not in found[1].shown and "main" not in states(found)


def test_both_ways_through_the_store_name_and_answers_stay(parts: Parts, clock: Clock) -> None:
    answers = Answers(parts.database)
    courier, invoice = answers.about("courier", 12), answers.about("invoice", 8)
    full(parts, clock, {uid: (int(uid in invoice), -1) for uid in courier + invoice})
    with parts.database.write() as connection:
        first = {frozenset(members(connection, id)): id for id in issues(connection)}
        big, small = first[frozenset(courier)], first[frozenset(invoice)]
    full(parts, clock, {uid: (0, int(uid in invoice)) for uid in courier + invoice})
    with parts.database.write() as connection:
        assert list(issues(connection)) == [big] and members(connection, big) == {*courier, *invoice}
        assert row_of(connection, small) == ("active", big, None) and members(connection, small) == set(invoice)
        connection.execute(update(clusters).where(clusters.c.id == small).values(name="Wrong sums", version=2))
    full(parts, clock, {uid: (int(uid in invoice), -1) for uid in courier + invoice})
    with parts.database.read() as connection:
        assert set(issues(connection)) == {big, small} and members(connection, big) == set(courier)
        assert row_of(connection, small) == ("active", None, "Wrong sums")
        assert members(connection, small) == set(invoice)


def row_of(connection, id: str) -> tuple[str, str | None, str | None]:
    of = clusters.c
    return tuple(connection.execute(select(of.state, of.parent, of.name).where(of.id == id)).one())


def full(parts: Parts, clock: Clock, groups: dict[str, tuple[int, int]]) -> None:
    """A full run that finds these: the issue and the sub-issue (-1: none) of each answer."""
    now = clock.forward(days=1)
    with parts.database.read() as connection:
        window, book = load_window(connection, "acme", ENCODER, now), load_book(connection, "acme", now)
    labels, sub = zip(*(groups[uid] for uid in window.uids), strict=True)
    result = clustering(window, list(labels), list(sub))
    points = result.spread.apply(window.vectors, window.languages)
    whole, below = identified(book, window, result, points, {}, frozenset())
    columns = described(Placed(window, points, result.strength), [whole.rows(), below.rows()], now, Naming())
    pairs = {
        (window.uids[row], id): 0.8 for level in (whole, below) for id, rows in level.rows().items() for row in rows
    }
    found = Found(
        read=window.read(window.heard),
        encoder=window.encoder,
        strengths=pairs,
        columns=columns,
        parents=parents(whole, below),
        states={**whole.states, **below.states},
        lineage=(*whole.lineage, *below.lineage),
    )
    with parts.database.write() as connection:
        write(connection, "acme", book, found, now)
