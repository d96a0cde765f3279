"""What takes long to make is made once: whoever asks for it meanwhile waits for the one that is being made."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from functools import partial
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Flight(Generic[T]):
    """Values by key, each made once; of more than `size` the oldest go. What raises is not kept: it is made anew."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._values: dict[Hashable, T] = {}
        self._making: dict[tuple[asyncio.AbstractEventLoop, Hashable], asyncio.Task[T]] = {}

    def forget(self, key: Hashable, value: T) -> None:
        """Has a value made anew; where that was done already, the new one stays."""
        if self._values.get(key) is value:
            del self._values[key]

    async def get(self, key: Hashable, make: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The value, made by the first who asks; raises what `make` does, to all who wait for it."""
        if key in self._values:
            return self._values[key]
        place = (asyncio.get_running_loop(), key)  # a task is waited for in its own loop alone
        if place not in self._making:
            self._making[place] = asyncio.create_task(make())
            self._making[place].add_done_callback(partial(self._made, place))
        # who asked first may hang up: the others still wait
        return await asyncio.shield(self._making[place])

    def _made(self, place: tuple[asyncio.AbstractEventLoop, Hashable], task: asyncio.Task[T]) -> None:
        del self._making[place]
        if task.cancelled() or task.exception() is not None:
            return
        while len(self._values) >= self._size:
            del self._values[next(iter(self._values))]
        self._values[place[1]] = task.result()
