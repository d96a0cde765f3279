"""Labelled rows in every form of file: what goes out comes back, and what is wrong is named."""

import gzip
import json
from dataclasses import replace

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nlp.errors import InputError
from nlp.text import normalise
from nlp.types import MOODS, SIGNALS, Scale
from training.dataset import UNKNOWN, LabelledRow, parse_row, to_record
from training.labels import read_labels, write_labels

FORMS = ("rows.jsonl", "rows.jsonl.gz", "rows.ndjson", "rows.json", "rows.csv", "rows.tsv", "rows.parquet", "folder")

WHOLE = LabelledRow(
    id="r-1",
    text='Wolno; ale "miło",\njak zawsze у вас 👍',
    language="pl",
    question="Why?\r\nTell us",
    themes=frozenset({"delivery", "staff;all", "[odd]"}),
    themes_disputed=frozenset({"price"}),
    theme_sentiments={"delivery": "negative", "staff;all": "positive"},
    sentiment="mixed",
    justified=False,
    signals=frozenset({"suggestion", "churn_intent"}),
    signals_disputed=frozenset({"legal_threat"}),
    metric="rating",
    score=3.5,
    scale=Scale(1, 5),
    contact_consent=True,
    priority=None,
)
ROWS = [
    WHOLE,
    LabelledRow("007", "ні", themes=frozenset(), signals=frozenset(), score=0, contact_consent=False),
    LabelledRow("3", "=SUM(A1)", sentiment="negative", priority=2),
    LabelledRow("4", "да, но", justified=True, undecided=frozenset({"sentiment"})),
    LabelledRow("5", "5", theme_sentiments={"a": "neutral"}, question="6"),
]


def plain(rows):
    return [replace(row, source="") for row in rows]


@pytest.mark.parametrize("name", FORMS)
def test_rows_come_back_from_every_form(tmp_path, name):
    write_labels(ROWS, tmp_path / name)
    found = read_labels(tmp_path / name)
    assert plain(found) == ROWS
    assert {row.source for row in found} == {str(tmp_path / name)}


@pytest.mark.parametrize("name", FORMS)
def test_a_column_nobody_has_is_not_needed(tmp_path, name):
    rows = [LabelledRow("1", "a", sentiment="mixed"), LabelledRow("2", "b", sentiment="neutral")]
    write_labels(rows, tmp_path / name)
    assert plain(read_labels(tmp_path / name)) == rows


WORDS = st.text(st.characters(codec="utf-8"), max_size=40)
TEXTS = WORDS.map(normalise)
IDS = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S"]), min_size=1, max_size=12)
THEMES = st.frozensets(IDS, max_size=3)
MOOD = st.sampled_from(MOODS)
ANY_ROW = st.builds(
    LabelledRow,
    id=IDS,
    text=TEXTS,
    language=st.none() | st.sampled_from(["pl", "uk"]),
    question=st.none() | TEXTS.filter(bool),
    themes=st.none() | THEMES,
    themes_disputed=THEMES,
    theme_sentiments=st.none() | st.dictionaries(IDS, MOOD, max_size=2),
    sentiment=MOOD,
    justified=st.none() | st.booleans(),
    signals=st.none() | st.frozensets(st.sampled_from(SIGNALS)),
    score=st.none() | st.floats(0, 10) | st.integers(0, 10),
    scale=st.none() | st.just(Scale(0, 10)),
    contact_consent=st.none() | st.booleans(),
    priority=st.sampled_from([UNKNOWN, None, 1, 4]),
)


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.csv", "rows.tsv", "rows.parquet", "rows.json"])
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(ANY_ROW, min_size=1, max_size=4))
def test_any_text_survives(tmp_path, name, rows):
    if name == "rows.json":  # a mood is asked for only where its theme was chosen, and an empty object is no choice
        rows = [replace(row, theme_sentiments=None) for row in rows]
    write_labels(rows, tmp_path / name)
    assert plain(read_labels(tmp_path / name)) == rows


