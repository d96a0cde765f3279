"""Reading files as people send them, and writing results that can be opened again."""

import csv
import io
import itertools
import json
import math
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import fastexcel
import polars as pl
import pytest
import xlsxwriter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nlp.errors import InputError, PolicyError
from nlp.types import Classification, Failure, Versions
from serving.bulk import classify_rows
from serving.csvfile import MAX_CELL
from serving.encoding import find_encoding, find_separator
from serving.files import MAX_LINE, read_rows
from serving.flat import RESULTS
from serving.mapping import ColumnMapping, load_mapping, parse_mapping
from serving.rows import ReadLog, Row
from serving.tables import guarded, outputs

NOW = datetime(2026, 3, 1, tzinfo=UTC)
POLISH = "Kurier spóźnił się trzy dni, łącznie źle"
RUSSIAN = "Доставка опоздала на три дня, очень плохо"
UKRAINIAN = "Кур'єр запізнився, їжа холодна, ґанок брудний"


def read(path: Path, mapping: ColumnMapping | None = None, remarks: list[str] | None = None) -> list[Row]:
    return list(read_rows(path, mapping or ColumnMapping(), ReadLog((remarks if remarks is not None else []).append)))


def texts(rows: list[Row]) -> list[str]:
    return [row.item.text for row in rows if row.item]


def written(path: Path, content: str | bytes, encoding: str = "utf-8") -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    return path


# encodings and separators


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1250", "iso8859-2"])
@pytest.mark.parametrize("text", [POLISH, "ś", "Żółta łódź", "OBSŁUGA", "plain"])
def test_polish_files_are_read_in_any_encoding(tmp_path, encoding, text):
    assert texts(read(written(tmp_path / "a.csv", f"id;text\n1;{text}\n", encoding))) == [text]


def test_typographic_quotes_and_dashes_do_not_mislead(tmp_path):
    text = "„Żółta łódź” – świetnie"
    assert texts(read(written(tmp_path / "a.csv", f"id;text\n1;{text}\n", "cp1250"))) == [text]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1251"])
@pytest.mark.parametrize("text", [RUSSIAN, UKRAINIAN, "«Всё» — плохо №5", "ні", "ВСЕ ПЛОХО"])
def test_cyrillic_files_are_read_in_any_encoding(tmp_path, encoding, text):
    assert texts(read(written(tmp_path / "a.csv", f"id;text\n1;{text}\n", encoding))) == [text]


def test_an_encoding_seen_only_late_in_a_long_file_is_found(tmp_path):
    path = written(tmp_path / "a.csv", "text\n" + "plain words\n" * 60_000 + POLISH + "\n", "cp1250")
    assert find_encoding(path) == "cp1250"


def test_a_guessed_encoding_is_said_and_the_mapping_overrules_it(tmp_path):
    path = written(tmp_path / "a.csv", "text\nsüß\n", "cp1252")
    remarks: list[str] = []
    read(path, remarks=remarks)
    assert "encoding" in remarks[0]
    assert texts(read(path, ColumnMapping(encoding="cp1252"))) == ["süß"]


def test_damaged_utf8_spoils_its_own_row_only(tmp_path):
    content = f"id;text\n1;{POLISH}\n2;".encode() + b"bad \xff byte\n" + f"3;{RUSSIAN}\n".encode()
    rows = read(written(tmp_path / "a.csv", content))
    assert [row.problem.code if row.problem else None for row in rows] == [None, "unreadable_row", None]
    assert texts(rows) == [POLISH, RUSSIAN]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_separators_and_quoted_newlines(tmp_path, separator):
    rows = [
        ["id", "score", "text"],
        ["1", "3", f'He said "late"{separator} twice,\nreally'],
        ["2", "9", "fine; good, ok"],
    ]
    file = io.StringIO()
    csv.writer(file, delimiter=separator).writerows(rows)
    found = read(written(tmp_path / "a.csv", file.getvalue()))
    assert texts(found) == [rows[1][2], rows[2][2]]
    assert [(row.number, row.item.score) for row in found] == [(2, 3.0), (3, 9.0)]


