"""What one process of the server does from its start to its stop, whatever shell it is served by.

The model is loaded by native code in a thread of its own; what the routes need is imported meanwhile, not before.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path

from fastapi import FastAPI

from nlp.errors import HolosError
from serving import background, logs
from serving.batcher import Classifier
from serving.engine import Engine
from serving.metrics import Metrics
from serving.models import Models
from serving.parts import IssueVectors, Parts
from serving.settings import Settings


class Worker:
    """The model, the store and the background work of one process; `app` answers for them once `start` is done."""

    def __init__(
        self,
        app: FastAPI,
        settings: Settings,
        metrics: Metrics,
        load: Callable[[Settings], Classifier],
        issue_vectors: Callable[[Settings], IssueVectors],
        baked: Path | None = None,
    ) -> None:
        self._app, self._settings, self._metrics, self._issue_vectors = app, settings, metrics, issue_vectors
        self._models = Models(settings, load, partial(Engine, metrics=metrics), baked)
        self.engine = self._models.engine
        self._parts: Parts | None = None
        self._stopping = asyncio.Event()
        self._working: asyncio.Task[None] | None = None
        app.state.models = self._models

    async def start(self) -> None:
        """Returns when every route can be answered; the model may still be loading."""
        self._models.start()
        from serving.app import furnish
        from serving.assembly import assemble, open_database

        if not self._app.routes:  # a process may start anew
            furnish(self._app, self._metrics)
        try:
            database = await asyncio.to_thread(open_database, self._settings)
            vectors = self._issue_vectors(self._settings)
            self._parts = self._app.state.parts = assemble(database, self._settings, self.engine, vectors)
        except HolosError as error:
            # texts can still be classified; what needs the store answers 503
            logs.get_logger().error("store_not_opened", reason=str(error))
            return
        if self._settings.background:
            self._working = asyncio.create_task(self._work(self._parts), name="holos-background")

    async def _work(self, parts: Parts) -> None:
        # what it imports would take the model's time to load
        await self.engine.started()
        await background.run(parts, self._stopping)

    async def stop(self) -> None:
        """Finishes what was accepted and what is being done."""
        self._stopping.set()
        if self._working is not None:
            await self._working
        await self._models.close()
        if self._parts is not None:
            self._parts.database.close()
            self._app.state.parts = None