@settings(max_examples=5, deadline=None)
@given(rows=st.lists(ANY_ROW, min_size=1, max_size=4))
def test_any_text_survives_in_a_data_set(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("set") / "saved"
    write_labels(rows, folder)
    assert plain(read_labels(folder)) == rows


@settings(max_examples=100, deadline=None)
@given(row=ANY_ROW)
def test_a_record_is_json_that_parse_row_reads(row):
    assert parse_row(json.loads(json.dumps(to_record(row)))) == row


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("above", ["", "sep={}\r\n"])
def test_csv_of_any_separator(tmp_path, separator, encoding, above):
    lines = ["ID|Text|themes|justified|score|comment", 'a|"Wolno,; źle"|"[""x""]"|TRUE|"7,5"|', "|ok|x|no||"]
    content = above.format(separator) + "\r\n".join(lines).replace("|", separator) + "\r\n\r\n"
    (tmp_path / "x.csv").write_bytes(content.encode(encoding))
    one, two = read_labels(tmp_path / "x.csv")
    assert (one.id, one.text, one.themes, one.justified, one.score) == ("a", "Wolno,; źle", {"x"}, True, 7.5)
    assert (two.id, two.text, two.themes, two.justified, two.score) == ("row-3", "ok", {"x"}, False, None)


@pytest.mark.parametrize(
    ("cell", "themes"),
    [
        ("", None),
        ("  ", None),
        ("[]", set()),
        ("a", {"a"}),
        ("a;b", {"a", "b"}),
        (" a ; b;", {"a", "b"}),
        ('["a;b"]', {"a;b"}),
    ],
)
def test_a_list_in_a_csv_cell(tmp_path, cell, themes):
    quoted = '"' + cell.replace('"', '""') + '"'
    (tmp_path / "x.csv").write_text(f"id,text,themes\n1,x,{quoted}\n", "utf-8")
    assert read_labels(tmp_path / "x.csv")[0].themes == themes


def test_objects_in_csv_cells_and_in_columns_of_their_own(tmp_path):
    (tmp_path / "x.csv").write_text(
        "id\ttext\tscale\trespondent\tscale.min\tscale.max\ttheme_sentiments\tsignals\n"
        '1\tx\t"{""min"": 1, ""max"": 5}"\t"{""contact_consent"": true}"\t\t\t"{""a"": ""mixed""}"\t\n'
        '2\tx\t\t\t0\t10\t\t"{""suggestion"": true, ""legal_threat"": false}"\n',
        "utf-8",
    )
    one, two = read_labels(tmp_path / "x.csv")
    assert (one.scale, one.contact_consent, one.theme_sentiments) == (Scale(1, 5), True, {"a": "mixed"})
    assert two.scale == Scale(0, 10) and two.signals == {"suggestion"}


SECRET = "my number is 600100200"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", f"comment,themes\n{SECRET},a\n", "a.csv has no column text; its first row must name the columns"),
        ("a.csv", f'id,text\n1,"{SECRET}\n2,x\n', "a.csv, row 2: a quote there is not closed"),
        ("a.csv", f"id,text\n1,x\n2,{SECRET},a,b\n", "a.csv, row 3 has 4 cells and the header 2; put quotes"),
        ("a.csv", "id,text,Text\n1,x,y\n", "more than one column text; rename"),
        ("a.csv", f"text,justified\n{SECRET},maybe\n", "a.csv: row 'row-2': justified must be true or false"),
        ("a.csv", f"id,text,score\nq,x,{SECRET}\n", "row 'q': score must be a number"),
        ("a.csv", f"id,text,theme_sentiments\nq,x,{SECRET}\n", "row 'q': theme_sentiments must be an object"),
        ("a.csv", f"id,text,themes\nq,x,[{SECRET}\n", "row 'q': themes must be a list"),
        ("a.csv", f"id,text,sentiment\nq,{SECRET},angry\n", "row 'q' has the sentiment 'angry'; use one of"),
        ("a.csv", "id,text\n", "a.csv has no labelled rows"),
        ("a.csv", "", "a.csv has no column text"),
        ("a.csv", f"id,text\n1,żółć {SECRET}\n".encode("cp1250"), "a.csv is not in UTF-8; save it"),
        ("a.csv", f"id,text\n1,{SECRET}\n".encode("utf-16"), "a.csv is not in UTF-8; save it"),
        ("a.jsonl", f'{{"text": "{SECRET}", "themes": "a"}}', "a.jsonl: row 'row-1': themes must be a list"),
        ("a.jsonl", "\n\n{}", "a.jsonl: row 'row-3' has no text"),
        ("a.json", f'[{{"text": "{SECRET}"', r"a.json is not JSON \(.*line 1, column"),
        ("a.json", f'"{SECRET}"', "a.json is no list of objects; export"),
        ("a.json", "[]", "a.json has no labelled rows; its controls must be named sentiment, themes"),
        ("a.json", "ż".encode("cp1250"), "a.json is not in UTF-8"),
        ("a.parquet", SECRET, "a.parquet cannot be read as a Parquet file; is it damaged"),
        ("a.xlsx", SECRET, r"files ending in '.xlsx'; give one of .jsonl, .*or a folder"),
        ("labels", SECRET, "files ending in ''; give one of"),
    ],
)
def test_a_wrong_file_is_named_with_its_row_and_without_its_texts(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=message) as caught:
        read_labels(tmp_path / name)
    assert "600100200" not in str(caught.value)


