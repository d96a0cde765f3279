"""Models that are exchanged while they answer: no request is dropped, no answer mixes two versions."""

import asyncio
import gc
import json
import os
import shutil
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from fakes import FakeClassifier, answer
from model_folders import SHIPPED, model_folder
from server_process import running

from nlp.errors import ModelError
from nlp.types import Classification, Response, Versions
from serving.batcher import SHARE
from serving.engine import Engine
from serving.lineage import Gate
from serving.metrics import Metrics
from serving.models import Fixed, Models, NotPassed, Unknown
from serving.registry import NothingEarlier, Registry
from serving.settings import Settings, load_settings

CALLERS = 32
HANGS = 300
"""Seconds after which a scenario is taken to hang; it takes a tenth of that on busy cores."""
PASSED = Gate(True)


class Versioned(FakeClassifier):
    """Answers with its version."""

    def __init__(self, version: str) -> None:
        super().__init__(0.0005, 0)
        self.versions = Versions(version, "default-1", "default-1")

    def classify(self, responses: Sequence[Response]) -> list[Classification]:
        super().classify([response for response in responses if response.text != "explode"])
        return [replace(answer(response), versions=self.versions) for response in responses]


class Wrong(Versioned):
    """Loses an answer, which the golden sentences show."""

    def classify(self, responses: Sequence[Response]) -> list[Classification]:
        return super().classify(responses)[:-1]


def run(scenario: Awaitable[None]) -> None:
    async def body() -> None:
        async with asyncio.timeout(HANGS):
            await scenario

    asyncio.run(body())


def items(size: int) -> list[Response]:
    return [Response(str(number), "x" * number) for number in range(size)]


# the engine


def test_32_callers_while_versions_change_many_times() -> None:
    async def scenario() -> None:
        engine = Engine(lambda: Versioned("v0"), Metrics())
        engine.start()
        await engine.started()
        done, seen, answered = asyncio.Event(), set(), 0

        async def caller(at: int) -> None:
            nonlocal answered
            sent = items(1 + at * 7)  # up to seven shares, and so up to seven batches
            while not done.is_set():
                said = await engine.classify(sent)
                versions = {one.versions.model for one in said}
                assert len(versions) == 1 and [one.id for one in said] == [one.id for one in sent]
                seen.update(versions)
                answered += 1

        callers = [asyncio.create_task(caller(at)) for at in range(CALLERS)]
        for number in range(1, 41):
            engine.put(await engine.prepare(lambda number=number: Versioned(f"v{number}")))
            assert engine.versions.model == f"v{number}"
            await asyncio.sleep(0.01)
        done.set()
        await asyncio.gather(*callers)
        assert answered > CALLERS and len(seen) > 20 and CALLERS * 7 > SHARE
        await engine.close()

    run(scenario())


def test_what_was_accepted_is_finished_by_the_model_that_accepted_it() -> None:
    async def scenario() -> None:
        engine = Engine(lambda: Versioned("old"), Metrics())
        engine.start()
        await engine.started()
        first = asyncio.create_task(engine.classify(items(900)))
        await asyncio.sleep(0)
        engine.put(await engine.prepare(lambda: Versioned("new")))
        second = asyncio.create_task(engine.classify(items(3)))
        assert {one.versions.model for one in await second} == {"new"}
        assert {one.versions.model for one in await first} == {"old"}
        await engine.close()

    run(scenario())


def test_a_model_that_was_replaced_is_freed_and_no_longer_shown() -> None:
    async def scenario() -> None:
        metrics = Metrics()
        first = Versioned("v0")
        alive = [weakref.ref(first)]
        engine = Engine(lambda made=[first]: made.pop(), metrics)
        del first
        engine.start()
        await engine.started()
        for number in range(1, 6):
            made = Versioned(f"v{number}")
            alive.append(weakref.ref(made))
            engine.put(await engine.prepare(lambda made=[made]: made.pop()))
            del made
            await engine.classify(items(5))
        while sum(each() is not None for each in alive) > 1:
            await asyncio.sleep(0.01)
            gc.collect()
        text = metrics.render()[0].decode()
        shown = [line for line in text.splitlines() if line.startswith("holos_model_info{") and line.endswith(" 1.0")]
        assert len(shown) == 1 and 'model="v5"' in shown[0] and threading.active_count() < 12
        await engine.close()

    run(scenario())


# the champion


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """Versions v1 and v2 passed the gate once, v3 never did; the model that ships is in use again."""
    made = Registry(tmp_path / "models")
    for version in ("v1", "v2", "v3"):
        made.add(model_folder(tmp_path / version, version))
    for version in ("v1", "v2"):
        made.promote(version, PASSED, by="anna")
    for _ in range(2):
        made.rollback(by="anna")
    return made


