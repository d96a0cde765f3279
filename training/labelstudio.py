"""Label Studio: its exports as labelled rows, rows as its tasks, and the labelling screen for a code frame.

A task's `data` holds the response; labels are choices of controls named sentiment, themes, justified, signals and
`mood:THEME` for the sentiment about a theme.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

from nlp.errors import InputError
from nlp.taxonomy import Taxonomy
from nlp.types import MOODS, SIGNALS, Classification
from training.dataset import LabelledRow, to_record

NONE = "(none)"  # the choice that says no theme or no signal, told apart from a question left open
MOOD = "mood:"
LABELS = ("sentiment", "themes", "justified", "signals", "theme_sentiments")
SETS = ("themes", "signals")
YES, NO = "yes", "no"
CONTROLS = ("sentiment", "themes", "justified", "signals", f"{MOOD}THEME")

Votes = list[dict[str, Any]]


def read_export(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Numbered records of an export in JSON or JSON-MIN, or of a plain JSON list of labelled rows.

    Several annotators of a task: the majority decides each label; a theme or signal that half of them see is disputed,
    a tie of another field leaves it undecided. A ground truth outvotes all. Cancelled and rejected annotations do not
    count; tasks without any other, and predictions, are left out.
    """
    found = _load(path)
    if any("annotation_id" in each or "annotator" in each for each in found if "data" not in each):
        yield from _records(_minimal(found))
    elif any("data" in each or "annotations" in each for each in found):
        yield from _records(_full(found, str(path)))
    else:
        yield from enumerate(found, 1)


def _load(path: Path) -> list[dict[str, Any]]:
    try:
        found = json.loads(path.read_text("utf-8-sig"))
    except UnicodeDecodeError:
        raise InputError(f"{path} is not in UTF-8; save it in that encoding") from None
    except json.JSONDecodeError as error:
        wrong = f"{error.msg} in line {error.lineno}, column {error.colno}"
        raise InputError(f"{path} is not JSON ({wrong}); JSON Lines end in .jsonl") from None
    except RecursionError:
        raise InputError(f"{path} has objects too deep to read; export it again") from None
    found = [found] if isinstance(found, dict) else found
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise InputError(f"{path} is no list of objects; export the project of Label Studio as JSON or JSON-MIN")
    return found


def _full(tasks: Iterable[Mapping[str, Any]], source: str) -> Iterator[tuple[dict[str, Any], Votes]]:
    """The data of each task and what its annotators said."""
    for number, task in enumerate(tasks, 1):
        data, given = task.get("data"), task.get("annotations", task.get("completions"))
        if not isinstance(data, Mapping) or not isinstance(given, list | None):
            raise InputError(f"{source}: task {task.get('id', number)} lacks data or annotations; export it again")
        counted = [each for each in given or () if isinstance(each, Mapping) and not _is_void(each)]
        truth = [each for each in counted if each.get("ground_truth")]
        votes = [_vote(_choices(each.get("result") or ())) for each in truth or counted]
        yield {"id": task.get("id")} | dict(data), [vote for vote in votes if vote]


def _minimal(records: Iterable[Mapping[str, Any]]) -> Iterator[tuple[dict[str, Any], Votes]]:
    """The same from JSON-MIN, which repeats a task for each of its annotators."""
    tasks: dict[Any, tuple[dict[str, Any], Votes]] = {}
    for number, record in enumerate(records, 1):
        _, votes = tasks.setdefault(record.get("id", -number), (dict(record), []))
        if vote := _vote({name: _names(value) for name, value in record.items()}):
            votes.append(vote)
    return iter(tasks.values())


def _is_void(annotation: Mapping[str, Any]) -> bool:
    """Whether the annotation was cancelled by its author or rejected by a reviewer."""
    reviews = annotation.get("reviews") or [{}]
    rejected = reviews[-1].get("accepted") is False or annotation.get("last_action") == "rejected"
    return bool(annotation.get("was_cancelled") or annotation.get("skipped") or rejected)


