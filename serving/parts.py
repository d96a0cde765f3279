"""What the routes and the background work stand on, put together once for a process."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Protocol

import numpy as np
from fastapi import Depends, Request

from nlp.pipeline import Analysis
from nlp.policy import Policy
from nlp.taxonomy import Taxonomy
from nlp.types import Response
from serving import shipped
from serving.problems import Code, problem
from serving.settings import Settings
from serving.store.database import Database

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    return datetime.now(UTC)


class IssueVectors(Protocol):
    """What turns texts into the vectors by which issues are found, whatever model reads them otherwise."""

    @property
    def version(self) -> str:
        """Vectors of two versions never mix."""
        ...

    def vectors(self, texts: Sequence[str]) -> np.ndarray:
        """float32 (n, d), one for each text in order; zeros for a text without words."""
        ...


@dataclass(frozen=True, slots=True)
class Parts:
    """One process's database, clock, settings and reader of verbatims."""

    database: Database
    settings: Settings
    analyse: Callable[[Sequence[Response]], Awaitable[list[Analysis]]]
    """In order, one for each; raises what `serving.engine.Engine` raises while it is not ready or overloaded."""
    priority: Policy
    clock: Clock = utc_now
    redact: Callable[[str], str] = shipped.redact
    """What is kept of a question, an attribute or a note beside the verbatim, which the pipeline redacts itself."""
    taxonomy: Callable[[], Taxonomy] = shipped.taxonomy
    """The code frame in use now."""
    encoder: Callable[[str], str] = str
    """The encoder behind a model version; as long as nobody says, each model's vectors stay by themselves."""
    issue_vectors: IssueVectors = field(kw_only=True)


def parts_of(request: Request) -> Parts:
    """The parts behind a request; a 503 until the server has them."""
    found = getattr(request.app.state, "parts", None)
    if found is None:
        raise problem(Code.NOT_READY, "the server is starting; try again shortly", Retry_After="1")
    return found


Given = Annotated[Parts, Depends(parts_of)]
"""As a route's parameter: `parts: Given`."""
