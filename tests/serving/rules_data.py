"""Responses as the store has them, for the tests of rules."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from loop import ROOT, START
from sqlalchemy import Connection, insert

from nlp.artifact import read_taxonomy
from serving.rules.counting import Count
from serving.rules.document import parse_rules
from serving.rules.facts import Facts
from serving.rules.lineage import lineage_of
from serving.rules.rule import RuleSet
from serving.store.database import new_id
from serving.store.tables import responses, tags

FRAME = read_taxonomy(ROOT / "data" / "taxonomy.yaml")
PLAIN: Mapping[str, Any] = {
    **{"source": "", "digest": "0" * 64, "revision": 1, "received_at": START, "answered_at": START, "text": ""},
    **{"question": None, "metric": None, "score": None, "scale_min": None, "scale_max": None, "survey": None},
    **{"touchpoint": None, "channel": None, "unit": None, "employee": None, "respondent": None},
    **{"contact_consent": None, "segment": None, "value": None, "attributes": {}, "language": None, "status": "ok"},
    **{"sentiment": None, "sentiment_score": None, "justified": None, "signals": [], "group": None, "band": None},
    **{"priority": None, "priority_reason": None, "needs_review": False, "corrected": False, "labels": []},
    **{"effective": {}},
}
Tags = Sequence[tuple[str, str]]


def row_of(**given: Any) -> dict[str, Any]:
    """A row of `responses` that knows nothing but what is given."""
    uid = new_id()
    return {"workspace": "acme", "uid": uid, "id": uid, **PLAIN, **given}


def store(connection: Connection, tagged: Tags = (), **given: Any) -> dict[str, Any]:
    """A stored response with its effective tags."""
    row = row_of(**given)
    connection.execute(insert(responses).values(**row))
    for theme, mood in tagged:
        tag = {"workspace": row["workspace"], "response": row["uid"], "theme": theme, "sentiment": mood}
        connection.execute(insert(tags).values(**tag, by="model"))
    return row


class Alone:
    """The counts of a response that is the only one there is."""

    def count(self, wanted: Count) -> int:
        return 1


def facts(tagged: Tags = (), at: datetime = START, **given: Any) -> Facts:
    """Facts of a response that is in no store."""
    covered = lineage_of(FRAME).covered(tagged)
    return Facts(row_of(**given), tuple(theme for theme, _ in tagged), covered, at, Alone())


def rules_of(*rules: Mapping[str, Any], mode: str = "all") -> RuleSet:
    """A rule set from rules written as values; each needs `when` alone."""
    import yaml

    listed = [{"id": f"r{number}", **rule} for number, rule in enumerate(rules)]
    return parse_rules(yaml.safe_dump({"mode": mode, "rules": listed}, allow_unicode=True), "rules", FRAME)