@pytest.mark.parametrize(
    ("sample", "separator"),
    [
        ("sep=;\nid;text\n", ";"),
        ("id;What, if anything, could improve\n1;Good\n2;Bad\n", ";"),
        ('id,"a;b;c",text\n1,2,3\n', ","),
        ("text\nGood, but late\nBad, very, bad\n", "\x1f"),
    ],
)
def test_the_separator_is_the_one_rows_agree_on(sample, separator):
    assert find_separator(sample) == separator


def test_a_column_of_sentences_is_one_column(tmp_path):
    assert texts(read(written(tmp_path / "a.csv", 'text\nGood, but late\n"Bad; ""very"""\n'))) == [
        "Good, but late",
        'Bad; "very"',
    ]


def test_excels_separator_line_is_no_header(tmp_path):
    assert texts(read(written(tmp_path / "a.csv", "sep=;\r\nid;text\r\n1;a\r\n"))) == ["a"]


# cells


@pytest.mark.parametrize(
    ("cell", "score"), [("7", 7.0), ("7,5", 7.5), ("7.5", 7.5), (" 9 ", 9.0), ("", None), ("-1", -1.0)]
)
def test_scores_with_a_decimal_comma(tmp_path, cell, score):
    (row,) = read(written(tmp_path / "a.csv", f"score;text\n{cell};x\n"))
    assert row.item.score == score


@pytest.mark.parametrize("cell", ["nine", "9-10", "2026-11-02", "01.02.2026", "1 000", "٣", "1e9999999"])
def test_a_score_that_is_no_number_is_the_rows_problem(tmp_path, cell):
    (row,) = read(written(tmp_path / "a.csv", f"score;text\n{cell};x\n"))
    assert (row.item, row.problem.code) == (None, "invalid_row")
    assert cell not in row.problem.detail


@pytest.mark.parametrize(
    ("cell", "score"),
    [
        ("9/10", 9),
        ("9 / 10", 9),
        ("10 - bardzo prawdopodobne", 10),
        ("0 (wcale)", 0),
        ("7: скоріше так", 7),
        ("8,5 pkt", 8.5),
        ("5 баллов", 5),
        *((cell, None) for cell in ("N/A", "-", "brak", "NULL", "н/д")),
    ],
)
def test_a_score_with_its_label_or_a_word_for_none_loses_no_verbatim(tmp_path, cell, score):
    (row,) = read(written(tmp_path / "a.csv", f"score;text\n{cell};x\n"))
    assert (row.item.text, row.item.score) == ("x", score)


@pytest.mark.parametrize(("cell", "value"), [("1 200,50", 1200.5), ("12 345 678", 12_345_678), ("n/a", None)])
def test_values_may_group_their_thousands(tmp_path, cell, value):
    (row,) = read(written(tmp_path / "a.csv", f"respondent.value;respondent.contact_consent;text\n{cell};1.0;x\n"))
    assert (row.item.respondent.value, row.item.respondent.contact_consent) == (value, True)


def test_nan_scores_reach_the_content_check(tmp_path, word_classifier):
    rows = read(written(tmp_path / "a.csv", "score;text\nNaN;x\n"))
    assert math.isnan(rows[0].item.score)
    assert classify_rows(word_classifier, rows, NOW)[0].error.code == "invalid_score"


@pytest.mark.parametrize(
    ("cell", "instant"),
    [
        ("2026-03-01T10:00:00+01:00", datetime(2026, 3, 1, 9, tzinfo=UTC)),
        ("2026-03-01 10:00", datetime(2026, 3, 1, 10, tzinfo=UTC)),
        ("2026-03-01", datetime(2026, 3, 1, tzinfo=UTC)),
    ],
)
def test_dates_without_offset_are_utc_and_this_is_said_once(tmp_path, cell, instant):
    remarks: list[str] = []
    rows = read(written(tmp_path / "a.csv", f"answered_at;text\n{cell};x\n{cell};y\n"), remarks=remarks)
    assert [row.item.answered_at for row in rows] == [instant, instant]
    assert len([remark for remark in remarks if "UTC" in remark]) == (0 if "+" in cell else 1)