def load(settings: Settings) -> Versioned:
    name = settings.model_dir.name
    if name == "v3":
        return Wrong(name)
    return Versioned("shipped" if settings.model_dir == SHIPPED else name)


def following(
    registry: Registry,
    scenario: Callable[[Models], Awaitable[None]],
    load: Callable[[Settings], Any] = load,
    baked: Path | None = None,
    **settings: Any,
) -> None:
    async def body() -> None:
        chosen = Settings(**{"models_dir": registry.folder, **settings})
        models = Models(chosen, load, lambda first: Engine(first, Metrics()), baked, poll_seconds=0.01)
        models.start()
        await models.engine.started()
        try:
            await scenario(models)
        finally:
            await models.close()

    run(body())


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():
            await asyncio.sleep(0.01)


def test_a_service_follows_the_pointer_there_and_back(registry: Registry) -> None:
    async def scenario(models: Models) -> None:
        assert models.engine.versions.model == "shipped"
        for version in ("v1", "v2"):
            registry.promote(version, PASSED, by="anna")
            await until(lambda version=version: models.engine.versions.model == version)
        registry.rollback(by="anna")
        await until(lambda: models.engine.versions.model == "v1")
        registry.rollback(by="anna")
        await until(lambda: models.engine.versions.model == "shipped")

    following(registry, scenario)


def test_a_model_that_fails_its_golden_sentences_is_refused_and_the_old_one_stays(registry: Registry) -> None:
    async def scenario(models: Models) -> None:
        registry.promote("v3", Gate(False), by="anna", forced=True)
        state: dict[str, Any] = {}
        while not state.get("refused"):
            await asyncio.sleep(0.01)
            state = (await models.describe())["serving"]
        assert models.engine.ready and state["model"] == "shipped"
        assert state["refused"]["version"] == "v3" and "golden sentences" in state["refused"]["reason"]
        registry.promote("v1", PASSED, by="anna")
        await until(lambda: models.engine.versions.model == "v1")
        assert (await models.describe())["serving"]["refused"] is None

    following(registry, scenario)


@pytest.mark.parametrize("text", ["{", '{"format": 9}'])
def test_a_damaged_pointer_or_version_leaves_the_old_model(registry: Registry, text: str) -> None:
    registry.promote("v1", PASSED, by="anna")

    async def scenario(models: Models) -> None:
        (registry.folder / "champion.json").write_text(text)
        state: dict[str, Any] = {}
        while not state.get("refused"):
            await asyncio.sleep(0.01)
            state = (await models.describe())["serving"]
        assert state["model"] == "v1" and "champion.json" in state["refused"]["reason"]

    following(registry, scenario)


def test_a_start_that_failed_is_mended_by_a_rollback(registry: Registry) -> None:
    registry.promote("v3", Gate(False), by="anna", forced=True)

    async def scenario(models: Models) -> None:
        assert not models.engine.ready
        registry.rollback(by="anna")
        await until(lambda: models.engine.ready)
        assert models.engine.versions.model == "shipped"

    following(registry, scenario)


def test_promotion_here_answers_at_once_and_takes_what_passed_the_gate(registry: Registry) -> None:
    async def scenario(models: Models) -> None:
        await models.promote("v2")
        assert models.engine.versions.model == "v2"
        await models.promote("v1", note="again")
        assert models.engine.versions.model == "v1"
        champion = registry.champion()
        assert champion and (champion.version, champion.previous, champion.forced) == ("v1", "v2", False)
        assert (champion.by, champion.change.note) == ("http", "again")
        await models.rollback()
        assert models.engine.versions.model == "v2"
        state = await models.describe()
        assert [each["version"] for each in state["versions"] if each["champion"]] == ["v2"]
        assert [change["to"] for change in state["lineage"]][:3] == ["v2", "v1", "v2"]

    following(registry, scenario)


def test_what_never_passed_is_promoted_by_force_only_and_what_cannot_be_served_never(registry: Registry) -> None:
    before = len(registry.lineage())

    async def scenario(models: Models) -> None:
        with pytest.raises(Unknown):
            await models.promote("v9", force=True)
        with pytest.raises(NotPassed):
            await models.promote("v3")
        with pytest.raises(ModelError, match="golden sentences"):
            await models.promote("v3", force=True)
        with pytest.raises(NothingEarlier):
            await models.rollback()
        assert models.engine.versions.model == "shipped" and len(registry.lineage()) == before

    following(registry, scenario)

    async def forced(models: Models) -> None:
        await models.promote("v3", force=True, note="I know")
        champion = registry.champion()
        assert champion and champion.forced and champion.change.note == "I know"

    following(registry, forced, load=lambda settings: Versioned(settings.model_dir.name))


