"""The model behind the API: loaded in the thread that will run it, proven on golden sentences, then put to work."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import Any

from nlp.errors import HolosError, ModelError
from nlp.types import Classification, Response, Versions
from serving import logs
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


class Engine:
    """One classifier, its thread and its queue; `start` returns at once and loads in the background."""

    def __init__(self, load: Callable[[], Classifier], metrics: Metrics) -> None:
        self._load, self._metrics = load, metrics
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="holos-inference")
        self._starting: asyncio.Task[None] | None = None
        self._batcher: Batcher | None = None
        self._versions: Versions | None = None

    @property
    def ready(self) -> bool:
        """Whether golden sentences passed and the queue is being drained."""
        return self._batcher is not None and self._batcher.alive

    @property
    def alive(self) -> bool:
        """False once the queue's worker died, which only a restart mends."""
        return self._batcher is None or self._batcher.alive

    @property
    def versions(self) -> Versions:
        if self._versions is None:
            raise NotReady
        return self._versions

    def start(self) -> None:
        self._starting = asyncio.get_running_loop().create_task(self._start(), name="holos-load")

    async def classify(self, responses: Sequence[Response]) -> list[Classification]:
        """In order, one for each; raises NotReady and what `Batcher.submit` raises."""
        if self._batcher is None:
            raise NotReady
        return await self._batcher.submit(responses)

    async def close(self) -> None:
        """Finishes what was accepted, then frees the thread."""
        if self._starting is not None:
            await self._starting
        if self._batcher is not None:
            await self._batcher.close()
        self._thread.shutdown()
        self._metrics.stop()

    async def _start(self) -> None:
        started = monotonic()
        try:
            classifier = await asyncio.get_running_loop().run_in_executor(self._thread, self._load_and_prove)
        except HolosError as error:
            logs.get_logger().error("model_not_loaded", reason=str(error))
            return
        except Exception as error:
            logs.get_logger().error("model_not_loaded", **logs.where(error))
            return
        self._versions = classifier.versions
        self._batcher = Batcher(
            classifier,
            self._thread,
            batch_size=BATCH,
            on_batch=self._metrics.batch.observe,
            on_depth=self._metrics.depth.set,
            on_error=lambda error: logs.get_logger().error("batch_failed", **logs.where(error)),
        )
        self._metrics.show_versions(classifier.versions)
        logs.get_logger().info("ready", model=classifier.versions.model, seconds=round(monotonic() - started, 2))
        if hasattr(classifier, "warm"):
            # Neither the inference thread, which has requests to answer, nor one that a shutdown would wait for.
            threading.Thread(target=_warm, args=(classifier.warm,), name="holos-warm", daemon=True).start()

    def _load_and_prove(self) -> Classifier:
        classifier = self._load()
        prove(classifier)
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
