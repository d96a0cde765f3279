"""The API as those who work with it call it: over HTTP, with keys, and every refusal is a failure of the scenario."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import httpx

PAGE = 1000
TIMEOUT = 60.0
"""Seconds: a slow processor reads one text in tens of milliseconds, but the first one has to wait for the model."""


class UnexpectedError(RuntimeError):
    """The API answered something else than the scenario is written for."""


@dataclass(slots=True)
class Api:
    """A client with one key; without a key it is what a survey tool is."""

    url: str
    key: str | None = None
    _client: httpx.Client | None = None

    def __enter__(self) -> Self:
        headers = {"authorization": f"Bearer {self.key}"} if self.key else {}
        # nothing of the environment, such as a proxy: everything is on this machine
        self._client = httpx.Client(base_url=self.url, headers=headers, timeout=TIMEOUT, trust_env=False)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        assert self._client is not None
        self._client.close()

    def ask(self, method: str, path: str, expect: int = 200, **what: Any) -> httpx.Response:
        """The answer; UnexpectedError where its status is another than expected."""
        assert self._client is not None
        answer = self._client.request(method, path, **what)
        if answer.status_code != expect:
            raise UnexpectedError(f"{method} {path} answered {answer.status_code}: {answer.text[:400]}")
        return answer

    def get(self, path: str, **params: Any) -> Any:
        return self.ask("GET", path, params=params).json()

    def post(self, path: str, body: Mapping[str, Any], expect: int = 200) -> Any:
        return self.ask("POST", path, expect, json=body).json()

    def every(self, path: str, **params: Any) -> Iterator[dict[str, Any]]:
        """All items of a list, page by page."""
        cursor: dict[str, str] = {}
        while True:
            found = self.get(path, limit=PAGE, **params, **cursor)
            yield from found["items"]
            if found["next"] is None:
                return
            cursor = {"cursor": found["next"]}

    def step(self, seen: httpx.Response, do: str, body: Mapping[str, Any] | None) -> dict[str, Any]:
        """Does something to a case as it was read; the case after that."""
        what: dict[str, Any] = {"headers": {"if-match": seen.headers["etag"]}}
        if body is not None:
            what["json"] = body
        return dict(self.ask("POST", f"{seen.url.path}/{do}", **what).json())
