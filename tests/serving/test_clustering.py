"""`holos cluster`: rows and clusters of a file, the same again, and under the same ids after more answers."""

import json
import re

import numpy as np
import pytest
from typer import Typer
from typer.testing import CliRunner

from nlp.spread import unit
from serving.cluster_commands import register
from serving.clustering import Tools, clusters_path

ISSUES = {
    "en": ("parcel late courier", "consultant rude phone", "invoice wrong amount"),
    "pl": ("paczka późno kurier", "konsultant niegrzeczny telefon", "faktura błędna kwota"),
}
FILLERS = [
    "amber",
    "birch",
    "cedar",
    "delta",
    "ember",
    "fjord",
    "grove",
    "haven",
    "islet",
    "jetty",
    "knoll",
    "lagoon",
    "meadow",
]
WORD = re.compile(r"\w+")


class WordVectors:
    """Vectors of the words of a text: words of one issue near each other in both languages, every other word apart."""

    def __init__(self) -> None:
        random = np.random.default_rng(0)
        self._words = {}
        for said in zip(*ISSUES.values(), strict=True):
            centre = random.normal(size=24)
            self._words |= {word: centre for phrase in said for word in phrase.split()}
        self._fillers = {word: random.normal(size=24) for word in FILLERS}

    def vectors(self, texts):
        out = np.zeros((len(texts), 24), np.float32)
        for row, text in enumerate(texts):
            for word in WORD.findall(text.lower()):
                out[row] += self._words.get(word, 0.25 * self._fillers.get(word, np.zeros(24)))
        return unit(out)


