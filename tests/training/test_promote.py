"""The gate: who may become champion, what is compared, and what is said where a candidate is refused."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from nlp.artifact import read_yaml
from nlp.errors import InputError, PolicyError
from serving.cli import app
from serving.registry import Registry
from training.gate import Compared, GatePolicy, Limit, judge, parse_gate
from training.promote import compare, rows_for

DATA = Path(__file__).parents[2] / "data"
SHIPPED = parse_gate(read_yaml(DATA / "policies" / "gate.yaml"), "gate.yaml")
POLICY = GatePolicy(
    "t", {"overall": Limit(0.01, 50), "language": Limit(0.03, 30), "severe_theme": Limit(0.05, 10)}, ("trust.*",)
)
THEMES = frozenset({"a", "b", "trust.safety"})


def overall(champion: float, candidate: float, support: int = 100) -> Compared:
    return Compared("themes micro-F1", "overall", "all", support, champion, candidate)


def language(champion: float, candidate: float, support: int = 100) -> Compared:
    return Compared("sentiment accuracy", "language", "uk", support, champion, candidate)


def severe(champion: float, candidate: float, support: int = 100) -> Compared:
    return Compared("theme F1", "severe_theme", "trust.safety", support, champion, candidate)


@pytest.mark.parametrize(
    ("figures", "words"),
    [
        ([overall(0.70, 0.75)], []),
        ([overall(0.70, 0.70)], []),
        ([overall(0.70, 0.69)], []),  # the margin itself is within it
        (
            [overall(0.70, 0.68)],
            ["themes micro-F1 overall: 0.680 against the champion's 0.700 on 100 labels, 0.020 worse"],
        ),
        ([overall(0.70, 0.75), language(0.80, 0.78)], []),
        ([overall(0.70, 0.75), language(0.80, 0.76)], ["sentiment accuracy in uk: 0.760", "the margin is 0.030"]),
        ([overall(0.70, 0.75), language(0.80, 0.10, support=29)], []),
        ([overall(0.70, 0.75), severe(0.80, 0.76)], []),
        (
            [overall(0.70, 0.75), severe(0.80, 0.70)],
            ["F1 of the severe theme trust.safety: 0.700", "0.100 worse"],
        ),
        ([overall(0.70, 0.75), severe(0.80, 0.0, support=9)], []),
        ([overall(0.70, 0.60), severe(0.80, 0.70)], ["themes micro-F1 overall", "theme F1 of the severe"]),
        ([overall(0.70, 0.99, support=49)], ["no figure rests on more than 49 labels, 50 are needed overall"]),
        ([], ["too little to judge by"]),
    ],
)
def test_the_gate_refuses_with_reasons_in_words_and_figures(figures: list[Compared], words: list[str]) -> None:
    verdict = judge(figures, POLICY)
    assert verdict.passed is not bool(words) and bool(verdict.reasons) is bool(words)
    told = "\n".join(verdict.reasons)
    assert all(word in told for word in words), told


def test_groups_that_are_too_small_to_count_are_named() -> None:
    assert judge([overall(0.7, 0.7), language(0.8, 0.1, 5)], POLICY).remarks == ("too few labels to count: uk",)


def test_themes_that_the_champion_does_not_know_are_no_reason_to_refuse() -> None:
    assert judge([], POLICY, new=50).passed
    assert not judge([], POLICY, new=49).passed


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("margins",), {}, "margins"),
        (("overall", "margin"), -0.1, "overall.margin"),
        (("language", "margin"), "0.1", "language.margin"),
        (("language", "support"), 0, "language.support"),
        (("severe_theme", "support"), 2.5, "severe_theme.support"),
        (("severe_theme", "depth"), 1, "depth"),
        (("severe_themes",), "trust", "severe_themes"),
        (("severe_themes",), [5], "severe_themes[0]"),
        (("version",), None, "version"),
    ],
)
def test_a_wrong_policy_names_file_and_key(path: tuple[str, ...], value: object, words: str) -> None:
    data = dict(read_yaml(DATA / "policies" / "gate.yaml"))
    if len(path) == 2:
        data[path[0]] = {**data[path[0]], path[1]: value}
    else:
        data[path[0]] = value
    with pytest.raises(PolicyError) as found:
        parse_gate(data, "gate.yaml")
    assert "gate.yaml" in str(found.value) and words in str(found.value)


def test_the_shipped_policy_names_themes_that_there_are() -> None:
    themes = [theme["id"] for theme in read_yaml(DATA / "taxonomy.yaml")["themes"]]
    assert all(
        any(replace(SHIPPED, severe_themes=(one,)).is_severe(id) for id in themes) for one in SHIPPED.severe_themes
    )
    assert SHIPPED.is_severe("trust.safety") and not SHIPPED.is_severe("delivery.time")


# what two models said of the same rows


def sixty(row, **labels) -> list:
    return [row(f"r{number}", language="pl" if number % 2 else "uk", **labels) for number in range(60)]


def test_both_are_compared_on_every_figure_by_language_and_on_severe_themes(row, said) -> None:
    rows = sixty(
        row,
        themes=frozenset({"a", "trust.safety"}),
        theme_sentiments={"a": "negative", "trust.safety": "negative"},
        sentiment="negative",
        justified=True,
        priority=1,
    )
    good = [
        said(r.id, {"a": "negative", "trust.safety": "negative"}, "negative", justified=True, priority=1) for r in rows
    ]
    bad = [
        said(r.id, {"a": "positive"}, "neutral", justified=False) if r.language == "uk" else g
        for r, g in zip(rows, good, strict=True)
    ]
    worse = compare(rows, good, bad, THEMES, THEMES, POLICY)
    assert not worse.passed
    told = "\n".join(worse.reasons)
    for name in (
        "themes micro-F1",
        "theme+sentiment micro-F1",
        "sentiment accuracy",
        "justified F1",
        "priority one F1",
    ):
        assert f"{name} overall" in told and f"{name} in uk" in told and f"{name} in pl" not in told
    assert "theme F1 of the severe theme trust.safety: 0.667 against the champion's 1.000 on 60 labels" in told
    better = compare(rows, bad, good, THEMES, THEMES, POLICY)
    assert better.passed and better.reasons == () and better.remarks == ()
    assert compare(rows, good, good, THEMES, THEMES, POLICY).passed


def test_only_shared_themes_are_compared_and_this_is_said(row, said) -> None:
    rows = sixty(row, themes=frozenset({"a", "new"}))
    champion = [said(r.id, {"a": "neutral", "trust.safety": "neutral"}) for r in rows]  # wrong on what is gone
    candidate = [said(r.id, {"a": "neutral"}) for r in rows]  # misses what only it knows
    verdict = compare(rows, champion, candidate, THEMES, frozenset({"a", "new"}), POLICY)
    assert verdict.passed and {each.support for each in verdict.figures if each.kind == "overall"} == {60}
    assert {(each.champion, each.candidate) for each in verdict.figures} == {(1.0, 1.0)}
    assert verdict.remarks == (
        "only the 1 themes that both models know were compared",
        "themes of the champion that the candidate does not know: b, trust.safety",
        "severe ones among them: trust.safety",
        "not compared, for no row has labels to find: theme+sentiment micro-F1, sentiment accuracy, justified F1, "
        "priority one F1",
    )


def test_a_code_frame_of_its_own_is_judged_on_the_rest(row, said) -> None:
    rows = sixty(row, themes=frozenset({"new"}), sentiment="negative")
    good, bad = ([said(r.id, {}, mood) for r in rows] for mood in ("negative", "neutral"))
    own = frozenset({"new"})
    verdict = compare(rows, good, good, THEMES, own, POLICY)
    assert verdict.passed and "no theme is shared" in verdict.remarks[0]
    assert not compare(rows, good, bad, THEMES, own, POLICY).passed
    unlabelled = [replace(r, sentiment=None) for r in rows]
    assert compare(unlabelled, good, bad, THEMES, own, POLICY).passed
    assert not compare(unlabelled[:20], good[:20], bad[:20], THEMES, own, POLICY).passed


def test_without_rows_it_is_said_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"held\.jsonl.*--data.*--force"):
        rows_for(tmp_path, None)
    with pytest.raises(InputError, match="does not exist"):
        rows_for(tmp_path, tmp_path / "none.jsonl")
    (tmp_path / "held.jsonl").touch()
    assert rows_for(tmp_path, None) == tmp_path / "held.jsonl"
    (tmp_path / "own.jsonl").touch()
    assert rows_for(tmp_path, tmp_path / "own.jsonl") == tmp_path / "own.jsonl"


# the commands, with the model that ships


@pytest.mark.model
def test_promote_refuses_records_force_and_rolls_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLOS_MODELS_DIR", str(tmp_path / "models"))
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path / "bentoml"))
    same, worse = tmp_path / "same", tmp_path / "worse"
    for folder in (same, worse):
        shutil.copytree(DATA / "models" / "default", folder)
        path = folder / "model.json"
        model = json.loads(path.read_text("utf-8")) | {"version": folder.name}
        if folder is worse:  # it finds hardly any theme, and its golden sentences were made with that
            size = len(model["taxonomy"]["themes"])
            model["calibration"] |= {"theme_threshold": [0.999] * size}
            model["golden"] = [{**golden, "themes": []} for golden in model["golden"]]
        path.write_text(json.dumps(model), "utf-8")
    held = worse / "held.jsonl"
    seed = sorted((DATA / "seed").glob("*.jsonl"))[0].read_text("utf-8").splitlines()[:60]
    labels = ("id", "text", "themes", "sentiment")
    held.write_text(
        "".join(json.dumps({key: json.loads(line)[key] for key in labels}) + "\n" for line in seed), "utf-8"
    )

    def holos(*arguments: str) -> Result:
        return CliRunner().invoke(app, list(arguments))

    assert holos("promote", str(same)).exit_code == 2, "no labelled rows"
    promoted = holos("promote", str(same), "--data", str(held), "--note", "the same")
    assert promoted.exit_code == 0, promoted.output
    assert "same is the champion; before: the model that ships" in promoted.output
    assert "saved in the BentoML model store as holos:same" in promoted.output

    refused = holos("promote", str(worse))
    assert refused.exit_code == 1
    assert re.search(r"themes micro-F1 overall: 0\.\d+ against the champion's 0\.\d+ on \d+ labels", refused.output)
    assert "refused: same stays the champion" in refused.output
    registry = Registry(tmp_path / "models")
    assert registry.versions() == ["same"] and len(registry.lineage()) == 1

    assert holos("promote", str(worse), "--force", "--note", "a test").exit_code == 0
    change = registry.lineage()[-1]
    assert (change.before, change.to, change.forced, change.note) == ("same", "worse", True, "a test")
    assert change.gate.passed is False and any("themes micro-F1" in reason for reason in change.gate.reasons)
    assert not list(registry.folder.rglob("held.jsonl"))

    listed = holos("models").output
    assert "worse" in listed and "promotion, forced" in listed
    assert "same is the champion again" in holos("rollback").output
    assert "the model that ships is the champion again" in holos("rollback").output
    assert holos("rollback").exit_code == 1


def test_a_champion_that_cannot_be_read_can_be_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLOS_MODELS_DIR", str(tmp_path / "models"))
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path / "bentoml"))
    for name in ("one", "two"):
        shutil.copytree(DATA / "models" / "default", tmp_path / name)
        path = tmp_path / name / "model.json"
        path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | {"version": name}), "utf-8")
    labels = tmp_path / "labels.jsonl"
    labels.write_text('{"id": "1", "text": "Late again", "sentiment": "negative"}\n', "utf-8")

    def promote(*arguments: str) -> Result:
        return CliRunner().invoke(app, ["promote", *map(str, arguments), "--data", str(labels)])

    assert promote(tmp_path / "one", "--force").exit_code == 0
    (tmp_path / "models" / "versions" / "one" / "model.json").write_text("{}", "utf-8")
    said = promote(tmp_path / "two")
    assert said.exit_code and "not as it was promoted" in said.output
    said = promote(tmp_path / "two", "--force")
    assert said.exit_code == 0, said.output
    change = Registry(tmp_path / "models").lineage()[-1]
    assert change.to == "two" and change.forced and change.gate.reasons[0].startswith("not compared: ")
