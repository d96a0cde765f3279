"""One signed POST over the network, and what came back; no redirects, no cookies, no proxies of the environment."""

import asyncio
from collections.abc import Mapping
from typing import Any

import httpcore

from serving.outbox.guard import GuardedBackend, RefusedError
from serving.outbox.retry import Answer

MAX_ANSWER = 64 * 1024
"""Bytes of an answer's body that are read, and thrown away: enough for any receiver that means well."""
TIMEOUT = 15.0
"""Seconds that a receiver has for one try, from the name's resolution to the answer's last byte."""
IDLE = 30.0
"""Seconds that an open connection is kept for the next event."""


class Wire:
    """Connections to receivers; belongs to one event loop. Close it."""

    def __init__(self, private: bool, timeout: float = TIMEOUT) -> None:
        """`private`: whether addresses inside the house may be called; `timeout` in seconds for one POST."""
        self._timeout = timeout
        # whoever sends bounds the connections of each receiver; one bound for all would let one receiver delay the rest
        self._pool = httpcore.AsyncConnectionPool(
            network_backend=GuardedBackend(private), max_connections=None, keepalive_expiry=IDLE
        )

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Never raises for what the network or the receiver does."""
        try:
            async with asyncio.timeout(self._timeout):
                return await self._post(url, headers, body)
        except TimeoutError:
            return Answer(error=f"no answer within {self._timeout:g} s")
        except RefusedError as error:
            return Answer(error=f"the address is refused: {error}")
        except httpcore.ConnectError as error:
            return Answer(error=f"no connection: {error}"[:200])
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException) as error:
            return Answer(error=f"the connection broke: {type(error).__name__}")
        except (OSError, ValueError, httpcore.UnsupportedProtocol) as error:
            return Answer(error=f"the request could not be sent: {type(error).__name__}")

    async def close(self) -> None:
        await self._pool.aclose()

    async def _post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        given = list(headers.items())
        async with self._pool.stream("POST", url, headers=given, content=body) as response:
            read = 0
            async for chunk in response.aiter_stream():
                read += len(chunk)
                if read > MAX_ANSWER:
                    break
            return Answer(response.status, _header(response, b"retry-after"))


def _header(response: Any, name: bytes) -> str | None:
    found = next((value for key, value in response.headers if key.lower() == name), None)
    return found.decode("latin-1") if found is not None else None
