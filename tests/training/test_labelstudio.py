"""Label Studio: what an export says, whom of several annotators to believe, tasks to import, the labelling screen."""

import json
from xml.etree import ElementTree

import pytest

from nlp.errors import InputError
from nlp.taxonomy import parse_taxonomy
from nlp.types import MOODS, SIGNALS, Scale
from training.labels import read_labels
from training.labelstudio import CONTROLS, NONE, label_config, labelled_tasks, prelabelled_tasks
from training.prepare import Conflict, prepare

FRAME = parse_taxonomy(
    {
        "themes": [
            {"id": "staff", "label": 'Staff & "people"', "description": "How they behave"},
            {"id": "price", "label": "Price"},
        ]
    },
    "tax.yaml",
)


def chosen(**names: list[str]) -> list[dict]:
    """The result of an annotation; `mood_X` stands for the control `mood:X`."""
    return [
        {
            "id": f"x{name}",
            "from_name": name.replace("mood_", "mood:"),
            "to_name": "text",
            "type": "choices",
            "origin": "manual",
            "value": {"choices": choices},
        }
        for name, choices in names.items()
    ]


def annotation(*, by: int = 1, result: list[dict] | None = None, **flags) -> dict:
    return {"id": 7, "completed_by": by, "was_cancelled": False, "ground_truth": False, "result": result or []} | flags


def task(*annotations: dict, id: int = 11, **data) -> dict:
    return {"id": id, "data": {"text": "Long queue"} | data, "annotations": list(annotations), "predictions": []}


def read(tmp_path, found) -> list:
    path = tmp_path / "project-1-at-2026.json"
    path.write_text(json.dumps(found), "utf-8")
    return read_labels(path)


def votes(**each: list) -> list[dict]:
    """One annotation per position of the lists; None is a question left open."""
    count = max(map(len, each.values()))
    return [
        annotation(by=n, result=chosen(**{name: given[n] for name, given in each.items() if given[n] is not None}))
        for n in range(count)
    ]


def test_an_export_becomes_rows(tmp_path):
    result = chosen(
        sentiment=["negative"], themes=["staff", "price"], mood_staff=["positive"], justified=["yes"], signals=[NONE]
    )
    data = {"question": "Why?", "language": "en", "metric": "nps", "score": 3, "scale": {"min": 0, "max": 10}}
    found = read(tmp_path, [task(annotation(result=result), **data), task(annotation(), id=12), task(id=13)])
    assert len(found) == 1
    row = found[0]
    assert (row.id, row.text, row.question, row.language, row.score, row.scale) == (
        "11",
        "Long queue",
        "Why?",
        "en",
        3,
        Scale(0, 10),
    )
    assert (row.sentiment, row.themes, row.justified, row.signals) == (
        "negative",
        {"staff", "price"},
        True,
        frozenset(),
    )
    assert row.theme_sentiments == {"staff": "positive"} and row.undecided == frozenset()


def test_labels_in_the_data_are_not_what_annotators_said(tmp_path):
    found = read(tmp_path, [task(annotation(result=chosen(justified=["no"])), sentiment="positive", themes=["x"])])
    assert (found[0].sentiment, found[0].themes, found[0].justified) == (None, None, False)


@pytest.mark.parametrize("key", ["response_id", "id"])
def test_the_id_of_the_response_comes_before_the_number_of_the_task(tmp_path, key):
    assert read(tmp_path, [task(annotation(result=chosen(justified=["no"])), **{key: "r-1"})])[0].id == "r-1"


@pytest.mark.parametrize(
    "flags",
    [
        {"was_cancelled": True},
        {"skipped": True},
        {"reviews": [{"accepted": True}, {"accepted": False}]},
        {"last_action": "rejected"},
    ],
)
def test_cancelled_and_rejected_annotations_do_not_count(tmp_path, flags):
    void = annotation(result=chosen(sentiment=["positive"]), **flags)
    good = annotation(by=2, result=chosen(sentiment=["negative"]), reviews=[{"accepted": True}])
    assert read(tmp_path, [task(void, good), task(void)])[0].sentiment == "negative"
    with pytest.raises(InputError, match="no labelled rows; its controls must be named sentiment, themes"):
        read(tmp_path, [task(void)])


def test_a_ground_truth_outvotes_the_others(tmp_path):
    truth = annotation(by=3, result=chosen(sentiment=["mixed"]), ground_truth=True)
    assert read(tmp_path, [task(*votes(sentiment=[["positive"], ["positive"]]), truth)])[0].sentiment == "mixed"


def test_completions_are_what_old_exports_call_annotations(tmp_path):
    old = {"id": 1, "data": {"text": "x"}, "completions": [annotation(result=chosen(sentiment=["Neutral"]))]}
    assert read(tmp_path, [old])[0].sentiment == "neutral"
    assert read(tmp_path, old)[0].sentiment == "neutral"


P, N, M = ["positive"], ["negative"], ["mixed"]


