"""How long `holos serve` takes from the command to the first `/readyz` of 200: `python -m tests.benchmarks.start`.

The encoder's cache is warm (a start before the first that counts fills it), the database is new at each start.
"""

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx

from serving.server import free_port

LOOK_SECONDS = 0.1
LIMIT_SECONDS = 300.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--starts", type=int, default=5)
    with tempfile.TemporaryDirectory() as folder:
        start(Path(folder), 0)
        taken = [start(Path(folder), number) for number in range(1, parser.parse_args().starts + 1)]
    print(f"median {statistics.median(taken):.2f} s of {len(taken)} starts: {min(taken):.2f} to {max(taken):.2f}")


def start(folder: Path, number: int) -> float:
    """Seconds until it was ready; it is stopped then."""
    given = {"HOLOS_DATABASE": f"sqlite:///{folder}/{number}.db", "HOLOS_CACHE_DIR": str(folder / "cache")}
    port = free_port("127.0.0.1", 0)
    command = [sys.executable, "-c", "from serving.cli import app; app()", "serve", "--port", str(port)]
    with (folder / f"{number}.log").open("wb") as log:
        began = time.perf_counter()
        server = subprocess.Popen(command, env=os.environ | given, stdout=log, stderr=subprocess.STDOUT)
        try:
            while not is_ready(port):
                assert server.poll() is None, (folder / f"{number}.log").read_text("utf-8")
                assert time.perf_counter() < began + LIMIT_SECONDS
                time.sleep(LOOK_SECONDS)
            return time.perf_counter() - began
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait()


def is_ready(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


if __name__ == "__main__":
    main()
