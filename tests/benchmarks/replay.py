"""How long `rules/test` takes over many stored responses: run with `python -m tests.benchmarks.replay`."""

import argparse
import json
import random
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from serving.rules.document import parse_rules
from serving.rules.history import history
from serving.rules.replay import replay
from serving.rules.ruleset import shipped
from serving.shipped import taxonomy
from serving.store.database import Database, new_id
from serving.store.tables import metadata, responses, tags

SEED = 20261102
START = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = 90
ROWS = 10_000
"""Rows of one insert."""

RULES = """
mode: all
rules:
  - {id: courier, when: 'score != null && score <= 3 && theme("delivery", "negative")', then: {assign: {team: courier}}}
  - {id: digital, when: 'theme("digital") && group == "detractor"', then: {assign: {team: app}, priority: 2}}
  - {id: gold, when: attributes.plan == "gold" && justified, then: {priority: 1, notify: manager}}
  - {id: night, when: 'hour("Europe/Warsaw") >= 22 && signal("contact_request")', then: {tag: night}}
  - id: wave
    when: |
      theme("delivery", "negative")
        && count({"theme": "delivery", "sentiment": "negative", "unit": unit}, "24h") >= 4
    then: {tag: wave, notify: {to: manager, message: Many late deliveries in one place}}
  - id: again
    when: |
      sentiment == "negative" && count({"respondent": respondent, "sentiment": "negative"}, "30d") >= 3
    then: {tag: repeated, priority: 1}
  - {id: words, when: 'mentions("kurier", "paczk", "parcel")', then: {tag: parcel}}
  - {id: worth, when: value > 1000 && consent != false, then: {assign: {person: anna}}}
  - {id: weekend, when: 'weekday("Europe/Kyiv") >= 6', then: {tag: weekend}}
  - {id: thanks, when: group == "promoter" && sentiment != "negative", then: {thank: true}}
"""
"""Ten rules, three of them with what costs most: words, and counts by theme, unit and person."""


def fill(database: Database, number: int) -> None:
    """A workspace with this many responses over three months, tags on two thirds of them."""
    metadata.create_all(database.engine)
    made = _rows(number)
    with database.write() as connection:
        while batch := list(islice(made, ROWS)):
            connection.execute(insert(responses), [row for row, _ in batch])
            connection.execute(insert(tags), [tag for _, tagged in batch for tag in tagged])


def _rows(number: int) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
    random_ = random.Random(SEED)
    themes = taxonomy().ids
    for _ in range(number):
        uid, at = new_id(), START + timedelta(seconds=random_.uniform(0, DAYS * 86_400))
        score = random_.randint(0, 10)
        mood = "negative" if score < 6 else "positive"
        low = score <= 3
        row = {
            **{"workspace": "acme", "uid": uid, "id": uid, "source": "benchmark", "digest": uid, "revision": 1},
            **{"received_at": at + timedelta(minutes=1), "answered_at": at, "metric": "nps", "score": float(score)},
            **{"text": "The courier was late again and the parcel came in pieces. " * random_.randint(1, 4)},
            **{"unit": f"unit-{random_.randint(1, 200)}", "respondent": f"c-{random_.randint(1, number // 2 + 1)}"},
            **{"value": random_.choice([None, 300.0, 2400.0]), "contact_consent": random_.choice([None, True, False])},
            **{"attributes": {"plan": random_.choice(["gold", "basic"])}, "language": "en", "status": "ok"},
            **{"sentiment": mood, "justified": random_.random() < 0.5},
            **{"signals": ["contact_request"] if random_.random() < 0.1 else []},
            **{"group": "detractor" if score < 7 else "promoter" if score > 8 else "passive"},
            **{"band": "low" if low else "high", "priority": 1 if low else None, "needs_review": False},
            **{"corrected": False, "labels": [], "effective": {}},
        }
        found = random_.sample(themes, random_.choice([0, 1, 2, 3]))
        of = {"workspace": "acme", "response": uid, "sentiment": mood, "by": "model"}
        yield row, [{**of, "theme": theme} for theme in found]


def measure(database: Database) -> dict[str, Any]:
    """Seconds of a replay of everything, the rules that ship against the ten."""
    rules = parse_rules(RULES, "benchmark", taxonomy())
    started = time.perf_counter()
    with database.read() as connection:
        until = START + timedelta(days=DAYS + 1)
        found = history(connection, "acme", [shipped(), rules], taxonomy(), START, until)
        report = replay(found, shipped(), rules, 20)
    seconds = time.perf_counter() - started
    matched = {rule.id: rule.after for rule in report.rules if rule.after is not None}
    return {"responses": report.responses, "changed": report.changed, "matched": matched, "seconds": round(seconds, 2)}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--responses", type=int, default=100_000)
    arguments.add_argument("--database", help="address of an empty database; a new SQLite file if left out")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        database = Database(given.database or f"sqlite:///{Path(folder)}/replay.db")
        fill(database, given.responses)
        print(json.dumps(measure(database)))
        database.close()


if __name__ == "__main__":
    main()
