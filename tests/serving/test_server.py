"""A real server process over the small classifier: many callers, a stop under load, a killed worker, a clean log."""

import asyncio
import os
import re
import socket
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from server_process import ROOT, Running, free_port, running

sys.path.insert(0, str(ROOT / "tests" / "benchmarks"))
from load import load

from nlp.errors import InputError, ModelError
from serving import server
from serving.settings import Settings

MARKER = "Kurier-zgubił-paczkę-600123456"
URL = "/v1/classify"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("server"), workers=2) as found:
        wait_workers(found, 2)
        yield found


def metric(found: Running, name: str) -> float:
    """The sum of a metric over its labels."""
    text = httpx.get(f"{found.url}/metrics", timeout=60).text  # other tests have the cores meanwhile
    return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if re.match(rf"{name}[ {{]", line))


def wait_workers(found: Running, count: int, seconds: float = 40) -> None:
    deadline = time.monotonic() + seconds
    while metric(found, "holos_ready_workers") != count:
        assert time.monotonic() < deadline, found.log[-3000:]
        time.sleep(0.2)


# what is checked before anything starts


def test_a_missing_model_folder_is_told_at_once(tmp_path: Path) -> None:
    settings = Settings(model_dir=tmp_path / "none", cache_dir=tmp_path)
    with pytest.raises(ModelError, match=r"no model folder at .*none"):
        server.serve(settings, "127.0.0.1", free_port(), 1)


def test_a_taken_port_is_told_at_once() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=rf"cannot listen on 127.0.0.1 port {port}"):
            server.free_port("127.0.0.1", port)


def test_port_zero_is_any_free_one_and_others_have_limits() -> None:
    assert 0 < server.free_port("127.0.0.1", 0) <= 65535
    with pytest.raises(InputError, match="port 70000"):
        server.free_port("127.0.0.1", 70000)


def test_a_name_becomes_an_address() -> None:
    assert server.resolve("localhost") in ("127.0.0.1", "::1")
    assert server.resolve("0.0.0.0") == "0.0.0.0"
    with pytest.raises(InputError, match=r"no-such-host\.invalid"):
        server.resolve("no-such-host.invalid")


def test_workers_start_with_the_same_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("HOLOS_DATASETS", raising=False)  # which may be a link, and is told resolved
    settings = Settings(model_dir=tmp_path / "m", cache_dir=Path("cache"), max_items=7, precision="fp32", threads=3)
    for name, value in server.environment(settings, workers=1).items():
        monkeypatch.setenv(name, value)
    read = Settings()
    assert read == settings.model_copy(update={"cache_dir": Path("cache").resolve()})
    assert os.environ["BENTOML_DO_NOT_TRACK"] == "True"


def test_workers_share_the_cores() -> None:
    given = server.environment(Settings(), workers=2 * server.cores())
    assert given["HOLOS_THREADS"] == given["OMP_NUM_THREADS"] == "1"
    assert "HOLOS_THREADS" not in server.environment(Settings(), workers=1)
    assert server.environment(Settings(threads=5), workers=2)["HOLOS_THREADS"] == "5"


# a running server


@pytest.mark.server
def test_64_callers_get_their_own_answers_and_no_5xx(served: Running) -> None:
    before = metric(served, "holos_items_total")
    report = asyncio.run(load(served.url, callers=64, seconds=4))
    assert set(report.statuses) == {200} and report.wrong == 0
    assert metric(served, "holos_items_total") - before == report.statuses[200], "both workers are counted"
    assert metric(served, "holos_batch_size_count") < metric(served, "holos_batch_size_sum"), "callers share batches"


@pytest.mark.server
@pytest.mark.slow
def test_64_callers_for_a_minute(served: Running) -> None:
    report = asyncio.run(load(served.url, callers=64, seconds=60))
    assert set(report.statuses) == {200} and report.wrong == 0


