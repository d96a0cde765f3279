"""The console script, from its arguments to its exit status."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner, Result

from nlp.errors import InputError, ModelError
from nlp.types import Classification, Response
from serving.bulk import CHUNK
from serving.cli import app
from serving.settings import Settings, load_settings
from serving.summary import QUOTE, quote

ROOT = Path(__file__).resolve().parents[2]
ROWS = [
    {"id": "1", "text": "Kurier spóźnił się, tel. 600100200", "metric": "nps", "score": 1},
    {"id": "2", "text": "Great", "metric": "nps", "score": 10},
    {"id": "3", "text": "late " * 2001, "metric": "nps", "score": 1},
    {"id": "4", "text": "late", "metric": "nps", "score": 8, "shop": "A"},
]


@pytest.fixture
def sample(tmp_path) -> Path:
    path = tmp_path / "in.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS), "utf-8")
    return path


@pytest.fixture
def holos(word_classifier):
    def run(*arguments: object, classifier=word_classifier, stdin: bytes | None = None) -> Result:
        return CliRunner().invoke(app, [str(a) for a in arguments], obj=lambda settings: classifier, input=stdin)

    return run


def one_line(text: str) -> str:
    return " ".join(text.split())


def test_results_go_to_standard_output_and_the_summary_to_standard_error(holos, sample):
    result = holos("classify", sample)
    assert result.exit_code == 0
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(a["id"], a["status"]) for a in answers] == [("1", "ok"), ("2", "ok"), ("3", "error"), ("4", "ok")]
    assert "row 3: text_too_long: text has 10005 characters" in result.stderr
    assert "warning: 1 of 4 rows" in result.stderr
    assert "'shop'" in result.stderr
    assert "To call first: 1" in result.stderr
    assert "delivery.time" in result.stderr
    assert "600100200" not in result.stdout + result.stderr


def test_a_score_beyond_its_scale_is_said_and_the_words_are_read_without_it(holos, tmp_path):
    path = tmp_path / "slip.jsonl"
    path.write_text('{"id": "1", "text": "Great", "metric": "nps", "score": 11}\n', "utf-8")
    result = holos("classify", path)
    answer = json.loads(result.stdout)
    assert (answer["status"], answer["priority"]) == ("ok", None)
    assert "row 1: score 11 is outside the scale 0 to 10; read without it" in result.stderr


def test_the_summary_can_be_left_out(holos, sample):
    assert "To call first" not in holos("classify", sample, "--no-summary").stderr


def test_several_files_in_one_run(holos, sample, tmp_path, word_classifier):
    result = holos("classify", sample, "-o", tmp_path / "out.jsonl", "-o", tmp_path / "out.parquet")
    assert (result.exit_code, result.stdout) == (0, "")
    assert len((tmp_path / "out.jsonl").read_text("utf-8").splitlines()) == 4
    assert pl.read_parquet(tmp_path / "out.parquet")["holos_priority"].to_list() == [1, None, None, None]
    assert word_classifier.batches == [3]


def test_standard_input(holos):
    result = holos("classify", "-", stdin=b'{"id": "a", "text": "late"}\n')
    assert result.exit_code == 0
    assert json.loads(result.stdout)["themes"][0]["id"] == "delivery.time"


def test_long_files_go_through_in_chunks(holos, tmp_path, word_classifier):
    path = tmp_path / "long.csv"
    path.write_text("id,text\n" + "".join(f"{n},late\n" for n in range(CHUNK * 2 + 1)))
    result = holos("classify", path)
    assert [json.loads(line)["id"] for line in result.stdout.splitlines()] == [str(n) for n in range(CHUNK * 2 + 1)]
    assert word_classifier.batches == [CHUNK, CHUNK, 1]


def test_a_mapping_file_is_used(holos, tmp_path):
    (tmp_path / "in.csv").write_bytes("Ocena;Odpowiedź\n2;Kurier spóźnił się\n".encode("cp1250"))
    (tmp_path / "map.yaml").write_text(
        'columns: {text: "Odpowiedź", score: "Ocena"}\nconstants: {metric: nps}\n', "utf-8"
    )
    result = holos("classify", tmp_path / "in.csv", "--mapping", tmp_path / "map.yaml")
    assert json.loads(result.stdout)["priority"] == 1


def test_a_file_of_which_nothing_can_be_read_is_failed_work(holos, tmp_path):
    (tmp_path / "in.jsonl").write_text("nonsense\nmore\n")
    result = holos("classify", tmp_path / "in.jsonl")
    assert result.exit_code == 1
    assert [json.loads(line)["id"] for line in result.stdout.splitlines()] == ["row-1", "row-2"]


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("classify",), "INPUT"),
        (("classify", "no.csv"), "does not exist"),
        (("classify", "{in}", "-o", "out.doc"), ".doc"),
        (("classify", "{in}", "-o", "no/such/out.csv"), "does not exist"),
        (("classify", "{in}", "-o", "{in}"), "is the input"),
        (("classify", "{in}", "-o", "a.csv", "-o", "./a.csv"), "named twice"),
        (("classify", "{in}", "--mapping", "no.yaml"), "cannot be read"),
        (("classify", "{in}", "--colour"), "--colour"),
        (("evaluate", "--data", "no.jsonl"), "no.jsonl"),
        (("train", "--data", "no.jsonl", "--out", "m", "--mode", "magic"), "magic"),
        (("serve", "--port", "70000"), "--port"),
        (("dance",), "dance"),
    ],
)
def test_wrong_calls_exit_with_two_and_say_why(holos, sample, tmp_path, monkeypatch, arguments, word):
    monkeypatch.chdir(tmp_path)
    result = holos(*(argument.format_map({"in": sample}) for argument in arguments))
    assert result.exit_code == 2
    assert word in one_line(result.stderr)
    assert "Traceback" not in result.output
    assert list(tmp_path.iterdir()) == [sample]


def test_a_model_folder_that_is_not_there_is_a_wrong_call(sample, tmp_path):
    result = CliRunner().invoke(app, ["classify", str(sample), "--model", str(tmp_path / "no")])
    assert result.exit_code == 2
    assert "model folder" in result.stderr


def test_an_unreadable_file_is_said_before_the_model_is_loaded(tmp_path):
    (tmp_path / "in.csv").write_text("Ocena;Komentarz\n1;x\n")
    loaded: list[Settings] = []
    result = CliRunner().invoke(app, ["classify", str(tmp_path / "in.csv")], obj=loaded.append)
    assert (result.exit_code, loaded) == (2, [])
    assert "'Ocena', 'Komentarz'" in result.stderr


class Failing:
    """A classifier that works once and then raises."""

    def __init__(self, good, error: BaseException) -> None:
        self.versions, self._good, self._error, self._calls = good.versions, good, error, 0

    def classify(self, responses: Sequence[Response]) -> list[Classification]:
        self._calls += 1
        if self._calls > 1:
            raise self._error
        return self._good.classify(responses)


@pytest.mark.parametrize(
    ("error", "status"),
    [(ModelError("weights are damaged"), 1), (OSError(28, "No space left"), 1), (KeyboardInterrupt(), 130)],
)
def test_failed_work_says_so_and_leaves_no_file(holos, tmp_path, word_classifier, error, status):
    path = tmp_path / "in.csv"
    path.write_text("text\n" + "late\n" * (CHUNK + 1))
    outs = ["-o", tmp_path / "out.jsonl", "-o", tmp_path / "out.xlsx"]
    result = holos("classify", path, *outs, classifier=Failing(word_classifier, error))
    assert result.exit_code == status
    assert list(tmp_path.iterdir()) == [path]


def test_a_broken_row_far_down_leaves_no_file(holos, tmp_path):
    path = tmp_path / "in.csv"
    path.write_text("id,text\n" + "1,late\n" * (CHUNK + 1) + '2,"open')
    result = holos("classify", path, "-o", tmp_path / "out.csv")
    assert result.exit_code == 2
    assert f"row {CHUNK + 3}" in one_line(result.stderr)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("command", ["classify", "serve", "train", "evaluate", "version"])
def test_every_command_has_help(holos, command):
    result = holos(command, "--help")
    assert result.exit_code == 0
    assert "Usage" in result.stdout


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from serving.cli import app\n"
        "try: app(['--help'])\nexcept SystemExit: pass\n"
        "print([m for m in ('torch', 'polars', 'pydantic', 'spacy', 'fastapi', 'bentoml') if m in sys.modules])"
    )
    begin = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr
    assert time.perf_counter() - begin < 5


def test_version(holos):
    assert holos("version").stdout.startswith("holos")


def test_a_reader_that_leaves_early_ends_the_run_quietly(tmp_path):
    path = tmp_path / "in.csv"
    path.write_text("text\n" + "nothing\n" * 100_000)
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT / 'tests' / 'serving')!r})\n"
        "from conftest import WordClassifier; from serving.cli import app\n"
        "app(obj=lambda settings: WordClassifier())"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, "classify", str(path), "--no-summary"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout.readline().startswith(b"{")
        process.stdout.close()
        assert b"Traceback" not in process.stderr.read()
        assert process.wait(60) == 1


# settings


def test_settings_have_defaults_beside_the_code(monkeypatch, tmp_path):
    for name in [name for name in os.environ if name.startswith("HOLOS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    settings = load_settings()
    assert settings.data_dir == ROOT / "data"
    assert settings.model_dir == ROOT / "data" / "models" / "default"
    assert settings.cache_dir == tmp_path / "holos"
    assert (settings.port, settings.workers, settings.max_body_bytes) == (3000, 1, 4 * 1024 * 1024)


def test_the_call_wins_over_the_environment(monkeypatch):
    monkeypatch.setenv("HOLOS_PORT", "4000")
    monkeypatch.setenv("HOLOS_DATA_DIR", "/data")
    assert load_settings(port=None).port == 4000
    assert load_settings(port=5000).port == 5000
    assert load_settings().model_dir == Path("/data/models/default")


@pytest.mark.parametrize(
    ("name", "value"),
    [("HOLOS_PROT", "1"), ("HOLOS_PORT", "http"), ("HOLOS_PRECISION", "half"), ("HOLOS_WORKERS", "0")],
)
def test_wrong_settings_are_named(monkeypatch, holos, sample, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match=name):
        load_settings()
    assert holos("classify", sample).exit_code == 2


def test_settings_do_not_change():
    with pytest.raises(ValueError, match="frozen"):
        Settings().port = 1


# summary


def test_quotes_are_short_and_safe_for_a_terminal(word_classifier):
    (answer,) = word_classifier.classify([Response("1", "late \x1b[31m" + "word\n" * 100)])
    said = quote(answer)
    assert len(said) <= QUOTE
    assert said.isprintable()
    assert said.startswith("late [31mword word")
