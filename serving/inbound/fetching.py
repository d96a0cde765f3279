"""Answers behind an event that carries ids alone: asked for at the vendor's own address, nowhere else."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

import httpx
from fastapi import Depends

from serving.inbound import qualtrics, surveymonkey
from serving.inbound.settings import Qualtrics, Settings, SurveyMonkey
from serving.inbound.submission import Unreadable

SECONDS = 10.0
"""A survey tool gives up on a webhook after 10 to 30 seconds; its own API answers in one."""
MOST_BYTES = 4 * 1024 * 1024
GONE = frozenset({404, 410})


class Unanswered(Exception):  # noqa: N818 - the vendor's trouble, worth another delivery
    """The vendor's API gave no answer that can be used; the same event may succeed later."""


@dataclass(frozen=True, slots=True)
class Apis:
    """Addresses of the vendors' APIs: no setting of a connector names a host, so none can point inside."""

    surveymonkey: Mapping[str, str] = field(
        default_factory=lambda: {
            "us": "https://api.surveymonkey.com",
            "eu": "https://api.eu.surveymonkey.com",
            "ca": "https://api.surveymonkey.ca",
        }
    )
    qualtrics: str = "https://{datacenter}.qualtrics.com"


def apis() -> Apis:
    return Apis()


GivenApis = Annotated[Apis, Depends(apis)]


async def complete(payload: Any, settings: Settings, apis: Apis) -> Any:
    """The payload with its answers; raises Unreadable where they cannot be asked for, Unanswered for another try."""
    if isinstance(settings, SurveyMonkey) and (found := surveymonkey.wanted(payload)):
        if settings.api is None:
            raise Unreadable("the event carries ids only; give settings.api.token to read the answers")
        base = apis.surveymonkey[settings.api.region]
        path = f"/v3/surveys/{_digits(found.survey)}/responses/{_digits(found.response)}/details?simple=true"
        return await _get(base + path, {"Authorization": f"Bearer {settings.api.token}"}, "SurveyMonkey")
    if isinstance(settings, Qualtrics) and (asked := qualtrics.wanted(payload)):
        if settings.api is None:
            raise Unreadable("the event carries ids only; give settings.api.token and datacenter to read the answers")
        base = apis.qualtrics.format(datacenter=settings.api.datacenter)
        path = f"/API/v3/surveys/{asked.survey}/responses/{asked.response}"
        answer = await _get(base + path, {"X-API-TOKEN": settings.api.token}, "Qualtrics")
        return {**answer, "SurveyID": asked.survey}
    return payload


def _digits(name: str) -> str:
    if not (name.isascii() and name.isdecimal()):
        raise Unreadable("ids of surveys and responses should be digits")
    return name


async def _get(url: str, headers: Mapping[str, str], vendor: str) -> dict[str, Any]:
    try:
        async with (
            httpx.AsyncClient(timeout=SECONDS, follow_redirects=False, trust_env=False) as client,
            client.stream("GET", url, headers={**headers, "Accept": "application/json"}) as answer,
        ):
            _check_status(answer.status_code, vendor)
            found = json.loads(await _body(answer, vendor))
    except (httpx.HTTPError, ValueError, RecursionError) as error:
        if isinstance(error, Unreadable):
            raise
        raise Unanswered(f"{vendor}'s API did not answer ({type(error).__name__})") from None
    if not isinstance(found, dict):
        raise Unanswered(f"{vendor}'s API answered something else than an object")
    return found


def _check_status(status: int, vendor: str) -> None:
    if status in GONE:
        raise Unreadable(f"{vendor} has no such response any more")
    if status in (401, 403):
        raise Unanswered(f"{vendor}'s API refused the token ({status}); set settings.api.token anew")
    if status != 200:
        raise Unanswered(f"{vendor}'s API answered {status}")


async def _body(answer: httpx.Response, vendor: str) -> bytes:
    found = bytearray()
    async for chunk in answer.aiter_bytes():
        found += chunk
        if len(found) > MOST_BYTES:
            raise Unreadable(f"{vendor}'s answer is larger than {MOST_BYTES} bytes")
    return bytes(found)
