"""`holos serve` as a person starts it, with a new database, for the benchmarks that measure it."""

import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "serving"))

from server_process import running

COMMAND = [sys.executable, "-c", "from serving.cli import app; app()", "serve", "--port", "{port}"]


@dataclass(frozen=True, slots=True)
class Served:
    """A server that is ready: its address, its process id, and the seconds from the command to `/readyz` of 200."""

    url: str
    pid: int
    seconds: float


@contextmanager
def served(folder: Path, environment: Mapping[str, str] | None = None) -> Iterator[Served]:
    """A server with the caller's own settings but for those given; its database and log are new files in `folder`."""
    folder.mkdir(parents=True)
    own = {name: value for name, value in os.environ.items() if name.startswith("HOLOS_")}
    own |= {"HOLOS_DATABASE": f"sqlite:///{folder}/holos.db", "OMP_NUM_THREADS": str(os.cpu_count())}
    began = time.perf_counter()
    with running(folder, command=COMMAND, environment=own | dict(environment or {})) as server:
        yield Served(server.url, server.process.pid, time.perf_counter() - began)
