"""`holos serve`: checks what can be checked at once, then starts the server and stays until it is stopped."""

import os
import socket
import sys
from pathlib import Path

from nlp.errors import InputError, ModelError
from serving import logs
from serving.settings import PREFIX, Settings

SERVICE = "serving.service:Holos"
MAX_PORT = 65535
FIRST_KEY = """
The first API key of this installation, for everything in the workspace `default`. It is shown this once:

  {key}

Send it as `Authorization: Bearer ...`; make narrower ones with `holos keys create`, and revoke this one then.
"""


def serve(settings: Settings, host: str, port: int, workers: int, target: str = SERVICE) -> None:
    """Serves until SIGTERM or SIGINT, then finishes what was accepted.

    Raises InputError for an address that cannot be listened on and ModelError for a model folder that is not there;
    what only loading can tell is logged by the workers, which answer `/readyz` with 503.
    """
    if target == SERVICE and not settings.model_dir.is_dir():
        raise ModelError(f"there is no model folder at {settings.model_dir}; train one or name another (--model)")
    address = resolve(host)
    port = free_port(address, port)
    # the store's libraries take a second; what was wrong above is told before
    from serving.assembly import first_start

    key = None if settings.demo else first_start(settings)
    os.environ.update(environment(settings, workers))
    _make_importable()
    # imported here: bentoml takes a second to import and reads its environment when it does
    from serving.service import run

    logs.configure()
    shown = f"[{address}]" if ":" in address else address
    if key is not None:
        # to people, not to the log, which is kept and passed on
        print(FIRST_KEY.format(key=key.key), file=sys.stderr, flush=True)
    logs.get_logger().info("listening", url=f"http://{shown}:{port}", workers=workers)
    run(target, address, port, workers)


def environment(settings: Settings, workers: int) -> dict[str, str]:
    """What the worker processes start with: these settings, their share of the cores, no telemetry, no banner."""
    values = {name: getattr(settings, name) for name in Settings.model_fields}
    given = {PREFIX + name.upper(): str(value) for name, value in values.items() if value is not None}
    for name in ("model_dir", "models_dir", "data_dir", "cache_dir", "datasets"):
        if values[name] is not None:
            given[PREFIX + name.upper()] = str(Path(values[name]).resolve())
    if settings.follows_champion:
        del given[PREFIX + "MODEL_DIR"]  # the champion of this moment may not be the next one's
    if workers > 1:
        # each worker taking all cores would leave them waiting for one another
        share = str(settings.threads or max(1, cores() // workers))
        given |= {PREFIX + "THREADS": share, "OMP_NUM_THREADS": share}
    # every thread of glibc's own heaps keeps what it freed; two heaps cost no speed and save 30 MB of a worker
    given |= {"MALLOC_ARENA_MAX": os.environ.get("MALLOC_ARENA_MAX", "2")}
    return {"BENTOML_DO_NOT_TRACK": "True", "BENTOML_QUIET": "True", **given}


def cores() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def resolve(host: str) -> str:
    """The IP address of a host name, since BentoML takes no names."""
    try:
        return str(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][4][0])
    except (OSError, UnicodeError):
        raise InputError(f"host {host!r} is not known; give an address of this computer (--host)") from None


def free_port(address: str, port: int) -> int:
    """The port itself if nobody listens on it, any free one for 0."""
    if not 0 <= port <= MAX_PORT:
        raise InputError(f"port {port} is outside 0 to {MAX_PORT} (--port)")
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise InputError(f"cannot listen on {address} port {port} ({reason}); choose another (--port)") from None
        return int(probe.getsockname()[1])


def _make_importable() -> None:
    """Lets the workers import this package from where it lies, whatever folder the server was started in."""
    root = str(Path(__file__).resolve().parent.parent)
    known = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    if root not in known:
        os.environ["PYTHONPATH"] = os.pathsep.join([root, *filter(None, known)])
    if root not in sys.path:
        sys.path.insert(0, root)
