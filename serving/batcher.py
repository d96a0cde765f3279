"""Requests that arrive together are classified together: a queue drained without a timer into one thread.

While a batch runs, new requests queue; the next batch takes what has gathered. One caller alone waits for nobody,
many callers fill the batches by themselves.
"""

import asyncio
import math
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from time import monotonic
from typing import Protocol

from nlp.pipeline import Analysis
from nlp.types import Classification, Failure, Response, Versions

SHARE = 32
"""Texts taken from one request before the next has its turn, so that one text never waits for a list of a thousand."""
MAX_REQUESTS = 80
"""Requests that may wait: 64 callers are never refused, and however many more come, an accepted one waits for the
running batch and this queue, not for all who ask."""
MAX_WAIT = 0.1
"""Seconds: more requests may wait as long as they take no longer than this, as on a fast machine."""
MAX_TEXTS = 10_000
"""Texts that may wait in all: less than a minute's work of two good cores, well within the server's timeout."""
RATE_WEIGHT = 0.2
"""Weight of the newest batch in the running average of texts per second."""
FIRST_RATE = 50.0
"""Texts per second assumed before anything was measured; a slow processor's."""


class Classifier(Protocol):
    """What turns responses into classifications, one for one, in order; `analyse` gives what they rest on as well."""

    @property
    def versions(self) -> Versions: ...

    def classify(self, responses: Sequence[Response]) -> list[Classification]: ...

    def analyse(self, responses: Sequence[Response]) -> Iterable[Analysis]: ...


class Overloaded(Exception):  # noqa: N818 - it is a state to report, not a fault
    """The queue is full; `retry_after` seconds should empty it."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"the queue is full for about {retry_after} s")
        self.retry_after = retry_after


class Closed(Exception):  # noqa: N818
    """The server is stopping and takes no more work."""


class Mismatch(Exception):  # noqa: N818
    """A classifier's answers do not belong to the responses it was given; no answer is better than somebody else's."""


@dataclass(slots=True, eq=False)
class _Job:
    responses: Sequence[Response]
    answer: asyncio.Future[list[Analysis]]
    taken: int = 0
    done: list[Analysis] = field(default_factory=list)

    @property
    def waiting(self) -> int:
        return len(self.responses) - self.taken


@dataclass(frozen=True, slots=True)
class _Slice:
    job: _Job
    responses: Sequence[Response]


class Batcher:
    """Classifies what many callers submit, in shared batches, on `executor` (one thread that owns the cores)."""

    def __init__(
        self,
        classifier: Classifier,
        executor: Executor,
        *,
        batch_size: int,
        on_batch: Callable[[int], None] = lambda size: None,
        on_depth: Callable[[int], None] = lambda depth: None,
        on_error: Callable[[Exception], None] = lambda error: None,
        rate: float | None = None,
    ) -> None:
        self._classifier, self._executor = classifier, executor
        self._batch_size = batch_size
        self._on_batch, self._on_depth, self._on_error = on_batch, on_depth, on_error
        self._jobs: deque[_Job] = deque()
        self._queued = 0
        self._rate = rate or FIRST_RATE
        self._closed = False
        self._wake = asyncio.Event()
        self._worker = asyncio.get_running_loop().create_task(self._run(), name="holos-batcher")

    @property
    def alive(self) -> bool:
        return not self._worker.done()

    @property
    def depth(self) -> int:
        """Texts that wait for their batch."""
        return self._queued

    @property
    def rate(self) -> float:
        """Texts per second, as measured; what a queue over another model of the same size starts from."""
        return self._rate

    async def submit(self, responses: Sequence[Response]) -> list[Analysis]:
        """The analyses of these responses, in order.

        Raises Overloaded where too much waits already (an empty queue takes any request), Closed where the server
        stops, Mismatch where the classifier lost an answer.
        """
        if self._closed:
            raise Closed
        if not responses:
            return []
        if self._is_full(len(responses)):
            raise Overloaded(max(1, math.ceil(self._queued / self._rate)))
        job = _Job(responses, asyncio.get_running_loop().create_future())
        self._jobs.append(job)
        self._move(len(responses))
        self._wake.set()
        try:
            return await job.answer
        except asyncio.CancelledError:
            self._forget(job)
            raise

    async def close(self) -> None:
        """Finishes what is queued, then stops."""
        self._closed = True
        self._wake.set()
        await self._worker

    def _is_full(self, size: int) -> bool:
        crowded = len(self._jobs) >= MAX_REQUESTS and self._queued / self._rate > MAX_WAIT
        return self._queued > 0 and (crowded or self._queued + size > MAX_TEXTS)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while self._jobs or not self._closed:
            batch = self._take()
            if not batch:
                self._wake.clear()
                await self._wake.wait()
                continue
            responses = [response for piece in batch for response in piece.responses]
            started = monotonic()
            try:
                answers = await loop.run_in_executor(self._executor, self._analyse, responses)
                self._measure(len(responses), monotonic() - started)
                _deliver(batch, answers)
            except Exception as error:
                self._on_error(error)
                self._fail(batch, error)

    def _take(self) -> list[_Slice]:
        """The next batch: a share of each request in turn, until it is full."""
        batch: list[_Slice] = []
        room = self._batch_size
        while room and self._jobs:
            job = self._jobs.popleft()
            size = min(SHARE, room, job.waiting)
            batch.append(_Slice(job, job.responses[job.taken : job.taken + size]))
            job.taken += size
            room -= size
            if job.waiting:
                self._jobs.append(job)
        if batch:
            self._move(room - self._batch_size)
        return batch

    def _analyse(self, responses: list[Response]) -> list[Analysis]:
        """Runs in the thread. A batch that raises is tried again one by one, so that one text fails alone."""
        try:
            answers = list(self._classifier.analyse(responses))
        except Exception as error:
            self._on_error(error)
            answers = [self._analyse_alone(response) for response in responses]
        _check(responses, answers)
        return answers

    def _analyse_alone(self, response: Response) -> Analysis:
        try:
            answers = list(self._classifier.analyse([response]))
        except Exception as error:
            self._on_error(error)
            failure = Failure("internal_error", "this text could not be classified; the server's log says where")
            return Analysis(Classification(response.id, "error", self._classifier.versions, error=failure))
        _check([response], answers)
        return answers[0]

    def _measure(self, texts: int, seconds: float) -> None:
        self._on_batch(texts)
        self._rate += RATE_WEIGHT * (texts / max(seconds, 1e-6) - self._rate)

    def _forget(self, job: _Job) -> None:
        if job in self._jobs:
            self._jobs.remove(job)
            self._move(-job.waiting)

    def _fail(self, batch: list[_Slice], error: Exception) -> None:
        for piece in batch:
            self._forget(piece.job)
            if not piece.job.answer.done():
                piece.job.answer.set_exception(error)

    def _move(self, texts: int) -> None:
        self._queued += texts
        self._on_depth(self._queued)


def _check(responses: Sequence[Response], answers: Sequence[Analysis]) -> None:
    if [response.id for response in responses] != [answer.classification.id for answer in answers]:
        raise Mismatch(f"{len(responses)} responses were given, {len(answers)} answers with other ids came back")


def _deliver(batch: list[_Slice], answers: list[Analysis]) -> None:
    start = 0
    for piece in batch:
        end = start + len(piece.responses)
        piece.job.done.extend(answers[start:end])
        start = end
        if len(piece.job.done) == len(piece.job.responses) and not piece.job.answer.done():
            piece.job.answer.set_result(piece.job.done)
