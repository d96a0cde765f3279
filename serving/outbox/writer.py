"""Writes of many tasks in few transactions: while one is under way, those that come are put together for the next."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from serving.store.database import Database


@dataclass(frozen=True, slots=True)
class _Write:
    call: Callable[..., None]
    values: tuple[Any, ...]
    done: asyncio.Future[None]


class Writer:
    """Belongs to one event loop."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: list[_Write] = []
        self._task: asyncio.Task[None] | None = None

    async def write(self, call: Callable[..., None], *values: Any) -> None:
        """`call(connection, *values)` in a transaction, committed when this returns; raises what it does."""
        item = _Write(call, values, asyncio.get_running_loop().create_future())
        self._waiting.append(item)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._flush())
        await item.done

    async def close(self) -> None:
        """Waits for what is being written."""
        if self._task is not None:
            await self._task

    async def _flush(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            try:
                await asyncio.to_thread(self._commit, batch)
            except Exception:
                # one of them spoilt it for all: each for itself
                for item in batch:
                    await self._alone(item)
            else:
                for item in batch:
                    _tell(item, None)

    async def _alone(self, item: _Write) -> None:
        try:
            await asyncio.to_thread(self._commit, [item])
        except Exception as error:
            _tell(item, error)
        else:
            _tell(item, None)

    def _commit(self, batch: Sequence[_Write]) -> None:
        with self._database.write() as connection:
            for item in batch:
                item.call(connection, *item.values)


def _tell(item: _Write, error: Exception | None) -> None:
    if item.done.done():
        return  # who waited was cancelled
    if error is None:
        item.done.set_result(None)
    else:
        item.done.set_exception(error)
