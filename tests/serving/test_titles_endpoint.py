"""The endpoint as it is asked over a real connection: what is sent, what counts as an answer, what is never told."""

import asyncio
import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from completions import KEY, asking, base, says
from receivers import Manner, Receiver, drip, hang, reset, status

from nlp.errors import InputError
from serving.settings import Settings, load_settings
from serving.titles.endpoint import MAX_ANSWER, MAX_TOKENS, DeclinedError, Endpoint, EndpointError
from serving.titles.line import RefusedTitleError

MESSAGES = [{"role": "system", "content": "Nazwij"}, {"role": "user", "content": '{"quotes": ["żółw"]}'}]


def ask(settings: Settings, timeout: float = 5.0) -> str:
    async def main() -> str:
        async with Endpoint(settings, timeout) as endpoint:
            return await endpoint.ask(MESSAGES)

    return asyncio.run(main())


def test_it_is_asked_as_openai_is() -> None:
    with Receiver(says("Late couriers")) as receiver:
        assert ask(asking(receiver, titles_key=KEY)) == "Late couriers"
        assert ask(Settings(titles_url=base(receiver) + "/", titles_model="small")) == "Late couriers"
    with_key, without = receiver.received
    assert with_key.path == without.path == "/v1/chat/completions"
    assert with_key.headers["authorization"] == f"Bearer {KEY}" and "authorization" not in without.headers
    assert with_key.headers["content-type"] == "application/json"
    body = json.loads(with_key.body)
    assert body["messages"] == MESSAGES and (body["model"], body["temperature"]) == ("small", 0)
    assert body["max_tokens"] == MAX_TOKENS >= 1000 and body["stream"] is False


@pytest.mark.parametrize(
    ("manner", "why"),
    [
        (status(200, b"<html>"), "no chat completion"),
        (status(200, b'{"choices": []}'), "no chat completion"),
        (status(200, b'{"choices": [{"message": {}}]}'), "no chat completion"),
        (status(200, b'{"choices": ["Late couriers"]}'), "no chat completion"),
        (status(200, b"[" * 50_000), "no chat completion"),
        (status(200, b"\xff\xfe"), "no chat completion"),
        (says(None), "no chat completion"),
        (says(["Late couriers"]), "no chat completion"),
        (says("x" * MAX_ANSWER), "larger than"),
        (status(500, b"boom"), "HTTP 500"),
        (status(401, KEY.encode()), "HTTP 401"),
        (status(204), "HTTP 204"),
        (reset, "the connection broke"),
    ],
)
def test_what_cannot_be_read_is_told_in_words_without_the_key(manner: Manner, why: str) -> None:
    with Receiver(manner) as receiver, pytest.raises(EndpointError, match=why) as found:
        ask(asking(receiver, titles_key=KEY))
    assert KEY not in repr(found.value) and found.value.__cause__ is None and len(receiver.received) == 1


@pytest.mark.parametrize("ended", ["length", "content_filter"])
@pytest.mark.parametrize("line", ["Late couriers and", None])
def test_an_answer_that_was_cut_short_is_refused(line: str | None, ended: str) -> None:
    with Receiver(says(line, ended)) as receiver, pytest.raises(RefusedTitleError, match="cut short"):
        ask(asking(receiver))


@pytest.mark.parametrize("code", [400, 422])
def test_who_declines_the_limits_is_asked_without_them_from_then_on(code: int) -> None:
    async def main(settings: Settings) -> list[str]:
        async with Endpoint(settings) as endpoint:
            return [await endpoint.ask(MESSAGES), await endpoint.ask(MESSAGES)]

    with Receiver(says("Late couriers"), [status(code, b"use max_completion_tokens")]) as receiver:
        assert asyncio.run(main(asking(receiver))) == ["Late couriers"] * 2
    first, *others = [json.loads(each.body) for each in receiver.received]
    assert others == [{name: first[name] for name in ("model", "messages", "stream")}] * 2


@pytest.mark.parametrize(("code", "requests"), [(400, 2), (422, 2), (413, 1)])
def test_what_is_declined_is_told_apart_from_what_failed(code: int, requests: int) -> None:
    with Receiver(status(code, b"filtered")) as receiver, pytest.raises(DeclinedError, match=f"HTTP {code}"):
        ask(asking(receiver))
    assert len(receiver.received) == requests


def test_redirects_are_not_followed() -> None:
    with Receiver(says("Late couriers")) as other, Receiver(status(307, Location=base(other))) as receiver:
        with pytest.raises(EndpointError, match="HTTP 307"):
            ask(asking(receiver, titles_key=KEY))
        assert other.received == []


def test_retry_after_is_told() -> None:
    with Receiver(status(429, Retry_After="7")) as receiver, pytest.raises(EndpointError, match="HTTP 429") as found:
        ask(asking(receiver))
    assert found.value.retry_after == "7"


@pytest.mark.parametrize("slow", [hang, drip])
def test_who_is_silent_or_slow_is_not_waited_for(slow: Callable[[threading.Event], Manner]) -> None:
    over = threading.Event()
    with Receiver(slow(over)) as receiver:
        with pytest.raises(EndpointError, match=r"no answer within 0\.2 s"):
            ask(asking(receiver), timeout=0.2)
        over.set()


def test_nobody_there() -> None:
    with Receiver(says("")) as receiver:
        gone = asking(receiver)
    with pytest.raises(EndpointError, match="no connection"):
        ask(gone)


def test_it_is_off_unless_an_address_is_set() -> None:
    assert (Settings().titles_url, Settings(titles_model="small").titles_url) == (None, None)
    with pytest.raises(AssertionError):
        Endpoint(Settings())


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"titles_url": "http://localhost:11434/v1"}, "HOLOS_TITLES_MODEL: name the model"),
        ({"titles_url": "localhost:11434", "titles_model": "m"}, "HOLOS_TITLES_URL: give an address"),
        ({"titles_url": "ftp://example.com", "titles_model": "m"}, "HOLOS_TITLES_URL: give an address"),
        ({"titles_url": f"https://u:{KEY}@example.com/v1", "titles_model": "m"}, "HOLOS_TITLES_URL: give an address"),
        ({"titles_url": "https://example.com/v1?a=1", "titles_model": "m"}, "HOLOS_TITLES_URL: give an address"),
        ({"titles_url": "https://example.com:x/v1", "titles_model": "m"}, "HOLOS_TITLES_URL: give an address"),
        ({"titles_url": "https://[::1/v1", "titles_model": "m"}, "HOLOS_TITLES_URL: give an address"),
        ({"titles_key": f"{KEY}\r\nHost: x"}, "HOLOS_TITLES_KEY: give one word"),
    ],
)
def test_wrong_settings_are_told_without_their_values(values: dict[str, Any], why: str) -> None:
    with pytest.raises(InputError, match=why) as found:
        load_settings(**values)
    assert KEY not in str(found.value)


def test_the_key_is_written_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLOS_TITLES_KEY", KEY)
    settings = load_settings()
    assert settings.titles_key is not None and settings.titles_key.get_secret_value() == KEY
    assert KEY not in repr(settings) + str(settings) + str(settings.model_dump()) + settings.model_dump_json()
