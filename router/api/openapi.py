"""What GET /schema says: the paths, the bodies and the errors, for client generators and for people.

Rule: one literal document. The Messages API's own fields are described by its own documentation; here
stand only the fields that we add and the shapes that we promise.
"""

from __future__ import annotations

from typing import Any

import msgspec

from .. import __version__
from ..errors import CODES

Schema = dict[str, Any]


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _json(name: str) -> Schema:
    return {"application/json": {"schema": _ref(name)}}


_ERRORS: Schema = {
    status: {"description": text, "content": _json("Error")}
    for status, text in (
        ("4XX", "The request cannot be served as it is; the message says what to change."),
        ("5XX", "No answer could be had; the message says what to do."),
    )
}
_WORDS: Schema = {
    "type": "object",
    "additionalProperties": False,
    "description": "What only the router reads.",
    "properties": {
        "task": {"type": "string", "description": "A task of the policy: it is not classified then."},
        "feature": {"type": "string", "description": "For attribution of cost."},
        "user": {"type": "string", "description": "For attribution of cost."},
        "session": {"type": "string", "description": "Names the conversation, which stays on its model."},
        "workload": {"type": "string", "enum": ["interactive", "background", "batch"]},
        "deadline_s": {"type": "number", "exclusiveMinimum": 0, "maximum": 3600},
        "max_cost_usd": {
            "oneOf": [{"type": "string"}, {"type": "number"}],
            "description": "A limit.",
        },
        "cache": {"type": "string", "enum": ["use", "refresh", "off"]},
        "fallback": {"type": "string", "enum": ["auto", "same", "off"]},
    },
}
_MESSAGES_FIELDS: Schema = {
    "model": {"type": "string", "description": "`auto`, a tier's name or a model id."},
    "max_tokens": {"type": "integer", "minimum": 0},
    "stream": {"type": "boolean"},
    "system": {"oneOf": [{"type": "string"}, {"type": "array", "items": {"type": "object"}}]},
    "messages": {"type": "array", "minItems": 1, "items": {"type": "object"}},
}
_ERROR: Schema = {
    "type": "object",
    "required": ["type", "error", "request_id"],
    "properties": {
        "type": {"const": "error"},
        "error": {
            "type": "object",
            "required": ["type", "message"],
            "properties": {
                "type": {"type": "string"},
                "message": {"type": "string"},
                "details": {
                    "type": "object",
                    "properties": {
                        "error_code": {"type": "string", "enum": sorted(CODES)},
                        "field": {"type": "string"},
                    },
                },
            },
        },
        "request_id": {"type": "string"},
    },
}
_SCHEMAS: Schema = {
    "Error": _ERROR,
    "Words": _WORDS,
    "Complete": {
        "type": "object",
        "description": "Either `prompt`, or `messages` as the Messages API has it; any other field of it passes.",
        "properties": {"prompt": {"type": "string", "minLength": 1}, **_MESSAGES_FIELDS, "router": _ref("Words")},
        "oneOf": [{"required": ["prompt"]}, {"required": ["messages"]}],
    },
    "Messages": {
        "type": "object",
        "description": "A body of the Messages API, as it is.",
        "required": ["model", "max_tokens", "messages"],
        "properties": _MESSAGES_FIELDS,
    },
    "Counted": {"type": "object", "required": ["messages"], "properties": _MESSAGES_FIELDS},
    "Message": {
        "type": "object",
        "description": "A message of the Messages API; on /complete with a `router` object.",
        "required": ["id", "type", "role", "model", "content", "usage"],
        "properties": {"router": {"type": "object"}},
    },
    "Object": {"type": "object"},
}


def _post(summary: str, body: str, answer: str, *, streams: bool = False) -> Schema:
    content = _json(answer)
    if streams:
        content["text/event-stream"] = {"schema": {"type": "string"}}
    return {
        "post": {
            "summary": summary,
            "requestBody": {"required": True, "content": _json(body)},
            "responses": {"200": {"description": "The answer.", "content": content}, **_ERRORS},
        }
    }


def _get(summary: str, media_type: str = "application/json") -> Schema:
    content = {media_type: {"schema": _ref("Object") if media_type == "application/json" else {"type": "string"}}}
    return {"get": {"summary": summary, "responses": {"200": {"description": "The answer.", "content": content}}}}


_NAMED: Schema = {"name": "model", "in": "path", "required": True, "schema": {"type": "string"}}
DOCUMENT = msgspec.json.encode(
    {
        "openapi": "3.1.0",
        "info": {"title": "Tierwise", "version": __version__, "license": {"name": "Apache-2.0"}},
        "security": [{"bearer": []}, {"key": []}, {}],
        "paths": {
            "/complete": _post("Answer on the cheapest tier that does it.", "Complete", "Message", streams=True),
            "/v1/messages": _post("The Messages API, routed.", "Messages", "Message", streams=True),
            "/v1/messages/count_tokens": _post("The API's own token count.", "Counted", "Object"),
            "/v1/models": _get("The models, and `claude-auto`."),
            "/v1/models/{model}": {**_get("One model."), "parameters": [_NAMED]},
            "/explain": _post("The whole decision, without the call.", "Complete", "Object"),
            "/health/live": _get("Is the process alive?"),
            "/health/ready": _get("May it be sent traffic?"),
            "/metrics": _get("Counters, as Prometheus reads them.", "text/plain"),
            "/schema": _get("This document."),
        },
        "components": {
            "schemas": _SCHEMAS,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
            },
        },
    }
)
