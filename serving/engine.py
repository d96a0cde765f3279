"""The model behind the API: loaded, proven on golden sentences, then put to work, and exchanged while it works.

A request belongs to one queue and a queue to one model, so an exchange needs no pause: new requests queue for the new
model, what was accepted before is finished by the old one, in the same thread, and then that is freed.
"""

import asyncio
import gc
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from time import monotonic
from typing import Any

from nlp.errors import HolosError, ModelError
from nlp.pipeline import Analysis
from nlp.taxonomy import Taxonomy
from nlp.types import Classification, Response, Versions
from serving import logs, shipped
from serving.batcher import Batcher, Classifier
from serving.metrics import Metrics

BATCH = 128
"""Texts handed to the classifier together: enough to sort by length, and done in about half a second."""

GOLDEN: tuple[Response, ...] = (
    Response("golden-pl", "Kurier spóźnił się trzy dni, a na infolinii nikt nie odbiera."),
    Response("golden-uk", "Доставили швидко, але коробка була пошкоджена."),
    Response("golden-ru", "Всё понравилось, спасибо!"),
    Response("golden-en", "The app keeps crashing and support never answered me."),
)
"""Made-up verbatims. A model that cannot answer them, or answers them differently alone, is not served."""


GOLDEN_TOLERANCE = 0.01
"""Confidences may differ by the arithmetic of another batch shape; verdicts, themes and offsets may not."""


class NotReady(Exception):  # noqa: N818 - it is a state to report, not a fault
    """The model is still loading, or could not be loaded."""


@dataclass(frozen=True, slots=True, eq=False)
class _Serving:
    """A model and the queue of the requests it has to answer."""

    classifier: Classifier
    batcher: Batcher


