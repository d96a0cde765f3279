"""`holos cluster` with an endpoint that writes titles: one for each issue, and remarks where there is none."""

import json
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from completions import KEY, base, says, told
from receivers import Receiver, hang, status
from test_clustering import WordVectors, answers, written
from typer import Typer
from typer.testing import CliRunner, Result

from serving.cluster_commands import register
from serving.clustering import Tools
from serving.titles.endpoint import Endpoint

Holos = Callable[..., Result]


@pytest.fixture
def holos(word_classifier: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Holos:
    """Runs `holos cluster` on ninety answers, with or without an endpoint."""
    app = Typer()
    app.callback()(lambda: None)
    register(app)
    source = written(tmp_path / "in.jsonl", [{**row, "text": f"{row['text']} 600100200"} for row in answers(90)])

    def run(receiver: Receiver | None, *more: str) -> Result:
        if receiver is not None:
            monkeypatch.setenv("HOLOS_TITLES_URL", base(receiver))
            monkeypatch.setenv("HOLOS_TITLES_MODEL", "small")
            monkeypatch.setenv("HOLOS_TITLES_KEY", KEY)
        tools = Tools(word_classifier, WordVectors())
        called = ["cluster", str(source), "-o", str(tmp_path / "out.jsonl"), *more]
        return CliRunner().invoke(app, called, obj=lambda settings: tools)

    return run


def clusters(folder: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((folder / "out.clusters.json").read_text("utf-8"))
    return found


def test_without_an_endpoint_nobody_is_asked_and_titles_are_null(
    holos: Holos, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import httpcore

    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("nobody is asked")

    monkeypatch.setattr(httpcore, "AsyncConnectionPool", never)
    assert holos(None).exit_code == 0
    found = clusters(tmp_path)
    assert len(found) >= 3 and {each["title"] for each in found} == {None}


def test_every_issue_is_asked_for_and_shown_by_its_title(holos: Holos, tmp_path: Path) -> None:
    holos(None)
    plain = clusters(tmp_path)
    with Receiver(says("**Late parcels**"), [says("Rude consultants")]) as receiver:
        result = holos(receiver, "--language", "pl")
    assert result.exit_code == 0 and "Rude consultants" in result.stderr
    titled = clusters(tmp_path)
    assert [each["title"] for each in titled] == ["Rude consultants", *["Late parcels"] * (len(plain) - 1)]
    assert [each["id"] for each in titled] == [each["id"] for each in plain]
    assert [told(each)["quotes"] for each in receiver.received] == [each["quotes"] for each in titled]
    bodies = b"".join(each.body for each in receiver.received).decode()
    assert "Polish" in bodies and "<PHONE>" in bodies
    secret = ("600100200", "nps", "2026-03", KEY, *(each["id"] for each in plain))
    assert not [word for word in secret if word in bodies]
    assert {each.headers["authorization"] for each in receiver.received} == {f"Bearer {KEY}"}


def test_a_failing_endpoint_is_a_remark(holos: Holos, tmp_path: Path) -> None:
    with Receiver(status(503), [says("Late parcels"), status(429, b"slow", Retry_After="3600")]) as receiver:
        result = holos(receiver)
    assert result.exit_code == 0 and len(receiver.received) == 2
    first, *rest = [each["title"] for each in clusters(tmp_path)]
    assert first == "Late parcels" and {*rest} == {None}
    assert f"no titles for {len(rest)} of {len(rest) + 1} issues: HTTP 429" in result.stderr
    assert KEY not in result.output


def test_a_refused_line_leaves_one_issue_without(holos: Holos, tmp_path: Path) -> None:
    with Receiver(says("Late parcels"), [says("see www.example.com"), says(" ")]) as receiver:
        result = holos(receiver)
    assert result.exit_code == 0 and "2 of the endpoint's titles refused" in result.stderr
    first, second, *rest = [each["title"] for each in clusters(tmp_path)]
    assert first is second is None and {*rest} == {"Late parcels"}


def test_a_request_that_is_declined_leaves_one_issue_without(holos: Holos, tmp_path: Path) -> None:
    with Receiver(says("Late parcels"), [status(413)]) as receiver:
        result = holos(receiver)
    assert result.exit_code == 0 and "1 of the endpoint's titles refused" in result.stderr
    first, *rest = [each["title"] for each in clusters(tmp_path)]
    assert first is None and {*rest} == {"Late parcels"}


def test_who_declines_everything_is_not_asked_for_ever(
    holos: Holos, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serving.titles.clusters.DECLINED_IN_A_ROW", 2)
    with Receiver(status(413)) as receiver:
        result = holos(receiver)
    count = len(clusters(tmp_path))
    assert len(receiver.received) == 2 and f"no titles for {count - 1} of {count} issues: HTTP 413" in result.stderr


def test_after_so_long_the_rest_go_without(holos: Holos, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serving.titles.clusters.LONGEST", 1.5)
    over = threading.Event()
    with Receiver(hang(over), [says("Late parcels")]) as receiver:
        result = holos(receiver)
        over.set()
    first, *rest = [each["title"] for each in clusters(tmp_path)]
    assert result.exit_code == 0 and first == "Late parcels" and {*rest} == {None}
    assert f"no titles for {len(rest)} of {len(rest) + 1} issues: 0.025 minutes are over" in result.stderr


def test_who_interrupts_it_keeps_the_clusters_and_the_titles_that_came(
    holos: Holos, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, over, written_before = Endpoint.ask, threading.Event(), []

    async def interrupted(endpoint: Endpoint, messages: Any) -> str:
        if receiver.received:
            written_before.extend(clusters(tmp_path))
            signal.raise_signal(signal.SIGINT)  # in this very thread, while the loop runs
        return await asked(endpoint, messages)

    monkeypatch.setattr(Endpoint, "ask", interrupted)
    with Receiver(hang(over), [says("Late parcels")]) as receiver:
        result = holos(receiver)
        over.set()
    assert result.exit_code != 0 and {each["title"] for each in written_before} == {None}
    first, *rest = [each["title"] for each in clusters(tmp_path)]
    assert first == "Late parcels" and {*rest} == {None} and len(rest) == len(written_before) - 1
    assert len((tmp_path / "out.jsonl").read_text("utf-8").splitlines()) == 90


def test_an_address_without_a_model_is_said_before_anything_is_read(
    holos: Holos, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOLOS_TITLES_URL", "http://localhost:1/v1")
    result = holos(None)
    assert result.exit_code == 2 and "HOLOS_TITLES_MODEL" in result.stderr
