"""What Prometheus reads at /metrics; with several worker processes their numbers are added up through shared files."""

import os
import re
from pathlib import Path

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from nlp.types import Versions

MULTIPROCESS_DIR = "PROMETHEUS_MULTIPROC_DIR"
"""Set for every worker by the server that starts it; prometheus_client reads it when it is first imported."""

LATENCY_BUCKETS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120)
"""Seconds: one text takes tens of milliseconds, a thousand take seconds to a minute."""
BATCH_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128, 256)

_GAUGE_FILE = re.compile(r"gauge_live\w+_(\d+)\.db")


class Metrics:
    """The counters of one process. Every label has a closed set of values, so no text of a sender becomes a label."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        _forget_dead_workers()
        self.requests = Counter(
            "holos_http_requests", "Requests answered", ["method", "route", "status"], registry=registry
        )
        self.latency = Histogram(
            "holos_http_request_seconds",
            "Time from request to answer",
            ["route"],
            buckets=LATENCY_BUCKETS,
            registry=registry,
        )
        self.items = Counter("holos_items", "Responses classified", ["status"], registry=registry)
        self.batch = Histogram(
            "holos_batch_size", "Texts classified together", buckets=BATCH_BUCKETS, registry=registry
        )
        self.depth = Gauge(
            "holos_queue_depth", "Texts waiting for their batch", registry=registry, multiprocess_mode="livesum"
        )
        self.ready = Gauge(
            "holos_ready_workers", "Workers whose model is loaded", registry=registry, multiprocess_mode="livesum"
        )
        self.model = Gauge(
            "holos_model_info",
            "The model, taxonomy and policy in use",
            ["model", "taxonomy", "policy"],
            registry=registry,
            multiprocess_mode="livemax",
        )

    def show_versions(self, versions: Versions, before: Versions | None = None) -> None:
        if before is not None:
            # series cannot be removed where several processes share files
            self.model.labels(before.model, before.taxonomy, before.policy).set(0)
        self.model.labels(versions.model, versions.taxonomy, versions.policy).set(1)
        self.ready.set(1)

    def stop(self) -> None:
        """Takes this process out of the sums over live processes."""
        self.ready.set(0)
        if _directory():
            mark_process_dead(os.getpid())

    def render(self) -> tuple[bytes, str]:
        """The exposition and its media type."""
        registry = self.registry
        if _directory():
            registry = CollectorRegistry()
            MultiProcessCollector(registry)
        return generate_latest(registry), CONTENT_TYPE_LATEST


def _directory() -> Path | None:
    name = os.environ.get(MULTIPROCESS_DIR)
    return Path(name) if name else None


def _forget_dead_workers() -> None:
    """A worker that was killed leaves its gauges behind; whoever replaces it takes them out of the sums."""
    directory = _directory()
    for file in directory.glob("gauge_live*.db") if directory else ():
        if (match := _GAUGE_FILE.fullmatch(file.name)) and not _is_alive(int(match[1])):
            mark_process_dead(int(match[1]))


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
