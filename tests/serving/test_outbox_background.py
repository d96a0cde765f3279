"""The background loop: every work at its own pace, none stopped by another, a clean end."""

import asyncio
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from outbox_helpers import add_event, add_webhook, all_deliveries, private
from receivers import Receiver, hang, status

from serving import background
from serving.background import TASKS, Task, backoff, run
from serving.parts import Parts


@pytest.fixture
def parts(parts: Parts) -> Parts:
    return replace(private(parts), clock=lambda: datetime.now(UTC))


def running(parts: Parts, tasks: tuple[Task, ...], until: object, seconds: float = 15.0) -> float:
    """Runs the loop until a condition holds; the seconds that it took to stop."""

    async def main() -> float:
        stop = asyncio.Event()
        loop = asyncio.create_task(run(parts, stop, tasks))
        end = time.monotonic() + seconds
        while not until() and time.monotonic() < end:  # type: ignore[operator]
            await asyncio.sleep(0.01)
        assert until(), "it did not come about in time"  # type: ignore[operator]
        start = time.monotonic()
        stop.set()
        await loop
        return time.monotonic() - start

    return asyncio.run(main())


def test_events_leave_by_themselves(parts: Parts) -> None:
    with Receiver(status(200)) as receiver:
        add_webhook(parts, receiver.url)
        add_event(parts)
        running(parts, (), lambda: [row["state"] for row in all_deliveries(parts)] == ["delivered"])
        assert len(receiver.received) == 1


def test_a_failure_of_one_does_not_stop_the_others(parts: Parts) -> None:
    calls = {"bad": 0, "plain": 0, "awaited": 0}

    def bad(_: Parts) -> int:
        calls["bad"] += 1
        raise RuntimeError("broken")

    def plain(_: Parts) -> int:
        calls["plain"] += 1
        return 0

    async def awaited(_: Parts) -> int:
        calls["awaited"] += 1
        return 0

    tasks = (Task("bad", 0.01, bad), Task("plain", 0.01, plain), Task("awaited", 0.01, awaited))
    running(parts, tasks, lambda: calls["plain"] > 5 and calls["awaited"] > 5 and calls["bad"])
    assert calls["bad"] < 3, "what fails is left alone for longer each time"


def test_work_that_has_more_to_do_goes_on_at_once(parts: Parts) -> None:
    left = [5]

    def call(_: Parts) -> int:
        left[0] = max(0, left[0] - 1)
        return left[0]

    running(parts, (Task("much", 3600, call),), lambda: left[0] == 0)


def test_it_stops_soon_although_something_hangs(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "STOP_SECONDS", 0.2)
    over, begun = threading.Event(), []

    async def for_ever(_: Parts) -> int:
        begun.append(True)
        await asyncio.sleep(3600)
        return 0

    with Receiver(hang(over)) as receiver:
        add_webhook(parts, receiver.url)
        add_event(parts)
        tasks = (Task("for ever", 1, for_ever),)
        took = running(parts, tasks, lambda: begun and receiver.received)
        over.set()
    assert took < 3
    assert [row["state"] for row in all_deliveries(parts)] == ["pending"]


def test_all_its_work_is_there_and_runs_on_an_empty_database(parts: Parts) -> None:
    done: dict[str, int] = {}

    def watched(task: Task) -> Task:
        call = task.work()

        async def once(parts: Parts) -> int:
            found = call(parts)
            done[task.name] = await found if asyncio.iscoroutine(found) else found  # type: ignore[misc]
            return 0

        return Task(task.name, task.every_seconds, once)

    running(parts, tuple(map(watched, TASKS)), lambda: len(done) == len(TASKS))
    assert set(done.values()) == {0}
    assert len(done) == len({task.name for task in TASKS})


@pytest.mark.parametrize(
    ("every", "failures", "seconds"),
    [(0.5, 1, 1.0), (0.5, 4, 8.0), (15, 2, 30), (15, 9, 60), (3600, 5, 3600), (0.5, 10_000, 60)],
)
def test_what_keeps_failing_is_tried_less_and_less(every: float, failures: int, seconds: float) -> None:
    assert backoff(every, failures) == seconds
