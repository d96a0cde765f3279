"""The real service over a classifier that finds themes and calls for cases; `python durable_service.py` forks it.

A server of its own takes many seconds to import and start. This process imports once and forks workers on command,
each of them the whole service with its lifespan and background work, so that a test can kill one again and again.
Commands on standard input, one a line, each answered by a line: `open PORT`, `fork` (a pid), `reap PID`, `close`.
"""

import os
import socket
import sys
import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import fakes
import numpy as np
from issue_points import ProblemVectors

with warnings.catch_warnings():
    # bentoml's own imports warn of what its libraries deprecate
    warnings.simplefilter("ignore")
    from serving import service

from nlp.pipeline import Analysis
from nlp.types import Ranking, Response, Sentiment, Span, ThemeTag
from serving.settings import Settings

BACKLOG = 128
LATE = "late"
"""The word that a complaint about delivery has; with a score of 3 or less it calls for a case."""


class LateClassifier(fakes.FakeClassifier):
    """Finds late deliveries, and gives each text a vector that follows from it."""

    def analyse(self, responses: Sequence[Response]) -> list[Analysis]:
        found = zip(responses, self.classify(responses), strict=True)
        return [_analysis(response, answer) for response, answer in found]


def _analysis(response: Response, answer: Any) -> Analysis:
    vector = np.random.default_rng(len(response.text)).normal(size=8).astype(np.float32)
    if LATE not in response.text:
        return Analysis(answer, None, vector)
    mood, span = Sentiment("negative", 0.9, -0.8), (Span(0, len(answer.text)),)
    tag = ThemeTag("delivery.time", "Delivery time", 0.9, 0.4, Sentiment("negative", 0.9), span)
    urgent = response.score is not None and response.score <= 3
    ranking = Ranking("detractor", 1, "low and late") if urgent else Ranking(None, None, "no rule")
    return Analysis(replace(answer, themes=(tag,), sentiment=mood, ranking=ranking), None, vector)


def load(settings: Settings) -> LateClassifier:
    return LateClassifier()


service.load = load
service.issue_vectors = lambda settings: ProblemVectors()
Holos = service.Holos


def _serve(listening: socket.socket) -> None:
    import uvicorn

    config = uvicorn.Config(Holos.to_asgi(), log_config=None, timeout_graceful_shutdown=20)
    uvicorn.Server(config).run(sockets=[listening])


def _listen(port: int) -> socket.socket:
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(("127.0.0.1", port))
    listening.listen(BACKLOG)
    return listening


def _fork(listening: socket.socket) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        os.close(0)  # the commands are the parent's
        _serve(listening)
        code = 0
    finally:
        os._exit(code)


def main() -> None:
    listening: socket.socket | None = None
    for line in sys.stdin:
        match line.split():
            case ["open", port]:
                listening, answer = _listen(int(port)), "open"
            case ["fork"]:
                assert listening is not None
                answer = str(_fork(listening))
            case ["reap", pid]:
                answer = str(os.waitstatus_to_exitcode(os.waitpid(int(pid), 0)[1]))
            case _:
                assert listening is not None
                listening.close()
                answer = "closed"
        print(answer, flush=True)


if __name__ == "__main__":
    main()
