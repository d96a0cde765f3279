"""The part of the OpenAPI document on models."""

from serving.openapi_parts import HEADERS, REQUEST_ID, Schema, a_list, an_object, content, problems, ref

MODELS, PROMOTE, ROLLBACK = "/v1/models", "/v1/models/{version}/promote", "/v1/models/rollback"
_REFUSALS = (400, 401, 403, 405, 408, 409, 413, 415, 422, 429, 500, 503)
"""How a change of the champion may be answered where it is not made."""

_CHANGE: Schema = {
    "number": 2,
    "at": "2026-11-22T09:50:12Z",
    "kind": "promotion",
    "from": "2026.11.20-101500",
    "to": "2026.11.22-094710",
    "digest": "9f2c",
    "base": "2026.11.1",
    "by": "anna",
    "forced": False,
    "note": "200 corrections of November",
    "gate": {
        "passed": True,
        "reasons": [],
        "remarks": [],
        "figures": [
            {
                "figure": "themes micro-F1",
                "kind": "overall",
                "group": "all",
                "support": 412,
                "champion": 0.71,
                "candidate": 0.76,
            }
        ],
    },
}
_EXAMPLE: Schema = {
    "champion": {
        "version": "2026.11.22-094710",
        "digest": "9f2c",
        "promoted_at": "2026-11-22T09:50:12Z",
        "previous": "2026.11.20-101500",
        "forced": False,
        "by": "anna",
    },
    "versions": [
        {
            "version": "2026.11.22-094710",
            "champion": True,
            "passed_gate": True,
            "digest": "9f2c",
            "base": "2026.11.1",
            "first_promoted_at": "2026-11-22T09:50:12Z",
        }
    ],
    "lineage": [_CHANGE],
    "serving": {
        "model": "2026.11.22-094710",
        "taxonomy": "default-1",
        "policy": "default-1",
        "follows_champion": True,
        "refused": None,
    },
}


def paths() -> Schema:
    """The operations on models."""
    return {
        MODELS: {
            "get": {
                "operationId": "models",
                "summary": "The champion, the versions, the lineage, and what this process answers with",
                "parameters": [REQUEST_ID],
                "responses": {"200": _answer(), **problems(401, 403, 405, 429, 500, 503)},
            }
        },
        PROMOTE: {
            "post": {
                "operationId": "promote",
                "summary": "Make a version of the registry the champion",
                "description": (
                    "The version must have passed the gate when it was promoted before (`holos promote` asks it); any "
                    "other needs `force` and a `note`, which are recorded. It is loaded and proven here before the "
                    "champion changes; the answer comes when this process answers with it, others follow in seconds."
                ),
                "parameters": [_VERSION, REQUEST_ID],
                "requestBody": _body("PromoteIn", {"force": False, "note": "November's corrections"}),
                "responses": {"200": _answer(), **problems(404, *_REFUSALS)},
            }
        },
        ROLLBACK: {
            "post": {
                "operationId": "rollback",
                "summary": "Go back to the champion before",
                "parameters": [REQUEST_ID],
                "requestBody": _body("RollbackIn", {"note": "complaints about Ukrainian"}),
                "responses": {"200": _answer(), **problems(*_REFUSALS)},
            }
        },
    }


_VERSION: Schema = {
    "name": "version",
    "in": "path",
    "required": True,
    "description": "A version that GET /v1/models lists",
    "schema": {"type": "string", "minLength": 1},
}


def _answer() -> Schema:
    described = content("Models", _EXAMPLE)
    return {"description": "The state now", "headers": HEADERS, "content": {"application/json": described}}


def _body(schema: str, example: Schema) -> Schema:
    return {"required": True, "content": {"application/json": content(schema, example)}}


def schemas() -> Schema:
    """The bodies and answers of these operations."""
    text: Schema = {"type": "string"}
    gap: Schema = {"type": ["string", "null"]}
    flag: Schema = {"type": "boolean"}
    note: Schema = {"type": ["string", "null"], "minLength": 1, "maxLength": 500}
    share: Schema = {"type": "number", "minimum": 0, "maximum": 1}
    number: Schema = {"type": "integer", "minimum": 0}
    figure = {"figure": text, "kind": text, "group": text, "support": number, "champion": share, "candidate": share}
    gate = {
        "passed": {"type": ["boolean", "null"], "description": "null where the gate was not asked"},
        "reasons": a_list(text),
        "remarks": a_list(text),
        "figures": a_list(an_object(figure)),
    }
    champion = {"version": text, "digest": text, "promoted_at": text, "previous": gap, "forced": flag, "by": text}
    version = {"version": text, "champion": flag, "passed_gate": flag, "digest": gap, "base": gap}
    serving = {"model": gap, "taxonomy": gap, "policy": gap, "follows_champion": flag}
    refused = an_object({"version": gap, "reason": text, "at": text})
    change = {
        "number": {"type": "integer", "minimum": 1},
        "at": text,
        "kind": {"type": "string", "enum": ["promotion", "rollback"]},
        "from": {**gap, "description": "null is the model that ships"},
        "to": {**gap, "description": "null is the model that ships"},
        "digest": gap,
        "base": gap,
        "by": text,
        "forced": flag,
        "note": gap,
        "gate": an_object(gate),
    }
    return {
        "Models": an_object(
            {
                "champion": {"oneOf": [ref("Champion"), {"type": "null"}]},
                "versions": a_list(an_object({**version, "first_promoted_at": gap})),
                "lineage": {**a_list(ref("ModelChange")), "description": "the newest first, 100 at most"},
                "serving": an_object({**serving, "refused": {"oneOf": [refused, {"type": "null"}]}}),
            }
        ),
        "Champion": an_object(champion),
        "ModelChange": an_object(change),
        "RollbackIn": {**an_object({}, {"note": note}), "additionalProperties": False},
        "PromoteIn": {
            **an_object({}, {"force": {**flag, "default": False}, "note": note}),
            "additionalProperties": False,
        },
    }