@pytest.mark.parametrize(
    ("given", "labels", "undecided"),
    [
        ({"sentiment": [P, P, N]}, {"sentiment": "positive"}, set()),
        ({"sentiment": [P, N]}, {"sentiment": None}, {"sentiment"}),
        ({"sentiment": [P, N, M]}, {"sentiment": None}, {"sentiment"}),
        ({"sentiment": [P, None, None]}, {"sentiment": "positive"}, set()),
        ({"justified": [["yes"], ["no"], ["no"]]}, {"justified": False}, set()),
        ({"justified": [["yes"], ["no"]]}, {"justified": None}, {"justified"}),
        ({"themes": [["a"], ["a", "b"], ["b"]]}, {"themes": {"a", "b"}}, set()),
        ({"themes": [["a"], ["a", "b"]]}, {"themes": {"a"}, "themes_disputed": {"b"}}, set()),
        ({"themes": [["a"], [NONE], [NONE]]}, {"themes": set(), "themes_disputed": set()}, set()),
        ({"themes": [["a"], [NONE]]}, {"themes": set(), "themes_disputed": {"a"}}, set()),
        ({"signals": [["suggestion"], ["suggestion"], [NONE]]}, {"signals": {"suggestion"}}, set()),
        (
            {"themes": [["a"], ["a", "b"], ["a"]], "mood_a": [P, P, N], "mood_b": [None, N, None]},
            {"theme_sentiments": {"a": "positive"}},
            set(),
        ),
        ({"themes": [["a"], ["a"]], "mood_a": [P, N]}, {"theme_sentiments": None}, {"theme_sentiments"}),
    ],
)
def test_the_majority_of_annotators_decides(tmp_path, given, labels, undecided):
    (row,) = read(tmp_path, [task(*votes(**given))])
    assert {name: getattr(row, name) for name in labels} == labels
    assert row.undecided == undecided


def test_a_tie_of_annotators_is_reported_as_a_conflict(tmp_path):
    tied = task(*votes(sentiment=[P, N], themes=[["a"], ["a"]]), id=99, text="tied")
    plain = [task(*votes(themes=[["a"], [["b"], ["a"]][n % 2]]), id=n, text=f"text {n}") for n in range(20)]
    assert prepare(read(tmp_path, [*plain, tied]), "x.json").conflicts == (Conflict(("99",), ("sentiment",)),)


def test_json_min_holds_a_record_for_each_annotator(tmp_path):
    one = {
        "text": "Long queue",
        "question": "",
        "id": 5,
        "sentiment": "negative",
        "themes": {"choices": ["staff", "price"]},
    }
    one |= {"mood:staff": "mixed", "annotator": 1, "annotation_id": 1, "created_at": "2026", "lead_time": 3.1}
    two = {
        "text": "Long queue",
        "id": 5,
        "sentiment": "negative",
        "themes": "staff",
        "annotator": 2,
        "annotation_id": 2,
    }
    open_ = {"text": "Left open", "id": 6, "annotator": 2, "annotation_id": 3}
    (row,) = read(tmp_path, [one, two, open_])
    assert (row.id, row.text, row.question, row.sentiment) == ("5", "Long queue", None, "negative")
    assert (row.themes, row.themes_disputed, row.theme_sentiments) == ({"staff"}, {"price"}, {"staff": "mixed"})


def test_a_taxonomy_control_gives_the_ends_of_its_paths(tmp_path):
    value = {"taxonomy": [["Staff", "staff.attitude"], ["price"]]}
    result = [{"from_name": "themes", "to_name": "text", "type": "taxonomy", "value": value}]
    assert read(tmp_path, [task(annotation(result=result))])[0].themes == {"staff.attitude", "price"}


def test_a_plain_list_of_rows_is_read_as_well(tmp_path):
    (row,) = read(tmp_path, [{"id": "1", "text": "x", "themes": ["a"], "priority": None}])
    assert (row.id, row.themes, row.priority) == ("1", {"a"}, None)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (task(annotation(result=chosen(sentiment=["happy"]))), "row '11' has the sentiment 'happy'; use one of"),
        (task(annotation(result=chosen(sentiment=["positive", "mixed"]))), "'positive, mixed'; use one of"),
        (task(annotation(result=chosen(justified=["perhaps"]))), "row '11': justified must be true or false"),
        (task(annotation(result=chosen(signals=["anger"]))), "row '11' has in signals anger; use some of"),
        (task(annotation(result=chosen(sentiment=P)), text=5), "row '11' has no text"),
        ({"id": 4, "annotations": []}, "task 4 lacks data or annotations; export it again"),
        ({"data": {"text": "x"}, "annotations": {"a": 1}}, "task 1 lacks data or annotations"),
        (task(annotation(result=[{"from_name": "tone", "value": {"choices": ["x"]}}])), "controls must be named"),
    ],
)
def test_a_wrong_task_is_named(tmp_path, wrong, message):
    with pytest.raises(InputError, match=message):
        read(tmp_path, [wrong])


