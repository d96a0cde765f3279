"""Making deliveries: many at once, few to any one target, so that who hangs delays nobody else."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable

import anyio

from serving.logs import get_logger, where
from serving.outbox import queue, signing
from serving.outbox.channels import SENDERS, send
from serving.outbox.hours import quiet_until
from serving.outbox.messages import compose
from serving.outbox.queue import Claimed, Target
from serving.outbox.retry import Answer, next_try
from serving.outbox.signing import Secret
from serving.outbox.targets import to_channel
from serving.outbox.wire import TIMEOUT, Wire
from serving.outbox.writer import Writer
from serving.parts import Parts
from serving.store.database import new_id

PER_TARGET = 8
"""Tries under way to one target at one time: a slow receiver still gets several events in each time-out."""
MOST = 400
"""Tries under way in one process, all targets together."""


class Courier:
    """One process's deliveries under way; belongs to one event loop. Close it."""

    def __init__(self, parts: Parts, timeout: float = TIMEOUT, chance: Callable[[], float] = random.random) -> None:
        """`timeout` in seconds for one POST; `chance` gives numbers in [0, 1) for the jitter."""
        self._parts = parts
        self._private = parts.settings.webhook_private
        self._wire = Wire(self._private, timeout)
        self._senders = anyio.CapacityLimiter(SENDERS)
        self._chance = chance
        self._writer = Writer(parts.database)
        self._lease = new_id()
        self._in_flight: Counter[Target] = Counter()
        self._silent: set[Target] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.woken = asyncio.Event()
        """Set when a try has ended, and with it a place become free."""

    async def step(self) -> int:
        """Starts what is due and has a place; answers how many, and waits for none."""
        if len(self._tasks) >= MOST:
            return 0
        claim = (self._parts.database, self._parts.clock(), self._lease, PER_TARGET, self._taken())
        found = await asyncio.to_thread(queue.claim, *claim)
        for claimed in found:
            self._in_flight[claimed.to] += 1
            task = asyncio.create_task(self._run(claimed))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return len(found)

    async def drain(self, seconds: float | None = None) -> None:
        """Waits until nothing is under way, or as long as given."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)

    async def close(self, seconds: float = 0) -> None:
        """Gives what is under way this long to end; what is cut off is sent again when its lease has ended."""
        await self.drain(seconds)
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._writer.close()
        await self._wire.close()

    def _taken(self) -> dict[Target, int]:
        """Places that are taken, by target; who did not answer at all last time has one place, not several."""
        return dict(self._in_flight + Counter(dict.fromkeys(self._silent, PER_TARGET - 1)))

    async def _run(self, claimed: Claimed) -> None:
        try:
            await self._deliver(claimed)
        except Exception as error:
            # the lease ends and it is tried again
            get_logger().error("delivery_failed", delivery=claimed.delivery["id"], **where(error))
        finally:
            self._in_flight[claimed.to] -= 1
            if not self._in_flight[claimed.to]:
                del self._in_flight[claimed.to]
            self.woken.set()

    async def _deliver(self, claimed: Claimed) -> None:
        if claimed.target is None or claimed.target["disabled_at"] is not None:
            reason = f"the {claimed.delivery['kind']} was {'deleted' if claimed.target is None else 'disabled'}"
            await self._writer.write(queue.bury, claimed, reason, self._parts.clock())
            return
        if claimed.delivery["kind"] == "channel":
            until = quiet_until(to_channel(claimed.target).quiet, self._parts.clock())
            if until is not None:
                await self._writer.write(queue.postpone, claimed, until)
                return
        await self._try(claimed)

    async def _try(self, claimed: Claimed) -> None:
        start = time.perf_counter()
        try:
            answer = await (self._post if claimed.delivery["kind"] == "webhook" else self._say)(claimed)
        except Exception as error:
            get_logger().error("delivery_not_composed", delivery=claimed.delivery["id"], **where(error))
            answer = Answer(error=f"it could not be composed: {type(error).__name__}")
        ms = (time.perf_counter() - start) * 1000
        now = self._parts.clock()
        (self._silent.add if answer.status is None else self._silent.discard)(claimed.to)
        verdict = next_try(claimed.delivery["tries"] + 1, answer, now, self._chance())
        await self._writer.write(queue.settle, claimed, answer, verdict, ms, now)

    async def _post(self, claimed: Claimed) -> Answer:
        webhook = claimed.target
        assert webhook is not None
        found = signing.message(claimed.event, webhook["mode"])
        secrets = [Secret.from_dict(item) for item in webhook["secrets"]]
        headers = signing.headers(claimed.event["id"], found, secrets, self._parts.clock())
        return await self._wire.post(webhook["url"], headers, found.body)

    async def _say(self, claimed: Claimed) -> Answer:
        assert claimed.target is not None
        channel = to_channel(claimed.target)
        note = await asyncio.to_thread(compose, self._parts, channel, claimed.event, claimed.delivery["count"])
        return await send(channel.url, note, self._private, self._senders)


async def run_once(parts: Parts, timeout: float = TIMEOUT) -> int:
    """Makes everything that is due now and waits for it; answers how many tries there were."""
    courier = Courier(parts, timeout)
    done = 0
    try:
        while started := await courier.step():
            done += started
            await courier.drain()
    finally:
        await courier.close()
    return done
