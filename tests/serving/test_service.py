"""The BentoML service in this process, over the small classifier: the contract of `POST /v1/classify`, the probes."""

import inspect
import json
import time
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from fake_service import Holos, service
from fakes import VERSIONS, FakeClassifier, answer
from starlette.testclient import TestClient

from nlp.errors import ModelError
from nlp.types import Classification, Failure, Response
from serving.batcher import Batcher, Overloaded
from serving.engine import GOLDEN, Engine, prove
from serving.problems import MEDIA_TYPE, STATUS, Code

MARKER = "Kurier zgubił moją paczkę 600123456"
URL = "/v1/classify"
NEAR = ("127.0.0.1", 50_000)  # who asks from this very computer needs no key to classify


@pytest.fixture(scope="module", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENTOML_HOME", str(tmp_path_factory.mktemp("bentoml")))
        yield


def wait_ready(client: TestClient, seconds: float = 5) -> None:
    deadline = time.monotonic() + seconds
    while client.get("/readyz").status_code != 200:
        assert time.monotonic() < deadline, "not ready in time"
        time.sleep(0.01)


@pytest.fixture(scope="module")
def client(home: None) -> Iterator[TestClient]:
    with TestClient(Holos.to_asgi(), client=NEAR) as client:
        wait_ready(client)
        yield client


def check_problem(found: Any, code: Code) -> dict[str, Any]:
    assert found.status_code == STATUS[code]
    assert found.headers["content-type"] == MEDIA_TYPE
    body: dict[str, Any] = found.json()
    assert (body["code"], body["status"]) == (code, STATUS[code])
    assert body["request_id"] == found.headers["x-request-id"]
    assert "Traceback" not in found.text
    return body


# answers


def test_items_are_answered_in_order_with_the_contracts_object(client: TestClient) -> None:
    items = [{"id": f"r-{number}", "text": "a" * number} for number in range(40)]
    found = client.post(URL, json={"items": items})
    assert found.status_code == 200 and found.headers["content-type"] == "application/json"
    assert found.json() == {"items": [answer(Response(item["id"], item["text"])).to_dict() for item in items]}


def test_a_thousand_items_in_one_request(client: TestClient) -> None:
    items = [{"id": str(number), "text": "x" * (number % 90)} for number in range(1000)]
    found = client.post(URL, json={"items": items}).json()["items"]
    assert [item["id"] for item in found] == [item["id"] for item in items]
    assert [len(item["text"]) for item in found] == [len(item["text"]) for item in items]


def test_an_empty_list_is_answered_with_an_empty_list(client: TestClient) -> None:
    assert client.post(URL, json={"items": []}).json() == {"items": []}


def test_an_absent_id_is_made_and_the_same_each_time(client: TestClient) -> None:
    item = {"text": "hello", "answered_at": "2026-11-02T09:30:00+01:00"}
    first, second = client.post(URL, json={"items": [item, item]}).json()["items"]
    assert first["id"] == second["id"] and len(first["id"]) == 32


@pytest.mark.parametrize(
    ("item", "code"),
    [
        ({"text": "x" * 10_001}, "text_too_long"),
        ({"text": "broken \ud800 text"}, "invalid_text"),
        ({"text": "fine", "metric": "nps", "score": 11}, "invalid_score"),
        ({"text": "fine", "metric": "rating", "score": 3}, "scale_missing"),
        ({"text": "explode"}, "internal_error"),
    ],
)
def test_a_content_error_is_the_items_own_and_its_neighbours_are_classified(
    client: TestClient, item: dict[str, Any], code: str
) -> None:
    body = json.dumps({"items": [{"id": "a", "text": "one"}, {"id": "bad", **item}, {"id": "c", "text": "three"}]})
    found = client.post(URL, content=body, headers={"Content-Type": "application/json"})
    assert found.status_code == 200
    before, bad, after = found.json()["items"]
    assert bad["id"] == "bad" and bad["status"] == "error" and bad["error"]["code"] == code
    assert bad["versions"]["model"] == VERSIONS.model
    assert (before["text"], after["text"]) == ("ONE", "THREE")


def test_an_overflowing_number_is_the_items_own_error(client: TestClient) -> None:
    found = client.post(URL, content=b'{"items":[{"text":"a","score":1e999},{"text":"b"}]}').json()["items"]
    assert [item["status"] for item in found] == ["error", "ok"]


@pytest.mark.parametrize("body", [b'{"items":[{"text":"a","text":"bb"}]}', b'\xef\xbb\xbf{"items":[{"text":"bb"}]}'])
def test_duplicate_keys_and_a_byte_order_mark_do_no_harm(client: TestClient, body: bytes) -> None:
    assert client.post(URL, content=body).json()["items"][0]["text"] == "BB"


# refusals

DEEP = b'{"items":' + b"[" * 100_000 + b"]" * 100_000 + b"}"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"not json",
        b'{"items":[{"text":"a","score":NaN}]}',
        b'{"items":[{"text":"a","score":-Infinity}]}',
        b'{"items":[{"text":"a","score":' + b"1" * 5000 + b"}]}",
        b'{"items":[{"text":"\xff"}]}',
        b'{"items":[{"text":"\xed\xa0\x80"}]}',
        '{"items":[]}'.encode("utf-16"),
        DEEP,
    ],
)
def test_what_is_not_json_is_bad_json(client: TestClient, body: bytes) -> None:
    check_problem(client.post(URL, content=body, headers={"Content-Type": "application/json"}), Code.BAD_JSON)


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ({"items": [{"text": "a"}] * 3 + [{"text": "a", "scor": 1}]}, "items[3].scor"),
        ({"items": [{"text": 5}]}, "items[0].text"),
        ({"items": [{"id": "x"}]}, "items[0].text"),
        ({"items": [{"text": "a", "metric": "stars"}]}, "items[0].metric"),
        ({"items": [{"text": "a", "scale": {"min": 5, "max": 1}}]}, "items[0].scale"),
        ({"items": [{"text": "a", "answered_at": "yesterday"}]}, "items[0].answered_at"),
        ({"items": [None]}, "items[0]"),
        ({"items": {"0": {"text": "a"}}}, "items"),
        ({"item": []}, "items"),
        ({"items": [], "body": {}}, "body"),
        ({}, "items"),
        ([{"text": "a"}], "body"),
        ("text", "body"),
        (None, "body"),
    ],
)
def test_a_wrong_shape_is_refused_with_its_path(client: TestClient, body: Any, name: str) -> None:
    found = check_problem(client.post(URL, content=json.dumps(body)), Code.VALIDATION_FAILED)
    assert name in [param["name"] for param in found["invalid_params"]]
    assert all(param["reason"] for param in found["invalid_params"])


