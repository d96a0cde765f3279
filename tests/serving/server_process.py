"""A real server in its own process, for the tests that need one."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
START = """
import sys
from serving.server import serve
from serving.settings import load_settings
serve(load_settings(), "127.0.0.1", int(sys.argv[1]), int(sys.argv[2]), target=sys.argv[3])
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True, slots=True)
class Running:
    """A server that is up."""

    process: "subprocess.Popen[bytes]"
    url: str
    log_file: Path

    @property
    def log(self) -> str:
        return self.log_file.read_text("utf-8")

    def workers(self) -> list[psutil.Process]:
        children = psutil.Process(self.process.pid).children(recursive=True)
        return [child for child in children if _is_worker(child)]

    def stop(self, seconds: float = 30) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)


def _is_worker(process: psutil.Process) -> bool:
    try:
        return "_bentoml_impl.worker.service" in " ".join(process.cmdline())
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return False


def wait_ready(process: "subprocess.Popen[bytes]", url: str, log_file: Path, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert process.poll() is None, log_file.read_text("utf-8")[-3000:]
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(f"{url}/readyz", timeout=5).status_code == 200:
                return
        time.sleep(0.1)
    raise AssertionError(f"not ready in {seconds} s: {log_file.read_text('utf-8')[-3000:]}")


@contextlib.contextmanager
def running(
    folder: Path,
    workers: int = 1,
    target: str = "fake_service:Holos",
    root: Path = ROOT,
    command: list[str] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Running]:
    """Starts a server, waits until it is ready, and leaves nothing of it behind."""
    port = free_port()
    env = {name: value for name, value in os.environ.items() if not name.startswith(("HOLOS_", "BENTOML_"))}
    env |= {"PYTHONPATH": os.pathsep.join([str(root), str(HERE)]), "BENTOML_HOME": str(folder / "bentoml")}
    env |= {"OMP_NUM_THREADS": "1", **(environment or {})}
    arguments = command or [sys.executable, "-c", START, "{port}", str(workers), target]
    arguments = [part.replace("{port}", str(port)) for part in arguments]
    log_file = folder / "server.out"
    with log_file.open("wb") as log:
        process = subprocess.Popen(arguments, cwd=folder, env=env, stdout=log, stderr=subprocess.STDOUT)
    url = f"http://127.0.0.1:{port}"
    try:
        wait_ready(process, url, log_file)
        yield Running(process, url, log_file)
    finally:
        _end(process)


def _end(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        children = psutil.Process(process.pid).children(recursive=True)
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for child in children:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
