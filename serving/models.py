"""Which model a running service answers with: it follows the champion, and changes over without a pause."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from nlp.errors import HolosError, ModelError
from serving import logs
from serving.batcher import Classifier
from serving.engine import Engine
from serving.lineage import Gate
from serving.registry import Registry
from serving.settings import Settings

POLL_SECONDS = 1.0
"""Between two looks at the pointer: one call of the file system each."""
LINEAGE = 100
"""Changes that are shown, the newest; the file has all of them."""
BY_HTTP = "http"


class Fixed(ModelError):  # noqa: N818 - it is a state to report
    """The service was started with a model folder of its own."""


class NotPassed(ModelError):  # noqa: N818
    """The version never passed the gate."""


class Unknown(ModelError):  # noqa: N818
    """The registry has no such version."""


@dataclass(frozen=True, slots=True)
class Target:
    """A model to answer with; without a version it is a folder that no registry keeps."""

    folder: Path
    version: str | None = None
    digest: str | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """A model that could not be put to work here, so that the one before it still answers."""

    version: str | None
    reason: str
    at: str


class Models:
    """The engine's model: the champion of the registry, or the folder that was named at the start."""

    def __init__(
        self,
        settings: Settings,
        load: Callable[[Settings], Classifier],
        make_engine: Callable[[Callable[[], Classifier]], Engine],
        baked: Path | None = None,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self._settings, self._load, self._poll = settings, load, poll_seconds
        self._registry = Registry(settings.models_dir)
        # a Bento brings its model; only a registry that was named for it stands above that
        named = "models_dir" in settings.model_fields_set
        self.follows = settings.follows_champion and (baked is None or named)
        self._fallback = baked or settings.shipped_model
        if not settings.follows_champion:
            self._fallback = settings.model_dir
        self.engine = make_engine(self._first)
        self._current: Target | None = None
        self._refused: Refusal | None = None
        self._changing = asyncio.Lock()
        self._watching: asyncio.Task[None] | None = None

    def start(self) -> None:
        self.engine.start()
        if self.follows:
            self._watching = asyncio.get_running_loop().create_task(self._watch(), name="holos-champion")

    async def close(self) -> None:
        if self._watching is not None:
            self._watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watching
        await self.engine.close()

    async def promote(self, version: str, *, force: bool = False, note: str | None = None) -> None:
        """Makes a version champion and answers with it; raises Fixed, Unknown, NotPassed, or why it cannot be served.

        The pointer moves only after the version was loaded and proven in this process.
        """
        async with self._changing:
            await self._may_change()
            if version not in await asyncio.to_thread(self._registry.versions):
                raise Unknown("the registry has no such version; GET /v1/models lists those that are")
            passed = await asyncio.to_thread(self._registry.passed, version)
            if not passed and not force:
                raise NotPassed(
                    f"version {version} never passed the gate; compare it with holos promote, or send force and a note"
                )
            gate = Gate(None, () if passed else ("the gate was not asked; the version never passed it",))
            record = partial(self._registry.promote, version, gate, by=BY_HTTP, forced=not passed, note=note)
            await self._change(version, record)

    async def rollback(self, *, note: str | None = None) -> None:
        """Goes back to the champion before; raises Fixed, NothingEarlier, or why that cannot be served."""
        async with self._changing:
            await self._may_change()
            version = await asyncio.to_thread(self._registry.previous)
            await self._change(version, partial(self._registry.rollback, by=BY_HTTP, note=note))

    async def describe(self) -> dict[str, Any]:
        """The body of `GET /v1/models`."""
        versions = self.engine.versions if self.engine.ready else None
        serving = {
            "model": versions.model if versions else None,
            "taxonomy": versions.taxonomy if versions else None,
            "policy": versions.policy if versions else None,
            "follows_champion": self.follows,
            "refused": {name: getattr(self._refused, name) for name in Refusal.__slots__} if self._refused else None,
        }
        return {**await asyncio.to_thread(self._registered), "serving": serving}

    def _registered(self) -> dict[str, Any]:
        lineage = self._registry.lineage()
        try:
            champion = self._registry.champion()
        except ModelError:  # `refused` says so
            champion = None
        in_use = champion if champion and champion.version else None
        versions = []
        for version in self._registry.versions():
            changes = [change for change in lineage if change.to == version]
            last = changes[-1] if changes else None
            versions.append(
                {
                    "version": version,
                    "champion": bool(in_use and in_use.version == version),
                    "passed_gate": any(change.gate.passed for change in changes),
                    "digest": last.digest if last else None,
                    "base": last.base if last else None,
                    "first_promoted_at": changes[0].at if changes else None,
                }
            )
        pointer = in_use.to_dict() if in_use else None
        shown = {key: value for key, value in (pointer or {}).items() if key not in ("format", "change")}
        return {
            "champion": shown or None,
            "versions": versions,
            "lineage": [change.to_dict() for change in reversed(lineage[-LINEAGE:])],
        }

    async def _may_change(self) -> None:
        if not self.follows:
            raise Fixed("this server was started with a model of its own; start it without one to follow the champion")
        await self.engine.started()

    async def _change(self, version: str | None, record: Callable[[], object]) -> None:
        target = await asyncio.to_thread(self._target_of, version)
        classifier = None if target == self._current else await self._prepare(target)
        await asyncio.to_thread(record)
        if classifier is not None:
            self._put(target, classifier)

    async def _watch(self) -> None:
        """Follows the pointer, whoever moves it."""
        await self.engine.started()
        seen: tuple[int, ...] | None = None
        while True:
            try:
                stamp = await asyncio.to_thread(self._registry.stamp)
                if stamp != seen:
                    seen = stamp
                    await self._follow()
            except Exception as error:  # a watch that ends would leave the old model for ever
                logs.get_logger().error("champion_not_read", **logs.where(error))
            await asyncio.sleep(self._poll)

    async def _follow(self) -> None:
        async with self._changing:
            target = None
            try:
                target = await asyncio.to_thread(self._target)
                if target == self._current:
                    self._refused = None
                    return
                self._put(target, await self._prepare(target))
            except HolosError as error:
                self._refuse(target, str(error))
            except Exception as error:
                self._refuse(target, f"it cannot be loaded ({type(error).__name__}); the server's log says where")
                logs.get_logger().error("model_failed", **logs.where(error))

    def _refuse(self, target: Target | None, reason: str) -> None:
        version = target.version if target else None
        self._refused = Refusal(version, reason, datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"))
        logs.get_logger().error("model_refused", model=version, reason=reason)

    async def _prepare(self, target: Target) -> Classifier:
        return await self.engine.prepare(partial(self._open, target))

    def _put(self, target: Target, classifier: Classifier) -> None:
        self.engine.put(classifier)
        self._current, self._refused = target, None
        logs.get_logger().info("model_swapped", model=classifier.versions.model)

    def _first(self) -> Classifier:
        """The model of the start; runs in the inference thread."""
        target = self._target() if self.follows else Target(self._fallback)
        try:
            classifier = self._open(target)
        except HolosError as error:
            self._refuse(target, str(error))
            raise
        self._current = target
        return classifier

    def _target(self) -> Target:
        champion = self._registry.champion()
        return self._target_of(champion.version if champion else None)

    def _target_of(self, version: str | None) -> Target:
        if version is None:
            return Target(self._fallback)
        stored = self._registry.stored(version)
        return Target(stored.folder, stored.version, stored.digest)

    def _open(self, target: Target) -> Classifier:
        return self._load(self._settings.model_copy(update={"model_dir": target.folder}))
