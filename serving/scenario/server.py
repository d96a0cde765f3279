"""The app as it is served, in a thread of this process, with a clock that the scenario turns."""

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import uvicorn
from fastapi import FastAPI

from nlp.errors import ModelError
from serving.app import create_app
from serving.assembly import assemble, open_database
from serving.batcher import Classifier
from serving.cases import ticks
from serving.engine import Engine
from serving.keys import first_key
from serving.metrics import Metrics
from serving.outbox import deliver, digests, spread
from serving.parts import Parts
from serving.scenario.receivers import LOCAL
from serving.settings import Settings

PATIENCE = 120.0
"""Seconds that a model may take to load."""
POLL = 0.01


@dataclass(slots=True)
class Clock:
    """Tells the time that the scenario set; only goes forward."""

    now: datetime

    def __call__(self) -> datetime:
        return self.now

    def turn(self, moment: datetime) -> None:
        self.now = max(self.now, moment.astimezone(UTC))


@dataclass(frozen=True, slots=True)
class House:
    """A running installation: its address, its first key, and what its background work stands on."""

    url: str
    key: str
    parts: Parts

    def work(self) -> None:
        """All background work that is due now."""
        ticks.run_once(self.parts)
        digests.run_once(self.parts)
        while spread.run_once(self.parts):
            pass
        asyncio.run(deliver.run_once(self.parts))


@contextmanager
def serving(load: Callable[[], Classifier], settings: Settings, clock: Clock) -> Iterator[House]:
    """The app over the settings' database, which must be new; receivers of webhooks may be on this machine."""
    settings = settings.model_copy(update={"webhook_private": True, "demo": False})
    metrics = Metrics()
    database, engine, app = open_database(settings), Engine(load, metrics), create_app(metrics)
    parts = replace(assemble(database, settings, engine), clock=clock)
    try:
        key = first_key(database, clock())
        assert key is not None, "the scenario needs an empty database"
        app.state.parts = parts
        app.router.lifespan_context = _life(engine)
        with _running(app) as url:
            yield House(url, key.key, parts)
    finally:
        database.close()


def _life(engine: Engine) -> Callable[[FastAPI], object]:
    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        engine.start()
        await engine.started()
        yield
        await engine.close()

    return life


@contextmanager
def _running(app: FastAPI) -> Iterator[str]:
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, lifespan="on", ws="none"))
    # asyncio sends small pieces at once (TCP_NODELAY) only where the protocol is named
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.bind((LOCAL, 0))
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True, name="holos-scenario")
        thread.start()
        try:
            _wait(server, thread)
            yield f"http://{LOCAL}:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(PATIENCE)


def _wait(server: uvicorn.Server, thread: threading.Thread) -> None:
    end = time.monotonic() + PATIENCE
    while not server.started:
        if not thread.is_alive() or time.monotonic() > end:
            raise ModelError("the server did not start; is the model folder complete?")
        time.sleep(POLL)
