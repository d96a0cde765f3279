"""The pages about data stay true: every key of the policy files is explained, the datasheet counts what is there."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

_ROOT = Path(__file__).parents[2]
_FILES = [
    "data/taxonomy.yaml",
    "data/policies/priority.yaml",
    "data/policies/justification.yaml",
    "data/policies/redaction.yaml",
    "data/policies/gate.yaml",
    "data/policies/emerging.yaml",
]
_ELSEWHERE = [f"data/policies/{name}.yaml" for name in ("briefs", "cases", "retention", "routing")]
"""Explained, key by key, on the page of what they decide."""
_CODE = re.compile(r"`([^`]+)`")


def _paths(value: Any, path: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            inner_path = f"{path}.{key}" if path else str(key)
            yield inner_path
            yield from _paths(inner, inner_path)
    elif isinstance(value, list):
        for item in value:
            yield from _paths(item, path + "[]")


def _section(page: str, heading: str) -> str:
    return (_ROOT / page).read_text(encoding="utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]


def _rows(section: str) -> list[list[str]]:
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def _documented(file: str) -> set[str]:
    return {path for row in _rows(_section("docs/policies.md", file)) for path in _CODE.findall(row[0])}


def _fits(path: str, pattern: str) -> bool:
    return re.fullmatch(re.escape(pattern).replace(r"\*", r"[^.\[]+"), path) is not None


def test_every_policy_file_has_its_section() -> None:
    shipped = [path.relative_to(_ROOT).as_posix() for path in (_ROOT / "data/policies").glob("*.yaml")]
    explained = {*_FILES, *_ELSEWHERE}
    assert sorted(explained) == sorted(["data/taxonomy.yaml", *shipped])


@pytest.mark.parametrize("file", _ELSEWHERE)
def test_a_file_that_is_explained_elsewhere_says_where(file: str) -> None:
    [page] = re.findall(r"\]\((\w+\.md)\)", _section("docs/policies.md", file))
    assert file.rsplit("/", 1)[1] in (_ROOT / "docs" / page).read_text(encoding="utf-8")


@pytest.mark.parametrize("file", _FILES)
def test_every_key_is_documented_and_every_documented_key_exists(file: str) -> None:
    keys = set(_paths(yaml.safe_load((_ROOT / file).read_text(encoding="utf-8"))))
    documented = _documented(file)
    assert [key for key in sorted(keys) if not any(_fits(key, entry) for entry in documented)] == []
    assert [entry for entry in sorted(documented) if not any(_fits(key, entry) for key in keys)] == []
    # A star may stand for the names on the way to a key, never for the key itself.
    named = {re.split(r"[.\[]", entry.removesuffix("[]"))[-1] for entry in documented}
    assert {key.rsplit(".", 1)[-1] for key in keys} - named == set()


@pytest.mark.parametrize("file", _FILES)
def test_every_key_has_a_meaning_in_a_table_of_three_columns(file: str) -> None:
    rows = _rows(_section("docs/policies.md", file))
    assert all(len(row) == 3 and row[0] and row[1] for row in rows)


@pytest.mark.parametrize("folder", ["seed", "labels"])
def test_the_datasheet_counts_the_rows(folder: str) -> None:
    told = {_CODE.findall(row[0])[0]: row for row in _rows(_section("data/README.md", f"{folder}/"))}
    files = sorted((_ROOT / "data" / folder).glob("*.jsonl"))
    assert sorted(told) == [path.name for path in files]
    for path in files:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        of = Counter(row.get("lang") or row["dataset"] for row in rows)
        counted = ", ".join(f"{name} {count}" for name, count in sorted(of.items()))
        assert told[path.name][1:3] == [str(len(rows)), counted], path.name
    total = sum(int(row[1]) for row in told.values())
    assert f"{total:,} rows" in _section("data/README.md", f"{folder}/")
