"""The one OpenAPI 3.1 document: BentoML's route and everything mounted beside it."""

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from nlp.types import JUSTIFICATION_KINDS, MOODS, SIGNALS
from serving import openapi_models
from serving.openapi_parts import HEADERS, REQUEST_ID, Schema, a_list, an_object, content, problems, ref
from serving.problems import Code
from serving.schemas import ClassifyRequest

TITLE = "Holos"
API_VERSION = "0.1.0"
CLASSIFY = "/v1/classify"


def bare_app() -> FastAPI:
    """An app without routes; the one document covers those it will have and BentoML's: FastAPI's own covers a part."""
    return FastAPI(title=TITLE, openapi_url=None, docs_url=None, redoc_url=None)


_RESPONSE_EXAMPLE: Schema = {
    "id": "r-1",
    "text": "Kurier spóźnił się trzy dni, a na infolinii nikt nie odbiera. Tel. 601 234 567",
    "question": "Co możemy poprawić?",
    "metric": "nps",
    "score": 2,
    "answered_at": "2026-11-02T09:30:00+01:00",
    "respondent": {"id": "c-77", "contact_consent": True},
}
_SPANS = [{"start": 0, "end": 27}, {"start": 29, "end": 60}]
_CLASSIFICATION_EXAMPLE: Schema = {
    "id": "r-1",
    "status": "ok",
    "language": {"code": "pl", "confidence": 0.99, "supported": True},
    "text": "Kurier spóźnił się trzy dni, a na infolinii nikt nie odbiera. Tel. <PHONE>",
    "themes": [
        {
            "id": "delivery.time",
            "label": "Delivery time",
            "confidence": 0.94,
            "threshold": 0.41,
            "sentiment": {"label": "negative", "confidence": 0.97},
            "spans": _SPANS[:1],
        }
    ],
    "sentiment": {"label": "negative", "confidence": 0.98, "score": -0.93},
    "justification": {"justified": True, "confidence": 0.97, "kind": "reason", "spans": _SPANS},
    "signals": ["contact_request"],
    "group": "detractor",
    "priority": 1,
    "priority_reason": "NPS 2 is in the low band 0-3 and the comment gives a reason",
    "needs_review": False,
    "redactions": [{"kind": "PHONE", "start": 67, "end": 74}],
    "versions": {"model": "2026.11.1", "taxonomy": "default-1", "policy": "default-1"},
}
_FAILURE_EXAMPLE: Schema = {
    "id": "r-2",
    "status": "error",
    "error": {"code": "text_too_long", "detail": "text has 10001 characters; 10000 at most"},
    "versions": _CLASSIFICATION_EXAMPLE["versions"],
}


def document(app: FastAPI) -> Schema:
    """The document for `app` and the routes that stand before it."""
    base = get_openapi(
        title=TITLE,
        version=API_VERSION,
        openapi_version="3.1.0",
        summary="Reads what customers say in their own words.",
        routes=app.routes,
    )
    base["servers"] = [{"url": "/"}]
    for item in base.get("paths", {}).values():
        for operation in item.values():
            _complete(operation)
    base["paths"] = {CLASSIFY: {"post": _classify()}, **openapi_models.paths(), **_probes(), **base.get("paths", {})}
    schemas = base.setdefault("components", {}).setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    own = _request_schemas() | _answer_schemas() | openapi_models.schemas()
    assert all(schemas.get(name, schema) == schema for name, schema in own.items()), "two schemas share a name"
    schemas.update(own)
    base["components"]["headers"] = {
        "RequestId": {
            "description": "The request's id: the one sent in this header, or a new one",
            "schema": {"type": "string"},
        }
    }
    return base


def _complete(operation: Schema) -> None:
    """Adds the answers that any route may give, whatever it does, and how they look."""
    asked = [422] if operation.get("parameters") or operation.get("requestBody") else []
    sent = [400, 408, 413] if operation.get("requestBody") else []
    keyed = [401, 403, 429] if operation.get("security") else []
    told = operation["responses"]
    # FastAPI describes an answer of its own for 422, which nothing here ever gives
    found = {**told, **problems(*asked)} | {
        status: answer for status, answer in problems(*sent, *keyed, 405, 500, 503).items() if status not in told
    }
    operation["responses"] = dict(sorted(found.items()))
    operation["parameters"] = [*operation.get("parameters", []), REQUEST_ID]


