"""Who is who, as values: what people work on is never swallowed, pieces of what they dismissed stay away."""

from collections.abc import Mapping

import numpy as np
import pytest
from loop import START

from nlp.portrait import Answer
from serving.issues.births import gathered
from serving.issues.identity import Placement, identify
from serving.issues.known import PERSON, RUN, Book, Issue, Member
from serving.issues.window import Window
from serving.issues.writing import Pair

UIDS = tuple(f"u{number}" for number in range(12))
EAST, NORTH = np.eye(2, dtype=np.float32)
POINTS = np.stack([EAST] * 6 + [NORTH] * 6)


def window() -> Window:
    answers = tuple(Answer("en") for _ in UIDS)
    return Window("enc", UIDS, tuple(f"text {uid}" for uid in UIDS), ("en",) * 12, POINTS, answers, None)


def issue(id: str, rows: range, state: str = "active", by: str = RUN, touched: bool = False, **more) -> Issue:
    members = {UIDS[row]: Member(0.8, by, START) for row in rows}
    return Issue(id, None, state, more.get("into"), touched, START, START, members)


def placed(known: Mapping[str, Issue], labels: list[int], apart: tuple[Pair, ...] = ()) -> Placement:
    return identify(Book(known, apart, 0), False, window(), np.array(labels), POINTS, {})


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


@pytest.mark.parametrize(("tight", "sizes"), [(0.9, [6, 6]), (-1.0, [12])])
def test_only_what_is_near_enough_gathers(tight: float, sizes: list[int]) -> None:
    assert [len(rows) for rows in gathered(POINTS, tight)] == sizes
    assert gathered(POINTS[:1], tight) == []