def _choices(result: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Names chosen, by control."""
    found: dict[str, list[str]] = defaultdict(list)
    for each in result:
        found[each.get("from_name", "")] += _names(each.get("value"))
    return found


def _names(value: Any) -> list[str]:
    """Names in any of the forms that exports hold them: one, a list, `choices`, or `taxonomy` with its paths."""
    if isinstance(value, Mapping):
        paths = value.get("taxonomy") or ()
        return _names(value.get("choices")) + [path[-1] for path in paths if isinstance(path, list) and path]
    if isinstance(value, list):
        return [name for each in value for name in _names(each)]
    return [value] if isinstance(value, str) else []


def _vote(chosen: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """What one annotator said, by field; the moods of themes are fields `mood:THEME`."""
    vote: dict[str, Any] = {}
    for name, names in chosen.items():
        if not names:
            continue
        if name in SETS:
            vote[name] = frozenset(names) - {NONE}
        elif name == "justified":
            vote[name] = {YES: True, "true": True, NO: False, "false": False}.get(names[0].lower(), names[0])
        elif name == "sentiment" or name.startswith(MOOD):
            vote[name] = names[0].lower() if len(set(names)) == 1 else ", ".join(names)
    return vote


def _records(tasks: Iterable[tuple[dict[str, Any], Votes]]) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, (data, votes) in enumerate(tasks, 1):
        if not votes and not data.get("undecided"):
            continue
        labels, undecided = _majority(votes)
        undecided |= {name for name in data.get("undecided") or () if name not in labels}
        disputed = {f"{name}_disputed": sorted(labels.pop(f"{name}_disputed", ())) for name in SETS}
        disputed = {name: names or data.get(name) for name, names in disputed.items()}
        kept = {name: value for name, value in data.items() if name not in LABELS and not name.startswith(MOOD)}
        kept["id"] = data.get("response_id", data.get("id"))
        kept["question"] = data.get("question") or None
        yield number, kept | labels | disputed | {"undecided": sorted(undecided)}


def _majority(votes: Votes) -> tuple[dict[str, Any], set[str]]:
    """The labels that win and the fields on which nothing does."""
    labels: dict[str, Any] = {}
    undecided: set[str] = set()
    for name in sorted({name for vote in votes for name in vote}):
        given = [vote[name] for vote in votes if name in vote]
        if name in SETS:
            seen = Counter(each for names in given for each in names)
            labels[name] = sorted(each for each, count in seen.items() if 2 * count > len(given))
            labels[f"{name}_disputed"] = [each for each, count in seen.items() if 2 * count == len(given)]
            continue
        (first, most), *others = Counter(given).most_common(2)
        if others and others[0][1] == most:
            undecided.add("theme_sentiments" if name.startswith(MOOD) else name)
        else:
            labels[name] = first
    return _with_moods(labels), undecided


def _with_moods(labels: Mapping[str, Any]) -> dict[str, Any]:
    """Gathers moods by theme; those of themes that lost the vote go."""
    moods = {name.removeprefix(MOOD): mood for name, mood in labels.items() if name.startswith(MOOD)}
    moods = {theme: mood for theme, mood in moods.items() if theme in labels.get("themes", moods)}
    out = {name: value for name, value in labels.items() if not name.startswith(MOOD)}
    return out | {"theme_sentiments": moods} if moods else out


def labelled_tasks(rows: Iterable[LabelledRow]) -> list[dict[str, Any]]:
    """Tasks with the rows' labels as annotations, for import into a project; rows without labels have none."""
    tasks = []
    for row in rows:
        record = to_record(row)
        result = _result({name: record[name] for name in LABELS if name in record})
        tasks.append(_task(record) | {"annotations": [{"result": result}] if result else []})
    return tasks


def prelabelled_tasks(rows: Sequence[LabelledRow], classifications: Sequence[Classification]) -> list[dict[str, Any]]:
    """Tasks with the model's answers as predictions, to be accepted or mended; what failed has none.

    The text is the redacted one where there is one: a labelling tool need not hold personal data. A prediction's score
    is the least of its confidences, so that Label Studio can put the doubtful first.
    """
    tasks = []
    for row, said in zip(rows, classifications, strict=True):
        record = to_record(row) | ({"text": said.text} if said.text else {})
        for name in ("themes_disputed", "signals_disputed", "undecided"):
            record.pop(name, None)
        tasks.append(_task(record) | {"predictions": [] if said.error else [_prediction(said)]})
    return tasks


def _task(record: Mapping[str, Any]) -> dict[str, Any]:
    """The response as a task's data; its id has a name of its own, for Label Studio numbers tasks itself."""
    data = {name: value for name, value in record.items() if name not in (*LABELS, "id")}
    return {"data": {"response_id": record["id"], "question": ""} | data}


def _prediction(said: Classification) -> dict[str, Any]:
    assert said.sentiment and said.justification  # only a failure has none
    labels = {
        "sentiment": said.sentiment.label,
        "themes": [tag.id for tag in said.themes],
        "theme_sentiments": {tag.id: tag.sentiment.label for tag in said.themes},
        "justified": said.justification.justified,
        "signals": list(said.signals),
    }
    confidences = [said.sentiment.confidence, said.justification.confidence, *(tag.confidence for tag in said.themes)]
    return {
        "model_version": said.versions.model,
        "score": round(min(confidences), 4),
        "result": _result(labels),
    }


def _result(labels: Mapping[str, Any]) -> list[dict[str, Any]]:
    chosen = {name: [labels[name]] for name in ("sentiment",) if name in labels}
    chosen |= {name: list(labels[name]) or [NONE] for name in SETS if name in labels}
    chosen |= {"justified": [YES if labels["justified"] else NO]} if "justified" in labels else {}
    chosen |= {f"{MOOD}{theme}": [mood] for theme, mood in labels.get("theme_sentiments", {}).items()}
    return [
        {"id": str(number), "from_name": name, "to_name": "text", "type": "choices", "value": {"choices": names}}
        for number, (name, names) in enumerate(chosen.items(), 1)
    ]


def label_config(taxonomy: Taxonomy) -> str:
    """The labelling screen of a project: XML to paste into its settings, under Labeling Interface, Code."""
    view = Xml.Element("View")
    Xml.SubElement(view, "Header", value="$question")
    Xml.SubElement(view, "Text", name="text", value="$text")
    moods = [(mood, mood.capitalize()) for mood in MOODS]
    _control(view, "sentiment", "Sentiment of the whole answer", moods)
    themes = [(theme.id, theme.label) for theme in taxonomy.themes]
    hints = {theme.id: theme.description for theme in taxonomy.themes if theme.description}
    _control(view, "themes", "Themes", [*themes, (NONE, "None of these")], hints, choice="multiple")
    for id, label in themes:
        when = {"visibleWhen": "choice-selected", "whenTagName": "themes", "whenChoiceValue": id}
        _control(Xml.SubElement(view, "View", when), f"{MOOD}{id}", f"Sentiment about: {label}", moods)
    _control(view, "justified", "Does it give a reason?", [(YES, "Yes"), (NO, "No")])
    signals = [(signal, signal.replace("_", " ").capitalize()) for signal in SIGNALS]
    _control(view, "signals", "Signals", [*signals, (NONE, "None")], choice="multiple")
    Xml.indent(view)
    return Xml.tostring(view, encoding="unicode") + "\n"


def _control(
    above: Xml.Element,
    name: str,
    title: str,
    choices: Collection[tuple[str, str]],
    hints: Mapping[str, str] | None = None,
    choice: str = "single",
) -> None:
    """A question with its choices, each shown by its label and stored by its id."""
    Xml.SubElement(above, "Header", value=title, size="5")
    control = Xml.SubElement(above, "Choices", name=name, toName="text", choice=choice, showInline="true")
    for id, label in choices:
        hint = {"hint": hints[id]} if hints and id in hints else {}
        Xml.SubElement(control, "Choice", {"value": label, "alias": id} | hint)
