"""Rows made fit to learn from: duplicates merged, contradictions unlabelled, bad labels refused, fair parts."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlp.errors import InputError
from training.dataset import UNKNOWN, LabelledRow, text_key
from training.prepare import FEWEST, Conflict, prepare, split_stratified

A, B = frozenset({"a"}), frozenset({"b"})


def rows(count: int = 20) -> list[LabelledRow]:
    """Different texts, half of them of theme a and half of b."""
    return [LabelledRow(f"r-{n}", f"text {n}", themes=A if n % 2 else B, sentiment="neutral") for n in range(count)]


def test_rows_that_are_fine_stay_as_they_are():
    prepared = prepare(rows(), "x.jsonl", ["a", "b", "c"])
    assert list(prepared.rows) == rows()
    assert (prepared.duplicates, prepared.conflicts, prepared.unlabelled) == (0, (), ())
    assert prepared.themes == ("a", "b", "c")
    assert prepared.warnings == ("sentiment is neutral wherever it is labelled: one class teaches nothing",)


def test_the_same_answer_becomes_one_row_with_the_labels_of_all():
    twice = [
        LabelledRow("one", "Super obsługa!", question="Why?", themes=A),
        LabelledRow("two", "super  obsługa", question="why", sentiment="positive", justified=False),
        LabelledRow("three", "SUPER OBSŁUGA", question="Why?", signals=frozenset(), priority=None),
        LabelledRow("other", "Super obsługa!", question="What else?", themes=B),
    ]
    prepared = prepare([*rows(), *twice], "x.jsonl")
    merged, other = prepared.rows[-2:]
    assert prepared.duplicates == 2 and prepared.conflicts == ()
    assert (merged.id, merged.text) == ("one", "Super obsługa!")
    assert (merged.themes, merged.sentiment, merged.justified, merged.signals) == (A, "positive", False, frozenset())
    assert merged.priority is None and (other.id, other.themes) == ("other", B)


@pytest.mark.parametrize(
    ("one", "two", "fields", "left"),
    [
        ({"sentiment": "positive"}, {"sentiment": "negative"}, ("sentiment",), {"sentiment": None}),
        ({"justified": True}, {"justified": False}, ("justified",), {"justified": None}),
        ({"themes": A}, {"themes": A | B}, ("themes",), {"themes": None}),
        ({"themes": A}, {"themes": frozenset()}, ("themes",), {"themes": None}),
        ({"signals": frozenset({"suggestion"})}, {"signals": frozenset()}, ("signals",), {"signals": None}),
        ({"priority": 1}, {"priority": None}, ("priority",), {"priority": UNKNOWN}),
        (
            {"theme_sentiments": {"a": "negative", "b": "mixed"}},
            {"theme_sentiments": {"a": "positive"}},
            ("theme_sentiments",),
            {"theme_sentiments": {"b": "mixed"}},
        ),
        (
            {"themes": A, "theme_sentiments": {"a": "negative"}},
            {"themes": B, "theme_sentiments": {"b": "negative"}},
            ("themes",),
            {"themes": None, "theme_sentiments": None},
        ),
        ({"themes": A, "sentiment": "mixed"}, {"themes": B}, ("themes",), {"themes": None, "sentiment": "mixed"}),
        ({"themes": A}, {"themes": A | B, "themes_disputed": B}, (), {"themes": A, "themes_disputed": B}),
        ({"themes": A}, {"themes_disputed": A}, (), {"themes": frozenset(), "themes_disputed": A}),
        ({"themes": A}, {"themes": None, "sentiment": "mixed"}, (), {"themes": A, "sentiment": "mixed"}),
        (
            {"theme_sentiments": {"a": "negative"}},
            {"theme_sentiments": {"b": "positive"}},
            (),
            {"theme_sentiments": {"a": "negative", "b": "positive"}},
        ),
        ({"theme_sentiments": {}}, {"theme_sentiments": {}}, (), {"theme_sentiments": {}}),
        ({"undecided": frozenset({"sentiment"})}, {"sentiment": "mixed"}, ("sentiment",), {"sentiment": None}),
    ],
)
def test_what_duplicates_contradict_is_unlabelled_and_reported(one, two, fields, left):
    labelled = LabelledRow("l", "last", justified=True, signals=A, theme_sentiments={"a": "mixed"})
    pair = [LabelledRow("one", "same", **one), LabelledRow("two", "Same.", **two)]
    prepared = prepare([*rows(), labelled, *pair], "x.jsonl")
    assert prepared.conflicts == ((Conflict(("one", "two"), fields),) if fields else ())
    found = prepared.rows[-1] if prepared.rows[-1].id == "one" else None
    assert found is None or {name: getattr(found, name) for name in left} == left
    if found is None:  # nothing of it is labelled any more
        assert prepared.unlabelled == ("one",) and all(value is None or value == UNKNOWN for value in left.values())


def test_three_of_a_kind_with_one_that_differs_is_still_a_conflict():
    same = [LabelledRow(str(n), "ok", sentiment=mood) for n, mood in enumerate(["positive", "positive", "neutral"])]
    prepared = prepare([*rows(), *same], "x.jsonl")
    assert prepared.conflicts == (Conflict(("0", "1", "2"), ("sentiment",)),) and prepared.duplicates == 2


def test_what_annotators_left_undecided_is_reported():
    torn = LabelledRow("t", "torn", themes=A, undecided=frozenset({"sentiment"}))
    assert prepare([*rows(), torn], "x.jsonl").conflicts == (Conflict(("t",), ("sentiment",)),)


def test_preparing_twice_changes_nothing():
    pair = [LabelledRow("one", "same", themes=A), LabelledRow("two", "Same.", themes=B, sentiment="mixed")]
    once = prepare([*rows(), *pair], "x.jsonl")
    assert prepare(once.rows, "x.jsonl").rows == once.rows


def test_rows_without_labels_are_left_out_and_named():
    empty = [LabelledRow("u", "unlabelled", score=3, priority=1), LabelledRow("v", "v", themes_disputed=A)]
    prepared = prepare([*rows(), *empty], "x.jsonl")
    assert prepared.unlabelled == ("u", "v") and list(prepared.rows) == rows()


def same(**labels) -> list[LabelledRow]:
    return [LabelledRow(f"s-{n}", f"text {n}", **labels) for n in range(15)]


def torn(one: dict, two: dict) -> list[LabelledRow]:
    return [LabelledRow(f"t-{n}", f"text {n // 2}", **(two if n % 2 else one)) for n in range(40)]


BAD = [
    ([], "x.csv has no labelled rows"),
    (rows(3), r"x.csv has 3 different labelled texts \(rows r-0, r-1, r-2\); label at least 12"),
    (rows(FEWEST - 1) * 2, "x.csv has 11 different labelled texts .*and 6 more.*besides 11 duplicates"),
    (
        [*rows(5), *(LabelledRow(f"u-{n}", f"u {n}") for n in range(20))],
        r"x.csv has 5 different .*besides 20 without labels; label at least 12",
    ),
    ([*rows(), LabelledRow("e-1", "", themes=A), LabelledRow("e-2", "")], "text is empty in rows e-1, e-2; fill"),
    ([*rows(), LabelledRow("h", "half \ud83d", themes=A)], "half a character, .* stands in row h; export"),
    (
        [
            *rows(),
            LabelledRow("z", "z", themes=frozenset({"zebra"})),
            LabelledRow("y", "y", theme_sentiments={"yak": "mixed"}),
        ],
        "x.csv: theme ids outside the taxonomy: yak, zebra; they stand in rows z, y; add them",
    ),
    (same(themes=A), r"one class only: themes is a wherever it is labelled \(rows s-0, .*and 10 more\); add rows"),
    (same(themes=frozenset()), "one class only: themes is none wherever"),
    (same(themes=A | B, sentiment="positive"), "themes is a, b wherever it is labelled; sentiment is positive"),
    (same(justified=True), "justified is true wherever"),
    (same(theme_sentiments={"a": "mixed", "b": "mixed"}), "theme_sentiments is mixed wherever"),
    (same(), "no row has labels .*label some of themes"),
    (
        torn({"themes": A}, {"themes": B}),
        r"every label of themes contradicts .*\(rows t-0, t-1, .*and 35 more\); decide",
    ),
    (torn({"justified": True}, {"justified": False, "sentiment": "mixed"}), "one class only: sentiment is mixed"),
]


@pytest.mark.parametrize(("bad", "message"), BAD)
def test_bad_labels_are_refused_with_the_rows_and_what_to_do(bad, message):
    with pytest.raises(InputError, match=message):
        prepare(bad, "x.csv", ["a", "b"])


def test_no_text_stands_in_an_error():
    for bad, _ in BAD:
        with pytest.raises(InputError) as caught:
            prepare(bad, "x.csv", ["a", "b"])
        assert not re.search(r"text \d|half \\|\bu \d", str(caught.value))


def test_one_theme_is_enough_where_something_else_can_be_learnt():
    mixed = [LabelledRow(f"r-{n}", f"t {n}", themes=A, sentiment="positive" if n % 3 else "mixed") for n in range(20)]
    assert prepare(mixed, "x.csv").warnings == ("themes is a wherever it is labelled: one class teaches nothing",)


def test_a_task_that_contradictions_leave_nothing_of_is_a_warning_where_others_remain():
    pair = [LabelledRow("one", "same", justified=True), LabelledRow("two", "Same.", justified=False)]
    expected = "every label of justified contradicts another for the same text (rows one, two)"
    assert prepare([*rows(), *pair], "x.csv").warnings[0] == expected


def themes_of(part) -> set[str]:
    return {theme for row in part for theme in row.theme_ids}


def test_a_rare_theme_stands_on_both_sides():
    many = [LabelledRow(str(n), f"answer {n}", themes=frozenset({"often"})) for n in range(200)]
    rare = [LabelledRow(f"x{n}", f"rare {n}", themes=frozenset({f"rare {n // 2}"})) for n in range(40)]
    train, dev = split_stratified(many + rare, 0.15)
    every = {"often", *(f"rare {n}" for n in range(20))}
    assert themes_of(train) == every and themes_of(dev) == every
    assert 0.1 < len(dev) / 240 < 0.35


def test_the_text_with_the_smallest_hash_is_moved():
    many = [LabelledRow(str(n), f"answer {n}", themes=A) for n in range(50)]
    pair = [LabelledRow(f"x{n}", f"rare {n}", themes=B) for n in range(30)]
    pair = [row for row in pair if int(text_key(row.text)[:8], 16) / 0xFFFFFFFF > 0.2][:3]
    dev = split_stratified(many + pair, 0.15)[1]
    assert [row.id for row in dev if row.themes == B] == [min(pair, key=lambda row: text_key(row.text)).id]


def test_a_theme_of_one_text_is_left_where_its_hash_puts_it():
    only = LabelledRow("only", "only", themes=B)
    train, dev = split_stratified([*rows(40)[1::2], only], 0.3)
    assert (only in dev) == (int(text_key("only")[:8], 16) / 0xFFFFFFFF < 0.3) and only in train + dev


def test_a_small_set_without_themes_has_rows_on_both_sides():
    small = [LabelledRow(str(n), f"answer {n}", sentiment="positive" if n < 6 else "negative") for n in range(12)]
    for part in split_stratified(small, 0.15):
        assert {row.sentiment for row in part} == {"positive", "negative"}


def test_a_share_of_nothing_or_everything_is_kept():
    assert split_stratified(rows(), 0.0) == (rows(), [])
    assert split_stratified(rows(), 1.0) == ([], rows())


LABELLED = st.lists(
    st.tuples(st.integers(0, 40), st.sets(st.sampled_from("abcdef"), max_size=3)), min_size=1, max_size=60
).map(
    lambda found: [LabelledRow(str(n), f"t {text}", themes=frozenset(themes)) for n, (text, themes) in enumerate(found)]
)


@settings(max_examples=150, deadline=None)
@given(LABELLED, st.sampled_from([0.1, 0.15, 0.5]))
def test_whatever_the_labels_no_text_is_on_both_sides_and_training_lacks_no_theme(labelled, share):
    train, dev = split_stratified(labelled, share)
    assert sorted(row.id for row in train + dev) == sorted(row.id for row in labelled)
    texts = [{text_key(row.text) for row in part} for part in (train, dev)]
    assert texts[0].isdisjoint(texts[1])
    for theme in "abcdef":
        if len({text_key(row.text) for row in labelled if theme in row.themes}) >= 2:
            assert theme in themes_of(train)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from("abcdef"), min_size=2, max_size=60), st.sampled_from([0.1, 0.15, 0.5]))
def test_every_theme_of_two_texts_is_on_both_sides_where_rows_have_one(themes, share):
    labelled = [LabelledRow(str(n), f"text {n}", themes=frozenset({theme})) for n, theme in enumerate(themes)]
    train, dev = split_stratified(labelled, share)
    often = {theme for theme in themes if themes.count(theme) > 1}
    assert often <= themes_of(train) and often <= themes_of(dev)


def test_a_split_is_stable_as_rows_are_added():
    many = [LabelledRow(str(n), f"answer {n}", themes=A if n % 2 else B) for n in range(300)]
    before = {row.id for row in split_stratified(many[:200], 0.15)[1]}
    after = {row.id for row in split_stratified(many, 0.15)[1]}
    assert before == after & {row.id for row in many[:200]}
