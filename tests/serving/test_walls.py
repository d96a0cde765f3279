"""Walls between workspaces: every route of the OpenAPI document, asked with another workspace's key."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from everywhere import fill, name_of
from fastapi import FastAPI
from loop import Api
from sqlalchemy import select
from starlette.testclient import TestClient

from serving import openapi
from serving.app import create_app
from serving.metrics import Metrics
from serving.parts import Parts
from serving.store.database import Database
from serving.store.tables import metadata

MARK = "only acme may read this"
OPEN = {("get", "/v1/inbound/{connector}"), ("post", "/v1/inbound/{connector}")}
"""Operations without a key: what a survey tool sends is signed, and some ask first whether anybody is there."""
ANYBODYS = r"^/v1/(classify|models)|^/(livez|readyz|metrics|openapi\.json)?$"
"""What keeps and shows nothing of a workspace."""
METHODS = ("get", "put", "post", "patch", "delete")
OWNERS = {"inbound": "connectors", "versions": "rule_sets"}
"""Whose ids a path takes, where its last fixed part is no table's name."""
IDS = {"rule_sets": "1", "themes": "delivery.time"}
"""Ids that are the same in every workspace."""
LEAST_READ = 8
"""Routes that must show the owner its rows, or the walk would prove nothing."""
READING = {
    **{"id": "r-1", "status": "ok", "text": MARK, "themes": [], "signals": [], "group": None, "priority": None},
    "language": {"code": "en", "confidence": 0.9, "supported": True},
    "versions": {"model": "fake-1", "taxonomy": "default-1", "policy": "default-1"},
    "priority_reason": "no rule",
    "needs_review": False,
    "redactions": [],
    "sentiment": {"label": "negative", "confidence": 0.9, "score": -0.5},
    "justification": {"justified": True, "confidence": 0.9, "kind": "reason", "spans": []},
}
RULES = "mode: first\nrules: []\n"
VALID = {
    "state": "open",
    "deliveries.state": "delivered",
    "jobs.state": "done",
    "responses.status": "ok",
    "idempotency.status": 200,
    "sentiment": "negative",
    "sentiment_score": -0.5,
    "language": "en",
    "role": "manager",
    "channels.url": "json://localhost/hook",
    "webhooks.url": "https://example.org/hook",
    "scope": {},
    "zone": "UTC",
    "scopes": ["read"],
    "types": [],
    "secrets": [],
    "signals": [],
    "labels": [],
    "tags": [],
    "analyses.result": READING,
    "effective": READING,
    "outcome": None,
    "channels.digest": None,
    "quiet": None,
    "mode": "standard",
    "clusters.state": "active",
    "clusters.keywords": [MARK],
    "clusters.quotes": [],
    "clusters.facts": {
        **{"languages": {}, "sentiment": {}, "themes": {}, "touchpoints": {}, "units": {}},
        **{"mean_score": None, "score_gap": None, "scale": None},
    },
    "cluster_members.by": "run",
    "cluster_lineage.kind": "birth",
    "alarms.kind": "theme",
    "direction": "rising",
    "workspaces.settings": {"erasure_key": "00" * 32},
    "tags.theme": "delivery.time",
    "connectors.kind": "typeform",
    "connectors.settings": {},
    "deliveries.kind": "webhook",
    "metric": "nps",
    "group": "detractor",
    "band": "low",
    "assigned_by": MARK,
    "frames.content": {
        "themes": [{"id": "weather.rain", "label": MARK, "description": "", "parent": None}],
        **{"moves": {}, "merges": {}, "retired": []},
    },
    "frames.examples": {"weather.rain": [MARK]},
    "rule_sets.source": f"# {MARK}\n{RULES}",
    "keys.digest": "0" * 64,
    "old_digest": None,
    "old_until": None,
}
"""What columns must say for the owner to be shown the row; all others say MARK."""


