"""The page on connectors says what there is."""

import json
import re
from pathlib import Path

import pytest
from loop import ROOT
from pydantic import TypeAdapter

from serving.inbound.models import NewConnector
from serving.inbound.settings import KINDS, BodyToken, HmacAuth, Score, TokenAuth

PAGE = (Path(ROOT) / "docs" / "connectors.md").read_text("utf-8")
EXAMPLES = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)]
SETTINGS = sorted({name for kind in KINDS.values() for name in kind.model_fields})
PARTS = sorted({name for part in (Score, HmacAuth, TokenAuth, BodyToken) for name in part.model_fields})


@pytest.mark.parametrize("example", EXAMPLES, ids=[f"{n}-{one['kind']}" for n, one in enumerate(EXAMPLES)])
def test_every_example_makes_a_connector(example: object) -> None:
    assert TypeAdapter(NewConnector).validate_python(example)


def test_every_kind_has_an_example() -> None:
    assert {one["kind"] for one in EXAMPLES} == set(KINDS)


@pytest.mark.parametrize("name", SETTINGS + PARTS)
def test_every_setting_is_told(name: str) -> None:
    assert re.search(rf"[`\"]{name}[`\"]", PAGE), f"docs/connectors.md does not tell of {name}"
