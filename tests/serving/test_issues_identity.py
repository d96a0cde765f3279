"""Who is who, as values: what people work on is never swallowed, pieces of what they dismissed stay away."""

from collections.abc import Mapping

import numpy as np
import pytest
from loop import START

from nlp.portrait import Answer
from serving.issues.identity import Placement, identify
from serving.issues.known import PERSON, RUN, Book, Issue, Member
from serving.issues.window import Window
from serving.issues.writing import Pair

UIDS = tuple(f"u{number}" for number in range(12))
EAST, NORTH = np.eye(2, dtype=np.float32)
POINTS = np.stack([EAST] * 6 + [NORTH] * 6)


def window() -> Window:
    answers = tuple(Answer("en") for _ in UIDS)
    return Window("enc", UIDS, tuple(f"text {uid}" for uid in UIDS), ("en",) * 12, POINTS, answers, None, (1,) * 12)


def issue(id: str, rows: range, state: str = "active", by: str = RUN, touched: bool = False, **more) -> Issue:
    members = {UIDS[row]: Member(0.8, by, START) for row in rows}
    return Issue(id, None, state, more.get("into"), touched, START, START, members, more.get("fresh", False))


def placed(known: Mapping[str, Issue], labels: list[int], apart: tuple[Pair, ...] = ()) -> Placement:
    return identify(Book(known, apart, 0), window(), np.array(labels), POINTS, {})


def book(*issues: Issue) -> dict[str, Issue]:
    return {each.id: each for each in issues}


def test_a_named_issue_is_not_swallowed_by_a_larger_one() -> None:
    known = book(issue("big", range(6)), issue("mine", range(6, 10), touched=True))
    found = placed(known, [0] * 12)
    # what neither knew goes where it lies nearer
    assert found.shown == ("big",) * 6 + ("mine",) * 6
    assert (found.states, found.lineage, found.born) == ({}, (), frozenset())


def test_without_a_name_it_is_and_the_lineage_tells() -> None:
    found = placed(book(issue("big", range(7)), issue("small", range(7, 10))), [0] * 12)
    assert set(found.shown) == {"big"} and found.states == {"small": "ended"}
    assert [(line.kind, line.before, line.after) for line in found.lineage] == [("merge", "small", "big")]


def test_what_people_split_stays_apart() -> None:
    known = book(issue("one", range(6)), issue("two", range(6, 9), by=PERSON))
    found = placed(known, [0] * 12, (("one", "two"),))
    assert found.shown == ("one",) * 6 + ("two",) * 6


def test_answers_that_people_placed_stay_where_they_are() -> None:
    known = book(issue("one", range(6)), issue("two", range(3, 9), by=PERSON, touched=True))
    assert placed(known, [0] * 6 + [1] * 6).shown[3:6] == ("two",) * 3


def test_what_was_merged_is_shown_in_the_other_and_still_told_apart() -> None:
    known = book(issue("gone", range(6), "merged", into="main"), issue("main", range(12)))
    found = placed(known, [0] * 6 + [1] * 6)
    assert set(found.shown) == {"main"} and found.own == ("gone",) * 6 + ("main",) * 6
    assert (found.states, found.lineage) == ({}, ())


def test_a_piece_of_a_dismissed_issue_is_dismissed() -> None:
    found = placed(book(issue("old", range(12), "dismissed", touched=True)), [0] * 7 + [1] * 5)
    (new,) = found.born
    assert found.shown == ("old",) * 7 + (new,) * 5 and found.states == {new: "dismissed"}
    assert [(line.kind, line.before, line.after) for line in found.lineage] == [("split", "old", new)]


def test_an_issue_that_people_work_on_does_not_end_while_it_has_answers() -> None:
    known = book(issue("mine", range(4), touched=True), issue("other", range(4, 8)))
    found = placed(known, [-1] * 12)
    assert found.shown == ("mine",) * 4 + (None,) * 8
    assert found.states == {"other": "ended"}
    assert [(line.kind, line.before) for line in found.lineage] == [("death", "other")]


def test_what_came_up_lately_is_not_swallowed_by_a_larger_one() -> None:
    found = placed(book(issue("big", range(6)), issue("new", range(7, 11), fresh=True)), [0] * 12)
    # what neither knew goes where it lies nearer
    assert found.shown == ("big",) * 6 + ("new",) * 6
    assert (found.states, found.lineage, found.born) == ({}, (), frozenset())


