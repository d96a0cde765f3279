"""Asks an OpenAI-compatible endpoint for one line that names an issue; no redirects, cookies or proxies.

The address is the installation's own setting, so that it may lie inside the house, as that of a local model does.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import httpcore

from nlp.errors import HolosError
from serving.outbox.retry import Answer, in_words
from serving.settings import Settings
from serving.titles.line import RefusedTitleError

TIMEOUT = 60.0
"""Seconds for one line, from the name's resolution to the answer's last byte, with a second try; a small model without
a GPU needs ten, one that thinks first several times that."""
MAX_ANSWER = 64 * 1024
"""Bytes of an answer: a line with all that is told around it has two thousand."""
MAX_TOKENS = 1000
"""A line of eight words needs fifty, where a vocabulary spends six on a Ukrainian word; the rest is for models that
think first, which takes them some hundreds."""
DECLINED = frozenset({400, 413, 422})
"""Statuses that speak of this one request: its words met a filter, or it is too long for the model."""
TOO_LARGE = 413
DECLINED_IN_A_ROW = 5
"""From so many on it is not the issues: a wrong model or setting declines everything."""
CUT = ("length", "content_filter")
"""Reasons to finish that leave a line half said."""
PATH = "/chat/completions"
_USER_AGENT = "holos-titles/1"


class EndpointError(HolosError):
    """The endpoint gave no answer that can be read; the message says why, without a word of it and without the key."""

    def __init__(self, reason: str, retry_after: str | None = None, status: int | None = None) -> None:
        """`retry_after`: the header of that name; both None where there was none."""
        super().__init__(reason)
        self.retry_after = retry_after
        self.status = status


class DeclinedError(EndpointError):
    """The endpoint answers, but wants nothing of this request."""


class Endpoint:
    """Connections to one endpoint; belongs to one event loop. `async with` closes it."""

    def __init__(self, settings: Settings, timeout: float = TIMEOUT) -> None:
        """`timeout` in seconds for one line."""
        if settings.titles_url is None or settings.titles_model is None:
            raise AssertionError("no endpoint is set")
        self._url = settings.titles_url.rstrip("/") + PATH
        self._model = settings.titles_model
        self._headers = _headers(settings)
        self._timeout = timeout
        self._limits: dict[str, Any] = {"temperature": 0, "max_tokens": MAX_TOKENS}
        self._pool = httpcore.AsyncConnectionPool(max_connections=1)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self._pool.aclose()

    async def ask(self, messages: Sequence[Mapping[str, str]]) -> str:
        """What the model says, as it says it; raises EndpointError, RefusedTitleError where it was cut short."""
        asked = {"model": self._model, "messages": [*messages], "stream": False}
        try:
            async with asyncio.timeout(self._timeout):
                found = await self._answer(asked)
        except TimeoutError:
            raise EndpointError(f"no answer within {self._timeout:g} s") from None
        except httpcore.ConnectError:
            raise EndpointError("no connection") from None
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException) as error:
            raise EndpointError(f"the connection broke: {type(error).__name__}") from None
        except (OSError, ValueError, httpcore.UnsupportedProtocol) as error:
            raise EndpointError(f"the request could not be sent: {type(error).__name__}") from None
        return _content(found)

    async def _answer(self, asked: Mapping[str, Any]) -> bytes:
        """The answer's body; where limits may be what is declined, once more without them, and so from then on."""
        if self._limits:
            try:
                return await self._post({**asked, **self._limits})
            except DeclinedError as error:
                if error.status == TOO_LARGE:
                    raise
        found = await self._post(asked)
        self._limits = {}  # newer models want `max_completion_tokens` and their own temperature
        return found

    async def _post(self, asked: Mapping[str, Any]) -> bytes:
        body = json.dumps(asked, ensure_ascii=False).encode()
        async with self._pool.stream("POST", self._url, headers=self._headers, content=body) as response:
            if response.status != 200:
                answer = Answer(response.status, _header(response, b"retry-after"))
                kind = DeclinedError if response.status in DECLINED else EndpointError
                raise kind(in_words(answer), answer.retry_after, response.status)
            read = bytearray()
            async for chunk in response.aiter_stream():
                read += chunk
                if len(read) > MAX_ANSWER:
                    raise EndpointError(f"the answer is larger than {MAX_ANSWER} bytes")
            return bytes(read)


def _headers(settings: Settings) -> list[tuple[str, str]]:
    # nothing is unpacked here, so nothing may come packed
    found = [("Content-Type", "application/json"), ("Accept", "application/json"), ("Accept-Encoding", "identity")]
    found.append(("User-Agent", _USER_AGENT))
    if settings.titles_key is not None:
        found.append(("Authorization", f"Bearer {settings.titles_key.get_secret_value()}"))
    return found


def _content(body: bytes) -> str:
    found: Any = None
    ended: Any = None
    try:
        choice = json.loads(body)["choices"][0]
        ended, found = choice.get("finish_reason"), choice["message"]["content"]
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        pass
    if ended in CUT:
        raise RefusedTitleError("the answer was cut short")
    if not isinstance(found, str):
        raise EndpointError("the answer is no chat completion")
    return found


def _header(response: Any, name: bytes) -> str | None:
    found = next((value for key, value in response.headers if key.lower() == name), None)
    return found.decode("latin-1") if found is not None else None