def test_one_item_too_many_is_refused(client: TestClient) -> None:
    found = check_problem(client.post(URL, json={"items": [{"text": "a"}] * 1001}), Code.TOO_MANY_ITEMS)
    assert found["invalid_params"] == [{"name": "items", "reason": "1001 items; 1000 at most"}]


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_above_four_mebibytes_is_refused(client: TestClient, chunked: bool) -> None:
    body = b'{"items":[{"text":"' + b"a" * (4 * 1024 * 1024) + b'"}]}'
    content: Any = iter([body[:3_000_000], body[3_000_000:]]) if chunked else body
    found = client.post(URL, content=content, headers={"Content-Type": "application/json"})
    check_problem(found, Code.PAYLOAD_TOO_LARGE)


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "text/plain"},
        {"Content-Type": "multipart/form-data; boundary=x"},
        {"Content-Type": "application/vnd.bentoml+pickle"},
        {"Content-Type": "application/vnd.bentoml+arrow"},
        {"Content-Type": "application/json; charset=windows-1250"},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
    ],
)
def test_another_media_type_is_refused(client: TestClient, headers: dict[str, str]) -> None:
    found = client.post(URL, content=b'{"items":[]}', headers=headers)
    check_problem(found, Code.UNSUPPORTED_MEDIA_TYPE)


@pytest.mark.parametrize("kind", [None, "application/json", "application/JSON; charset=UTF-8", "application/x+json"])
def test_json_by_any_of_its_names_is_read(client: TestClient, kind: str | None) -> None:
    headers = {"Content-Type": kind} if kind else {}
    assert client.post(URL, content=b'{"items":[]}', headers=headers).status_code == 200


@pytest.mark.parametrize(("path", "allowed"), [(URL, {"POST"}), ("/", {"GET", "HEAD"})])
def test_another_method_says_what_is_allowed(client: TestClient, path: str, allowed: set[str]) -> None:
    found = client.delete(path)
    check_problem(found, Code.METHOD_NOT_ALLOWED)
    assert set(found.headers["allow"].split(", ")) == allowed


def test_a_body_is_the_root_object_and_not_wrapped(client: TestClient) -> None:
    found = check_problem(client.post(URL, json={"body": {"items": []}}), Code.VALIDATION_FAILED)
    assert {param["name"] for param in found["invalid_params"]} == {"items", "body"}


