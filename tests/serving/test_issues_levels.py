"""Issues that become sub-issues and the other way about keep their ids, and what people made of them."""

import numpy as np
import pytest
from issue_points import ENCODER
from issue_rows import Answers, issues, members
from loop import START, Clock
from sqlalchemy import select, update

from nlp.cluster import Clustering
from nlp.portrait import Answer
from nlp.spread import fit_spread
from serving.issues import actions
from serving.issues.describe import Placed, described
from serving.issues.identity import Placement
from serving.issues.known import PERSON, RUN, Book, Issue, Member, load_book
from serving.issues.levels import identified, parents
from serving.issues.names import Naming
from serving.issues.window import Window, load_window
from serving.issues.writing import Found, write
from serving.parts import Parts
from serving.store.issue_tables import cluster_lineage, clusters

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
    found = {UIDS[row]: Member(0.8, more.get("by", RUN), START) for row in rows}
    return Issue(id, parent, state, more.get("into"), more.get("touched", False), START, START, found)


def clustering(window: Window, labels: list[int], parts: list[int]) -> Clustering:
    """A run's result that holds these issues and sub-issues; -1 for a row in none."""
    none, spread = np.zeros((0, 4), np.float32), fit_spread(window.vectors)
    strength = np.full(len(labels), 0.8, np.float32)
    own, sub = np.array(labels, np.int32), np.array(parts, np.int32)
    return Clustering(own, strength, sub, none, none, np.zeros(0, np.int32), spread)


def book_of(known: list[Issue]) -> Book:
    return Book({each.id: each for each in known}, (), 0)


def placed(known: list[Issue], labels: list[int], sub: list[int]) -> tuple[Placement, Placement]:
    return identified(book_of(known), WINDOW, clustering(WINDOW, labels, sub), POINTS, {}, frozenset())


def lines(found: tuple[Placement, Placement]) -> list[tuple[str, str | None, str | None]]:
    return [(line.kind, line.before, line.after) for line in (*found[0].lineage, *found[1].lineage)]


def states(found: tuple[Placement, Placement]) -> dict[str, str]:
    return {**found[0].states, **found[1].states}


def test_a_swallowed_issue_is_a_sub_issue_under_its_id() -> None:
    known = [issue("big", range(20)), issue("small", range(20, 30))]
    found = placed(known, [0] * 30, [0] * 20 + [1] * 10)
    assert set(found[0].shown) == {"big"} and found[1].shown[20:] == ("small",) * 10
    (new,) = found[1].born
    assert parents(book_of(known), *found) == {"small": "big", new: "big"}
    assert states(found) == {"small": "active", new: "active"}
    assert lines(found) == [("birth", None, new)]  # it has not ended: no merge


def test_what_it_left_in_another_issue_is_a_piece_split_off_it() -> None:
    known = [issue("big", range(12)), issue("small", range(12, 22)), issue("other", range(22, 30))]
    found = placed(known, [0] * 18 + [1] * 12, [0] * 12 + [1] * 6 + [-1] * 12)
    assert found[1].shown[12:18] == ("small",) * 6 and states(found)["small"] == "active"
    assert [line for line in lines(found) if "small" in line] == [("split", "small", "other")]


def test_a_sub_issue_found_by_itself_is_an_issue_with_what_people_made_of_it() -> None:
    for state in ("active", "dismissed"):
        known = [issue("big", range(30)), issue("part", range(20, 30), "big", state, touched=True)]
        found = placed(known, [0] * 20 + [1] * 10, [-1] * 30)
        assert found[0].shown == ("big",) * 20 + ("part",) * 10
        assert found[0].born == frozenset() and states(found) == {"part": state}
        assert parents(book_of(known), *found) == {"part": None}
        assert lines(found) == [("split", "big", "part")]


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


def test_a_sub_issue_that_people_work_on_goes_before_the_issue_it_was_in() -> None:
    known = [
        issue("big", range(18)),
        issue("small", range(18, 30)),
        issue("mine", range(18, 26), "small", touched=True),
    ]
    found = placed(known, [0] * 30, [0] * 18 + [1] * 8 + [-1] * 4)
    assert found[1].shown[18:26] == ("mine",) * 8 and "small" not in {*found[0].shown, *found[1].shown}
    assert states(found)["small"] == "ended" and "small" not in parents(book_of(known), *found)
    assert parents(book_of(known), *found)["mine"] == "big" and ("merge", "small", "big") in lines(found)


