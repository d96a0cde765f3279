"""What the routes of responses and imports share: who asks, and what stands in the way of the model."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

from fastapi import Depends, Path, Query

from serving.access import Caller, allowed
from serving.batcher import Closed, Overloaded
from serving.engine import NotReady
from serving.ingest.models import NO_NUL
from serving.problems import Code, problem
from serving.store.columns import NAME

Sender = Annotated[Caller, Depends(allowed("ingest"))]
Reader = Annotated[Caller, Depends(allowed("read"))]
Actor = Annotated[Caller, Depends(allowed("act"))]
Uid = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$", description="ours, as `uid` gives it")]
Asked = Annotated[str | None, Query(min_length=1, max_length=NAME, pattern=NO_NUL)]


@contextmanager
def model_at_work() -> Iterator[None]:
    """Turns what the engine raises into problems that say when to come back."""
    try:
        yield
    except NotReady:
        raise problem(Code.NOT_READY, "the model is not loaded yet; try again shortly", Retry_After="1") from None
    except Closed:
        raise problem(Code.NOT_READY, "the server is stopping; try another", Retry_After="1") from None
    except Overloaded as error:
        wait = str(error.retry_after)
        raise problem(Code.OVERLOADED, f"too many texts wait; try again in {wait} s", Retry_After=wait) from None
