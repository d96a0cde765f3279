"""What a log line may say: who failed and where, never what an exception was given."""

import json
import logging
import sys
from collections.abc import Iterator
from typing import ClassVar

import pytest

from serving import logs

MARKER = "Kurier zgubił moją paczkę"


@pytest.fixture
def configured(capsys: pytest.CaptureFixture[str]) -> Iterator[pytest.CaptureFixture[str]]:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    complaining = logging.raiseExceptions
    logs.configure()
    yield capsys
    root.handlers[:], root.level, logging.raiseExceptions = *before, complaining


def lines(captured: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in captured.readouterr().err.splitlines()]


def fail() -> None:
    raise ValueError(MARKER)


@pytest.mark.parametrize("name", ["bentoml.serve", "uvicorn.error", "asyncio", "holos", "some.library"])
def test_an_exception_is_told_by_type_and_place(configured: pytest.CaptureFixture[str], name: str) -> None:
    try:
        fail()
    except ValueError:
        logging.getLogger(name).exception("Exception on %s", "/v1/classify")
    (line,) = lines(configured)
    assert (line["event"], line["level"], line["error"]) == ("Exception on /v1/classify", "error", "ValueError")
    assert str(line["at"]).endswith("fail']") and "test_logs.py" in str(line["at"])
    assert MARKER not in json.dumps(line, ensure_ascii=False)


def test_what_asyncio_adds_about_a_task_is_cut(configured: pytest.CaptureFixture[str]) -> None:
    logging.getLogger("asyncio").error(f"Task exception was never retrieved\nfuture: <Task exception=E({MARKER!r})>")
    assert [line["event"] for line in lines(configured)] == ["Task exception was never retrieved"]


def test_our_own_events_carry_their_fields(configured: pytest.CaptureFixture[str]) -> None:
    logs.get_logger().info("request", status=200)
    (line,) = lines(configured)
    assert (line["event"], line["status"], line["level"]) == ("request", 200, "info")
    assert str(line["timestamp"]).endswith("Z")


def test_a_line_that_cannot_be_written_is_dropped_and_not_explained(
    configured: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full:
        said: ClassVar[list[str]] = []

        def write(self, text: str) -> None:
            self.said.append(text)
            raise OSError("no space left")

    monkeypatch.setattr(sys, "stderr", Full())
    try:
        fail()
    except ValueError:
        logging.getLogger("bentoml").exception("Exception")
    assert len(Full.said) == 1 and MARKER not in Full.said[0]


def test_chatter_of_libraries_is_left_out(configured: pytest.CaptureFixture[str]) -> None:
    for name in ("bentoml.access", "uvicorn.error", "httpx"):
        logging.getLogger(name).info("POST /%s", MARKER)
    assert lines(configured) == []
