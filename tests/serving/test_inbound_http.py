"""`POST /v1/inbound/{connector}` on real databases: from a signed body to stored responses."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from inbound_samples import (
    BODIES,
    KINDS,
    MORE,
    SETTINGS,
    WORDS,
    encode,
    formbricks,
    limesurvey,
    monkey_details,
    monkey_event,
    qualtrics_answer,
    qualtrics_form,
    secret_of,
    sign,
    typeform,
)
from loop import Api, Clock
from sqlalchemy import select
from starlette.testclient import TestClient

from serving.batcher import Overloaded
from serving.engine import NotReady
from serving.inbound.fetching import Apis, apis
from serving.inbound.models import MAX_BODY
from serving.inbound.routes import router
from serving.parts import Parts
from serving.store import tables
from serving.store.loop_tables import audit, connectors

Json = dict[str, Any]
FORM = {"content-type": "application/x-www-form-urlencoded"}


@dataclass(slots=True)
class Tool:
    """A survey tool with a connector: sends webhooks, and looks at what was stored."""

    parts: Parts
    client: TestClient
    kind: str
    id: str
    clock: Clock

    def send(self, payload: Any, headers: dict[str, str] | None = None) -> Any:
        body = payload if isinstance(payload, bytes) else encode(payload)
        signed = sign(self.kind, body, self.clock()) if headers is None else headers
        return self.client.post(f"/v1/inbound/{self.id}", content=body, headers={"authorization": "", **signed})

    def stored(self, workspace: str = "acme") -> list[Any]:
        with self.parts.database.read() as connection:
            query = select(tables.responses).where(tables.responses.c.workspace == workspace)
            return list(connection.execute(query.order_by(tables.responses.c.id)).mappings())

    def refusal(self) -> str | None:
        with self.parts.database.read() as connection:
            return connection.execute(select(connectors.c.refusal).where(connectors.c.id == self.id)).scalar_one()


@pytest.fixture
def tool(api: Callable[..., Api], parts: Parts, clock: Clock) -> Callable[..., Tool]:
    made = api(router)

    def make(kind: str, at: Apis | None = None, **settings: Any) -> Tool:
        if at is not None:
            made.app.dependency_overrides[apis] = lambda: at
        client = made.client()
        body = {"kind": kind, "secret": secret_of(kind), "settings": {**SETTINGS[kind], **settings}}
        answer = client.post("/v1/connectors", json=body)
        assert answer.status_code == 201, answer.text
        return Tool(parts, client, kind, answer.json()["id"], clock)

    return make


def counts(answer: Any) -> tuple[int, int, int, int]:
    assert answer.status_code == 200, answer.text
    found = answer.json()
    return found["created"], found["updated"], found["duplicate"], found["ignored"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_signed_body_is_stored_once_however_often_it_is_delivered(tool: Callable[..., Tool], kind: str) -> None:
    sender = tool(kind)
    assert counts(sender.send(BODIES[kind])) == (1, 0, 0, 0)
    assert counts(sender.send(BODIES[kind])) == (0, 0, 1, 0)
    (row,) = sender.stored()
    assert (row["text"], row["score"], row["source"]) == (WORDS, 2.0, kind)
    assert sender.refusal() is None
    with sender.parts.database.read() as connection:
        by = connection.execute(select(audit.c.by).where(audit.c.action == "response.take")).scalars().all()
    assert set(by) == {f"connector:{sender.id}"}


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_is_not_signed_is_refused(tool: Callable[..., Tool], kind: str) -> None:
    sender = tool(kind)
    forged = {**limesurvey(), "api_token": "guessed-token"} if kind == "limesurvey" else BODIES[kind]
    body = encode(forged)
    other = "whsec_" + "QUJD" * 8 if kind == "formbricks" else "another-secret"
    for headers in ({}, sign(kind, body, sender.clock(), other)):
        answer = sender.send(body, headers)
        assert (answer.status_code, answer.json()["code"]) == (401, "bad_signature")
    if kind not in ("qualtrics", "limesurvey"):
        tampered = body.replace(WORDS.encode(), MORE.encode())
        assert sender.send(tampered, sign(kind, body, sender.clock())).status_code == 401
    assert sender.stored() == []


def test_an_unknown_or_disabled_connector_is_not_found(tool: Callable[..., Tool]) -> None:
    sender = tool("typeform")
    for id in ("0" * 32, "nothing", "%00", sender.id.upper() + "x"):
        answer = replace(sender, id=id).send(typeform())
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert sender.client.patch(f"/v1/connectors/{sender.id}", json={"enabled": False}).status_code == 200
    assert sender.send(typeform()).status_code == 404
    assert sender.client.head(f"/v1/inbound/{sender.id}").status_code == 404
    assert sender.client.patch(f"/v1/connectors/{sender.id}", json={"enabled": True}).status_code == 200
    assert counts(sender.send(typeform())) == (1, 0, 0, 0)


@pytest.mark.parametrize("method", ["head", "get"])
def test_a_subscription_is_validated_without_a_signature(tool: Callable[..., Tool], method: str) -> None:
    sender = tool("surveymonkey")
    sender.client.headers.pop("Authorization")
    assert getattr(sender.client, method)(f"/v1/inbound/{sender.id}").status_code == 200
    assert getattr(sender.client, method)("/v1/inbound/nothing").status_code == 404


def test_the_test_of_an_address_by_formbricks(tool: Callable[..., Tool]) -> None:
    sender = tool("formbricks")
    assert counts(sender.send({"event": "testEndpoint"}, {})) == (0, 0, 0, 1)
    assert sender.send({"event": "testEndpoint", "data": {}}, {}).status_code == 401


def test_several_open_questions_are_several_responses(tool: Callable[..., Tool]) -> None:
    sender = tool("typeform", fields={"respondent.id": "user_id"})
    assert counts(sender.send(typeform(more=MORE))) == (2, 0, 0, 0)
    assert [(row["text"], row["score"], row["respondent"]) for row in sender.stored()] == [
        (MORE, 2.0, "u-17"),
        (WORDS, 2.0, "u-17"),
    ]


def test_an_update_of_a_submission_keeps_one_response(tool: Callable[..., Tool]) -> None:
    sender = tool("formbricks", partial=True)
    assert counts(sender.send(formbricks("responseCreated", False, {"q1": 2}))) == (1, 0, 0, 0)
    assert counts(sender.send(formbricks("responseUpdated", False, {"q1": 2, "q2": "late"}))) == (0, 1, 0, 0)
    assert counts(sender.send(formbricks("responseFinished", True, {"q1": 2, "q2": WORDS}))) == (0, 1, 0, 0)
    (row,) = sender.stored()
    assert (row["text"], row["revision"]) == (WORDS, 3)


def test_a_replayed_webhook_of_formbricks_expires(tool: Callable[..., Tool]) -> None:
    sender = tool("formbricks")
    body = encode(formbricks())
    headers = sign("formbricks", body, sender.clock())
    sender.clock.forward(minutes=6)
    assert sender.send(body, headers).status_code == 401


def test_the_workspace_is_the_connectors(tool: Callable[..., Tool]) -> None:
    sender = tool("typeform")
    sender.send(typeform())
    assert len(sender.stored("acme")) == 1
    assert sender.stored("other") == []


MALFORMED = [b"", b"{", b"\xff\xfe", b'{"a": NaN}', b"[" * 100_000, b"1" * 5000, b'"words"', b"null"]


@pytest.mark.parametrize("body", MALFORMED)
def test_a_signed_body_that_is_no_payload_is_refused(tool: Callable[..., Tool], body: bytes) -> None:
    sender = tool("typeform")
    answer = sender.send(body)
    assert answer.status_code in (400, 422)
    assert answer.json()["code"] in ("bad_json", "validation_failed")
    assert sender.refusal()


def test_a_huge_body_is_refused_before_it_is_read(tool: Callable[..., Tool]) -> None:
    sender = tool("typeform")
    answer = sender.send(b" " * (MAX_BODY + 1))
    assert (answer.status_code, answer.json()["code"]) == (413, "payload_too_large")


def test_what_cannot_be_mapped_is_told_to_the_admin_without_words(
    tool: Callable[..., Tool], caplog: pytest.LogCaptureFixture
) -> None:
    sender = tool("typeform", score={"ref": "why_ref", "metric": "nps"})
    answer = sender.send(typeform())
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")
    assert "the answer to why_ref is no score of nps; give settings.score.choices" in answer.json()["detail"]
    assert sender.refusal() == "unreadable: the answer to why_ref is no score of nps; give settings.score.choices"
    shown = sender.client.get(f"/v1/connectors/{sender.id}").json()
    assert (shown["refusal"], shown["refused_at"]) == (sender.refusal(), "2026-11-02T09:00:00Z")
    assert WORDS not in caplog.text + answer.text
    assert sender.stored() == []


def test_one_bad_answer_does_not_keep_its_neighbours_out(tool: Callable[..., Tool]) -> None:
    sender = tool("generic")
    good = {"key": "k1", "comment": WORDS, "stars": 2}
    far = {"key": "k2", "comment": WORDS, "stars": 9}
    dated = {"key": "k3", "comment": WORDS, "at": "yesterday"}
    answer = sender.send({"answers": [good, far, dated]})
    assert counts(answer) == (1, 0, 0, 0)
    assert [(one["id"], one["code"]) for one in answer.json()["refused"]] == [
        (None, "unreadable"),
        ("k2", "invalid_score"),
    ]
    assert sender.send({"answers": [far]}).status_code == 422


@pytest.mark.parametrize(
    ("trouble", "code"), [(NotReady(), "not_ready"), (Overloaded(7), "overloaded")], ids=["starting", "full"]
)
def test_a_server_that_cannot_read_now_asks_for_another_delivery(
    tool: Callable[..., Tool], trouble: Exception, code: str
) -> None:
    sender = tool("typeform")

    async def troubled(_: Sequence[Any]) -> list[Any]:
        raise trouble

    _with(sender, troubled)
    answer = sender.send(typeform())
    assert (answer.status_code, answer.json()["code"]) == (503, code)
    assert int(answer.headers["retry-after"]) > 0
    assert sender.stored() == []
    _with(sender, sender.parts.analyse)
    assert counts(sender.send(typeform())) == (1, 0, 0, 0)


def _with(sender: Tool, analyse: Callable[..., Awaitable[Any]]) -> None:
    sender.client.app.state.parts = replace(sender.parts, analyse=analyse)  # type: ignore[attr-defined]


@dataclass(slots=True)
class Vendor:
    """A local server that answers as the APIs of the survey tools do."""

    answers: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    asked: list[tuple[str, str | None, str | None]] = field(default_factory=list)
    port: int = 0

    @property
    def apis(self) -> Apis:
        base = f"http://127.0.0.1:{self.port}"
        return Apis(surveymonkey=dict.fromkeys(("us", "eu", "ca"), base), qualtrics=base + "/{datacenter}")


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    found = Vendor()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.asked.append((self.path, self.headers.get("Authorization"), self.headers.get("X-API-TOKEN")))
            status, body = found.answers.get(self.path, (404, b"{}"))
            self.send_response(status)
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.port = server.server_address[1]
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield found
    server.shutdown()
    thread.join()
    server.server_close()


DETAILS = "/v3/surveys/123456789/responses/987654321/details?simple=true"
RESPONSE = "/fra1/API/v3/surveys/SV_cVn9uBwheR9hz01/responses/R_suq806jn8LGzhx7"


def test_the_answers_behind_an_event_of_surveymonkey(tool: Callable[..., Tool], vendor: Vendor) -> None:
    vendor.answers[DETAILS] = 200, encode(monkey_details())
    sender = tool("surveymonkey", vendor.apis, api={"token": "monkey-token", "region": "eu"})
    assert counts(sender.send(monkey_event())) == (1, 0, 0, 0)
    assert vendor.asked == [(DETAILS, "Bearer monkey-token", None)]
    vendor.answers[DETAILS] = 200, encode(monkey_details(text=MORE))
    assert counts(sender.send(monkey_event("response_updated"))) == (0, 1, 0, 0)
    assert [row["text"] for row in sender.stored()] == [MORE]
    assert counts(sender.send(monkey_event("response_deleted"))) == (0, 0, 0, 1)
    assert len(vendor.asked) == 2


def test_the_answers_behind_an_event_of_qualtrics(tool: Callable[..., Tool], vendor: Vendor) -> None:
    vendor.answers[RESPONSE] = 200, encode(qualtrics_answer())
    sender = tool("qualtrics", vendor.apis, api={"token": "qualtrics-token", "datacenter": "fra1"})
    assert counts(sender.send(qualtrics_form(), FORM)) == (1, 0, 0, 0)
    assert vendor.asked == [(RESPONSE, None, "qualtrics-token")]
    (row,) = sender.stored()
    assert (row["survey"], row["text"], row["respondent"]) == ("SV_cVn9uBwheR9hz01", WORDS, "u-17")
    assert counts(sender.send(qualtrics_form(kind="activateSurvey"), FORM)) == (0, 0, 0, 1)
    odd = qualtrics_form(message={"SurveyID": "SV_1/../../x", "ResponseID": "R_1"})
    assert sender.send(odd, FORM).status_code == 422
    assert "encrypt set to false" in sender.send(qualtrics_form(message="c2VjcmV0"), FORM).json()["detail"]
    assert len(vendor.asked) == 1


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        ((404, b"{}"), 422),
        ((401, b"{}"), 503),
        ((429, b"{}"), 503),
        ((500, b"{}"), 503),
        ((302, b""), 503),
        ((200, b"<html>"), 503),
        ((200, b"[]"), 503),
        ((200, b" " * (5 * 1024 * 1024)), 422),
    ],
)
def test_an_api_in_trouble(tool: Callable[..., Tool], vendor: Vendor, answer: tuple[int, bytes], status: int) -> None:
    vendor.answers[DETAILS] = answer
    sender = tool("surveymonkey", vendor.apis, api={"token": "monkey-token"})
    found = sender.send(monkey_event())
    assert found.status_code == status
    assert "retry-after" in found.headers or status == 422
    assert "SurveyMonkey" in (sender.refusal() or "")
    assert "monkey-token" not in found.text + (sender.refusal() or "")


def test_an_api_that_is_not_there(tool: Callable[..., Tool], vendor: Vendor) -> None:
    gone = Apis(surveymonkey={"us": "http://127.0.0.1:1"})
    sender = tool("surveymonkey", gone, api={"token": "monkey-token"})
    assert sender.send(monkey_event()).status_code == 503


def test_an_event_without_a_token_for_its_answers(tool: Callable[..., Tool]) -> None:
    answer = tool("surveymonkey").send(monkey_event())
    assert (answer.status_code, "give settings.api.token" in answer.json()["detail"]) == (422, True)


def test_nothing_but_the_signature_opens_the_door(tool: Callable[..., Tool]) -> None:
    sender = tool("typeform")
    key = sender.client.headers["Authorization"]
    assert sender.send(typeform(), {"authorization": key}).status_code == 401