def test_a_path_that_is_not_there_and_a_folder_of_something_else(tmp_path):
    with pytest.raises(InputError, match=r"a.csv does not exist"):
        read_labels(tmp_path / "a.csv")
    (tmp_path / "x").write_text("x")
    with pytest.raises(InputError, match="is no folder saved by datasets' save_to_disk"):
        read_labels(tmp_path)


def test_parquet_as_others_write_it(tmp_path):
    pl.DataFrame(
        {
            "id": [1, 2, 3],
            "text": ["a", "b", "c"],
            "themes": [["x"], None, []],
            "score": [float("nan"), 7.0, None],
            "priority": [1.0, -1.0, None],
            "theme_sentiments": [{"x": "mixed", "y": None}, {"x": None, "y": "neutral"}, None],
            "scale": [{"min": 0, "max": 10}, {"min": None, "max": None}, None],
            "justified": ["yes", "no", ""],
            "label": [1, 2, 3],
        }
    ).write_parquet(tmp_path / "a.parquet")
    rows = read_labels(tmp_path / "a.parquet")
    assert [(row.id, row.themes, row.score, row.priority) for row in rows] == [
        ("1", {"x"}, None, 1),
        ("2", None, 7.0, UNKNOWN),
        ("3", frozenset(), None, None),
    ]
    assert [row.theme_sentiments for row in rows] == [{"x": "mixed"}, {"y": "neutral"}, None]
    assert [row.scale for row in rows] == [Scale(0, 10), None, None]
    assert [row.justified for row in rows] == [True, False, None]


def test_parquet_without_texts(tmp_path):
    pl.DataFrame({"review": ["x"]}).write_parquet(tmp_path / "a.parquet")
    with pytest.raises(InputError, match=r"a.parquet has no column text"):
        read_labels(tmp_path / "a.parquet")
    pl.DataFrame({"text": ["x", None]}).write_parquet(tmp_path / "a.parquet")
    with pytest.raises(InputError, match=r"a.parquet: row 'row-2' has no text"):
        read_labels(tmp_path / "a.parquet")


def test_a_data_set_has_its_splits_joined_and_its_classes_named(tmp_path):
    datasets = pytest.importorskip("datasets")
    features = datasets.Features(
        {
            "text": datasets.Value("string"),
            "sentiment": datasets.ClassLabel(names=["positive", "negative"]),
            "themes": datasets.List(datasets.ClassLabel(names=["food", "staff"])),
            "label": datasets.ClassLabel(names=["other"]),
        }
    )

    def part(*rows):
        names = ("text", "sentiment", "themes", "label")
        return datasets.Dataset.from_list([dict(zip(names, row, strict=True)) for row in rows], features=features)

    train, dev = part(("a", 0, [1], 0), ("b", -1, [0, 1], 0)), part(("c", 1, [], 0), ("d", None, None, 0))
    datasets.DatasetDict({"train": train, "validation": dev}).save_to_disk(tmp_path / "set")
    rows = read_labels(tmp_path / "set")
    assert [(row.text, row.sentiment, row.themes) for row in rows] == [
        ("a", "positive", {"staff"}),
        ("b", None, {"food", "staff"}),
        ("c", "negative", frozenset()),
        ("d", None, None),
    ]
    assert [row.source for row in rows] == [
        f"{tmp_path / 'set'} ({split})" for split in ("train",) * 2 + ("validation",) * 2
    ]
    assert [row.id for row in rows] == ["train-1", "train-2", "validation-1", "validation-2"]


def test_a_saved_data_set_is_typed(tmp_path):
    datasets = pytest.importorskip("datasets")
    write_labels(ROWS, tmp_path / "set")
    features = datasets.load_from_disk(str(tmp_path / "set")).features
    assert features["sentiment"].names == list(MOODS) and features["signals"].feature.names == list(SIGNALS)
    assert features["themes"].feature.names == ["[odd]", "delivery", "staff;all"]
    assert features["score"].dtype == "float64" and features["justified"].dtype == "bool"


def test_a_data_set_without_texts_is_named_with_its_split(tmp_path):
    datasets = pytest.importorskip("datasets")
    empty = datasets.Dataset.from_dict({"review": ["x"]})
    datasets.DatasetDict({"test": empty}).save_to_disk(tmp_path / "set")
    with pytest.raises(InputError, match=r"set \(test\) has no column text"):
        read_labels(tmp_path / "set")


