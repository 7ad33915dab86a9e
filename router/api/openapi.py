"""What GET /schema says: the paths, the bodies and the errors, for client generators and for people.

Rule: one literal document. The Messages API's own fields are described by its own documentation; here
stand only the fields that we read or add, and the shapes that we promise. Errors come from errors.CODES.
"""

from __future__ import annotations

from typing import Any

import msgspec

from .. import __version__
from ..errors import CODES

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_FREE: Schema = {"type": "object", "additionalProperties": True}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _named(description: str, **more: Any) -> Schema:
    return {"type": "string", "minLength": 1, "maxLength": 256, "description": description, **more}


_WORDS: Schema = {
    "type": "object",
    "additionalProperties": False,
    "description": "What only the router reads. At /v1/messages the same words are x-router-* headers.",
    "properties": {
        "task": _named("A task of the policy: the request is not classified then."),
        "feature": _named("For attribution of cost."),
        "user": _named("For attribution of cost."),
        "session": _named("Names the conversation, which stays on its model."),
        "workload": {"type": "string", "enum": ["interactive", "background", "batch"]},
        "deadline_s": {"type": "number", "exclusiveMinimum": 0, "maximum": 3600},
        "max_cost_usd": {
            "type": "number",
            "exclusiveMinimum": 0,
            "description": "What the request may cost at worst. A decimal text is taken too.",
        },
        "cache": {"type": "string", "enum": ["use", "refresh", "off"]},
        "fallback": {"type": "string", "enum": ["auto", "same", "off", "defer"]},
        "buffered": {"type": "boolean", "description": "A stream is held back until it is whole."},
        "webhook": {
            "type": "string",
            "pattern": "^https://",
            "maxLength": 2048,
            "description": "Is told when a request that was put off has an answer. Only hosts that the policy names.",
        },
    },
}
_SHARED: Schema = {
    "model": {"type": "string", "description": "`auto`, `claude-auto`, a tier's name or a model id."},
    "max_tokens": {"type": "integer", "minimum": 0},
    "stream": {"type": "boolean", "default": False},
    "system": {"description": "A text or a list of blocks."},
    "messages": {"type": "array", "minItems": 1, "items": _FREE},
    "tools": {"type": "array", "items": _FREE},
}
_PROMPT: Schema = {"type": "string", "minLength": 1, "description": "Becomes the one user message."}
_ROUTER: Schema = {
    "type": "object",
    "additionalProperties": True,
    "description": "How the answer came about. docs/request.md tells the steps.",
    "required": ["request_id", "model", "tier", "task", "reason"],
    "properties": {
        "request_id": _TEXT,
        "model": {"type": "string", "description": "The model that answered, or was asked last."},
        "tier": {"type": ["string", "null"]},
        "task": _TEXT,
        "reason": {"type": "string", "description": "Why this tier, in words."},
        "served_by": _TEXT,
        "degraded": {"type": "boolean", "description": "Another tier than the chosen one answered."},
        "warnings": {"type": "array", "items": _TEXT},
        "cost_usd": {"type": "string", "description": "An exact decimal."},
        "saved_usd": {"type": "string", "description": "An exact decimal."},
        "usage": _FREE,
        "timing": _FREE,
    },
}
_MESSAGE: Schema = {
    "type": "object",
    "additionalProperties": True,
    "description": "A message of the Messages API.",
    "required": ["id", "type", "role", "model", "content", "usage"],
    "properties": {
        "id": _TEXT,
        "type": {"type": "string", "enum": ["message"]},
        "role": {"type": "string", "enum": ["assistant"]},
        "model": _TEXT,
        "content": {"type": "array", "items": _FREE},
        "stop_reason": {"type": ["string", "null"]},
        "usage": _FREE,
    },
}
_DETAILS: Schema = {
    "type": "object",
    "additionalProperties": True,
    "properties": {
        "error_code": {"type": "string", "description": "Ours begin with router_; docs/errors.md lists them."},
        "field": {"type": "string", "description": "What is wrong, where one thing is."},
    },
}
_ERROR: Schema = {
    "type": "object",
    "required": ["type", "error"],
    "properties": {
        "type": {"type": "string", "enum": ["error"]},
        "error": {
            "type": "object",
            "required": ["type", "message"],
            "properties": {"type": _TEXT, "message": _TEXT, "details": _DETAILS},
        },
        "request_id": _TEXT,
    },
}
_SCHEMAS: Schema = {
    "Error": _ERROR,
    "Words": _WORDS,
    "Router": _ROUTER,
    "ShortForm": {
        "type": "object",
        "additionalProperties": True,
        "required": ["prompt"],
        "properties": {"prompt": _PROMPT, "router": _ref("Words")}
        | {name: schema for name, schema in _SHARED.items() if name != "messages"},
    },
    "LongForm": {
        "type": "object",
        "additionalProperties": True,
        "description": "A body of the Messages API, with or without a model.",
        "required": ["messages"],
        "properties": {**_SHARED, "router": _ref("Words")},
    },
    "Complete": {"oneOf": [_ref("ShortForm"), _ref("LongForm")]},
    "Completed": _MESSAGE | {"properties": {**_MESSAGE["properties"], "router": _ref("Router")}},
    "Messages": {
        "type": "object",
        "additionalProperties": True,
        "description": "A body of the Messages API, as it is.",
        "required": ["max_tokens", "messages"],
        "properties": _SHARED,
    },
    "Message": _MESSAGE,
    "Counted": {"type": "object", "additionalProperties": True, "required": ["messages"], "properties": _SHARED},
    "Count": {"type": "object", "required": ["input_tokens"], "properties": {"input_tokens": {"type": "integer"}}},
    "Object": _FREE,
    "Accepted": {
        "type": "object",
        "description": "The request was put off: it is answered later, at `url`.",
        "required": ["type", "id", "status", "url", "request_id"],
        "properties": {
            "type": {"type": "string", "enum": ["job"]},
            "id": _TEXT,
            "status": _TEXT,
            "url": _TEXT,
            "request_id": _TEXT,
        },
    },
    "Job": {
        "type": "object",
        "additionalProperties": True,
        "required": ["type", "id", "status", "url", "request_id", "created_at", "answer", "error"],
        "properties": {
            "type": {"type": "string", "enum": ["job"]},
            "id": _TEXT,
            "status": {"type": "string", "enum": ["queued", "running", "done", "failed", "cancelled"]},
            "url": _TEXT,
            "request_id": _TEXT,
            "created_at": {"type": "string", "format": "date-time"},
            "answered_at": {"type": ["string", "null"], "format": "date-time"},
            "tries": {"type": "integer"},
            "answer": {"oneOf": [_ref("Completed"), {"type": "null"}]},
            "error": {"oneOf": [_FREE, {"type": "null"}]},
        },
    },
}