DAY = "2026-11-02T09:00:00"
BODIES = {
    ("post", "/v1/responses/{uid}/corrections"): {"sentiment": "positive"},
    ("post", "/v1/cases/{id}/assign"): {"team": "returns"},
    ("post", "/v1/outcomes"): {
        "items": [{"respondent": "c-1", "kind": "spent", "at": "2026-11-02T09:00:00Z", "value": 1}]
    },
    ("post", "/v1/keys"): {"name": "second", "scopes": ["admin"]},
    ("post", "/v1/webhooks"): {"url": "https://example.org/hook"},
    ("post", "/v1/webhooks/{id}/replay"): {"from": f"{DAY}Z", "to": f"{DAY}-01:00"},
    ("post", "/v1/channels"): {"name": "team", "role": "manager", "url": "mailto://u:p@example.org"},
    ("patch", "/v1/clusters/{id}"): {"name": "Late couriers"},
    ("post", "/v1/clusters/{id}/merge"): {"into": name_of("clusters", "acme")},
    ("post", "/v1/clusters/{id}/split"): {"members": [name_of("responses", "acme")]},
    ("post", "/v1/clusters/{id}/promote"): {
        "theme": {"id": "delivery.rain", "label": "Rain", "description": "Parcels left in the rain"}
    },
    ("post", "/v1/clusters/{id}/improvements"): {"action": "other couriers", "on": "2026-11-03"},
    ("put", "/v1/rules"): {"source": RULES},
    ("put", "/v1/taxonomy"): {"themes": [{"id": "delivery.snow", "label": "Snow"}]},
    ("post", "/v1/themes/{id}/merge"): {"into": "price.level"},
    ("post", "/v1/themes/{id}/move"): {"parent": "price"},
    ("post", "/v1/themes/{id}/split"): {"into": [{"id": "delivery.hail", "label": "Hail"}]},
}
"""What is asked for with more than the least that the document allows."""
FILES = {"/v1/imports": {"file": ("a.csv", b"text\nlate\n")}}
ORDER = ("get", "post", "put", "patch", "delete")
REFUSED = {400, 404, 415, 422}
"""What no request may be answered that the owner sends, or the walk would prove nothing of strangers."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path, as the document describes it."""

    method: str
    path: str
    about: Mapping[str, Any]

    @property
    def parameters(self) -> list[Mapping[str, Any]]:
        return [found for found in self.about.get("parameters", []) if "name" in found]

    @property
    def owner(self) -> str:
        """The table whose ids the path takes."""
        found = self.path.split("/{")[0].rsplit("/", 1)[1]
        return OWNERS.get(found, found)


def operations(document: Mapping[str, Any]) -> list[Operation]:
    """Every operation that asks for a key."""
    paths = document["paths"].items()
    own = [(path, item) for path, item in paths if not re.search(ANYBODYS, path)]
    found = [Operation(how, path, item[how]) for path, item in own for how in METHODS if how in item]
    bare = {(one.method, one.path) for one in found if not one.about.get("security")}
    assert bare <= OPEN, f"open to everybody: {bare - OPEN}"
    return [one for one in found if (one.method, one.path) not in bare]


def address(operation: Operation, workspace: str) -> str:
    """The path with the ids of a workspace's rows."""
    named = [found["name"] for found in operation.parameters if found["in"] == "path"]
    path, owner = operation.path, operation.owner
    if named:
        assert owner in metadata.tables or owner in IDS, f"{path}: say in OWNERS whose ids these are"
    for name in named:
        path = path.replace("{" + name + "}", IDS.get(owner) or name_of(owner, workspace))
    return path


def queries(operation: Operation, workspace: str) -> Iterator[dict[str, str]]:
    """No query, and one that names the workspace's rows wherever it can."""
    yield {}
    known = {"case": "cases", "response": "responses", "respondent": "respondents", "event": "events", "job": "jobs"}
    asked = {
        found["name"]: name_of(known[found["name"]], workspace)
        for found in operation.parameters
        if found["in"] == "query" and found["name"] in known
    }
    if asked:
        yield asked


def body(operation: Operation, document: Mapping[str, Any], workspace: str) -> Any:
    """A body that is accepted, with ids of the workspace's rows; None where the operation takes no JSON."""
    if (operation.method, operation.path) in BODIES:
        return BODIES[operation.method, operation.path]
    content = operation.about.get("requestBody", {}).get("content", {}).get("application/json")
    return sample(content["schema"], document, workspace) if content else None