def answers(count, start=0, languages=("en", "pl")):
    random = np.random.default_rng(start)
    for number in range(start, start + count):
        language = languages[number % len(languages)]
        issue = ISSUES[language][number // 2 % 3]
        # The fake classifier knows Polish by this word, and a language is compared by its own wording.
        mark = " spóźnienie" if language == "pl" else ""
        said = f"{issue} {' '.join(random.choice(FILLERS, 4, replace=False))}{mark}"
        yield {
            "id": f"r-{number}",
            "text": said,
            "metric": "nps",
            "score": number // 2 % 3,
            "touchpoint": "app",
            "answered_at": f"2026-03-{1 + number % 28:02d}T10:00:00Z",
        }


@pytest.fixture
def holos(word_classifier):
    app = Typer()
    app.callback()(lambda: None)
    register(app)
    tools = Tools(word_classifier, WordVectors())

    def run(*arguments):
        return CliRunner().invoke(app, ["cluster", *map(str, arguments)], obj=lambda settings: tools)

    return run


def written(path, rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return path


def rows_of(path):
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_rows_and_clusters_are_as_the_contract_says(holos, tmp_path):
    source = written(tmp_path / "in.jsonl", [*answers(90), {"id": "none", "text": ""}])
    result = holos(source, "-o", tmp_path / "out.jsonl")
    assert result.exit_code == 0, result.output
    rows, clusters = rows_of(tmp_path / "out.jsonl"), json.loads((tmp_path / "out.clusters.json").read_text("utf-8"))
    assert [row["id"] for row in rows] == [*(f"r-{number}" for number in range(90)), "none"]
    assert all(set(row) == {"id", "cluster", "strength"} for row in rows)
    assert rows[-1] == {"id": "none", "cluster": None, "strength": 0.0}
    assert "1 of 91 answers belong to none" in result.stderr
    assert {cluster["id"] for cluster in clusters} == {row["cluster"] for row in rows} - {None}
    named = {
        "id", "label", "keywords", "size", "quotes", "languages", "sentiment", "mean_score", "first_seen", "last_seen",
        "trend",
    }  # fmt: skip
    for cluster in clusters:
        assert named <= set(cluster)
        assert cluster["size"] == sum(row["cluster"] == cluster["id"] for row in rows)
        assert cluster["quotes"]
        assert cluster["first_seen"].startswith("2026-03-")


def test_one_problem_in_two_languages_is_one_cluster(holos, tmp_path):
    source = written(tmp_path / "in.jsonl", answers(120))
    assert holos(source, "-o", tmp_path / "out.jsonl").exit_code == 0
    clusters = {number // 2 % 3: set() for number in range(120)}
    for number, row in enumerate(rows_of(tmp_path / "out.jsonl")):
        clusters[number // 2 % 3].add(row["cluster"])
    assert all(len(found) == 1 for found in clusters.values())
    assert len(set.union(*clusters.values())) == 3


def test_shuffled_rows_get_the_same_clusters_under_the_same_ids(holos, tmp_path):
    rows = list(answers(90))
    written(tmp_path / "a.jsonl", rows)
    written(tmp_path / "b.jsonl", rows[::-1])
    for name in "ab":
        assert holos(tmp_path / f"{name}.jsonl", "-o", tmp_path / f"{name}out.jsonl").exit_code == 0
    assert rows_of(tmp_path / "aout.jsonl") == rows_of(tmp_path / "bout.jsonl")[::-1]
    assert clusters_path(tmp_path / "aout.jsonl").read_text() == clusters_path(tmp_path / "bout.jsonl").read_text()


def test_clusters_keep_their_ids_when_answers_come(holos, tmp_path):
    written(tmp_path / "a.jsonl", answers(90))
    written(tmp_path / "b.jsonl", answers(99))
    assert holos(tmp_path / "a.jsonl", "-o", tmp_path / "old.jsonl").exit_code == 0
    result = holos(tmp_path / "b.jsonl", "-o", tmp_path / "new.jsonl", "--previous", tmp_path / "old.jsonl")
    assert result.exit_code == 0
    before = {row["id"]: row["cluster"] for row in rows_of(tmp_path / "old.jsonl")}
    after = {row["id"]: row["cluster"] for row in rows_of(tmp_path / "new.jsonl")}
    assert all(after[name] == cluster for name, cluster in before.items())
    assert "birth 0, death 0" in result.stderr


def test_without_common_rows_the_quotes_tell_which_is_which(holos, tmp_path):
    written(tmp_path / "a.jsonl", answers(90))
    written(tmp_path / "b.jsonl", answers(90, start=900))
    for name, more in (("a", ()), ("b", ("--previous", tmp_path / "aout.jsonl"))):
        assert holos(tmp_path / f"{name}.jsonl", "-o", tmp_path / f"{name}out.jsonl", *more).exit_code == 0
    ids = [{row["cluster"] for row in rows_of(tmp_path / f"{name}out.jsonl")} for name in "ab"]
    assert ids[0] == ids[1]


def test_what_is_redacted_stays_so(holos, tmp_path):
    source = written(tmp_path / "in.jsonl", [{**row, "text": row["text"] + " 600100200"} for row in answers(60)])
    result = holos(source, "-o", tmp_path / "out.jsonl")
    assert "600100200" not in result.output + clusters_path(tmp_path / "out.jsonl").read_text("utf-8")


def test_rows_go_to_standard_output_without_a_file(holos, tmp_path):
    source = written(tmp_path / "in.jsonl", answers(30))
    assert len(holos(source).stdout.splitlines()) == 30


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("missing.jsonl",), "does not exist"),
        (("in.jsonl", "-o", "out.csv"), "JSON Lines"),
        (("in.jsonl", "-o", "in.jsonl"), "is the input"),
        (("in.jsonl", "-o", "no/out.jsonl"), "is not a folder"),
        (("in.jsonl", "--previous", "bad.jsonl"), "bad.jsonl, line 1"),
        (("in.jsonl", "--previous", "gone.jsonl"), "gone.jsonl cannot be read"),
    ],
)
def test_a_wrong_call_is_said_in_one_line(holos, tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    written(tmp_path / "in.jsonl", answers(6))
    (tmp_path / "bad.jsonl").write_text('{"id": 1}\n')
    result = holos(*arguments)
    assert result.exit_code == 2
    assert said in result.stderr


def test_an_empty_file_and_one_of_unreadable_rows(holos, tmp_path):
    (tmp_path / "empty.csv").write_text("id,text\n")
    assert holos(tmp_path / "empty.csv", "-o", tmp_path / "out.jsonl").exit_code == 0
    assert (tmp_path / "out.jsonl").read_text() == ""
    assert json.loads((tmp_path / "out.clusters.json").read_text()) == []
    (tmp_path / "bad.jsonl").write_text("[]\n{\n")
    result = holos(tmp_path / "bad.jsonl", "-o", tmp_path / "out.jsonl")
    assert result.exit_code == 1
    assert [row["cluster"] for row in rows_of(tmp_path / "out.jsonl")] == [None, None]
