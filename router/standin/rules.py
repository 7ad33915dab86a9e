"""What the API refuses, and in which words: the checks of one request, in order.

Rule: pure. The first check that fails raises Refused, which becomes the HTTP error; nothing has
been generated or billed by then. Rules that differ by model are in modelrules.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .binding import check_binding
from .modelrules import check_model_rules
from .models import Model
from .prompt import Block, Json, blocks_of, mark_of, read_prompt, total_tokens
from .refused import NOT_FOUND, Refused
from .turns import check_turns

VERSIONS = ("2023-06-01", "2026-10-21")
MARKS_MAX = 4
KNOWN_FIELDS = {
    "model", "messages", "max_tokens", "system", "tools", "tool_choice", "stream", "stop_sequences", "temperature",
    "top_p", "top_k", "metadata", "thinking", "output_config", "cache_control", "service_tier", "inference_geo",
    "speed", "container", "diagnostics",
}  # fmt: skip


def check_version(headers: Mapping[str, str]) -> str:
    """The anthropic-version header, which every call must carry."""
    version = headers.get("anthropic-version")
    if not version:
        raise Refused("anthropic-version: header is required")
    if version not in VERSIONS:
        raise Refused(f"anthropic-version: {version!r} is not a valid version; use {VERSIONS[-1]}")
    return version


def check_request(body: Any, headers: Mapping[str, str], find: Callable[[str], Model | None], counting: bool) -> Model:
    """Everything that can be said of a body before its tokens are counted. Gives the model."""
    if not isinstance(body, dict):
        raise Refused("Input should be a valid dictionary or object to extract fields from")
    version = check_version(headers)
    _check_fields(body, beta="anthropic-beta" in headers, counting=counting)
    model = find(body["model"])
    if model is None:
        raise Refused(f"model: {body['model']}", NOT_FOUND, 404)
    check_turns(body["messages"], version)
    _check_texts(body)
    _check_system_and_tools(body)
    check_model_rules(body, headers, model, version)
    check_binding(body, model)
    return model


def check_prompt(body: Json, model: Model) -> list[Block]:
    """The blocks of a checked body; refuses wrong marks and prompts that are too long."""
    _check_marks(body, model)
    blocks = read_prompt(body, model)
    tokens = total_tokens(blocks)
    if tokens > model.context:
        raise Refused(f"prompt is too long: {tokens} tokens > {model.context} maximum")
    return blocks


def _check_fields(body: Json, beta: bool, counting: bool) -> None:
    required = ("model", "messages") if counting else ("model", "messages", "max_tokens")
    for name in required:
        if body.get(name) is None:
            raise Refused(f"{name}: Field required")
    if not beta:
        for name in body.keys() - KNOWN_FIELDS:
            raise Refused(f"{name}: Extra inputs are not permitted")
    if not isinstance(body["model"], str):
        raise Refused("model: Input should be a valid string")
    if not isinstance(body.get("stream", False), bool):
        raise Refused("stream: Input should be a valid boolean")
    max_tokens = body.get("max_tokens", 1)
    if isinstance(max_tokens, bool) or not isinstance(max_tokens, int):
        raise Refused("max_tokens: Input should be a valid integer")
    if max_tokens < 0:
        raise Refused("max_tokens: Input should be greater than or equal to 0")


def _check_texts(body: Json) -> None:
    stops = body.get("stop_sequences")
    if stops is not None and not (isinstance(stops, list) and all(isinstance(stop, str) and stop for stop in stops)):
        raise Refused("stop_sequences: Input should be a list of non-empty strings")
    metadata = body.get("metadata")
    if metadata is not None and not isinstance(metadata, dict):
        raise Refused("metadata: Input should be a valid dictionary")
    if not isinstance((metadata or {}).get("user_id"), str | None):
        raise Refused("metadata.user_id: Input should be a valid string")


def _check_system_and_tools(body: Json) -> None:
    system = body.get("system")
    if system is not None and not isinstance(system, str | list):
        raise Refused("system: Input should be a valid string or list")
    for index, block in enumerate(blocks_of(system)):
        if not isinstance(block, dict) or block.get("type") != "text" or not isinstance(block.get("text"), str):
            raise Refused(f"system.{index}: Input should be a text block")
    tools = body.get("tools")
    if tools is not None and not isinstance(tools, list):
        raise Refused("tools: Input should be a valid list")
    names = set()
    for index, tool in enumerate(tools or []):
        if not isinstance(tool, dict) or not isinstance(tool.get("name"), str):
            raise Refused(f"tools.{index}.name: Field required")
        if tool["name"] in names:
            raise Refused("tools: Tool names must be unique.")
        names.add(tool["name"])


def _check_marks(body: Json, model: Model) -> None:
    blocks = read_prompt({**body, "cache_control": None}, model) if _mentions_marks(body) else []
    marked = [block for block in blocks if block.mark]
    for block in marked:
        if not block.markable:
            raise Refused(f"cache_control cannot be set for {block.content['type']} blocks that are empty or thinking")
    ttls = [block.mark or "" for block in marked]
    automatic = body.get("cache_control")
    if isinstance(automatic, dict):
        ttls = _with_automatic(ttls, blocks, automatic)
    for control in [automatic, *(block.content.get("cache_control") for block in marked)]:
        _check_control(control)
    if len(ttls) > MARKS_MAX:
        raise Refused(f"A maximum of 4 blocks with cache_control may be provided. Found {len(ttls)}.")
    if "5m" in ttls and "1h" in ttls[ttls.index("5m") :]:
        raise Refused(
            "a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block. "
            "Note that blocks are processed in the following order: `tools`, `system`, `messages`."
        )


def _mentions_marks(body: Json) -> bool:
    if isinstance(body.get("cache_control"), dict):
        return True
    parts = [*(body.get("tools") or []), *blocks_of(body.get("system"))]
    for message in body["messages"]:
        parts.extend(blocks_of(message["content"]))
    return any(mark_of(part) for part in parts)


def _with_automatic(ttls: list[str], blocks: list[Block], control: Json) -> list[str]:
    last = next((block for block in reversed(blocks) if block.markable), None)
    wanted = str(control.get("ttl") or "5m")
    if last is None or last.mark == wanted:
        return ttls
    if last.mark:
        raise Refused("cache_control: the last block is already marked with another ttl")
    return [*ttls, wanted]


def _check_control(control: Any) -> None:
    if control is None:
        return
    if not isinstance(control, dict) or control.get("type") != "ephemeral":
        raise Refused("cache_control.type: Input should be 'ephemeral'")
    if control.get("ttl") not in (None, "5m", "1h"):
        raise Refused("cache_control.ttl: Input should be '5m' or '1h'")