def test_other_dates_need_a_format(tmp_path):
    path = written(tmp_path / "a.csv", "answered_at;text\n31.12.2025 10:00;x\n")
    assert "date_format" in read(path)[0].problem.detail
    (row,) = read(path, ColumnMapping(date_format="%d.%m.%Y %H:%M"))
    assert row.item.answered_at == datetime(2025, 12, 31, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("cell", "consent"), [("tak", True), ("Нет", False), ("1", True), ("", None), ("FALSE", False)]
)
def test_consent_is_read_in_four_languages(tmp_path, cell, consent):
    (row,) = read(written(tmp_path / "a.csv", f"respondent.id;respondent.contact_consent;text\nc;{cell};x\n"))
    assert row.item.respondent.contact_consent is consent


def test_contract_names_are_found_whatever_their_case_and_others_are_carried(tmp_path):
    remarks: list[str] = []
    content = "ID;Text;Metric;Comment;Attributes.city;Respondent.Plan\n1;x;NPS;other;Lviv;pro\n2;y;;;;\n"
    rows = read(written(tmp_path / "a.csv", content), remarks=remarks)
    assert (rows[0].item.id, rows[0].item.metric) == ("1", "nps")
    assert rows[0].raw["Comment"] == "other"
    assert rows[1].item.metric is None
    assert remarks == ["not read, only carried through to tabular output: 'Comment'"]


def test_without_a_text_column_the_error_lists_the_columns_and_shows_a_mapping(tmp_path):
    with pytest.raises(InputError) as caught:
        read(written(tmp_path / "a.csv", "Ocena;Odpowiedź\n1;x\n"))
    assert "'Ocena', 'Odpowiedź'" in str(caught.value)
    assert "columns:\n  text:" in str(caught.value)


def test_two_columns_of_one_name_are_not_guessed_between(tmp_path):
    with pytest.raises(InputError, match="two columns are called text"):
        read(written(tmp_path / "a.csv", "text;TEXT\nx;y\n"))


def test_repeated_and_blank_headers_keep_every_column(tmp_path):
    (row,) = read(written(tmp_path / "a.csv", "text;note;note;\nx;a;b;c\n"))
    assert dict(row.raw) == {"text": "x", "note": "a", "note_2": "b", "column_4": "c"}


def test_ragged_rows(tmp_path):
    rows = read(written(tmp_path / "a.csv", "id;text;unit\n1;x\n2;y;u;\n3;y;u;more\n\n5;z;u\n"))
    assert [(row.number, row.problem is None) for row in rows] == [(2, True), (3, True), (4, False), (6, True)]
    assert "4 cells" in rows[2].problem.detail
    assert "more" not in rows[2].problem.detail


def test_stray_quotes_are_text(tmp_path):
    rows = read(written(tmp_path / "a.csv", 'id;text\n1;"Super" service\n2;the "best"\n3;ok\n'))
    assert texts(rows) == ["Super service", 'the "best"', "ok"]


# what is wrong with a whole file


def test_an_unclosed_quote_names_its_row(tmp_path):
    path = written(tmp_path / "a.csv", 'id;text\n1;fine\n2;"never closed\n' + "3;lost\n" * 5)
    with pytest.raises(InputError, match="row 3"):
        read(path)


@pytest.mark.parametrize("quote", ["", '"'])
def test_an_endless_cell_stops_the_reader_early(tmp_path, quote):
    path = tmp_path / "a.csv"
    with path.open("w") as file:
        file.write(f"id;text\n1;fine\n2;{quote}")
        for _ in range(40):
            file.write("x" * MAX_CELL + ("\n" if quote else ""))
    rows = read_rows(path, ColumnMapping(), ReadLog(print))
    with pytest.raises(InputError, match="row 3"):
        list(rows)


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.xlsx", "a.parquet"])
@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20, b"PK\x03\x04" + b"\x00" * 500])
def test_empty_and_binary_files_are_input_errors(tmp_path, name, content):
    with pytest.raises(InputError, match=name):
        read(written(tmp_path / name, content))


@pytest.mark.parametrize("content", ["\n\n", "\ufeff", " \r\n"])
def test_blank_files_are_empty(tmp_path, content):
    for name in ("a.csv", "a.jsonl"):
        with pytest.raises(InputError, match="empty"):
            read(written(tmp_path / name, content))


def test_missing_folders_and_unknown_kinds(tmp_path):
    for path, word in ((tmp_path / "no.csv", "does not exist"), (tmp_path, "not a file"), (Path(__file__), ".py")):
        with pytest.raises(InputError, match=word):
            read(path)


