"""A process of the server from start to stop, without a server around it."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest
from fakes import FakeClassifier
from issue_points import ProblemVectors

from nlp.errors import ModelError
from serving import worker
from serving.metrics import Metrics
from serving.openapi import bare_app
from serving.settings import Settings
from serving.worker import Worker


@pytest.mark.parametrize("fails", [False, True])
def test_routes_are_there_while_the_model_loads_and_background_work_waits_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    loading, free, working = threading.Event(), threading.Event(), asyncio.Event()

    def load(settings: Settings) -> FakeClassifier:
        loading.set()
        assert free.wait(60)
        if fails:
            raise ModelError("there is none")
        return FakeClassifier()

    async def background(parts: Any, stop: asyncio.Event) -> None:
        working.set()
        await stop.wait()

    async def scene() -> None:
        app = bare_app()
        found = Worker(app, settings, Metrics(), load, lambda settings: ProblemVectors())
        await found.start()
        assert loading.wait(60) and app.routes and not found.engine.ready
        await asyncio.sleep(0.05)
        assert not working.is_set()
        free.set()
        await asyncio.wait_for(working.wait(), 60)
        assert found.engine.ready is not fails
        await found.stop()

    monkeypatch.setattr(worker.background, "run", background)
    settings = Settings(database=f"sqlite:///{tmp_path}/holos.db", cache_dir=tmp_path)
    asyncio.run(scene())
