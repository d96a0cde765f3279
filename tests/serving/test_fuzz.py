"""The whole API against its own document: whatever is sent, the answer is one that the document tells of.

Requests are made from the document, right ones and wrong ones, over a workspace that has one of everything; those that
are right ask for what is there, so that they reach the work behind the border.
"""

import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import copyfile
from typing import Any

import pytest
from conftest import WordClassifier
from databases import copied
from fastapi import FastAPI
from hypothesis import HealthCheck, settings
from loop import Clock, make_parts
from starlette.testclient import TestClient

from serving.access import SCOPES, Gate, make_key
from serving.app import create_app, route_namer
from serving.limits import Limiter, Rate
from serving.metrics import Metrics
from serving.middleware import Border
from serving.store.database import Database, new_id
from serving.store.tables import metadata

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what its own imports deprecate
    schemathesis = pytest.importorskip("schemathesis")
    from schemathesis.checks import CHECKS, load_all_checks
    from schemathesis.python.asgi import ASGIClient, get_client

MIB = 1 << 20
UNLIMITED = Rate(10**9)
EXAMPLES = 8
"""Made requests of each kind for an operation, beside those at the edges of every field, which the document settles."""
STATE = ["2xx", "400", "404", "409", "410", "412", "415", "422"]
"""What no schema can say: the state things are in, which version was seen, whether a cursor was given out, what a file
is."""
CONFIG = {
    "generation": {
        "deterministic": True,
        "max-examples": EXAMPLES,
        "database": "none",
        # the key that is sent is a good one; that one is needed is a check of its own
        "with-security-parameters": False,
        # FastAPI takes no notice of them
        "allow-extra-parameters": False,
    },
    "phases": {"stateful": {"enabled": False}},
    "checks": {
        "positive_data_acceptance": {"expected-statuses": STATE},
        "negative_data_rejection": {"expected-statuses": [*STATE[1:], "401", "403", "405", "428"]},
        "missing_required_header": {"expected-statuses": ["401", "422", "428"]},
    },
}
EVERY = settings(suppress_health_check=list(HealthCheck), deadline=None)
OTHERS = r"^/v1/(classify|models)|^/(livez|readyz)$"
"""What stands on the model alone, and is asked in test_openapi.py."""

load_all_checks()


def make_app() -> FastAPI:
    app = create_app(Metrics())
    app.state.gate = Gate(Limiter(dict.fromkeys(SCOPES, UNLIMITED)))
    return app


APP = make_app()
SERVED = Border(APP, metrics=Metrics(), max_body_bytes=4 * MIB, route_of=route_namer(APP, frozenset()))
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    schema = schemathesis.openapi.from_asgi(
        "/openapi.json", SERVED, config=schemathesis.Config.from_dict(CONFIG)
    ).exclude(path_regex=OTHERS)


def seed(client: TestClient) -> dict[str, str]:
    """One of everything, made as senders and people make it; ids by the last fixed part of the paths that take them."""
    person = {"id": "c-77", "contact_consent": True}
    item = {"text": "The courier was late, call 601234567", "metric": "nps", "score": 1, "respondent": person}

    def made(path: str, **how: Any) -> dict[str, Any]:
        answer = client.post(f"/v1/{path}", **how)
        assert answer.is_success, (path, answer.text)
        found: dict[str, Any] = answer.json()
        return found

    channel = {"name": "team", "role": "manager", "url": "mailto://u:p@example.org"}
    webhook = made("webhooks", json={"url": "https://example.org/hook"})["id"]
    [response] = made("responses", json={"items": [item]})["items"]
    [case] = client.get("/v1/cases").json()["items"]
    job = made("imports", files={"file": ("a.csv", b"text\nlate\n")})["id"]
    return {
        "webhooks": webhook,
        "channels": made("channels", json=channel)["id"],
        "deliveries": made(f"webhooks/{webhook}/test")["delivery"],
        "responses": response["uid"],
        "cases": case["id"],
        "jobs": job,
        "respondents": person["id"],
        "themes": "delivery.time",
        "connectors": made("connectors", json={"kind": "typeform"})["id"],
        "keys": made("keys", json={"name": "second", "scopes": ["read"]})["id"],
    }