@given(content=st.binary(max_size=400))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@pytest.mark.parametrize("name", ["f.csv", "f.jsonl", "f.xlsx", "f.parquet"])
def test_no_bytes_break_a_reader(tmp_path, name, content):
    with_header = {"f.csv": b"text;score\n" + content, "f.parquet": b"PAR1" + content + b"PAR1"}.get(name, content)
    try:
        rows = read(written(tmp_path / name, with_header))
    except InputError:
        return
    assert all((row.item is None) != (row.problem is None) for row in rows)


def test_a_nul_byte_is_one_rows_problem(tmp_path, word_classifier):
    rows = read(written(tmp_path / "a.csv", b"id;text\n1;a\x00b\n2;fine\n"))
    answers = classify_rows(word_classifier, rows, NOW)
    assert [answer.error.code if answer.error else None for answer in answers] == ["invalid_text", None]


# JSON Lines


def test_a_bad_line_has_its_number_and_stops_nothing(tmp_path):
    lines = [
        b'{"id": "1", "text": "a"}',
        b"{broken",
        b"",
        b'["list"]',
        b'{"id": "5", "text": 5}',
        b'{"text": "\xff"}',
        b"[" * 100_000,
        b'{"text": "x", "score": ' + b"9" * 5000 + b"}",
        b'{"text": "x' + b"x" * MAX_LINE + b'"}',
        b'{"id": "10", "text": "z", "extra": 1, "answered_at": "2026-01-01T00:00:00"}',
    ]
    remarks: list[str] = []
    rows = read(written(tmp_path / "a.jsonl", b"\n".join(lines)), remarks=remarks)
    assert [row.number for row in rows] == [1, 2, 4, 5, 6, 7, 8, 9, 10]
    assert texts(rows) == ["a", "z"]
    assert [row.id for row in rows if row.problem] == ["row-2", "row-4", "5", *(f"row-{n}" for n in (6, 7, 8, 9))]
    assert rows[-1].item.answered_at == datetime(2026, 1, 1, tzinfo=UTC)
    assert len(remarks) == 2


def test_json_values_are_not_converted(tmp_path):
    content = '{"text": "x", "score": "9"}\n{"text": "x", "score": true}\n{"text": null}\n{"score": 1}\n'
    assert [row.problem.code for row in read(written(tmp_path / "a.jsonl", content))] == ["invalid_row"] * 4


def test_blank_lines_before_the_first_response_are_no_rows(tmp_path):
    (row,) = read(written(tmp_path / "a.jsonl", '\n \n{"text": "a"}\n'))
    assert (row.number, row.item.text) == (3, "a")


def test_a_byte_order_mark_before_json_is_ignored(tmp_path):
    assert texts(read(written(tmp_path / "a.jsonl", '{"text": "a"}\n', "utf-8-sig"))) == ["a"]


def test_lone_surrogates_in_json_are_one_items_error(tmp_path, word_classifier):
    path = written(tmp_path / "a.jsonl", '{"id": "\\ud800", "text": "\\ud800"}\n{"id": "2", "text": "ok"}\n')
    rows = read(path)
    answers = classify_rows(word_classifier, rows, NOW)
    assert [answer.status for answer in answers] == ["error", "ok"]
    with outputs([tmp_path / "o.jsonl", tmp_path / "o.csv", tmp_path / "o.xlsx", tmp_path / "o.parquet"]) as places:
        for place, (row, answer) in itertools.product(places, zip(rows, answers, strict=True)):
            place.add(row, answer)
    assert json.loads((tmp_path / "o.jsonl").read_text("utf-8").splitlines()[0])["id"] == "\ufffd"
    assert pl.read_parquet(tmp_path / "o.parquet")["holos_status"].to_list() == ["error", "ok"]


def test_standard_input_is_json_lines(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b'{"text": "a"}\n')))
    assert texts(list(read_rows("-", ColumnMapping(), ReadLog(print)))) == ["a"]


def test_a_constant_date_may_be_a_date(tmp_path):
    mapping = load_mapping(written(tmp_path / "m.yaml", "constants: {answered_at: 2026-02-01}\n"))
    (row,) = read(written(tmp_path / "a.csv", "text\nx\n"), mapping)
    assert row.item.answered_at == datetime(2026, 2, 1, tzinfo=UTC)


