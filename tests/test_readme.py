"""What the documents promise exists: settings, commands, routes and codes."""

import re
from pathlib import Path

from serving import openapi
from serving.app import create_app
from serving.cli import app
from serving.metrics import Metrics
from serving.problems import STATUS, Code
from serving.settings import PREFIX, Settings

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
HTTP = (ROOT / "docs" / "http.md").read_text(encoding="utf-8")
RESULT_BEFORE = 40  # lines: a newcomer sees what comes out before scrolling


def test_every_setting_stands_in_the_readme_and_no_other():
    told = set(re.findall(r"`(HOLOS_[A-Z_]+)`", README))
    assert told == {PREFIX + name.upper() for name in Settings.model_fields}


def test_every_command_of_the_readme_exists():
    known = {command.name or command.callback.__name__ for command in app.registered_commands}
    known |= {group.name for group in app.registered_groups}
    told = set(re.findall(r"(?:bin/|`)holos (\w+)", README))
    assert told and told <= known


def test_every_make_target_that_is_told_exists():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for name in ("README.md", "CONTRIBUTING.md", "data/README.md"):
        for target in re.findall(r"`?make (\w+)`", (ROOT / name).read_text(encoding="utf-8")):
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"{name}: make {target}"


def test_every_problem_code_is_documented_with_its_status():
    told = {code: int(status) for code, status in re.findall(r"^\| `(\w+)` \| (\d{3}) \|", HTTP, re.MULTILINE)}
    assert told == {code.value: STATUS[code] for code in Code}


def test_every_item_code_is_documented():
    section = HTTP[HTTP.index("## Items") :]
    source = "".join(
        path.read_text(encoding="utf-8") for folder in ("nlp", "serving") for path in (ROOT / folder).rglob("*.py")
    )
    codes = set(re.findall(r"Failure\(\s*\"(\w+)\"", source))
    assert codes and codes <= set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE))


def test_every_route_is_documented_and_no_other():
    paths = openapi.document(create_app(Metrics()))["paths"]
    served = {f"{method.upper()} {path}" for path, item in paths.items() for method in item}
    assert set(re.findall(r"^\| `([A-Z]+ /\S*)` \| \S", HTTP, re.MULTILINE)) == served


def test_links_between_the_pages_lead_somewhere():
    for page in (ROOT / "docs").glob("*.md"):
        for target in re.findall(r"\]\((?!http)([^)#]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_a_newcomer_sees_a_result_early():
    lines = README.splitlines()[:RESULT_BEFORE]
    assert any("make demo" in line for line in lines)
    assert any("To call first" in line for line in lines), "the demo's output stands before line 40"


def test_links_lead_somewhere():
    for name in ("README.md", "CONTRIBUTING.md"):
        for target in re.findall(r"\]\((?!http)([^)#]+)\)", (ROOT / name).read_text(encoding="utf-8")):
            assert (ROOT / target).exists(), f"{name}: {target}"