@pytest.mark.parametrize("named", [{"model_dir": SHIPPED}, {}])
def test_a_named_model_and_a_baked_one_stay(registry: Registry, tmp_path: Path, named: dict[str, Any]) -> None:
    registry.promote("v1", PASSED, by="anna")
    baked = None if named else tmp_path / "v2"

    async def scenario(models: Models) -> None:
        expected = "shipped" if named else "v2"
        assert models.engine.versions.model == expected and not models.follows
        with pytest.raises(Fixed):
            await models.promote("v1")
        with pytest.raises(Fixed):
            await models.rollback()

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
        settings = named or {}
        if not named:
            chosen = Settings()
            assert chosen.follows_champion

            async def body() -> None:
                models = Models(chosen, load, lambda first: Engine(first, Metrics()), baked, poll_seconds=0.01)
                models.start()
                await models.engine.started()
                await scenario(models)
                await models.close()

            run(body())
        else:
            following(registry, scenario, **settings)


# over HTTP


@pytest.fixture
def client(registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    from fake_service import Holos, service
    from starlette.testclient import TestClient

    monkeypatch.setenv("BENTOML_HOME", str(tmp_path / "bentoml"))
    monkeypatch.setenv("HOLOS_MODELS_DIR", str(registry.folder))
    monkeypatch.setattr(service, "load", load)
    with TestClient(Holos.to_asgi(), client=("127.0.0.1", 50_000)) as client:
        deadline = time.monotonic() + 20
        while client.get("/readyz").status_code != 200:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        yield client


def test_models_are_listed_promoted_and_rolled_back(client: Any) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    document = client.get("/openapi.json").json()
    schema = {**document["components"]["schemas"]["Models"], "components": document["components"]}

    def state(found: Any) -> dict[str, Any]:
        assert found.status_code == 200 and found.headers["cache-control"] == "no-store"
        body: dict[str, Any] = found.json()
        jsonschema.Draft202012Validator(schema).validate(body)
        return body

    first = state(client.get("/v1/models"))
    assert first["champion"] is None and first["serving"]["model"] == "shipped"
    assert [each["version"] for each in first["versions"]] == ["v1", "v2", "v3"]
    after = state(client.post("/v1/models/v1/promote", json={}))
    assert after["champion"]["version"] == after["serving"]["model"] == "v1"
    said = client.post("/v1/classify", json={"items": [{"text": "a"}, {"text": "x" * 10_001}]}).json()["items"]
    assert {one["versions"]["model"] for one in said} == {"v1"}
    back = state(client.post("/v1/models/rollback", json={"note": "too bold"}))
    assert back["champion"] is None and back["lineage"][0]["note"] == "too bold"
    example = document["paths"]["/v1/models"]["get"]["responses"]["200"]["content"]["application/json"]["example"]
    jsonschema.Draft202012Validator(schema).validate(example)


@pytest.mark.parametrize(
    ("path", "request_of", "status", "code"),
    [
        ("v9/promote", {"json": {}}, 404, "not_found"),
        ("v3/promote", {"json": {}}, 409, "gate_not_passed"),
        ("v3/promote", {"json": {"force": True, "note": "why"}}, 409, "model_refused"),
        ("v3/promote", {"json": {"force": True}}, 422, "validation_failed"),
        ("v1/promote", {"json": {"forced": True}}, 422, "validation_failed"),
        ("v1/promote", {"json": {"note": 5}}, 422, "validation_failed"),
        ("v1/promote", {"json": []}, 422, "validation_failed"),
        ("v1/promote", {"content": b"{", "headers": {"Content-Type": "application/json"}}, 400, "bad_json"),
        ("v1/promote", {}, 415, "unsupported_media_type"),
        ("v1/promote", {"data": {"force": "true"}}, 415, "unsupported_media_type"),
        ("rollback", {"json": {}}, 409, "nothing_earlier"),
        ("rollback", {}, 415, "unsupported_media_type"),
    ],
)
def test_refusals_are_problems_and_change_nothing(
    client: Any, registry: Registry, path: str, request_of: dict[str, Any], status: int, code: str
) -> None:
    before = registry.lineage()
    found = client.post(f"/v1/models/{path}", **request_of)
    assert (found.status_code, found.json()["code"]) == (status, code)
    assert registry.lineage() == before
    assert client.get("/v1/models").json()["serving"]["model"] == "shipped"


# a real server


@pytest.mark.server
@pytest.mark.model
@pytest.mark.slow
def test_promotion_under_load_of_32_callers_drops_no_request_and_mixes_no_versions(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "models")
    registry.add(model_folder(tmp_path / "next", "next"))
    shipped = json.loads((SHIPPED / "model.json").read_text("utf-8"))["version"]
    environment = {"HOLOS_MODELS_DIR": str(registry.folder), "HOLOS_CACHE_DIR": str(load_settings().cache_dir)}
    texts = ["Kurier spóźnił się trzy dni", "Доставили швидко, дякую", "Всё сломалось", "The app keeps crashing", "nic"]

    async def scenario(url: str) -> None:
        done, answers = asyncio.Event(), []

        async def caller(at: int) -> None:
            size = 40 if at % 8 == 0 else 1 + at % 3  # some are split over batches
            sent = [{"id": f"{at}-{number}", "text": texts[number % 5]} for number in range(size)]
            while not done.is_set():
                found = await client.post("/v1/classify", json={"items": sent})
                said = found.json()["items"] if found.status_code == 200 else []
                versions = {one["versions"]["model"] for one in said}
                answers.append(
                    (found.status_code, versions, [one["id"] for one in said] == [one["id"] for one in sent])
                )

        async def until_answered_by(version: str) -> None:
            deadline = time.monotonic() + 120
            while (await client.get("/v1/models")).json()["serving"]["model"] != version:
                assert time.monotonic() < deadline
                await asyncio.sleep(0.1)
            start = len(answers)
            while not any(versions == {version} for _, versions, _ in answers[start:]):
                await asyncio.sleep(0.05)

        limits = httpx.Limits(max_connections=CALLERS + 1)
        async with httpx.AsyncClient(base_url=url, timeout=120, limits=limits) as client:
            callers = [asyncio.create_task(caller(at)) for at in range(CALLERS)]
            await until_answered_by(shipped)
            await asyncio.to_thread(registry.promote, "next", PASSED, by="test")
            await until_answered_by("next")
            await asyncio.to_thread(registry.rollback, by="test")
            await until_answered_by(shipped)
            done.set()
            await asyncio.gather(*callers)
        assert {status for status, _, _ in answers} == {200}
        assert all(len(versions) == 1 and own for _, versions, own in answers)
        assert len(answers) > CALLERS and {next(iter(versions)) for _, versions, _ in answers} == {shipped, "next"}

    with running(tmp_path, target="serving.service:Holos", environment=environment) as found:
        asyncio.run(scenario(found.url))
        assert found.log.count('"event": "model_swapped"') == 2


@pytest.mark.server
@pytest.mark.model
@pytest.mark.slow
def test_a_bento_is_built_with_the_champion_and_answers_with_it_without_the_registry(
    registry: Registry, tmp_path: Path
) -> None:
    registry.promote("v2", PASSED, by="anna")
    registry.promote("v1", PASSED, by="anna")
    registry.rollback(by="anna")  # the newest in the store is not the champion
    home, root = tmp_path / "bentoml", SHIPPED.parents[2]
    env = {name: value for name, value in os.environ.items() if not name.startswith("HOLOS_")}
    env |= {"BENTOML_HOME": str(home), "BENTOML_DO_NOT_TRACK": "True"}
    command = [sys.executable, "-m", "bentoml", "build", "--output", "tag"]
    with_registry = env | {"HOLOS_MODELS_DIR": str(registry.folder)}
    built = subprocess.run(command, cwd=root, env=with_registry, capture_output=True, text=True, timeout=300)
    assert built.returncode == 0, built.stdout + built.stderr
    bento = home / "bentos" / built.stdout.strip().splitlines()[-1].removeprefix("__tag__:").replace(":", "/")
    shutil.rmtree(registry.folder)
    command = [sys.executable, "-m", "bentoml", "serve", str(bento), "--host", "127.0.0.1", "--port", "{port}"]
    environment = {"HOLOS_CACHE_DIR": str(load_settings().cache_dir), "BENTOML_HOME": str(home)}
    with running(tmp_path, root=bento / "src", command=command, environment=environment) as found:
        said = httpx.post(f"{found.url}/v1/classify", json={"items": [{"text": "ok"}]}, timeout=60).json()
        assert said["items"][0]["versions"]["model"] == "v2"
        state = httpx.get(f"{found.url}/v1/models", timeout=60).json()
        assert state["serving"]["follows_champion"] is False and state["champion"] is None
