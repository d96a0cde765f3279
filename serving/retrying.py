"""A request whose transaction the database ended in favour of another's is done anew, from its first byte."""

import sqlite3

from sqlalchemy.exc import OperationalError
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.problems import Code, problem
from serving.store.database import ATTEMPTS, is_knot

READING = ("GET", "HEAD")
"""What only reads locks nothing that others wait for."""


class Retrying:
    """Wraps an app whose requests are all-or-nothing: what failed has left nothing behind.

    A request is given up with a 503 where it is ended again and again, or where SQLite's one writer lets nobody in.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in READING:
            await self.app(scope, receive, send)
            return
        tape, started = _Tape(receive), False

        async def sending(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        for _ in range(ATTEMPTS):
            tape.rewind()
            try:
                return await self.app(dict(scope), tape.receive, sending)
            except OperationalError as error:
                if started or not (is_knot(error) or _is_busy(error)):
                    raise
                if _is_busy(error):
                    break
        detail = "others write the same at this moment, and nothing of this request was kept; send it again"
        await problem(Code.OVERLOADED, detail, Retry_After="1").problem.to_response()(scope, receive, send)


class _Tape:
    """What was received, to be heard again; what comes after it is received as before."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._heard: list[Message] = []
        self._at = 0

    def rewind(self) -> None:
        self._at = 0

    async def receive(self) -> Message:
        if self._at == len(self._heard):
            self._heard.append(await self._receive())
        self._at += 1
        return self._heard[self._at - 1]


def _is_busy(error: OperationalError) -> bool:
    return getattr(error.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY
