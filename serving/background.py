"""What goes on beside requests: alerts out, the clocks of cases, imports, retention; in `serve` and in `holos worker`.

Several processes may run it on one database at once: whoever does a piece of work has claimed it first.
"""

import asyncio
import inspect
import pkgutil
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from serving.logs import get_logger, where
from serving.outbox import spread
from serving.outbox.deliver import Courier
from serving.parts import Parts

STOP_SECONDS = 5.0
"""What is being sent when the process stops gets this long; what is cut off then is sent again."""
LONGEST_BACKOFF = 60.0
"""Seconds until work that keeps failing is tried again."""
BREATH = 0.01
"""Seconds between two runs of work that has more to do, so that the rest gets its turn."""

Work = Callable[[Parts], int | Awaitable[int]]
"""Does what is due, at most a batch; answers how much that was."""


@dataclass(frozen=True, slots=True)
class Task:
    """Work done again and again: at once while there is more of it, every so many seconds where there is none."""

    name: str
    every_seconds: float
    call: str | Work
    """The work, or where it is: `package.module:function`, which is imported when the loop starts."""
    wake: asyncio.Event | None = None
    """Set by others to have it done before its time."""

    def work(self) -> Work:
        return pkgutil.resolve_name(self.call) if isinstance(self.call, str) else self.call


TASKS: tuple[Task, ...] = (
    Task("alarms", 3600, "serving.issues.watch:run_once"),
    Task("cases", 15, "serving.cases.ticks:run_once"),
    Task("digests", 30, "serving.outbox.digests:run_once"),
    Task("discovery", 60, "serving.issues.discovery:run_once"),
    Task("imports", 1, "serving.ingest.imports:run_once"),
    Task("issue vectors", 5, "serving.issues.vectors:run_once"),
    Task("retention", 3600, "serving.privacy.retention:run_once"),
    Task("theme rewriting", 2, "serving.frame.rewriting:run_once"),
    Task("theme search", 5, "serving.frame.searching:run_once"),
    Task("titles", 60, "serving.titles.work:run_once"),
)
"""Everything beside the outbox's own loop, which `run` adds."""


async def run(parts: Parts, stop: asyncio.Event, tasks: tuple[Task, ...] = TASKS) -> None:
    """Works until `stop` is set; then ends what it is at, or gives up on it after STOP_SECONDS."""
    calls = await asyncio.to_thread(lambda: [(task, task.work()) for task in tasks])
    courier = Courier(parts)
    own = outbox(courier)
    loops = [asyncio.create_task(_repeat(task, call, parts, stop)) for task, call in [(own, own.work()), *calls]]
    try:
        await stop.wait()
        await asyncio.wait(loops, timeout=STOP_SECONDS)
    finally:
        for loop in loops:
            loop.cancel()
        await asyncio.gather(*loops, return_exceptions=True)
        await courier.close(STOP_SECONDS)


def outbox(courier: Courier) -> Task:
    """Events out: those that are new are spread, and whatever is due is sent."""

    async def call(parts: Parts) -> int:
        new = await asyncio.to_thread(spread.run_once, parts)
        return new + await courier.step()

    return Task("outbox", 0.5, call, courier.woken)


async def run_until_signalled(parts: Parts) -> None:
    """The loop of a process of its own: works until it is told to stop (SIGINT, SIGTERM)."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await run(parts, stop)


def backoff(every_seconds: float, failures: int) -> float:
    """Seconds until work is tried again that failed so many times in a row."""
    # 2 ** 10 is beyond the longest in any case
    return min(max(every_seconds, 1.0) * 2 ** min(failures - 1, 10), max(LONGEST_BACKOFF, every_seconds))


async def _repeat(task: Task, call: Work, parts: Parts, stop: asyncio.Event) -> None:
    failures = 0
    while not stop.is_set():
        if task.wake:
            task.wake.clear()
        try:
            done = await _once(call, parts)
            failures, wait = 0, BREATH if done else task.every_seconds
        except Exception as error:
            # a failure of one must not stop the others; it may be over at the next run
            failures += 1
            wait = backoff(task.every_seconds, failures)
            get_logger().error("background_failed", task=task.name, failures=failures, **where(error))
        await _pause(wait, stop, task.wake if not failures else None)


async def _once(call: Work, parts: Parts) -> int:
    if inspect.iscoroutinefunction(call):
        return await call(parts)
    return await asyncio.to_thread(call, parts)


async def _pause(seconds: float, stop: asyncio.Event, wake: asyncio.Event | None) -> None:
    waiting = [asyncio.create_task(event.wait()) for event in (stop, wake) if event]
    try:
        await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
