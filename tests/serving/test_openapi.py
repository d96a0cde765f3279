"""The one OpenAPI document: valid, complete, and true of what the server answers."""

import json
import tomllib
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_service import Holos, service
from fastapi.openapi.utils import get_openapi
from hypothesis import HealthCheck, Phase, given, settings
from starlette.testclient import TestClient
from test_service import NEAR, wait_ready

from nlp.types import JUSTIFICATION_KINDS
from serving import openapi, openapi_models
from serving.app import ROUTERS
from serving.classify import Sent, read_request
from serving.problems import STATUS, Code

ROOT = Path(__file__).parents[2]
METHODS = ("get", "post", "put", "patch", "delete")
EXPECTED = {
    **dict.fromkeys((openapi.CLASSIFY, "/", "/livez", "/readyz", "/metrics", "/openapi.json"), "200"),
    openapi_models.MODELS: "200",
    # with an empty registry of models there is nothing to promote and nothing to go back to
    openapi_models.PROMOTE: "404",
    openapi_models.ROLLBACK: "409",
    "/v1/inbound/{connector}": "404",  # whoever sends here signs; there is no such connector
}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENTOML_HOME", str(tmp_path_factory.mktemp("bentoml")))
        with TestClient(Holos.to_asgi(), client=NEAR) as client:
            wait_ready(client)
            yield client


@pytest.fixture(scope="module")
def document(client: TestClient) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/openapi.json").json()
    return found


def test_the_document_is_valid_openapi_3_1(document: dict[str, Any]) -> None:
    validator = pytest.importorskip("openapi_spec_validator")
    assert document["openapi"].startswith("3.1")
    validator.OpenAPIV31SpecValidator(document).validate()


def test_bentomls_address_gives_the_same_document(client: TestClient, document: dict[str, Any]) -> None:
    assert client.get("/docs.json").json() == document


def test_its_version_is_the_packages(document: dict[str, Any]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert document["info"]["version"] == project["version"]


def test_every_mounted_route_and_every_api_is_in_it(document: dict[str, Any]) -> None:
    own = {getattr(route, "path", None) for route in service.app.routes} - {"/docs.json", None}
    routed = {path for router in ROUTERS for path in get_openapi(title="-", version="-", routes=router.routes)["paths"]}
    apis = {method.route for method in Holos.apis.values()}
    assert own | routed | apis | {"/livez", "/readyz"} == set(document["paths"])


def test_every_operation_in_it_is_answered_as_it_says(client: TestClient, document: dict[str, Any]) -> None:
    for path, operations in document["paths"].items():
        for method in set(operations) & set(METHODS):
            body = {"items": []} if path == openapi.CLASSIFY else {} if method in ("post", "put", "patch") else None
            status = str(client.request(method, path, json=body).status_code)
            # without a key nothing that is kept can be read or changed
            assert status == EXPECTED.get(path, "401") and status in operations[method]["responses"], (method, path)


def test_the_codes_are_closed_and_each_is_told_where_it_can_come(document: dict[str, Any]) -> None:
    assert document["components"]["schemas"]["Problem"]["properties"]["code"]["enum"] == [code.value for code in Code]
    told = {
        (status, code)
        for operations in document["paths"].values()
        for operation in operations.values()
        for status, answer in operation["responses"].items()
        for code in answer["description"].replace(",", "").split()
    }
    assert [code.value for code in Code if (str(STATUS[code]), code.value) not in told] == []


def test_the_example_of_a_request_is_accepted(document: dict[str, Any]) -> None:
    operation = document["paths"][openapi.CLASSIFY]["post"]
    example = operation["requestBody"]["content"]["application/json"]["example"]
    read = read_request(Sent(json.dumps(example).encode()), max_items=1000)
    assert [item.id for item in read.items] == ["r-1"]


def answer_validator(document: dict[str, Any]) -> Any:
    jsonschema = pytest.importorskip("jsonschema")
    schema = {**document["components"]["schemas"]["ClassifyAnswer"], "components": document["components"]}
    return jsonschema.Draft202012Validator(schema)


def test_the_example_of_an_answer_and_real_answers_have_the_described_shape(
    client: TestClient, document: dict[str, Any]
) -> None:
    validator = answer_validator(document)
    operation = document["paths"][openapi.CLASSIFY]["post"]
    example = operation["responses"]["200"]["content"]["application/json"]["example"]
    real = client.post(openapi.CLASSIFY, json={"items": [{"text": "one"}, {"text": "x" * 10_001}]}).json()
    for answer in (example, real):
        validator.validate(answer)
    assert not validator.is_valid({"items": [{**example["items"][0], "status": "fine"}]})
    assert example["items"][0]["justification"]["kind"] in JUSTIFICATION_KINDS


def test_offsets_of_the_example_are_code_points_of_its_text(document: dict[str, Any]) -> None:
    operation = document["paths"][openapi.CLASSIFY]["post"]
    example = operation["responses"]["200"]["content"]["application/json"]["example"]["items"][0]
    cut = [example["text"][one["start"] : one["end"]] for one in example["redactions"]]
    assert cut == ["<PHONE>"]
    assert example["text"][: example["themes"][0]["spans"][0]["end"]] == "Kurier spóźnił się trzy dni"


def test_whatever_is_sent_the_answer_keeps_to_the_document(client: TestClient, document: dict[str, Any]) -> None:
    """Bodies are generated from the document, right ones and wrong ones."""
    with warnings.catch_warnings():
        # what its own imports deprecate
        warnings.simplefilter("ignore")
        schemathesis = pytest.importorskip("schemathesis")
    jsonschema = pytest.importorskip("jsonschema")
    operation = schemathesis.openapi.from_dict(document)[openapi.CLASSIFY]["POST"]
    answer = answer_validator(document)
    problem = jsonschema.Draft202012Validator(document["components"]["schemas"]["Problem"])
    seen: set[int] = set()

    def keeps(case: Any) -> None:
        content = case.body if isinstance(case.body, bytes) else json.dumps(case.body, default=lambda absent: None)
        found = client.post(openapi.CLASSIFY, content=content, headers={"Content-Type": "application/json"})
        assert str(found.status_code) in document["paths"][openapi.CLASSIFY]["post"]["responses"]
        assert found.status_code < 500
        (answer if found.status_code == 200 else problem).validate(found.json())
        seen.add(found.status_code)

    for mode in schemathesis.GenerationMode:
        bodies = operation.as_strategy(generation_mode=mode)
        steady = settings(
            max_examples=50,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            steady(given(case=bodies)(keeps))()
    assert {200, 422} <= seen
