"""What the tests of the closed loop stand on: a clock they turn, parts over a database, a client with a key."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import yaml
from fastapi import APIRouter, FastAPI
from issue_points import ProblemVectors
from starlette.testclient import TestClient

from nlp.pipeline import Analysis
from nlp.policy import parse_policy
from nlp.types import Classification, Response
from serving import problems
from serving.access import SCOPES, make_key
from serving.parts import Parts
from serving.settings import Settings
from serving.store.database import Database

ROOT = Path(__file__).parents[2]
START = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)  # a Monday


@dataclass(slots=True)
class Clock:
    """Tells the time that the test set."""

    now: datetime = START

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **by: float) -> datetime:
        self.now += timedelta(**by)
        return self.now


def analysing(
    classify: Callable[[Sequence[Response]], list[Classification]],
) -> Callable[..., Awaitable[list[Analysis]]]:
    """An `analyse` out of a small classifier; its vectors follow from the text."""

    async def analyse(responses: Sequence[Response]) -> list[Analysis]:
        return [Analysis(found, None, _vector(found.text)) for found in classify(responses)]

    return analyse


def _vector(text: str) -> np.ndarray:
    return np.random.default_rng(sum(text.encode())).normal(size=8).astype(np.float32)


def make_parts(
    database: Database, clock: Clock, classify: Callable[[Sequence[Response]], list[Classification]], folder: Path
) -> Parts:
    source = ROOT / "data" / "policies" / "priority.yaml"
    policy = parse_policy(yaml.safe_load(source.read_text("utf-8")), str(source))
    settings = Settings(cache_dir=folder)
    return Parts(database, settings, analysing(classify), policy, clock, issue_vectors=ProblemVectors())


@dataclass(slots=True)
class Api:
    """Clients of some routes: one for each workspace and set of scopes."""

    parts: Parts
    routers: tuple[APIRouter, ...]
    app: FastAPI = field(init=False)

    def __post_init__(self) -> None:
        self.app = FastAPI()
        problems.install(self.app)
        self.app.state.parts = self.parts
        for router in self.routers:
            self.app.include_router(router)

    def client(self, workspace: str = "acme", scopes: Sequence[str] = SCOPES) -> TestClient:
        with self.parts.database.write() as connection:
            key = make_key(connection, workspace, f"test-{workspace}", scopes, self.parts.clock()).key
        return TestClient(self.app, headers={"Authorization": f"Bearer {key}"}, raise_server_exceptions=False)
