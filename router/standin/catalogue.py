"""The Models API: what it tells of each model, and no more than that.

Rule: pure. Prices, cache minimums and bands are not here, because the real API does not tell them.
"""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import parse_qs

from .models import EFFORTS, MODELS, Model, find
from .prompt import Json
from .refused import NOT_FOUND, Refused

PAGE_DEFAULT = 20
PAGE_MAX = 1_000
THINKING_TYPES = ("adaptive", "enabled", "disabled", "between_tools")


def listing(query: str, now_ms: int) -> Json:
    """GET /v1/models."""
    wanted = parse_qs(query)
    limit = _limit(wanted.get("limit", [str(PAGE_DEFAULT)])[0])
    models = [described(model, now_ms) for model in MODELS.values() if find(model.id, now_ms)]
    lifecycles = wanted.get("lifecycle") or wanted.get("lifecycle[]")
    if lifecycles:
        models = [model for model in models if model["lifecycle"] in lifecycles]
    after = wanted.get("after_id", [""])[0]
    names = [model["id"] for model in models]
    start = names.index(after) + 1 if after in names else 0
    page = models[start : start + limit]
    return {
        "data": page,
        "first_id": page[0]["id"] if page else None,
        "last_id": page[-1]["id"] if page else None,
        "has_more": start + limit < len(models),
    }


def one(name: str, now_ms: int) -> Json:
    """GET /v1/models/{id}."""
    model = find(name, now_ms)
    if model is None:
        raise Refused(f"model: {name}", NOT_FOUND, 404)
    return described(model, now_ms)


def described(model: Model, now_ms: int) -> Json:
    deprecated = model.deprecated_at_ms is not None and now_ms >= model.deprecated_at_ms
    return {
        "type": "model",
        "id": model.id,
        "display_name": model.name,
        "line": model.line,
        "lifecycle": "deprecated" if deprecated else "active",
        "created_at": f"{model.created}T00:00:00Z",
        "deprecated_at": _time(model.deprecated_at_ms),
        "retires_at": _time(model.retires_at_ms),
        "max_input_tokens": model.context,
        "max_tokens": model.max_output,
        "capabilities": _capabilities(model),
    }


def _capabilities(model: Model) -> Json:
    yes = {"supported": True}
    thinking = {name: {"supported": name in model.thinking} for name in THINKING_TYPES}
    efforts = {name: {"supported": name in model.efforts} for name in EFFORTS}
    plain = ("batch", "citations", "code_execution", "image_input", "pdf_input", "structured_outputs")
    return {
        **dict.fromkeys(plain, yes),
        "context_management": yes,
        "server_tools": {**yes, "code_execution": yes, "web_search": yes},
        "effort": {"supported": bool(model.efforts), **efforts},
        "thinking": {"supported": True, "types": thinking},
    }


def _limit(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= PAGE_MAX:
        raise Refused(f"limit: Input should be between 1 and {PAGE_MAX}")
    return int(text)


def _time(at_ms: int | None) -> str | None:
    if at_ms is None:
        return None
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
