"""`holos import` and `holos export` on a database of their own."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import typer
from conftest import WordClassifier
from loop import START
from typer.testing import CliRunner, Result

from nlp.artifact import read_taxonomy
from nlp.pipeline import Analysis
from nlp.taxonomy import Theme
from nlp.types import Response
from serving import store_commands
from serving.frame.own import Own
from serving.frame.store import save
from serving.ingest.effects import corrected
from serving.ingest.export import export
from serving.parts import Parts
from serving.store.database import Database
from serving.store.migrate import migrate
from serving.store.tables import responses

LATE = "The courier was two days late"


class Reader(WordClassifier):
    def analyse(self, responses: Sequence[Response]) -> list[Analysis]:
        return [Analysis(found) for found in self.classify(responses)]


@pytest.fixture
def holos(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Result]:
    monkeypatch.setenv("HOLOS_DATABASE", f"sqlite:///{tmp_path}/holos.db")
    app = typer.Typer()
    store_commands.register(app)

    def run(*arguments: object) -> Result:
        return CliRunner().invoke(app, [str(each) for each in arguments], obj=lambda settings: Reader())

    return run


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    path = tmp_path / "in.csv"
    path.write_text(f"id,text,metric,score\na,{LATE},nps,2\nb,fine,nps,10\nc,fine,nps,77\n", "utf-8")
    return path


def lines(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_a_file_goes_in_and_responses_and_cases_come_out(holos: Callable[..., Result], sample: Path) -> None:
    result = holos("import", sample)
    assert result.exit_code == 0, result.output
    assert result.stdout.strip() == "2 created, 0 updated, 0 duplicate, 1 refused"
    assert "row 4: invalid_score" in result.stderr
    assert holos("import", sample).stdout.strip() == "0 created, 0 updated, 2 duplicate, 1 refused"
    found = lines(holos("export", "responses"))
    assert [row["id"] for row in found] == ["a", "b"] and found[0]["scale"] == {"min": 0, "max": 10}
    (case,) = lines(holos("export", "cases"))
    assert case["responses"] == [found[0]["uid"]] and case["priority"] == 1
    assert holos("export", "labels").stdout == ""


def test_a_mapping_names_columns_and_an_export_is_written_to_a_file(
    holos: Callable[..., Result], tmp_path: Path
) -> None:
    (tmp_path / "in.csv").write_text(f"Nr,Comment\n7,{LATE}\n", "utf-8")
    (tmp_path / "map.yaml").write_text("columns:\n  id: Nr\n  text: Comment\nconstants:\n  source: shop\n", "utf-8")
    assert holos("import", tmp_path / "in.csv", "--mapping", tmp_path / "map.yaml").exit_code == 0
    out = tmp_path / "out.jsonl"
    result = holos("export", "responses", "-o", out)
    assert result.exit_code == 0 and result.stdout == "" and "1 rows" in result.stderr
    (row,) = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    assert (row["id"], row["source"]) == ("7", "shop")
    assert [path.name for path in tmp_path.glob(".*part")] == []


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("export", "everything"), "there is no everything to export"),
        (("export", "cases", "-o", "cases.xlsx"), "ends in .jsonl"),
        (("import", "nowhere.csv"), "does not exist"),
        (("export", "cases", "--workspace", "nobody"), "there is no workspace nobody"),
    ],
)
def test_a_wrong_call_is_told_in_one_line(holos: Callable[..., Result], arguments: tuple[str, ...], word: str) -> None:
    result = holos(*arguments)
    assert result.exit_code == 2 and word in result.stderr and len(result.stderr.strip().splitlines()) == 1


def test_a_file_of_nothing_but_refused_rows_fails(holos: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("text,score\nfine,many\n", "utf-8")
    assert holos("import", tmp_path / "in.csv").exit_code == 1


def test_corrected_responses_come_out_as_rows_to_learn_from(parts: Parts, tmp_path: Path) -> None:
    from test_ingest_take import arrival, taking

    from training.dataset import parse_row, targets

    person = {"id": "c-1", "contact_consent": True, "email": "anna.nowak@example.com"}
    taken = taking(parts, arrival(id="a", respondent=person, question="Why?"), arrival(id="b"))
    said = {"themes": ["price.level"], "theme_sentiments": {"price.level": "negative"}, "justified": True}
    with parts.database.write() as connection:
        corrected(connection, parts, "acme", str(taken[0].uid), said, "anna", None, parts.clock())
    with parts.database.read() as connection:
        (record,) = export(connection, "acme", "labels")
        assert list(export(connection, "other", "labels")) == []
    row = parse_row(json.loads(json.dumps(record)), "export")
    assert (row.id, row.text, row.themes, row.theme_sentiments) == (
        "a",
        LATE,
        frozenset({"price.level"}),
        {"price.level": "negative"},
    )
    assert (row.sentiment, row.justified, row.signals, row.contact_consent) == ("negative", True, frozenset(), True)
    assert targets([row], parts.taxonomy().ids).themes.sum() == 1
    assert "c-1" not in str(record) and "anna" not in str(record)


def test_an_export_is_of_one_moment_and_holds_every_row(database: Database, parts: Parts) -> None:
    from test_ingest_take import arrival, taking

    taking(parts, *(arrival(id=f"r-{number}", text="fine", score=9) for number in range(30)))
    with parts.database.read() as connection:
        found = export(connection, "acme", "responses")
        first = next(found)
        taking(parts, arrival(id="later", text="fine", score=9))
        assert len([first, *found]) == 30
    with database.read() as connection:
        assert len(connection.execute(responses.select()).all()) == 31


def test_labels_go_out_with_the_code_frame_that_training_takes(holos: Callable[..., Result], tmp_path: Path) -> None:
    out, frame = tmp_path / "labels.jsonl", tmp_path / "frame.yaml"
    database = Database(f"sqlite:///{tmp_path}/holos.db")
    migrate(database)
    with database.write() as connection:
        own = Own((Theme("weather.rain", "Rain", "left in the rain", "delivery", ("soaked box",)),))
        save(connection, "default", 1, own, "anna", "put", None, START)
    database.close()
    assert holos("export", "labels", "--out", out, "--taxonomy", frame).exit_code == 0
    found = read_taxonomy(frame)
    assert found.themes[-1] == own.themes[0] and found.version.endswith("+1") and len(found.groups) > 5
    assert holos("export", "cases", "--taxonomy", frame).exit_code != 0