def test_json_columns_can_be_mapped(tmp_path):
    mapping = parse_mapping({"columns": {"text": "body", "respondent.id": "who"}, "constants": {"metric": "nps"}}, "m")
    (row,) = read(written(tmp_path / "a.jsonl", '{"body": "x", "who": "c", "score": 3}\n'), mapping)
    assert (row.item.text, row.item.respondent.id, row.item.metric, row.item.score) == ("x", "c", "nps", 3.0)


def test_constants_fill_in_beside_what_a_row_says(tmp_path):
    mapping = parse_mapping({"constants": {"respondent.segment": "gold", "source": "panel"}}, "m")
    (row,) = read(written(tmp_path / "a.jsonl", '{"text": "x", "respondent": {"id": "c"}, "source": "app"}\n'), mapping)
    assert (row.item.respondent.id, row.item.respondent.segment, row.item.source) == ("c", "gold", "panel")


# spreadsheets and Parquet


def workbook(path: Path, rows: list[list]) -> Path:
    with xlsxwriter.Workbook(str(path), {"default_date_format": "yyyy-mm-dd hh:mm"}) as book:
        sheet = book.add_worksheet()
        for number, row in enumerate(rows):
            sheet.write_row(number, 0, row)
    return path


def test_xlsx_with_mixed_cells(tmp_path):
    path = workbook(
        tmp_path / "a.xlsx",
        [
            ["id", "text", "score", "answered_at"],
            [17, POLISH, 2, datetime(2026, 1, 2, 3, 4)],
            ["b", None, "7,5", "2026-01-02"],
            [None, 5, None, None],
        ],
    )
    rows = read(path)
    assert [row.item.id for row in rows] == ["17", "b", None]
    assert texts(rows) == [POLISH, "", "5"]
    assert [row.item.score for row in rows] == [2.0, 7.5, None]
    assert rows[0].item.answered_at == datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


def test_blank_rows_of_a_sheet_count_only_above_the_last_filled_one(tmp_path):
    rows = read(workbook(tmp_path / "a.xlsx", [["id", "text"], [1, "a"], [None, None], [2, "b"], ["", ""]]))
    assert [(row.number, row.item.text) for row in rows] == [(2, "a"), (3, ""), (4, "b")]
    assert read(workbook(tmp_path / "b.xlsx", [["id", "text"]])) == []


def test_parquet_with_types_and_structs(tmp_path):
    frame = pl.DataFrame(
        {
            "id": [1, 2],
            "text": [RUSSIAN, None],
            "score": [2.0, None],
            "answered_at": [datetime(2026, 1, 2), None],
            "respondent": [{"id": "c", "segment": "gold"}, None],
            "seen": [date(2026, 1, 1), None],
            "tags": [["a"], []],
        }
    )
    frame.write_parquet(tmp_path / "a.parquet")
    rows = read(tmp_path / "a.parquet")
    assert texts(rows) == [RUSSIAN, ""]
    assert (rows[0].item.id, rows[0].item.respondent.segment) == ("1", "gold")
    assert rows[1].item.respondent is None


# mapping files


def test_a_mapping_names_columns_constants_and_dates(tmp_path):
    mapping = load_mapping(
        written(
            tmp_path / "m.yaml",
            'columns: {text: "Odpowiedź", score: "Ocena", respondent.id: "Klient", attributes.sklep: "Sklep"}\n'
            "constants: {metric: rating, scale.min: 1, scale.max: 6, source: panel}\ndate_format: '%d.%m.%Y'\n",
        )
    )
    content = "Klient;Ocena;Odpowiedź;answered_at;Sklep\nK1;5,5;miło;01.02.2026;Gdańsk\n"
    (row,) = read(written(tmp_path / "a.csv", content, "cp1250"), mapping)
    item = row.item
    assert (item.text, item.score, item.scale.max, item.source) == ("miło", 5.5, 6.0, "panel")
    assert (item.respondent.id, item.attributes) == ("K1", {"sklep": "Gdańsk"})
    assert item.answered_at == datetime(2026, 2, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("data", "word"),
    [
        ([], "should be a mapping"),
        ({"column": {}}, "unknown key column"),
        ({"columns": ["text"]}, "columns should be"),
        ({"columns": {"txt": "A"}}, "columns.txt"),
        ({"columns": {"text": 3}}, "columns.text"),
        ({"columns": {3: "A"}}, "columns.3"),
        ({"columns": {"score": "A"}, "constants": {"score": 1}}, "score is both"),
        ({"constants": {"metric": "stars"}}, "constants.metric"),
        ({"constants": {"score": "9"}}, "constants.score"),
        ({"constants": {"attributes.": 1}}, "constants.attributes."),
        ({"date_format": 3}, "date_format"),
        ({"date_format": "%Q"}, "%Q"),
        ({"encoding": "klingon"}, "klingon"),
    ],
)
def test_a_wrong_mapping_names_file_and_key(data, word):
    with pytest.raises(PolicyError, match=word) as caught:
        parse_mapping(data, "map.yaml")
    assert "map.yaml" in str(caught.value)


