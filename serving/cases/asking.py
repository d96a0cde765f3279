"""What every request about cases has in common: who asks, which version was seen, and what goes wrong."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Path, Response
from sqlalchemy import RowMapping

from nlp.errors import InputError
from serving import etags
from serving.access import Caller, allowed
from serving.cases.policy import load_case_policy
from serving.cases.rows import UnknownCaseError, VersionChangedError
from serving.cases.schemas import CaseOut, Uid
from serving.cases.showing import shown
from serving.cases.state import NoContactError, WrongStateError
from serving.cases.work import Work
from serving.parts import Given, Parts
from serving.problems import Code, problem

Reader = Annotated[Caller, Depends(allowed("read"))]
Actor = Annotated[Caller, Depends(allowed("act"))]
CaseId = Annotated[Uid, Path(description="id of a case")]

CODES: tuple[tuple[type[InputError], Code], ...] = (
    (UnknownCaseError, Code.NOT_FOUND),
    (VersionChangedError, Code.VERSION_CHANGED),
    (WrongStateError, Code.WRONG_STATE),
    (NoContactError, Code.WRONG_STATE),
    (InputError, Code.VALIDATION_FAILED),
)
"""The first that fits."""
Seen = Annotated[int | None, Depends(etags.seen_version("case"))]


@contextmanager
def working(parts: Parts, caller: Caller, change: bool = True) -> Iterator[Work]:
    """A transaction in which the caller works on cases, or only looks at them where `change` is false.

    What goes wrong in it becomes a problem and changes nothing.
    """
    policy = load_case_policy(parts.settings.data_dir)
    try:
        with parts.database.write() if change else parts.database.read() as connection:
            yield Work(connection, caller.workspace, policy, parts.clock(), caller.actor)
    except InputError as error:
        code = next(code for kind, code in CODES if isinstance(error, kind))
        raise problem(code, str(error)) from None


@dataclass(frozen=True, slots=True)
class Step:
    """A step that a request asks for."""

    parts: Parts
    caller: Caller
    id: str
    seen: int | None
    answer: Response

    def take(self, action: Callable[..., RowMapping], *given: Any) -> CaseOut:
        """Does it, and answers the case as it is then."""
        with working(self.parts, self.caller) as work:
            return shown(work, action(work, self.id, self.seen, *given), self.answer)


def asked(parts: Given, caller: Actor, id: CaseId, answer: Response, seen: Seen) -> Step:
    return Step(parts, caller, id, seen, answer)


Asked = Annotated[Step, Depends(asked)]
