"""What `holos review` does: a queue of answers worth labelling next, and of labels that are probably wrong."""

import csv
import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from nlp.artifact import load_pipeline
from nlp.errors import InputError
from nlp.pipeline import Pipeline
from nlp.text import normalise
from nlp.types import Classification
from training.cells import flatten, write_cell
from training.dataset import to_record
from training.label_errors import Checked, find_label_errors
from training.labels import read_labels
from training.labelstudio import LABELS, prelabelled_tasks
from training.picks import QUOTAS, Pick, is_labelled, queue
from training.pool import Pool, in_order, read_pool, row_key

FORMS = (".jsonl", ".csv", ".json")
KINDS = {
    "label_error": "label that may be wrong",
    "disagreement": "readings that contradict each other",
    "rare_theme": "theme with few labelled examples",
    "uncertainty": "model unsure",
    "diversity": "unlike the rest",
}
_FORMULA = re.compile(r"[=+\-@\t\r]")  # what a spreadsheet would run

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Asked:
    """The call: unlabelled or labelled responses, labels to check, labels that say what is rare, a second model."""

    source: Path | None
    out: Path
    count: int
    errors: Path | None = None
    labels: Path | None = None
    against: Path | None = None


def review(asked: Asked, model: Path, data_dir: Path, cache_dir: Path, say: Say) -> list[Pick]:
    """Writes the queue; InputError for what cannot be read or written, before any work."""
    check_out(asked.out)
    rows = [row for path in (asked.source, asked.errors) if path for row in read_labels(path)]
    labelled = read_labels(asked.labels) if asked.labels else None
    pipeline = load_pipeline(model, data_dir, cache_dir)
    pool = read_pool(pipeline, in_order(rows))
    other = read_pool(load_pipeline(asked.against, data_dir, cache_dir), pool.rows) if asked.against else None
    found = check_labels(pool)
    known = frozenset(row_key(row) for row in labelled or () if is_labelled(row))
    picks = queue(pool, asked.count, labelled, other, found.suspects, known)
    write_queue(picks, pool, asked.out, redactor(pipeline))
    _account(picks, pool, found, asked, say)
    return picks


def check_labels(pool: Pool) -> Checked:
    """Suspected errors among the rows of the pool that carry labels and that the model could read."""
    rows = [i for i, row in enumerate(pool.rows) if is_labelled(row) and pool.read[i]]
    part = pool.part(rows)
    found = find_label_errors(part.rows, part.vectors, part.keys)
    return replace(found, suspects=tuple(replace(each, row=rows[each.row]) for each in found.suspects))


def check_out(path: Path) -> None:
    """InputError where no queue could be written to `path`."""
    if path.suffix not in FORMS:
        raise InputError(f"{path}: a queue ends in {', '.join(FORMS)} (Label Studio tasks); name OUT so")
    if not path.absolute().parent.is_dir():
        raise InputError(f"{path}: the folder {path.parent} does not exist; make it or name another")


def redactor(pipeline: Pipeline) -> Callable[[str], str]:
    """Takes personal data out of a question, as classifying does for a text."""
    return lambda text: pipeline.rules.redactor.redact(normalise(text)).text


def write_queue(picks: Sequence[Pick], pool: Pool, path: Path, redact: Callable[[str], str]) -> None:
    """The queue in the form that the path's ending names; labels filled in there are read by `holos train`."""
    records = [queue_record(pick, pool, redact) for pick in picks]
    if path.suffix == ".csv":
        _write_csv(records, path)
    elif path.suffix == ".json":
        tasks = _tasks(picks, records, pool)
        path.write_text(json.dumps(tasks, ensure_ascii=False, indent=1) + "\n", "utf-8")
    else:
        path.write_text("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records), "utf-8")


def queue_record(pick: Pick, pool: Pool, redact: Callable[[str], str]) -> dict[str, Any]:
    """One row of the queue: the response without personal data, labels it has, why it is here, what the model says."""
    row, said = pool.rows[pick.row], pool.said[pick.row]
    record = to_record(row) | {"text": said.text}
    if row.question:
        record["question"] = redact(row.question)
    out = record | {"kind": pick.kind, "reason": pick.reason, "stands_for": pick.stands_for}
    if pick.suspects:
        out["suspects"] = [{k: v for k, v in asdict(each).items() if k != "row"} for each in pick.suspects]
    return out | {"predicted": _predicted(said)}


def _predicted(said: Classification) -> dict[str, Any]:
    assert said.sentiment and said.justification  # nothing that failed is picked
    return {
        "sentiment": said.sentiment.label,
        "themes": [tag.id for tag in said.themes],
        "theme_sentiments": {tag.id: tag.sentiment.label for tag in said.themes},
        "justified": said.justification.justified,
        "signals": list(said.signals),
        "confidence": {
            "sentiment": round(said.sentiment.confidence, 4),
            "justified": round(said.justification.confidence, 4),
            "themes": {tag.id: round(tag.confidence, 4) for tag in said.themes},
        },
    }


def _tasks(picks: Sequence[Pick], records: Sequence[dict[str, Any]], pool: Pool) -> list[dict[str, Any]]:
    rows = [pool.rows[pick.row] for pick in picks]
    tasks = prelabelled_tasks(rows, [pool.said[pick.row] for pick in picks])
    for task, record in zip(tasks, records, strict=True):
        shown = ("question", "kind", "reason", "stands_for", "suspects")
        task["data"] |= {name: record[name] for name in shown if name in record}
    return tasks


def _write_csv(records: Sequence[dict[str, Any]], path: Path) -> None:
    """Columns to read, then the model's answers, then empty columns to fill in."""
    rows = []
    for record in records:
        told = {f"predicted_{name}": write_cell(name, value) for name, value in record["predicted"].items()}
        suspects = "; ".join(
            f"{s['field']}: {s['given']} -> {s['suggested']} ({s['quality']})" for s in record.get("suspects", ())
        )
        plain = {name: value for name, value in record.items() if name not in ("predicted", "suspects")}
        cells = {name: write_cell(name, value) for name, value in flatten(plain).items()}
        rows.append({name: _guarded(cell) for name, cell in (cells | {"suspects": suspects} | told).items()})
    first = ["id", "text", "question", "kind", "reason", "stands_for", "suspects"]
    told = [f"predicted_{name}" for name in (*LABELS, "confidence")]
    used = {name for row in rows for name in row}
    others = sorted(used.difference(first, told, LABELS))
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, [*first, *told, *LABELS, *others], restval="")
        writer.writeheader()
        writer.writerows(rows)


def _guarded(cell: str) -> str:
    return f"'{cell}" if _FORMULA.match(cell) and not cell.lstrip("-+").replace(".", "", 1).isdigit() else cell


def _account(picks: Sequence[Pick], pool: Pool, found: Checked, asked: Asked, say: Say) -> None:
    kinds = Counter(pick.kind for pick in picks)
    say(f"{len(picks)} of {len(pool)} rows are in {asked.out}, standing for {sum(p.stands_for for p in picks)}:")
    for kind in QUOTAS:
        if kinds[kind]:
            say(f"  {kinds[kind]:5} {KINDS[kind]}")
    if found.checked:
        told = ", ".join(f"{field} of {count} rows" for field, count in found.checked.items())
        say(f"labels checked: {told}; {len(found.suspects)} may be wrong, the least likely label first")
    for remark in found.unchecked:
        say(f"not checked: {remark}")
    aside = sum(said.status != "ok" for said in pool.said)
    if aside:
        say(f"left out: {aside} rows that failed or are in a language that the model was not made for")