# a sender's text stays out of the log


@pytest.mark.parametrize(
    "request_of",
    [
        lambda client: client.post(URL, json={"items": [{"text": MARKER, "scor": 1}]}),
        lambda client: client.post(URL, json={"items": [{"text": "a", "metric": MARKER, "score": MARKER}]}),
        lambda client: client.post(URL, json={"items": [{"text": MARKER}, {"text": "explode"}]}),
        lambda client: client.post(URL, content=MARKER.encode()),
        lambda client: client.post(URL, content=MARKER.encode(), headers={"Content-Type": "multipart/form-data"}),
        lambda client: client.post(f"{URL}?text={MARKER}", json={"items": [{"text": "a"}]}),
        lambda client: client.get(f"/{MARKER}"),
        lambda client: client.get("/nothing", headers={"X-Request-ID": MARKER.encode()}),
    ],
)
def test_no_text_of_a_sender_is_logged_or_counted(
    client: TestClient, capfd: pytest.CaptureFixture[str], request_of: Any
) -> None:
    service.logs.configure()
    request_of(client)
    logged = "".join(capfd.readouterr())
    assert '"event": "request"' in logged
    for told in (logged, client.get("/metrics").text):
        assert not any(word in told for word in ("zgubił", "600123456", "Kurier", "explode"))


# routes


@pytest.mark.parametrize("path", ["/static_content/index.css", "/static_content/", "/assets/", "/nothing"])
def test_pages_that_are_not_ours_are_not_served(client: TestClient, path: str) -> None:
    check_problem(client.get(path), Code.NOT_FOUND)


def test_the_front_page_loads_nothing_from_elsewhere(client: TestClient) -> None:
    found = client.get("/")
    assert found.status_code == 200 and "<h1>Holos</h1>" in found.text
    assert "googletagmanager" not in found.text and "src=" not in found.text and "http" not in found.text
    assert "default-src 'none'" in found.headers["content-security-policy"]


def test_a_crash_in_a_mounted_route_is_answered_at_once(client: TestClient) -> None:
    async def crash() -> None:
        raise RuntimeError(MARKER)

    routes = list(service.app.router.routes)
    service.app.add_api_route("/crash", crash)
    try:
        started = time.monotonic()
        check_problem(client.get("/crash"), Code.INTERNAL_ERROR)
        assert time.monotonic() - started < 2
    finally:
        service.app.router.routes[:] = routes


def test_metrics_tell_requests_items_batches_and_the_model(client: TestClient) -> None:
    client.post(URL, json={"items": [{"text": "a"}, {"text": "x" * 10_001}]})
    text = client.get("/metrics").text
    for line in (
        'holos_http_requests_total{method="POST",route="/v1/classify",status="200"}',
        'holos_http_request_seconds_bucket{le="0.1",route="/v1/classify"}',
        'holos_items_total{status="ok"}',
        'holos_items_total{status="error"}',
        'holos_batch_size_bucket{le="1.0"}',
        "holos_queue_depth 0.0",
        'holos_model_info{model="fake-1",policy="default-1",taxonomy="default-1"} 1.0',
    ):
        assert line in text


# readiness


def serving(monkeypatch: pytest.MonkeyPatch, classifier: Any) -> Any:
    def load(settings: Any) -> Any:
        if isinstance(classifier, Exception):
            raise classifier
        return classifier

    monkeypatch.setattr(service, "load", load)
    return TestClient(Holos.to_asgi(), client=NEAR)


class Slow(FakeClassifier):
    """Takes its time over every batch."""

    def __init__(self) -> None:
        super().__init__(0.3, 0)


def test_before_the_model_is_loaded_the_server_lives_and_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(monkeypatch, Slow()) as client:
        assert client.get("/livez").status_code == 200
        check_problem(client.get("/readyz"), Code.NOT_READY)
        found = client.post(URL, json={"items": [{"text": "a"}]})
        check_problem(found, Code.NOT_READY)
        assert found.headers["retry-after"] == "1"
        wait_ready(client)
        assert client.post(URL, json={"items": [{"text": "a"}]}).status_code == 200


class Failing(FakeClassifier):
    """Answers the golden sentences with an error."""

    def classify(self, given: Sequence[Response]) -> list[Classification]:
        return [Classification(one.id, "error", VERSIONS, error=Failure("internal_error", "no")) for one in given]


