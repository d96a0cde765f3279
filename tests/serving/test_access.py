"""Keys of a workspace: made once, checked at every request, of no use after their end."""

from collections.abc import Callable
from datetime import timedelta
from typing import Annotated

import pytest
from fastapi import APIRouter, Depends
from loop import Api, Clock

from nlp.errors import InputError
from serving.access import Caller, allowed, make_key
from serving.parts import Parts

router = APIRouter()


@router.get("/v1/who")
def who(caller: Annotated[Caller, Depends(allowed("read"))]) -> dict[str, str]:
    return {"workspace": caller.workspace, "actor": caller.actor}


def test_a_key_tells_the_workspace(api: Callable[..., Api]) -> None:
    asked = api(router)
    assert asked.client("acme").get("/v1/who").json() == {"workspace": "acme", "actor": "key:test-acme"}
    assert asked.client("other").get("/v1/who").json()["workspace"] == "other"


def test_without_a_key_with_a_wrong_one_or_without_the_scope(api: Callable[..., Api]) -> None:
    client = api(router).client(scopes=["ingest"])
    assert (client.get("/v1/who").status_code, client.get("/v1/who").json()["code"]) == (403, "forbidden")
    key = client.headers.pop("Authorization")
    answers = [client.get("/v1/who", headers={"Authorization": said}) for said in ("", f"{key}x", "Bearer holos_1_2")]
    assert [answer.json()["code"] for answer in answers] == ["unauthenticated"] * 3
    assert {answer.headers["www-authenticate"] for answer in answers} == {"Bearer"}


def test_an_expired_key_opens_nothing(parts: Parts, api: Callable[..., Api], clock: Clock) -> None:
    with parts.database.write() as connection:
        end = clock() + timedelta(hours=1)
        key = make_key(connection, "acme", "short", ["read"], clock(), end).key
    client = api(router).client()
    client.headers["Authorization"] = f"Bearer {key}"
    assert client.get("/v1/who").status_code == 200
    clock.forward(hours=1)
    assert client.get("/v1/who").status_code == 401


@pytest.mark.parametrize("scopes", [[], ["read", "write"]])
def test_scopes_are_a_closed_set(parts: Parts, scopes: list[str]) -> None:
    with parts.database.write() as connection, pytest.raises(InputError, match="give some of ingest, read, act, admin"):
        make_key(connection, "acme", "odd", scopes, parts.clock())