def test_nor_by_a_piece_of_a_much_larger_one() -> None:
    many = issue("many", range(6), fresh=False)
    elsewhere = {f"far{number}": Member(0.8, RUN, START) for number in range(60)}
    many = Issue("many", None, "active", None, False, START, START, {**many.members, **elsewhere})
    found = placed(book(many, issue("new", range(6, 10), fresh=True)), [0] * 12)
    assert set(found.shown[:6]) == {"many"} and found.shown[6:] == ("new",) * 6


@pytest.mark.parametrize("labels", [[0] * 6 + [1] * 3 + [2] * 3, [0] * 8 + [-1] * 4, [-1] * 12])
def test_it_is_whole_wherever_its_answers_were_found(labels: list[int]) -> None:
    found = placed(book(issue("big", range(6)), issue("new", range(6, 12), fresh=True)), labels)
    assert found.shown[6:] == ("new",) * 6
    assert found.born == frozenset() and not any("new" in (line.before, line.after) for line in found.lineage)


def test_too_little_that_is_left_of_a_group_is_no_issue() -> None:
    found = placed(book(issue("new", range(8), fresh=True)), [0] * 6 + [1] * 6)
    assert found.shown == ("new",) * 8 + (None,) * 4 and found.born == frozenset()


@pytest.mark.parametrize("by", [RUN, PERSON])
def test_answers_of_an_issue_that_people_work_on_stay_in_both(by: str) -> None:
    known = book(issue("mine", range(6), by=by, touched=True), issue("new", range(3, 12), fresh=True))
    found = placed(known, [0] * 12)
    assert {id: rows.tolist() for id, rows in found.rows().items()} == {
        "mine": list(range(6)),
        "new": list(range(3, 12)),
    }
    found = placed(book(issue("mine", range(6), by=by, touched=True), issue("new", range(6), fresh=True)), [0] * 12)
    assert found.rows()["new"].tolist() == list(range(6)) and (found.states, found.lineage) == ({}, ())


def test_what_people_merged_others_into_does_not_end_while_these_are_found() -> None:
    known = book(issue("gone", range(6), "merged", into="main"), issue("main", range(6, 8)), issue("big", range(8, 12)))
    found = placed(known, [0] * 6 + [1] * 6)
    assert found.shown == ("main",) * 6 + ("big",) * 6 and "main" not in found.states


def test_a_small_piece_of_what_was_dismissed_stays_away_and_one_that_is_mostly_new_does_not() -> None:
    old = issue("old", range(12), "dismissed", touched=True)
    found = placed(book(old), [0] * 9 + [1] * 3)
    assert list(found.states.values()) == ["dismissed"]
    found = placed(book(issue("old", range(8), "dismissed", touched=True)), [0] * 7 + [1] * 5)
    assert list(found.states.values()) == ["active"] and [line.kind for line in found.lineage] == ["birth"]


@pytest.mark.parametrize(
    ("state", "became", "told"), [("ended", {}, []), ("active", {"old": "ended"}, [("death", "old", None)])]
)
def test_an_issue_does_not_return_by_answers_that_people_hold_in_another(state: str, became: dict, told: list) -> None:
    known = book(issue("held", range(6), by=PERSON, touched=True), issue("old", range(0), state))
    labels, lost = np.array([0] * 4 + [1] * 2 + [-1] * 6), {"old": EAST}
    found = identify(Book(known, (), 0), window(), labels, POINTS, lost, frozenset({"old"}))
    assert found.shown == ("held",) * 6 + (None,) * 6 and found.states == became
    assert [(line.kind, line.before, line.after) for line in found.lineage] == told


def test_what_went_into_a_group_of_answers_that_people_hold_in_another_is_over() -> None:
    held = issue("held", range(8), by=PERSON, touched=True)
    known = book(held, issue("one", range(3, 6)), issue("two", range(6, 8)))
    found = placed(known, [0] * 3 + [1] * 5 + [-1] * 4)
    assert found.shown == ("held",) * 8 + (None,) * 4 and found.states == {"one": "ended", "two": "ended"}
    told = [(line.kind, line.before, line.after) for line in found.lineage]
    assert told == [("death", "one", None), ("death", "two", None)]


def test_a_named_issue_keeps_the_answers_that_people_hold_nowhere_else() -> None:
    known = book(issue("held", range(6), by=PERSON, touched=True), issue("mine", range(4, 8), touched=True))
    found = placed(known, [0] * 4 + [1] * 2 + [-1] * 6)
    assert found.shown == ("held",) * 6 + ("mine",) * 2 + (None,) * 4 and found.states == {}