class Engine:
    """The classifier in use, its thread and its queue; `start` returns at once and loads in the background."""

    def __init__(self, load: Callable[[], Classifier], metrics: Metrics) -> None:
        self._load, self._metrics = load, metrics
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="holos-inference")
        self._starting: asyncio.Task[None] | None = None
        self._serving: _Serving | None = None
        self._retiring: dict[_Serving, asyncio.Task[None]] = {}
        self._encoders: dict[str, str] = {}

    @property
    def ready(self) -> bool:
        """Whether golden sentences passed and the queue is being drained."""
        return self._serving is not None and self._serving.batcher.alive

    @property
    def alive(self) -> bool:
        """False once the queue's worker died, which only a restart mends."""
        return self._serving is None or self._serving.batcher.alive

    @property
    def versions(self) -> Versions:
        if self._serving is None:
            raise NotReady
        return self._serving.classifier.versions

    def encoder(self, model: str) -> str:
        """The version of the encoder behind a model version that was put to work; the model's own if it names none."""
        return self._encoders.get(model, model)

    def taxonomy(self) -> Taxonomy:
        """The code frame that texts are tagged by now; the one that ships until a model is loaded."""
        classifier = self._serving.classifier if self._serving else None
        return getattr(classifier, "taxonomy", None) or shipped.taxonomy()

    def start(self) -> None:
        # it begins now, not when the loop is free next
        started, loading = monotonic(), self._thread.submit(_proven, self._load)
        self._starting = asyncio.get_running_loop().create_task(self._started(loading, started), name="holos-load")

    async def started(self) -> None:
        """Waits until the first model is loaded, or could not be."""
        if self._starting is not None:
            await asyncio.shield(self._starting)

    async def classify(self, responses: Sequence[Response]) -> list[Classification]:
        """The classifications in what `analyse` gives."""
        return [found.classification for found in await self.analyse(responses)]

    async def analyse(self, responses: Sequence[Response]) -> list[Analysis]:
        """In order, one for each, all of one model; raises NotReady and what `Batcher.submit` raises."""
        if self._serving is None:
            raise NotReady
        # no other task runs before the request is in this queue, which is closed by `put` alone
        return await self._serving.batcher.submit(responses)

    async def prepare(self, load: Callable[[], Classifier]) -> Classifier:
        """A proven classifier, loaded beside the one at work; raises what loading and proving raise."""
        with_own_thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="holos-prepare")
        try:
            return await asyncio.get_running_loop().run_in_executor(with_own_thread, _prepared, load)
        finally:
            with_own_thread.shutdown(wait=False)

    def put(self, classifier: Classifier) -> None:
        """Every request from now on is answered by this one."""
        old, batcher = self._serving, self._queue_for(classifier)
        self._serving = _Serving(classifier, batcher)
        encoder = getattr(classifier, "encoder", None)
        if encoder is not None:
            self._encoders[classifier.versions.model] = encoder.version
        self._metrics.show_versions(classifier.versions, old.classifier.versions if old else None)
        if old is not None:
            retire = self._retire(old)
            self._retiring[old] = asyncio.get_running_loop().create_task(retire, name="holos-retire")

    async def close(self) -> None:
        """Finishes what was accepted, then frees the thread."""
        await self.started()
        await asyncio.gather(*self._retiring.values())
        if self._serving is not None:
            await self._serving.batcher.close()
        self._thread.shutdown()
        self._metrics.stop()

    def _queue_for(self, classifier: Classifier) -> Batcher:
        return Batcher(
            classifier,
            self._thread,
            batch_size=BATCH,
            on_batch=self._metrics.batch.observe,
            on_depth=lambda _: self._show_depth(),
            on_error=lambda error: logs.get_logger().error("batch_failed", **logs.where(error)),
            rate=self._serving.batcher.rate if self._serving else None,
        )

    def _show_depth(self) -> None:
        serving = [*self._retiring, *([self._serving] if self._serving else [])]
        self._metrics.depth.set(sum(each.batcher.depth for each in serving))

    async def _retire(self, old: _Serving) -> None:
        try:
            await old.batcher.close()
        finally:
            del self._retiring[old], old
        # what native code holds of a model goes with the last reference; cycles would keep it for long
        await asyncio.to_thread(gc.collect)

    async def _started(self, loading: "Future[Classifier]", started: float) -> None:
        try:
            classifier = await asyncio.wrap_future(loading)
        except HolosError as error:
            logs.get_logger().error("model_not_loaded", reason=str(error))
            return
        except Exception as error:
            logs.get_logger().error("model_not_loaded", **logs.where(error))
            return
        self.put(classifier)
        logs.get_logger().info("ready", model=classifier.versions.model, seconds=round(monotonic() - started, 2))
        if hasattr(classifier, "warm"):
            # Neither the inference thread, which has requests to answer, nor one that a shutdown would wait for.
            threading.Thread(target=_warm, args=(classifier.warm,), name="holos-warm", daemon=True).start()


def _proven(load: Callable[[], Classifier]) -> Classifier:
    classifier = load()
    prove(classifier)
    return classifier


def _prepared(load: Callable[[], Classifier]) -> Classifier:
    """Nobody waits for this one yet, so that it can be warm before its first request."""
    classifier = _proven(load)
    if hasattr(classifier, "warm"):
        _warm(classifier.warm)
    return classifier


def _warm(warm: Callable[[], None]) -> None:
    """What was not loaded now is loaded by the first text that needs it."""
    try:
        warm()
    except Exception as error:
        logs.get_logger().warning("not_warmed", **logs.where(error))


def prove(classifier: Classifier) -> None:
    """Raises ModelError unless the golden sentences are answered, and answered alike alone and together."""
    together = classifier.classify(GOLDEN)
    if [answer.id for answer in together] != [response.id for response in GOLDEN]:
        raise ModelError(f"the model answered {len(together)} of {len(GOLDEN)} golden sentences; take another model")
    for response, answer in zip(GOLDEN, together, strict=True):
        if answer.error is not None:
            raise ModelError(f"the model failed on {response.id} ({answer.error.code}); take another model")
        alone = classifier.classify([response])
        if len(alone) != 1 or not _alike(alone[0].to_dict(), answer.to_dict()):
            raise ModelError(f"the model answers {response.id} differently alone and in a batch; take another model")


def _alike(one: Any, other: Any) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_alike(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_alike, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other) <= GOLDEN_TOLERANCE
    return bool(one == other)