def _content(schema: Schema, media_type: str = "application/json") -> Schema:
    return {media_type: {"schema": schema}}


def _answer(content: Schema) -> Schema:
    return {"description": "The answer.", "content": content}


def _errors(*statuses: int) -> Schema:
    """A response for each status, told in the words of its codes."""
    told = {
        status: [f"`{name}`: {code.means}." for name, code in CODES.items() if code.status == status]
        for status in statuses
    }
    return {
        str(status): {"description": " ".join(lines) or "The head is too large.", "content": _content(_ref("Error"))}
        for status, lines in told.items()
    }


def _post(name: str, summary: str, body: str, answer: str, *, streams: bool = False) -> Schema:
    content = _content(_ref(answer))
    if streams:
        content |= _content({"type": "string", "description": "With `stream`: events."}, "text/event-stream")
    all_statuses = sorted({code.status for code in CODES.values() if code.status >= 400} - {405} | {431})
    return {
        "post": {
            "operationId": name,
            "summary": summary,
            "requestBody": {"required": True, "content": _content(_ref(body))},
            "responses": {"200": _answer(content), **_errors(*all_statuses)},
        }
    }


def _get(name: str, summary: str, *statuses: int, media_type: str = "application/json") -> Schema:
    schema = _ref("Object") if media_type == "application/json" else _TEXT
    responses = {"200": _answer(_content(schema, media_type)), **_errors(*statuses)}
    return {"get": {"operationId": name, "summary": summary, "responses": responses}}


