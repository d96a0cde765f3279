"""Versions that callers have seen: `ETag` of what they read, `If-Match` of what they change."""

import re
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Header

from serving.problems import Code, problem

_ETAG = re.compile(r'"(\d{1,9})"', re.ASCII)
ANY = "*"
HEADERS: dict[str, Any] = {"ETag": {"description": "the version, for If-Match", "schema": {"type": "string"}}}


def etag(version: int) -> str:
    return f'"{version}"'


def if_match(what: str) -> dict[str, Any]:
    """The header in the document, required there: where it is missing the answer is a 428, not FastAPI's 422."""
    return {
        "name": "If-Match",
        "in": "header",
        "required": True,
        "description": f"the ETag of the {what} as you know it; * for any",
        "schema": {"type": "string", "pattern": r'^(\*|"[0-9]{1,9}")$'},
    }


def seen_version(what: str) -> Callable[..., int | None]:
    """A dependency that gives the version a caller saw, None for any (`*`).

    A 428 without the header, a 412 for what was never an ETag.
    """

    def check(given: Annotated[str | None, Header(alias="If-Match", include_in_schema=False)] = None) -> int | None:
        if given is None:
            raise problem(Code.VERSION_REQUIRED, f"send If-Match with the ETag of the {what} as you know it")
        if given.strip() == ANY:
            return None
        found = _ETAG.fullmatch(given.strip())
        if found is None:
            detail = f"If-Match is no ETag of the {what}; read the {what} and send its ETag"
            raise problem(Code.VERSION_CHANGED, detail)
        return int(found[1])

    return check