@pytest.mark.server
def test_an_idle_connection_outlives_what_its_client_keeps(served: Running) -> None:
    with httpx.Client(base_url=served.url, timeout=60, limits=httpx.Limits(keepalive_expiry=60)) as client:
        client.get("/livez")
        address = client._transport._pool.connections[0]
        time.sleep(6)  # an HTTP client of today drops a connection that was idle for 5 s
        client.get("/livez")
        assert client._transport._pool.connections == [address], "the server had closed the first"


@pytest.mark.server
def test_overload_is_refused_with_a_time_to_come_back_and_never_wrong(served: Running) -> None:
    report = asyncio.run(load(served.url, callers=64, seconds=1, items=1000))
    assert set(report.statuses) == {200, 503} and report.wrong == 0
    assert httpx.post(served.url + URL, json={"items": [{"text": "a"}]}, timeout=60).status_code == 200


@pytest.mark.server
def test_nothing_of_a_sender_is_in_the_log(served: Running) -> None:
    bodies = [
        {"json": {"items": [{"text": MARKER, "scor": 1}]}},
        {"json": {"items": [{"text": 7, "question": MARKER}]}},
        {"json": {"items": [{"text": "explode"}, {"text": MARKER}]}},
        {"content": MARKER.encode()},
        {"content": MARKER.encode(), "headers": {"Content-Type": "application/vnd.bentoml+pickle"}},
    ]
    for body in bodies:
        answer = httpx.post(
            f"{served.url}{URL}?q={MARKER}", headers={"X-Request-ID": "seen-1"} | body.pop("headers", {}), **body
        )
        assert answer.headers["x-request-id"] == "seen-1"
    httpx.get(f"{served.url}/{MARKER}", timeout=60)
    with socket.create_connection(served.url.removeprefix("http://").split(":")) as raw:
        raw.sendall(f"{MARKER} / nonsense\r\n\r\n".encode())
        raw.recv(1000)
    log = served.log
    assert "seen-1" in log and "batch_failed" in log and "ValueError" in log
    assert not any(word in log for word in ("zgubi", "600123456", "explode", "Traceback"))


@pytest.mark.server
def test_no_page_of_bentomls_and_no_telemetry(served: Running) -> None:
    for path in ("/", "/docs.json", "/static_content/index.css", "/schema.json", "/nothing"):
        assert "googletagmanager" not in httpx.get(served.url + path, timeout=60).text
    assert [worker.environ()["BENTOML_DO_NOT_TRACK"] for worker in served.workers()] == ["True", "True"]


@pytest.mark.server
def test_a_killed_worker_is_replaced_and_leaves_no_ghost(served: Running) -> None:
    victim = served.workers()[0]
    loaded = served.log.count('"event": "ready"')
    victim.kill()
    deadline = time.monotonic() + 40
    while served.log.count('"event": "ready"') == loaded:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert metric(served, "holos_ready_workers") == 2, "the killed worker's gauges are gone"
    report = asyncio.run(load(served.url, callers=8, seconds=0.5))
    assert set(report.statuses) == {200} and report.wrong == 0


@pytest.mark.server
def test_a_stop_finishes_what_was_accepted(tmp_path: Path) -> None:
    with running(tmp_path) as found, ThreadPoolExecutor(8) as pool:
        texts = [{"id": str(number), "text": f"text {number}"} for number in range(900)]

        def ask(_: int) -> httpx.Response:
            return httpx.post(found.url + URL, json={"items": texts}, timeout=300)

        accepted = metric(found, "holos_batch_size_count")
        asked = pool.submit(ask, 0)
        while metric(found, "holos_batch_size_count") == accepted:
            time.sleep(0.005)
        assert found.stop() == 0
        assert [item["id"] for item in asked.result().json()["items"]] == [item["id"] for item in texts]
        with pytest.raises(httpx.ConnectError):
            httpx.get(found.url + "/livez")
        assert "Traceback" not in found.log