def test_mapping_files_that_are_no_yaml_or_not_there(tmp_path):
    with pytest.raises(PolicyError, match="line 3"):
        load_mapping(written(tmp_path / "m.yaml", "columns:\n  text: [\n"))
    with pytest.raises(InputError, match="cannot be read"):
        load_mapping(tmp_path / "no.yaml")


def test_a_mapped_column_that_is_not_there_lists_those_that_are(tmp_path):
    with pytest.raises(InputError, match=r"no column 'Tekst'.*'text'"):
        read(written(tmp_path / "a.csv", "id;text\n1;x\n"), ColumnMapping({"text": "Tekst"}))


# results


@pytest.fixture
def results(tmp_path, word_classifier):
    """Three rows of a CSV, the second unreadable, written in every kind."""
    content = (
        "Client;score;Comment;when;metric\n"
        '=1+1;2;"Late; call 600100200";-5;nps\n'
        "b;many;secret 600100200;x;nps\n"
        "c;9;;y;nps\n"
    )
    mapping = parse_mapping({"columns": {"id": "Client", "text": "Comment"}}, "m")
    rows = read(written(tmp_path / "in.csv", content), mapping)
    answers = classify_rows(word_classifier, rows, NOW)
    paths = [tmp_path / f"out{ending}" for ending in (".jsonl", ".csv", ".xlsx", ".parquet")]
    with outputs(paths) as places:
        for place, (row, answer) in itertools.product(places, zip(rows, answers, strict=True)):
            place.add(row, answer)
    return paths


def test_json_lines_hold_one_classification_a_row_in_order(results):
    lines = [json.loads(line) for line in results[0].read_text("utf-8").splitlines()]
    assert [(line["id"], line["status"]) for line in lines] == [("=1+1", "ok"), ("b", "error"), ("c", "ok")]
    assert lines[1]["error"]["code"] == "invalid_row"
    assert lines[0]["text"] == "Late; call <PHONE>"


def test_no_output_holds_what_was_redacted_or_could_not_be_read(results):
    table = pl.read_parquet(results[3])
    frames = [table, fastexcel.read_excel(results[2]).load_sheet(0).to_polars()]
    for text in (results[0].read_text("utf-8"), results[1].read_text("utf-8"), *(str(f.rows()) for f in frames)):
        assert "600100200" not in text
    assert table["Comment"].to_list() == ["Late; call <PHONE>", "", ""]


def test_tables_have_the_inputs_columns_and_the_flat_results(results):
    csv_rows = list(csv.DictReader(io.StringIO(results[1].read_text("utf-8"))))
    excel = fastexcel.read_excel(results[2]).load_sheet(0).to_polars()
    parquet = pl.read_parquet(results[3])
    names = ["Client", "score", "Comment", "when", "metric", *RESULTS]
    assert list(csv_rows[0]) == excel.columns == parquet.columns == names
    assert parquet["holos_theme_sentiments"].to_list() == ["", None, ""]
    assert parquet["holos_needs_review"].to_list() == [False, None, False]
    assert csv_rows[0]["holos_signals"] == "contact_request"
    assert excel["holos_id"].to_list() == ["=1+1", "b", "c"]


def test_formulas_are_disarmed(results):
    first = next(csv.DictReader(io.StringIO(results[1].read_text("utf-8"))))
    assert (first["Client"], first["when"]) == ("'=1+1", "-5")
    assert fastexcel.read_excel(results[2]).load_sheet(0).to_polars()["Client"][0] == "=1+1"