def test_a_sub_issue_whose_answers_people_hold_in_the_issue_goes_not_up() -> None:
    known = [issue("held", range(30), touched=True, by=PERSON), issue("part", range(10), "held", touched=True)]
    found = placed(known, [0] * 10 + [1] * 20, [-1] * 30)
    assert set(found[0].shown) == {"held"} and found[1].shown[:10] == ("part",) * 10
    assert states(found) == {} and parents(book_of(known), *found) == {"part": "held"} and lines(found) == []


@pytest.mark.parametrize(
    ("labels", "parent"),
    [
        ([1] * 10 + [0] * 10 + [-1] + [0] * 9, "big"),  # its first answer is in no issue
        ([1] * 10 + [0] * 10 + [1] + [0] * 9, "big"),  # in another
        ([1] * 10 + [0] * 11 + [1] * 9, "other"),  # nearly all are
        ([1] * 10 + [0] * 10 + [-1] * 10, "big"),  # none is in any, and the issue lives
        ([0] * 10 + [-1] * 20, None),  # and it does not
    ],
)
def test_most_answers_tell_where_a_named_sub_issue_is_that_was_not_found(labels: list[int], parent: str) -> None:
    known = [issue("big", range(10, 30)), issue("other", range(10)), issue("part", range(20, 30), "big", touched=True)]
    found = placed(known, labels, [-1] * 30)
    assert parents(book_of(known), *found) == {"part": parent} and found[1].shown[20:] == ("part",) * 10


def test_a_sub_issue_in_no_issue_stays_in_what_that_was_merged_into() -> None:
    known = [
        issue("gone", range(10, 20), None, "merged", into="main"),
        issue("main", range(10)),
        issue("part", range(20, 30), "gone", touched=True),
    ]
    found = placed(known, [0] * 10 + [1] * 10 + [-1] * 10, [-1] * 30)
    assert parents(book_of(known), *found) == {"part": "main"}


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


def test_what_people_split_off_stays_whole_though_it_is_found_in_two(parts: Parts, clock: Clock) -> None:
    answers = Answers(parts.database)
    courier, invoice = answers.about("courier", 12), answers.about("invoice", 12)
    full(parts, clock, dict.fromkeys(courier + invoice, (0, -1)))
    with parts.database.write() as connection:
        (id,) = issues(connection)
        new = actions.split(actions.Work(connection, "acme", "ann", clock.now), id, invoice, "Wrong sums")
    two = {uid: (1 + number % 2, -1) for number, uid in enumerate(invoice)}
    for _ in range(2):
        full(parts, clock, {**dict.fromkeys(courier, (0, -1)), **two})
        with parts.database.read() as connection:
            assert set(issues(connection)) == {id, new}
            assert (members(connection, id), members(connection, new)) == (set(courier), set(invoice))
            assert set(connection.execute(select(clusters.c.id)).scalars()) == {id, new}
            told = connection.execute(select(cluster_lineage.c.kind, cluster_lineage.c.to)).all()
        assert sorted(told) == sorted([("birth", id), ("split", new)])


def test_no_issue_without_answers_stays_where_its_named_sub_issue_was_found(parts: Parts, clock: Clock) -> None:
    answers = Answers(parts.database)
    counts = {"courier": 24, "invoice": 10, "refund": 6}
    courier, invoice, refund = (answers.about(name, count) for name, count in counts.items())
    apart = {**dict.fromkeys(courier, (0, -1)), **dict.fromkeys(invoice, (1, 0)), **dict.fromkeys(refund, (1, 1))}
    full(parts, clock, apart)
    with parts.database.write() as connection:
        ids = connection.execute(select(clusters.c.id)).scalars()
        held = {frozenset(members(connection, id)): id for id in ids}
        big, small, mine = (held[frozenset(each)] for each in (courier, invoice + refund, invoice))
        connection.execute(update(clusters).where(clusters.c.id == mine).values(name="Wrong sums", version=2))
    together = {**dict.fromkeys(courier, (0, 0)), **dict.fromkeys(invoice, (0, 1)), **dict.fromkeys(refund, (0, 2))}
    for _ in range(2):
        full(parts, clock, together)
        with parts.database.read() as connection:
            assert row_of(connection, small)[0] == "ended" and row_of(connection, mine) == ("active", big, "Wrong sums")
            assert members(connection, mine) == set(invoice) and list(issues(connection)) == [big]
            alive = connection.execute(select(clusters.c.id).where(clusters.c.state == "active")).scalars().all()
            assert all(members(connection, id) for id in alive)


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
        parents=parents(book, whole, below),
        states={**whole.states, **below.states},
        lineage=(*whole.lineage, *below.lineage),
    )
    with parts.database.write() as connection:
        write(connection, "acme", book, found, now)