def _classify() -> Schema:
    return {
        "operationId": "classify",
        "summary": "Classify responses; nothing is stored",
        "description": (
            "Up to 1,000 items or 4 MiB, languages mixed; answers come in the order of the items. An item whose "
            "content cannot be classified has `status: error` and leaves its neighbours alone; a body whose shape is "
            "wrong is refused as a whole, with the path of what is wrong. An empty list is answered with an empty list."
        ),
        "parameters": [REQUEST_ID],
        "requestBody": {
            "required": True,
            "content": {"application/json": content("ClassifyRequest", {"items": [_RESPONSE_EXAMPLE]})},
        },
        "responses": {
            "200": {
                "description": "One classification for each item, in order",
                "headers": HEADERS,
                "content": {
                    "application/json": content(
                        "ClassifyAnswer", {"items": [_CLASSIFICATION_EXAMPLE, _FAILURE_EXAMPLE]}
                    )
                },
            },
            **problems(400, 401, 403, 405, 408, 413, 415, 422, 429, 500, 503, 504),
        },
    }


def _probes() -> Schema:
    return {
        "/livez": {"get": _plain("livez", "Whether the process runs", "text/plain", 503)},
        "/readyz": {"get": _plain("readyz", "Whether the model is loaded and proven", "text/plain", 503)},
        "/metrics": {"get": _plain("metrics", "Prometheus metrics", "text/plain")},
        "/openapi.json": {"get": _plain("openapi", "This document", "application/json")},
        "/": {"get": _plain("page", "A page for people", "text/html")},
    }


def _plain(operation: str, summary: str, media_type: str, *statuses: int) -> Schema:
    schema = {"type": "object"} if media_type == "application/json" else {"type": "string"}
    answer = {"description": "OK", "headers": HEADERS, "content": {media_type: {"schema": schema}}}
    return {"operationId": operation, "summary": summary, "responses": {"200": answer, **problems(*statuses)}}


def _request_schemas() -> Schema:
    schema = ClassifyRequest.model_json_schema(ref_template="#/components/schemas/{model}")
    inner = schema.pop("$defs", {})
    return {"ClassifyRequest": schema, **inner}


def _answer_schemas() -> Schema:
    text: Schema = {"type": "string"}
    share: Schema = {"type": "number", "minimum": 0, "maximum": 1}
    offset: Schema = {"type": "integer", "minimum": 0, "description": "Unicode code points of the redacted text"}
    mood: Schema = {"type": "string", "enum": list(MOODS)}
    versions = an_object({"model": text, "taxonomy": text, "policy": text})
    sentiment = an_object({"label": mood, "confidence": share})
    theme = {"id": text, "label": text, "confidence": share, "threshold": share}
    verdict = {"kind": {"type": "string", "enum": list(JUSTIFICATION_KINDS)}, "spans": a_list(ref("Span"))}
    return {
        "ClassifyAnswer": an_object({"items": a_list({"oneOf": [ref("Classification"), ref("FailedItem")]})}),
        "Classification": an_object(
            {
                "id": text,
                "status": {"type": "string", "enum": ["ok", "unsupported_language"]},
                "language": an_object({"code": text, "confidence": share, "supported": {"type": "boolean"}}),
                "text": {"type": "string", "description": "the redacted text; every offset refers to it"},
                "themes": a_list(an_object({**theme, "sentiment": sentiment, "spans": a_list(ref("Span"))})),
                "sentiment": an_object(
                    {"label": mood, "confidence": share}, {"score": {"type": "number", "minimum": -1, "maximum": 1}}
                ),
                "justification": an_object({"justified": {"type": "boolean"}, "confidence": share, **verdict}),
                "signals": a_list({"type": "string", "enum": list(SIGNALS)}),
                "group": {"type": ["string", "null"]},
                "priority": {"type": ["integer", "null"], "minimum": 1, "maximum": 4},
                "priority_reason": text,
                "needs_review": {"type": "boolean"},
                "redactions": a_list(an_object({"kind": text, "start": offset, "end": offset})),
                "versions": versions,
            }
        ),
        "FailedItem": an_object(
            {
                "id": text,
                "status": {"type": "string", "const": "error"},
                "error": an_object({"code": text, "detail": text}),
                "versions": versions,
            }
        ),
        "Span": an_object({"start": offset, "end": offset}),
        "Problem": an_object(
            {
                "type": {"type": "string", "format": "uri-reference"},
                "title": text,
                "status": {"type": "integer", "minimum": 400, "maximum": 599},
                "code": {"type": "string", "enum": [code.value for code in Code]},
                "detail": text,
                "request_id": text,
            },
            {"invalid_params": a_list(an_object({"name": text, "reason": text}))},
        ),
    }
