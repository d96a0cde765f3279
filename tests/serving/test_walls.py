"""Walls between workspaces: every route of the OpenAPI document, asked with another workspace's key."""

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
from serving.app import ROUTERS
from serving.parts import Parts
from serving.store.database import Database
from serving.store.tables import metadata

MARK = "only acme may read this"
OPEN = {("get", "/v1/inbound/{connector}"), ("post", "/v1/inbound/{connector}")}
"""Operations without a key: what a survey tool sends is signed, and some ask first whether anybody is there."""
METHODS = ("get", "put", "post", "patch", "delete")
LEAST_READ = 8
"""Routes that must show the owner its rows, or the walk would prove nothing."""
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
    "analyses.result": {"text": MARK},
    "effective": {"id": "r-1", "status": "ok", "text": MARK, "themes": [], "signals": []},
    "outcome": None,
    "channels.digest": None,
    "quiet": None,
    "mode": "standard",
    "connectors.kind": "generic",
    "deliveries.kind": "webhook",
    "metric": "nps",
    "group": "detractor",
    "band": "low",
    "assigned_by": MARK,
    "rule_sets.source": f"# {MARK}\nversion: 1\nrules: []\n",
    "keys.digest": "0" * 64,
    "old_digest": None,
    "old_until": None,
}
"""What columns must say for the owner to be shown the row; all others say MARK."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path, as the document describes it."""

    method: str
    path: str
    about: Mapping[str, Any]

    @property
    def parameters(self) -> list[Mapping[str, Any]]:
        return [found for found in self.about.get("parameters", []) if "name" in found]


def described(app: FastAPI) -> dict[str, Any]:
    """The routes of the app, with the schemas of the whole document that they refer to."""
    return {**app.openapi(), "components": openapi.document(app)["components"]}


def operations(document: Mapping[str, Any]) -> list[Operation]:
    """Every operation that asks for a key."""
    paths = document["paths"].items()
    found = [Operation(how, path, item[how]) for path, item in paths for how in METHODS if how in item]
    bare = {(one.method, one.path) for one in found if not one.about.get("security")}
    assert bare <= OPEN, f"open to everybody: {bare - OPEN}"
    return [one for one in found if (one.method, one.path) not in bare]


def addresses(operation: Operation, workspace: str) -> Iterator[str]:
    """The path with ids of a workspace's rows: of the table the path names, or else of every table."""
    named = [found["name"] for found in operation.parameters if found["in"] == "path"]
    if not named:
        yield operation.path
        return
    owner = operation.path.split("/{")[0].rsplit("/", 1)[1]
    owners = [owner] if owner in metadata.tables else sorted(metadata.tables)
    for table in owners:
        path = operation.path
        for name in named:
            path = path.replace("{" + name + "}", name_of(table, workspace))
        yield path


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
    """The least body that the document allows, with ids of the workspace's rows; None where it takes no JSON."""
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
    content = body(operation, document, workspace)
    for address in addresses(operation, workspace):
        for query in queries(operation, workspace):
            headers = {"If-Match": '"1"', "Idempotency-Key": f"{operation.method}{address}"}
            how = operation.method.upper()
            yield client.request(how, address, params=query, json=content, headers=headers)


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
    return api(*ROUTERS)


def test_another_workspace_reads_and_changes_nothing(served: Api, parts: Parts) -> None:
    document, foreign = described(served.app), served.client("other")
    before = rows_of(parts.database, "acme")
    for operation in operations(document):
        for answer in ask(foreign, operation, document, "acme"):
            told = f"{operation.method} {answer.request.url}: {answer.status_code}"
            assert MARK not in answer.text, told
            assert answer.status_code < 500, told
        assert rows_of(parts.database, "acme") == before, f"{operation.method} {operation.path}"


def test_the_owner_is_shown_what_others_are_not(served: Api) -> None:
    document, own = described(served.app), served.client("acme")
    reads = [operation for operation in operations(document) if operation.method == "get"]
    shown = {one.path for one in reads if any(MARK in answer.text for answer in ask(own, one, document, "acme"))}
    assert len(shown) >= LEAST_READ, shown


def test_nothing_is_open_without_a_key(served: Api) -> None:
    document, nobody = described(served.app), bare(served.app)
    for operation in operations(document):
        answers = [answer.status_code for answer in ask(nobody, operation, document, "acme")]
        assert set(answers) == {401}, f"{operation.method} {operation.path}"


def test_a_key_without_the_scope_is_refused_everywhere(served: Api) -> None:
    """Every route names one scope; with all others a key is refused, whatever it sends."""
    document = described(served.app)
    keys = {scope: served.client("other", [scope]) for scope in ("ingest", "read", "act", "admin")}
    for operation in operations(document):
        address = next(addresses(operation, "acme"))
        content = body(operation, document, "acme")
        found = {s: key.request(operation.method.upper(), address, json=content) for s, key in keys.items()}
        refused = [scope for scope, answer in found.items() if answer.status_code == 403]
        assert refused, f"{operation.method} {operation.path} asks for no scope"


def bare(app: FastAPI) -> TestClient:
    return TestClient(app, raise_server_exceptions=False)