@dataclass(frozen=True, slots=True)
class Seeded:
    """A database with one of everything, a key to all of it, and how to get a copy."""

    key: str
    ids: dict[str, str]
    copy: Callable[[], AbstractContextManager[str]]


def seeded(address: str, folder: Path, copy: Callable[[], AbstractContextManager[str]]) -> Seeded:
    database, clock = Database(address), Clock()
    with database.write() as connection:
        key = make_key(connection, "acme", "fuzz", SCOPES, clock.now).key
    APP.state.parts = make_parts(database, clock, WordClassifier().classify, folder)
    ids = seed(TestClient(APP, headers=bearer(key)))
    database.close()
    return Seeded(key, ids, copy)


@pytest.fixture(scope="module")
def sqlite(tmp_path_factory: pytest.TempPathFactory) -> Seeded:
    folder = tmp_path_factory.mktemp("fuzz")
    database = Database(f"sqlite:///{folder}/seed.db")
    metadata.create_all(database.engine)
    database.close()

    @contextmanager
    def copy() -> Iterator[str]:
        name = new_id()
        for ending in ("", "-wal", "-shm"):
            if (folder / f"seed.db{ending}").exists():
                copyfile(folder / f"seed.db{ending}", folder / f"{name}.db{ending}")
        yield f"sqlite:///{folder}/{name}.db"
        for left in folder.glob(f"{name}.db*"):
            left.unlink()

    return seeded(f"sqlite:///{folder}/seed.db", folder, copy)


@pytest.fixture(scope="module")
def postgres(postgresql: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seeded]:
    with copied(postgresql) as address:
        name = address.split("?")[0].rsplit("/", 1)[1]
        yield seeded(address, tmp_path_factory.mktemp("fuzz"), lambda: copied(postgresql, name))


@pytest.fixture(scope="module")
def client() -> Iterator[ASGIClient]:
    with get_client(SERVED) as found:
        yield found


@pytest.fixture
def on_sqlite(sqlite: Seeded, tmp_path: Path) -> Iterator[Seeded]:
    yield from serving(sqlite, tmp_path)


@pytest.fixture
def on_postgresql(postgres: Seeded, tmp_path: Path) -> Iterator[Seeded]:
    yield from serving(postgres, tmp_path)


def serving(found: Seeded, folder: Path) -> Iterator[Seeded]:
    """A copy for each operation: what one deletes is there for the next."""
    with found.copy() as address:
        database = Database(address)
        APP.state.parts = make_parts(database, Clock(), WordClassifier().classify, folder)
        yield found
        database.close()


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def ask(case: Any, client: ASGIClient, found: Seeded) -> None:
    """Sends a request and holds its answer against the document; a right one asks for what is there."""
    before = case.path.split("/{")[0].rsplit("/", 1)[1]
    owner = "connectors" if before == "inbound" else before
    if case.meta.generation.mode.is_positive and case.path_parameters and owner in found.ids:
        case.path_parameters = dict.fromkeys(case.path_parameters, found.ids[owner])
    # whoever sends there signs the body, which no document can describe
    unsaid = [CHECKS.get_one("positive_data_acceptance")] if before == "inbound" else []
    case.call_and_validate(session=client, headers=bearer(found.key), excluded_checks=unsaid)


@schema.parametrize()
@EVERY
def test_whatever_is_sent(case: Any, client: ASGIClient, on_sqlite: Seeded) -> None:
    ask(case, client, on_sqlite)


@pytest.mark.slow
@schema.parametrize()
@EVERY
def test_whatever_is_sent_postgresql(case: Any, client: ASGIClient, on_postgresql: Seeded) -> None:
    ask(case, client, on_postgresql)