@pytest.mark.parametrize(
    ("cell", "safe"),
    [("=A1", "'=A1"), ("+48 600", "'+48 600"), ("@x", "'@x"), ("- no", "'- no"), ("-3,5", "-3,5"), ("ok=1", "ok=1")],
)
def test_guarded_cells(cell, safe):
    assert guarded(cell) == safe


def test_nothing_is_left_of_failed_work(tmp_path):
    before = {tmp_path / "old.csv": "kept"}
    (tmp_path / "old.csv").write_text("kept")
    with pytest.raises(KeyboardInterrupt), outputs([tmp_path / "old.csv", tmp_path / "new.jsonl"]) as places:
        assert len(places) == 2
        raise KeyboardInterrupt
    assert {path: path.read_text() for path in tmp_path.iterdir()} == before


def test_tables_keep_types_and_columns_that_come_late(tmp_path, word_classifier):
    lines = [{"id": "1", "text": "a", "n": 1, "m": 1}, {"id": "2", "text": "b", "n": 2.5, "m": "x", "late": {"k": [1]}}]
    content = "\n".join(json.dumps(line) for line in lines) + '\n{"id": "3", "text": "c", "n": 1' + "0" * 30 + "}"
    rows = read(written(tmp_path / "a.jsonl", content))
    with outputs([tmp_path / "o.parquet"]) as (place,):
        for row, answer in zip(rows, classify_rows(word_classifier, rows, NOW), strict=True):
            place.add(row, answer)
    frame = pl.read_parquet(tmp_path / "o.parquet")
    assert frame["m"].to_list() == ["1", "x", None]
    assert frame["late"].to_list() == [None, '{"k": [1]}', None]
    assert frame["n"].to_list()[:2] == ["1", "2.5"]


def test_dates_stay_dates(tmp_path, word_classifier):
    instant = datetime(2026, 1, 2, tzinfo=UTC)
    source = pl.DataFrame({"text": ["a"], "day": [date(2026, 1, 1)], "naive": [datetime(2026, 1, 2)], "at": [instant]})
    source.write_parquet(tmp_path / "a.parquet")
    rows = read(tmp_path / "a.parquet")
    with outputs([tmp_path / "o.parquet", tmp_path / "o.xlsx"]) as places:
        for place in places:
            place.add(rows[0], classify_rows(word_classifier, rows, NOW)[0])
    frame = pl.read_parquet(tmp_path / "o.parquet")
    assert frame.row(0)[1:4] == (date(2026, 1, 1), datetime(2026, 1, 2), instant)
    assert fastexcel.read_excel(tmp_path / "o.xlsx").load_sheet(0).to_polars()["day"][0].year == 2026


def test_results_of_an_earlier_run_are_replaced(tmp_path, word_classifier):
    rows = read(written(tmp_path / "a.csv", "text;holos_status;holos_old\nx;error;1\n"))
    with outputs([tmp_path / "o.csv"]) as (place,):
        place.add(rows[0], classify_rows(word_classifier, rows, NOW)[0])
    (found,) = csv.DictReader(io.StringIO((tmp_path / "o.csv").read_text("utf-8")))
    assert found["holos_status"] == "ok"
    assert "holos_old" not in found


def test_a_header_without_rows_gives_a_header(tmp_path):
    assert read(written(tmp_path / "a.csv", "id;text\n")) == []
    with outputs([tmp_path / "o.csv", tmp_path / "o.parquet", tmp_path / "o.xlsx"]):
        pass
    assert pl.read_parquet(tmp_path / "o.parquet").columns == list(RESULTS)


def test_an_error_answer_is_flat_too(tmp_path):
    (row,) = read(written(tmp_path / "a.csv", "text\nx\n"))
    answer = Classification("1", "error", Versions("m", "t", "p"), error=Failure("text_too_long", "too long"))
    with outputs([tmp_path / "o.csv"]) as (place,):
        place.add(row, answer)
    (found,) = csv.DictReader(io.StringIO((tmp_path / "o.csv").read_text("utf-8")))
    assert (found["text"], found["holos_error"], found["holos_model_version"]) == ("", "text_too_long: too long", "m")