def test_rows_become_tasks_with_annotations(row):
    labels = {
        "sentiment": "mixed",
        "themes": frozenset({"staff"}),
        "theme_sentiments": {"staff": "negative"},
        "justified": True,
    }
    labelled, bare = labelled_tasks(
        [row("r-1", "Hi", question="Why?", score=2, **labels), row("r-2", "Ho", signals=frozenset())]
    )
    assert labelled["data"] == {"response_id": "r-1", "text": "Hi", "question": "Why?", "score": 2}
    choices = {each["from_name"]: each["value"]["choices"] for each in labelled["annotations"][0]["result"]}
    assert choices == {"sentiment": ["mixed"], "themes": ["staff"], "justified": ["yes"], "mood:staff": ["negative"]}
    assert bare["data"]["question"] == "" and bare["annotations"][0]["result"][0]["value"] == {"choices": [NONE]}
    assert labelled_tasks([row()])[0]["annotations"] == []


def test_answers_become_predictions_that_an_annotator_may_accept(tmp_path, row, said, failed):
    rows = [
        row("r-1", "Hi, I am Jan", score=2, sentiment="negative", themes_disputed=frozenset({"x"})),
        row("r-2", "Ho"),
    ]
    answer = said("r-1", themes={"staff": "negative"}, sentiment="mixed", signals=("suggestion",))
    tasks = prelabelled_tasks(rows, [answer, failed])
    assert tasks[0]["data"] == {"response_id": "r-1", "text": "Hi, I am Jan", "question": "", "score": 2}
    (prediction,) = tasks[0]["predictions"]
    assert (prediction["model_version"], prediction["score"]) == ("m", 0.9)
    assert {"id", "from_name", "to_name", "type", "value"} == set(prediction["result"][0])
    assert tasks[1]["predictions"] == [] and "annotations" not in tasks[0]
    # accepting a prediction makes its result an annotation's
    (accepted,) = read(tmp_path, [tasks[0] | {"annotations": [annotation(result=prediction["result"])]}])
    assert (accepted.id, accepted.sentiment, accepted.themes) == ("r-1", "mixed", {"staff"})
    assert (accepted.theme_sentiments, accepted.justified, accepted.signals) == (
        {"staff": "negative"},
        False,
        {"suggestion"},
    )


def test_a_prediction_shows_the_redacted_text(row, said):
    from dataclasses import replace

    answer = replace(said("r-1"), text="Call <PHONE>")
    assert prelabelled_tasks([row("r-1", "Call 600100200")], [answer])[0]["data"]["text"] == "Call <PHONE>"


def test_every_answer_needs_its_row(row, said):
    with pytest.raises(ValueError):
        prelabelled_tasks([row()], [])


def test_the_screen_asks_for_every_label():
    screen = ElementTree.fromstring(label_config(FRAME))
    controls = {each.get("name"): each for each in screen.iter("Choices")}
    assert set(controls) == {*CONTROLS[:-1], "mood:staff", "mood:price"}
    assert {each.get("toName") for each in controls.values()} == {"text"}
    stored = {name: [choice.get("alias") for choice in each] for name, each in controls.items()}
    assert stored["themes"] == ["staff", "price", NONE] and stored["signals"] == [*SIGNALS, NONE]
    assert stored["sentiment"] == stored["mood:staff"] == list(MOODS) and stored["justified"] == ["yes", "no"]
    assert controls["themes"][0].attrib == {"value": 'Staff & "people"', "alias": "staff", "hint": "How they behave"}
    assert {name for name, each in controls.items() if each.get("choice") == "multiple"} == {"themes", "signals"}


def test_the_mood_of_a_theme_is_asked_only_where_it_was_chosen():
    screen = ElementTree.fromstring(label_config(FRAME))
    views = {view.get("whenChoiceValue"): view for view in screen.iter("View") if view.get("visibleWhen")}
    assert set(views) == {"staff", "price"}
    assert views["staff"].get("whenTagName") == "themes" and views["staff"].find("Choices").get("name") == "mood:staff"


def test_what_is_written_fits_the_screen(row, said):
    """Every choice that tasks hold is one that the screen offers."""
    controls = {
        each.get("name"): {choice.get("alias") for choice in each}
        for each in ElementTree.fromstring(label_config(FRAME)).iter("Choices")
    }
    rows = [row("1", "a", sentiment="mixed", themes=frozenset(), signals=frozenset(SIGNALS), justified=False)]
    answer = said(themes={"staff": "mixed", "price": "neutral"}, signals=("suggestion",), justified=True)
    results = labelled_tasks(rows)[0]["annotations"] + prelabelled_tasks(rows, [answer])[0]["predictions"]
    for each in [each for found in results for each in found["result"]]:
        assert set(each["value"]["choices"]) <= controls[each["from_name"]]