@pytest.mark.parametrize(
    ("name", "message"), [("a.xlsx", "'.xlsx'"), ("none/a.csv", "does not exist; make it"), ("", "other things")]
)
def test_a_place_that_cannot_be_written_to(tmp_path, name, message):
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(InputError, match=message):
        write_labels(ROWS, tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_half_a_character_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(InputError, match=r"half a character.* stands in row b; mend"):
        write_labels([*ROWS, LabelledRow("b", "x \ud83d")], tmp_path / "a.csv")
    assert not (tmp_path / "a.csv").exists()


def test_gzip_is_gzip_and_csv_opens_in_a_spreadsheet(tmp_path):
    for name in ("a.jsonl.gz", "a.csv"):
        write_labels(ROWS, tmp_path / name)
    assert gzip.decompress((tmp_path / "a.jsonl.gz").read_bytes()).count(b"\n") == len(ROWS)
    assert (tmp_path / "a.csv").read_bytes().startswith(b"\xef\xbb\xbf")


@pytest.fixture
def holos():
    """Runs a command; gives its exit status, standard output and standard error."""
    from typer.testing import CliRunner

    from serving.cli import app

    def run(*arguments):
        result = CliRunner().invoke(app, ["labels", *map(str, arguments)])
        return result.exit_code, result.stdout, result.stderr

    return run


TAXONOMY = "themes:\n  - {id: a, label: First}\n  - {id: b, label: Second}\n"


def test_the_command_prints_the_card_converts_and_writes_the_screen(tmp_path, holos):
    rows = [LabelledRow(str(n), f"text {n}", "en", themes=frozenset("ab"[n % 2])) for n in range(20)]
    write_labels(rows, tmp_path / "in.csv")
    (tmp_path / "tax.yaml").write_text(TAXONOMY)
    code, out, err = holos(
        *(tmp_path / "in.csv", "--taxonomy", tmp_path / "tax.yaml"),
        *("-o", tmp_path / "out.parquet", "--config", tmp_path / "screen.xml"),
    )
    assert code == 0 and out.startswith("20 labelled rows; 0 duplicates merged")
    assert "20 rows are in" in err and plain(read_labels(tmp_path / "out.parquet")) == rows
    assert 'whenChoiceValue="b"' in (tmp_path / "screen.xml").read_text("utf-8")


def test_the_command_converts_even_what_cannot_be_learnt_from(tmp_path, holos):
    write_labels(ROWS[:3], tmp_path / "in.jsonl")
    code, out, err = holos(tmp_path / "in.jsonl", "-o", tmp_path / "out.json")
    assert code == 2 and out == "" and "3 different labelled texts (rows r-1, 007, 3)" in err
    assert plain(read_labels(tmp_path / "out.json")) == ROWS[:3]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("missing.csv",), "missing.csv does not exist"),
        (("in.csv", "-o", "out.docx"), "'.docx'"),
        (
            ("in.csv", "--taxonomy", "tax.yaml"),
            "theme ids outside the taxonomy: c; they stand in rows 0, 1, 2, 3, 4 and 15",
        ),
    ],
)
def test_a_wrong_call_ends_with_two_and_says_why(tmp_path, monkeypatch, holos, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tax.yaml").write_text(TAXONOMY)
    write_labels([LabelledRow(str(n), f"text {n}", themes=frozenset("c")) for n in range(20)], tmp_path / "in.csv")
    code, _, err = holos(*arguments)
    assert code == 2 and message in " ".join(err.split())


@pytest.mark.parametrize(
    "command",
    [
        ["labels", "in.jsonl", "-o", "link.jsonl"],
        ["evaluate", "--data", "in.jsonl", "-o", "in.jsonl"],
        ["review", "in.jsonl", "-o", "in.jsonl"],
        ["drift", "in.jsonl", "in.jsonl", "-o", "in.jsonl"],
    ],
)
def test_no_command_writes_over_what_it_reads(tmp_path, monkeypatch, command):
    from typer.testing import CliRunner

    from serving.cli import app

    monkeypatch.chdir(tmp_path)
    kept = '{"id": "1", "text": "Late again", "sentiment": "negative", "touchpoint": "app"}\n'
    (tmp_path / "in.jsonl").write_text(kept, "utf-8")
    (tmp_path / "link.jsonl").symlink_to(tmp_path / "in.jsonl")
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 2 and "is the input; give another name" in result.output
    assert (tmp_path / "in.jsonl").read_text("utf-8") == kept
