"""Labelled rows: what is read, what is unknown, what is wrong with a file, and fair splits."""

import gzip
import json

import numpy as np
import pytest

from nlp.errors import InputError
from nlp.types import MOODS, SIGNALS, Scale
from training.dataset import UNKNOWN, parse_row, read_jsonl, split, targets, text_key

THEMES = ("delivery", "staff", "price")


def test_rows_are_read_plain_gzipped_and_with_a_byte_order_mark(tmp_path):
    content = '{"id": "ż"}\n\n   \n{"id": "2"}\n'
    (tmp_path / "a.jsonl").write_text(content, "utf-8-sig")
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(content.encode()))
    for name in ("a.jsonl", "a.jsonl.gz"):
        assert [row["id"] for row in read_jsonl(tmp_path / name)] == ["ż", "2"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"id": 1}\n{"id": }\n', "line 2: not JSON .*column 8"),
        ('\n\n{"id": 1}\nhello\n', "line 4: not JSON"),
        ('{"id": 1}\n[1, 2]\n', "line 2: a JSON object is expected, this is a list"),
        ('"text"\n', "line 1: a JSON object is expected, this is a str"),
        ('{"id": 1\n}\n', "line 1: not JSON"),
    ],
)
def test_an_unreadable_line_is_named_by_its_number(tmp_path, content, message):
    path = tmp_path / "labels.jsonl"
    path.write_text(content, "utf-8")
    with pytest.raises(InputError, match=f"labels.jsonl, {message}"):
        list(read_jsonl(path))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("latin.jsonl", '{"text": "żółć"}'.encode("cp1250")),
        ("plain.jsonl.gz", b'{"text": "not zipped"}'),
        ("short.jsonl.gz", gzip.compress(b'{"text": "cut off"}')[:-12]),
    ],
    ids=["another encoding", "not zipped", "cut off"],  # a zip holds the time: two test processes must see one id
)
def test_a_file_in_another_encoding_is_named(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=name):
        list(read_jsonl(tmp_path / name))


def test_a_whole_row_is_read():
    row = parse_row(
        {
            "id": 7,
            "text": " Wolno,\u200b ale  miło ",
            "lang": "pl",
            "question": "Why?",
            "themes": ["delivery", "staff"],
            "themes_disputed": ["price"],
            "theme_sentiments": {"delivery": "negative"},
            "sentiment": "mixed",
            "justified": False,
            "signals": {"suggestion": True, "legal_threat": False},
            "signals_disputed": ["churn_intent"],
            "metric": "rating",
            "score": 3,
            "scale": {"min": 1, "max": 5},
            "priority": None,
            "split": "train",
        },
        "own",
    )
    assert (row.id, row.text, row.language, row.source) == ("7", "Wolno, ale miło", "pl", "own")
    assert row.themes == {"delivery", "staff"} and row.themes_disputed == {"price"}
    assert row.signals == {"suggestion"} and row.signals_disputed == {"churn_intent"}
    assert (row.justified, row.sentiment, row.priority) == (False, "mixed", None)
    response = row.response
    assert (response.id, response.text, response.question) == ("7", "Wolno, ale miło", "Why?")
    assert (response.metric, response.score, response.scale) == ("rating", 3, Scale(1, 5))


def test_what_is_absent_or_null_is_unlabelled():
    for extra in ({}, dict.fromkeys(("themes", "theme_sentiments", "sentiment", "justified", "signals", "scale"))):
        row = parse_row({"id": "a", "text": "x", **extra})
        assert (row.themes, row.sentiment, row.justified, row.signals) == (None, None, None, None)
        assert row.theme_sentiments is None and row.priority == UNKNOWN
        assert row.response.respondent is None
    assert parse_row({"id": "a", "text": "x", "theme_sentiments": {}}).theme_sentiments == {}


def test_signals_may_be_a_list_and_the_language_has_its_contract_name():
    row = parse_row({"id": "a", "text": "x", "signals": ["suggestion"], "language": "uk"})
    assert row.signals == {"suggestion"} and row.language == "uk"
    assert parse_row({"id": "a", "text": "x", "signals": []}).signals == frozenset()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"text": None}, "has no text"),
        ({"text": 5}, "has no text"),
        ({"sentiment": "angry"}, "'angry'.*negative"),
        ({"sentiment": 1}, "sentiment 1"),
        ({"theme_sentiments": {"staff": "bad"}}, "'bad'"),
        ({"themes": "delivery"}, "themes"),
        ({"theme_sentiments": ["delivery"]}, "theme_sentiments"),
        ({"justified": "yes"}, "justified"),
        ({"signals": ["complaint"]}, "complaint"),
        ({"scale": {"from": 0, "to": 5}}, "scale"),
        ({"score": "7"}, "score"),
        ({"score": float("nan")}, "score"),
        ({"score": True}, "score"),
        ({"themes": ["a", 1]}, "themes"),
        ({"themes_disputed": "delivery"}, "themes_disputed"),
        ({"signals": {"suggestion": "yes"}}, "signals"),
        ({"signals": {"complaint": True}}, "complaint"),
        ({"signals_disputed": ["complaint"]}, "signals_disputed.*complaint"),
        ({"scale": 5}, "scale"),
        ({"scale": {"min": 5, "max": 1}}, "from 5 to 1"),
        ({"scale": {"min": "0", "max": 10}}, "scale"),
        ({"priority": "1"}, "priority"),
        ({"question": 7}, "question"),
        ({"lang": ["pl"]}, "lang"),
        ({"respondent": "Anna"}, "respondent"),
        ({"respondent": {"contact_consent": "yes"}}, "respondent.contact_consent"),
    ],
)
def test_a_wrong_field_is_named_with_its_row(wrong, message):
    with pytest.raises(InputError, match=rf"labels.jsonl: row 'r-9'.*{message}"):
        parse_row({"id": "r-9", "text": "x"} | wrong, "labels.jsonl")


