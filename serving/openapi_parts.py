"""What every part of the OpenAPI document is made of."""

from typing import Any

from serving.problems import MEDIA_TYPE, STATUS, Code

Schema = dict[str, Any]

PROBLEM_EXAMPLE: Schema = {
    "type": "about:blank",
    "title": "Unprocessable Entity",
    "status": 422,
    "code": "validation_failed",
    "detail": "items[3].scor: unknown field",
    "request_id": "8f6c1d0e9b7a4c5f8f6c1d0e9b7a4c5f",
    "invalid_params": [{"name": "items[3].scor", "reason": "unknown field"}],
}


REQUEST_ID: Schema = {
    "name": "X-Request-ID",
    "in": "header",
    "required": False,
    "description": "The sender's own id, 1 to 128 of A-Z a-z 0-9 . _ -; anything else is replaced",
    "schema": {"type": "string"},
}
HEADERS: Schema = {"X-Request-ID": {"$ref": "#/components/headers/RequestId"}}


def problems(*statuses: int) -> Schema:
    return {str(status): _problem_answer(status) for status in statuses}


def _problem_answer(status: int) -> Schema:
    codes = [code.value for code in Code if STATUS[code] == status]
    headers = dict(HEADERS)
    if status == 405:
        headers["Allow"] = {"description": "The methods there are", "schema": {"type": "string"}}
    if status == 503:
        headers["Retry-After"] = {"description": "Seconds to wait", "schema": {"type": "string"}}
    body: Schema = {"schema": {"$ref": "#/components/schemas/Problem"}}
    if status == 422:
        body["example"] = PROBLEM_EXAMPLE
    return {"description": "code: " + ", ".join(codes), "headers": headers, "content": {MEDIA_TYPE: body}}


def content(schema: str, example: Schema) -> Schema:
    return {"schema": {"$ref": f"#/components/schemas/{schema}"}, "example": example}


def an_object(required: Schema, optional: Schema | None = None) -> Schema:
    return {"type": "object", "required": list(required), "properties": {**required, **(optional or {})}}


def ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def a_list(of: Schema) -> Schema:
    return {"type": "array", "items": of}
