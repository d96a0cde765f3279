"""The code frame: the one that ships, a user's own, and what is wrong with broken ones."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import yaml

from nlp.errors import PolicyError
from nlp.taxonomy import Taxonomy, Theme, parse_taxonomy

_DATA = Path(__file__).parents[2] / "data" / "taxonomy.yaml"
_GROUPS = ("staff", "support", "process", "delivery", "product", "price", "digital", "place", "trust", "loyalty")


@pytest.fixture(scope="module")
def default() -> Taxonomy:
    return parse_taxonomy(yaml.safe_load(_DATA.read_text(encoding="utf-8")), "taxonomy.yaml")


def _theme(id: str = "speed", **more: Any) -> dict[str, Any]:
    return {"id": id, "label": "Speed", "description": "How fast it is.", **more}


def test_default_frame_has_26_leaves_in_ten_groups_and_one_catch_all(default: Taxonomy) -> None:
    assert default.version == "default-1"
    assert len(default.ids) == 27 and default.ids[0] == "staff.attitude" and default.ids[-1] == "general"
    assert tuple(group.id for group in default.groups) == _GROUPS
    assert sum(len(default.children(group)) for group in _GROUPS) == 26


def test_default_ids_start_with_their_group(default: Taxonomy) -> None:
    for theme in default.themes:
        assert theme.id == "general" if theme.parent is None else theme.id.startswith(theme.parent + ".")


def test_default_examples_are_in_four_languages_and_used_once(default: Taxonomy) -> None:
    examples = [example for theme in default.themes for example in theme.examples]
    assert all(len(theme.examples) == 4 for theme in default.themes)
    assert len(set(examples)) == len(examples)


def test_labels_and_children(default: Taxonomy) -> None:
    assert default.label("delivery.time") == "Delivery time"
    assert default.label("delivery") == "Delivery"
    assert [theme.id for theme in default.children("loyalty")] == ["loyalty.intent"]
    assert default.children("general") == ()
    with pytest.raises(PolicyError, match=r"default-1.*'delivery\.speed'"):
        default.label("delivery.speed")


def test_a_users_frame_nests_themes_and_is_named_by_its_content() -> None:
    data = {"themes": [_theme(), _theme("speed.night", parent="speed", examples=["ночью быстро"])]}
    frame = parse_taxonomy(data, "own.yaml")
    assert frame.ids == ("speed", "speed.night")
    assert [theme.id for theme in frame.children("speed")] == ["speed.night"]
    assert frame.version.startswith("custom-") and len(frame.version) == len("custom-") + 8
    assert parse_taxonomy(dict(data), "copy.yaml").version == frame.version
    assert parse_taxonomy({"themes": [_theme()]}, "own.yaml").version != frame.version
    assert parse_taxonomy({"version": "2026-11", **data}, "own.yaml").version == "2026-11"


def test_a_frame_survives_being_written_and_read_again(default: Taxonomy) -> None:
    bare = Taxonomy("custom-1", (Theme("speed", "speed", ""),))
    for frame in (default, bare):
        assert parse_taxonomy(json.loads(json.dumps(asdict(frame))), "taxonomy.json") == frame


@pytest.mark.parametrize(
    ("data", "key"),
    [
        ([], "the file: must be a mapping"),
        ({}, "the file: themes is missing"),
        ({"themes": []}, "themes: must be a list that is not empty"),
        ({"themes": "speed"}, "themes: must be a list"),
        ({"themes": [_theme()], "topics": []}, "unknown key topics"),
        ({"themes": [_theme(colour="red")]}, r"themes\[0\]: unknown key colour"),
        ({"themes": ["speed"]}, r"themes\[0\]: must be a mapping"),
        ({"themes": [{"id": "speed", "description": "x"}]}, r"themes\[0\]: label is missing"),
        ({"themes": [_theme(description=3)]}, r"themes\[0\]\.description: must be a text"),
        ({"themes": [_theme(7)]}, r"themes\[0\]\.id: must be a text"),
        ({"themes": [_theme(examples=[5])]}, r"themes\[0\]\.examples\[0\]: must be a text"),
        ({"themes": [_theme(), _theme()]}, "more than once: speed"),
        ({"themes": [_theme()], "groups": [{"id": "speed", "label": "Speed"}]}, "more than once: speed"),
        ({"themes": [_theme(parent="pace")]}, r"themes\[0\]\.parent: 'pace' is neither"),
        ({"themes": [_theme(parent="speed")]}, r"themes\[0\]\.parent: 'speed' is its own ancestor"),
        ({"themes": [_theme("a", parent="b"), _theme("b", parent="a")]}, "its own ancestor"),
        ({"version": 1, "themes": [_theme()]}, "version: must be a text"),
    ],
)
def test_a_broken_frame_is_refused_with_file_and_key(data: Any, key: str) -> None:
    with pytest.raises(PolicyError, match=rf"^own\.yaml: {key}|^own\.yaml: .*{key}"):
        parse_taxonomy(data, "own.yaml")