def _job(name: str, summary: str) -> Schema:
    return {
        "operationId": name,
        "summary": summary,
        "responses": {"200": _answer(_content(_ref("Job"))), **_errors(401, 404, 503)},
    }


def _admin(method: str, name: str, summary: str, *statuses: int) -> Schema:
    """A path that asks for the admin key, and changes the service, or tells of it."""
    told = _get(name, f"{summary} Asks for the admin key.", 403, *statuses)["get"]
    return {method: {**told, "security": [{"admin": []}]}}


def _open(path: Schema) -> Schema:
    """A path that asks for no key."""
    return {method: {**operation, "security": []} for method, operation in path.items()}


_NAMED: Schema = {"name": "name", "in": "path", "required": True, "schema": _TEXT}
_NOT_READY: Schema = {
    "503": {"description": "Not now: it drains, or its ledger cannot be written.", "content": _content(_ref("Object"))}
}
_KEY_HEADER: Schema = {
    "name": "idempotency-key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": 257},
    "description": "Names the request: the same key and body get the same answer for a day, without a second charge.",
}
_COMPLETE = _post("complete", "Answer on the cheapest tier that does it.", "Complete", "Completed", streams=True)
_COMPLETE["post"]["parameters"] = [_KEY_HEADER]
_COMPLETE["post"]["responses"]["202"] = {"description": "Put off.", "content": _content(_ref("Accepted"))}
_READY = _get("ready", "May it be sent requests?")
_READY["get"]["responses"] |= _NOT_READY
DOCUMENT = msgspec.json.encode(
    {
        "openapi": "3.1.0",
        "info": {"title": "Tierwise", "version": __version__, "license": {"name": "Apache-2.0"}},
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}, {"key": []}],
        "paths": {
            "/complete": _COMPLETE,
            "/jobs/{name}": {
                "get": _job("job", "How a request that was put off stands, and its answer."),
                "delete": _job("cancel", "End a job that has no answer yet, and the call that is made for it."),
                "parameters": [_NAMED],
            },
            "/v1/messages": _post("messages", "The Messages API, routed.", "Messages", "Message", streams=True),
            "/v1/messages/count_tokens": _post("count_tokens", "The API's own token count.", "Counted", "Count"),
            "/explain": _post("explain", "The whole decision, without the call.", "Complete", "Object"),
            "/v1/models": _get("models", "The models, and `claude-auto`.", 401),
            "/v1/models/{name}": {**_get("model", "One model.", 401, 404), "parameters": [_NAMED]},
            "/admin/policy": _admin("get", "policy", "Which policy serves, and how a rollout does."),
            "/admin/reload": _admin("post", "reload", "Load the policy's files anew.", 422),
            "/admin/rollout/promote": _admin("post", "promote", "Serve everybody with the candidate.", 409),
            "/admin/rollout/abort": _admin("post", "abort", "Serve everybody with the current policy.", 409),
            "/health/live": _open(_get("live", "Does the process answer?")),
            "/health/ready": _open(_READY),
            "/metrics": _open(_get("metrics", "Counters, as Prometheus reads them.", media_type="text/plain")),
            "/schema": _open(_get("schema", "This document.")),
        },
        "components": {
            "schemas": _SCHEMAS,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
                "admin": {"type": "apiKey", "in": "header", "name": "x-api-key"},
            },
        },
    }
)