def sample(schema: Mapping[str, Any], document: Mapping[str, Any], workspace: str, name: str = "") -> Any:
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            return sample(schema[several][0], document, workspace, name)
    for given in ("const", "default"):
        if given in schema:
            return schema[given]
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type")
    if kind == "object":
        wanted = {
            key: found for key, found in schema.get("properties", {}).items() if key in schema.get("required", ())
        }
        return {key: sample(found, document, workspace, key) for key, found in wanted.items()}
    if kind == "array":
        return [sample(schema.get("items", {}), document, workspace, name)] * max(1, schema.get("minItems", 0))
    if kind in ("integer", "number"):
        return schema.get("minimum", 1)
    if kind == "boolean":
        return True
    if schema.get("format") == "date-time":
        return "2026-11-02T09:00:00Z"
    plural = name if name.endswith("s") else f"{name}s"
    return name_of(plural, workspace) if plural in metadata.tables else "words of the other workspace"


def ask(client: TestClient, operation: Operation, document: Mapping[str, Any], workspace: str) -> Iterator[Any]:
    """The answers to an operation asked for everything of `workspace` that it may name."""
    how, path = operation.method.upper(), address(operation, workspace)
    for query in queries(operation, workspace):
        headers = {"If-Match": "*", "Idempotency-Key": f"{how}{path}"}
        sent = {"json": body(operation, document, workspace), "files": FILES.get(operation.path)}
        yield client.request(how, path, params=query, headers=headers, **sent)


def rows_of(database: Database, workspace: str) -> dict[str, list[dict[str, Any]]]:
    found = {}
    with database.read() as connection:
        for table in metadata.sorted_tables:
            mine = table.c.get("workspace", table.c.get("id")) == workspace
            asked = select(table).where(mine).order_by(*table.primary_key)
            found[table.name] = [dict(row) for row in connection.execute(asked).mappings()]
    return found


@pytest.fixture
def served(parts: Parts, api: Callable[..., Api]) -> Api:
    """Every route over a database in which `acme` has a row in every table."""
    with parts.database.write() as connection:
        fill(connection, metadata, "acme", MARK, VALID)
    found = api()
    found.app = create_app(Metrics())
    found.app.state.parts = parts
    return found


def test_another_workspace_reads_and_changes_nothing(served: Api, parts: Parts) -> None:
    document, foreign = openapi.document(served.app), served.client("other")
    before = rows_of(parts.database, "acme")
    for operation in operations(document):
        named = name_of(operation.owner, "acme") in address(operation, "acme")
        # that somebody was asked for is in the asker's own audit, and erased there
        named = named and (operation.method, operation.owner) != ("delete", "respondents")
        for answer in ask(foreign, operation, document, "acme"):
            told = f"{operation.method} {answer.request.url}: {answer.status_code}"
            assert MARK not in answer.text, told
            assert answer.status_code == 404 if named else answer.status_code < 500, told
        assert rows_of(parts.database, "acme") == before, f"{operation.method} {operation.path}"


def test_the_owner_is_shown_and_does_what_others_cannot(served: Api) -> None:
    """Or the walk of the stranger would prove nothing: every row is there, every body is one that is accepted."""
    document, own = openapi.document(served.app), served.client("acme")
    shown = set()
    for operation in sorted(operations(document), key=lambda each: ORDER.index(each.method)):
        for answer in ask(own, operation, document, "acme"):
            told = f"{operation.method} {answer.request.url}: {answer.status_code} {answer.text}"
            assert answer.status_code not in REFUSED and answer.status_code < 500, told
            if operation.method == "get" and MARK in answer.text:
                shown.add(operation.path)
    assert len(shown) >= LEAST_READ, shown


def test_nothing_is_open_without_a_key(served: Api) -> None:
    document, nobody = openapi.document(served.app), bare(served.app)
    for operation in operations(document):
        answers = [answer.status_code for answer in ask(nobody, operation, document, "acme")]
        assert set(answers) == {401}, f"{operation.method} {operation.path}"


def test_a_key_without_the_scope_is_refused_everywhere(served: Api) -> None:
    """Every route names one scope; with all others a key is refused, whatever it sends."""
    document = openapi.document(served.app)
    keys = {scope: served.client("other", [scope]) for scope in ("ingest", "read", "act", "admin")}
    for operation in operations(document):
        answers = {scope: next(ask(key, operation, document, "acme")) for scope, key in keys.items()}
        refused = [scope for scope, answer in answers.items() if answer.status_code == 403]
        assert len(refused) == len(keys) - 1, f"{operation.method} {operation.path} asks for no scope"


def bare(app: FastAPI) -> TestClient:
    return TestClient(app, raise_server_exceptions=False)