def test_no_customers_words_stand_in_an_error():
    for name in ("question", "metric", "themes", "theme_sentiments", "justified", "score", "scale", "respondent"):
        with pytest.raises(InputError) as caught:
            parse_row({"id": "1", "text": "x", name: ["my number is 600100200"] if name != "themes" else "600100200"})
        assert "600100200" not in str(caught.value)


@pytest.mark.parametrize("consent", [True, False])
def test_consent_reaches_the_response(consent):
    row = parse_row({"id": "1", "text": "x", "respondent": {"contact_consent": consent, "segment": "gold"}})
    assert row.response.respondent.contact_consent is consent


def test_a_text_that_is_missing_altogether_is_named():
    with pytest.raises(InputError, match="row 'r-9' has no text"):
        parse_row({"id": "r-9"}, "labels.jsonl")


def test_targets_by_hand(row):
    out = targets(
        [
            row(
                themes=frozenset({"staff"}),
                themes_disputed=frozenset({"price", "elsewhere"}),
                theme_sentiments={"staff": "positive"},
                sentiment="mixed",
                justified=True,
                signals=frozenset({SIGNALS[1]}),
                signals_disputed=frozenset({SIGNALS[2]}),
            ),
            row(theme_sentiments={"price": "negative"}),
            row(themes=frozenset(), justified=False, signals=frozenset()),
        ],
        THEMES,
    )
    assert out.themes.tolist() == [[0, 1, UNKNOWN], [UNKNOWN] * 3, [0, 0, 0]]
    positive, negative = MOODS.index("positive"), MOODS.index("negative")
    assert out.moods.tolist() == [[UNKNOWN, positive, UNKNOWN], [UNKNOWN, UNKNOWN, negative], [UNKNOWN] * 3]
    assert out.sentiment.tolist() == [MOODS.index("mixed"), UNKNOWN, UNKNOWN]
    assert out.justified.tolist() == [1, UNKNOWN, 0]
    assert out.signals.tolist() == [[0, 1, UNKNOWN, 0, 0], [UNKNOWN] * 5, [0] * 5]
    assert {values.dtype for values in (out.themes, out.moods, out.sentiment, out.justified, out.signals)} == {
        np.dtype(np.int8)
    }


def test_themes_outside_the_taxonomy_are_all_listed(row):
    rows = [
        row(themes=frozenset({"staff", "zebra"})),
        row(theme_sentiments={"apple": "negative"}),
        row(themes=frozenset({"zebra", "delivery"})),
    ]
    with pytest.raises(InputError, match="apple, zebra;"):
        targets(rows, THEMES)


SAME = [
    ("Super firma!", "super firma"),
    ("Bardzo  dobrze.", "bardzo\ndobrze…"),
    ("była m zadowolona", "byłam zadowolona"),
    ("ＧＯＯＤ", "good"),
    ("ﬁne", "Fine"),
    ("Straße", "STRASSE"),
]
DIFFERENT = [("good", "bad"), ("ładne", "ladne"), ("5", "6"), ("!!!", "???"), ("👍", "👎"), ("й", "и")]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_what_a_reader_calls_the_same_answer_has_one_key(one, other):
    assert text_key(one) == text_key(other)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_other_answers_have_other_keys(one, other):
    assert text_key(one) != text_key(other)


def test_equal_texts_stay_on_one_side_of_a_split(row):
    texts = [f"Answer number {index}" for index in range(400)]
    rows = [row(str(index), text) for index, text in enumerate(texts + [text.upper() + "!" for text in texts])]
    train, dev = split(rows, 0.15)
    assert {text_key(each.text) for each in train}.isdisjoint(text_key(each.text) for each in dev)
    assert sorted(each.id for each in train + dev) == sorted(each.id for each in rows)
    assert 0.09 < len(dev) / len(rows) < 0.21


def test_a_split_does_not_depend_on_the_company_or_the_order(row):
    rows = [row(str(index), f"Text {index}") for index in range(100)]
    dev = {each.id for each in split(rows, 0.3)[1]}
    assert {each.id for each in split(rows[::-1], 0.3)[1]} == dev
    assert {each.id for each in split(rows[:50], 0.3)[1]} == dev & {str(index) for index in range(50)}
    assert split(rows, 0.0)[1] == []
    assert {each.id for each in split(rows, 0.1)[1]} <= dev


def test_half_a_character_in_json_does_not_stop_a_split():
    row = parse_row(json.loads(r'{"id": "1", "text": "a \ud83d", "themes": []}'), "labels.jsonl")
    assert len(split([row], 0.5)[0]) + len(split([row], 0.5)[1]) == 1