class Moody(FakeClassifier):
    """Answers differently in a batch."""

    def classify(self, given: Sequence[Response]) -> list[Classification]:
        return [answer(Response(one.id, one.text + "!" * (len(given) > 1))) for one in given]


class Short(FakeClassifier):
    """Loses an answer."""

    def classify(self, given: Sequence[Response]) -> list[Classification]:
        return super().classify(given)[:-1]


@pytest.mark.parametrize("classifier", [Failing(), Moody(), Short()], ids=["failing", "moody", "short"])
def test_a_model_that_fails_the_golden_sentences_is_not_served(
    monkeypatch: pytest.MonkeyPatch, classifier: FakeClassifier
) -> None:
    with pytest.raises(ModelError, match="take another model"):
        prove(classifier)
    with serving(monkeypatch, classifier) as client:
        time.sleep(0.2)
        assert client.get("/livez").status_code == 200
        check_problem(client.get("/readyz"), Code.NOT_READY)


def test_golden_sentences_pass_a_steady_classifier() -> None:
    classifier = FakeClassifier(0, 0)
    prove(classifier)
    assert classifier.batches == [len(GOLDEN), *[1] * len(GOLDEN)]


def test_a_model_that_cannot_be_loaded_says_why_in_the_log(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with serving(monkeypatch, ModelError("folder x has no heads.json; train it again")) as client:
        time.sleep(0.1)
        check_problem(client.get("/readyz"), Code.NOT_READY)
    assert "folder x has no heads.json" in capfd.readouterr().err


def test_a_probe_that_raises_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Any) -> bool:
        raise RuntimeError(MARKER)

    monkeypatch.setattr(Engine, "ready", property(broken))
    monkeypatch.setattr(Engine, "alive", property(broken))
    with serving(monkeypatch, FakeClassifier()) as client:
        started = time.monotonic()
        check_problem(client.get("/readyz"), Code.NOT_READY)
        assert client.get("/livez").status_code == 503
        assert time.monotonic() - started < 2


class DropsAfterGolden(FakeClassifier):
    """Passes the golden sentences, then loses one answer of every pair."""

    def classify(self, given: Sequence[Response]) -> list[Classification]:
        answers = super().classify(given)
        return answers[:-1] if len(given) == 2 else answers


def test_a_lost_answer_is_a_500_and_never_somebody_elses(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(monkeypatch, DropsAfterGolden()) as client:
        wait_ready(client)
        check_problem(client.post(URL, json={"items": [{"text": "a"}, {"text": "bb"}]}), Code.INTERNAL_ERROR)
        assert client.post(URL, json={"items": [{"text": "a"}]}).json()["items"][0]["text"] == "A"


def test_too_much_waiting_is_refused_with_a_time_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(self: Batcher, responses: Sequence[Response]) -> list[Classification]:
        raise Overloaded(7)

    with serving(monkeypatch, FakeClassifier()) as client:
        wait_ready(client)
        monkeypatch.setattr(Batcher, "submit", full)
        found = client.post(URL, json={"items": [{"text": "a"}]})
        check_problem(found, Code.OVERLOADED)
        assert found.headers["retry-after"] == "7"


def test_a_request_that_takes_too_long_is_a_problem_and_leaves_the_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(Holos.config, "traffic", {"timeout": 0.2})
    with serving(monkeypatch, Slow()) as client:
        wait_ready(client)
        check_problem(client.post(URL, json={"items": [{"text": "a"}]}), Code.TIMEOUT)
        assert "holos_queue_depth 0.0" in client.get("/metrics").text


# the shape of the service, which closes what BentoML leaves open


def test_one_service_without_dependencies_batching_tasks_or_sync_apis() -> None:
    assert Holos.dependencies == {}
    assert [method.route for method in Holos.apis.values()] == [URL]
    for method in Holos.apis.values():
        assert inspect.iscoroutinefunction(method.func)
        assert not method.batchable and not method.is_task
        parameters = list(inspect.signature(method.func).parameters.values())
        assert parameters[1].kind is inspect.Parameter.POSITIONAL_ONLY


def test_a_second_app_in_one_process_works(client: TestClient) -> None:
    with TestClient(Holos.to_asgi(), client=NEAR) as second:
        wait_ready(second)
        assert second.post(URL, json={"items": [{"text": "a"}]}).status_code == 200
    assert client.post(URL, json={"items": [{"text": "a"}]}).status_code == 200


def test_telemetry_is_off() -> None:
    from bentoml._internal.utils.analytics.usage_stats import do_not_track

    assert do_not_track()
