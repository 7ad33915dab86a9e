"""What one model refuses and another takes: thinking, effort, tools, sampling, prefill, schemas.

Rule: pure; every rule reads the model's row in models.py, none knows a model by name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .models import EFFORTS, Model
from .prompt import Json, effort_of, is_forced, thinking_mode
from .refused import Refused

SAMPLING = ("temperature", "top_p", "top_k")
HAIKU_SAMPLING = {"temperature": 1, "top_p": 0.99}
DEFAULT_SAMPLING = {"temperature": 1, "top_p": 1}
TOP_EFFORTS = ("xhigh", "max")
NEEDS_CALM = ("disabled", "between_tools")  # not at the two highest efforts
THINKING_MINIMUM = 1024
FAST_BETA = "fast-mode-2026-02-01"
UNSUPPORTED_IN_SCHEMAS = (
    "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "maxItems",
)  # fmt: skip


def check_model_rules(body: Json, headers: Mapping[str, str], model: Model, version: str) -> None:
    """All rules that depend on the model; counting tokens obeys them too."""
    _check_output(body, model)
    _check_sampling(body, model, version)
    _check_effort(body, model)
    _check_thinking(body, model)
    _check_tool_choice(body, model)
    _check_turns(body, model)
    _check_format(body)
    _check_region_and_speed(body, headers, model)
    _check_warming(body)


def _check_output(body: Json, model: Model) -> None:
    if body.get("max_tokens", 1) > model.max_output:
        raise Refused(
            f"max_tokens: {body['max_tokens']} > {model.max_output}, which is the maximum allowed number of output "
            f"tokens for {model.id}"
        )


def _check_sampling(body: Json, model: Model, version: str) -> None:
    allowed = HAIKU_SAMPLING if model.haiku_sampling else DEFAULT_SAMPLING
    for name in SAMPLING:
        if body.get(name) is None:
            continue
        if version != "2023-06-01":
            raise Refused(f"`{name}` is not supported on API version {version}")
        if isinstance(body[name], bool) or not isinstance(body[name], int | float):
            raise Refused(f"{name}: Input should be a valid number")
        if not model.free_sampling and body[name] != allowed.get(name):
            raise Refused(f"`{name}` may only be set to its default for {model.id}")


def _check_effort(body: Json, model: Model) -> None:
    config = body.get("output_config")
    if config is not None and not isinstance(config, dict):
        raise Refused("output_config: Input should be a valid dictionary")
    effort = (config or {}).get("effort")
    if effort is None:
        return
    if effort not in EFFORTS:
        raise Refused(f"output_config.effort: Input should be one of {', '.join(EFFORTS)}")
    if effort not in model.efforts:
        raise Refused(f"output_config.effort: {effort!r} is not supported by {model.id}")


def _check_thinking(body: Json, model: Model) -> None:
    thinking = body.get("thinking")
    if thinking is None:
        return
    if not isinstance(thinking, dict):
        raise Refused("thinking: Input should be a valid dictionary")
    mode = thinking_mode(body, model)
    if mode not in model.thinking:
        allowed = " or ".join(f'"thinking.type.{name}"' for name in model.thinking)
        raise Refused(f'"thinking.type.{mode}" is not supported for {model.id}. Use {allowed}.')
    if mode in NEEDS_CALM and effort_of(body, model) in TOP_EFFORTS:
        raise Refused(f'"thinking.type.{mode}" is not supported with output_config.effort xhigh or max')
    if thinking.get("display") not in (None, "summarized", "omitted"):
        raise Refused("thinking.display: Input should be 'summarized' or 'omitted'")
    if mode == "enabled":
        _check_budget(thinking.get("budget_tokens"), body.get("max_tokens"))


def _check_budget(budget: Any, max_tokens: int | None) -> None:
    if not isinstance(budget, int) or budget < THINKING_MINIMUM:
        raise Refused(f"thinking.enabled.budget_tokens: Input should be greater than or equal to {THINKING_MINIMUM}")
    if max_tokens is not None and budget >= max_tokens:
        raise Refused("`max_tokens` must be greater than `thinking.budget_tokens`")


def _check_tool_choice(body: Json, model: Model) -> None:
    choice = body.get("tool_choice")
    if choice is None:
        return
    if not isinstance(choice, dict) or choice.get("type") not in ("auto", "any", "tool", "none"):
        raise Refused("tool_choice.type: Input should be 'auto', 'any', 'tool' or 'none'")
    names = [tool["name"] for tool in body.get("tools") or []]
    if not names:
        raise Refused("tool_choice: tool_choice may only be specified while providing tools")
    if choice["type"] == "tool" and choice.get("name") not in names:
        raise Refused(f"tool_choice: Tool '{choice.get('name')}' not found in provided tools")
    if is_forced(body) and not model.forced_tools:
        raise Refused(f"tool_choice: type '{choice['type']}' is not supported by {model.id}; use 'auto'")
    if is_forced(body) and thinking_mode(body, model) == "enabled":
        raise Refused("Thinking may not be enabled when tool_choice forces tool use.")


def _check_turns(body: Json, model: Model) -> None:
    messages = body["messages"]
    for index, message in enumerate(messages):
        if message["role"] == "system" and not model.system_turns:
            raise Refused(f"messages.{index}.role: 'system' messages are not supported by {model.id}")
    if messages[-1]["role"] != "assistant":
        return
    if not model.prefill:
        raise Refused(
            "This model does not support assistant message prefill. The conversation must end with a user message."
        )
    if thinking_mode(body, model) != "disabled":
        raise Refused("messages: the final message may not be from the assistant when thinking is enabled")


def _check_format(body: Json) -> None:
    wanted = (body.get("output_config") or {}).get("format")
    if wanted is None:
        return
    if not isinstance(wanted, dict) or wanted.get("type") != "json_schema":
        raise Refused("output_config.format.type: Input should be 'json_schema'")
    if not isinstance(wanted.get("schema"), dict):
        raise Refused("output_config.format.schema: Field required")
    if body["messages"][-1]["role"] == "assistant":
        raise Refused("output_config.format: incompatible with an assistant message prefill")
    for schema in _schemas(wanted["schema"]):
        _check_schema(schema)


def _check_schema(schema: Json) -> None:
    if schema.get("type") == "object" and schema.get("additionalProperties") is not False:
        raise Refused(
            "output_config.format.schema: For 'object' type, 'additionalProperties' must be explicitly set to false"
        )
    for name in UNSUPPORTED_IN_SCHEMAS:
        if name in schema:
            raise Refused(f"output_config.format.schema: property '{name}' is not supported")


def _schemas(schema: object) -> Iterator[Json]:
    """The schema and all schemas inside it. Names of properties are no keywords."""
    if not isinstance(schema, dict):
        return
    yield schema
    inside: list[object] = [schema.get("items")]
    for name in ("anyOf", "allOf", "properties", "$defs", "definitions"):
        parts = schema.get(name)
        if isinstance(parts, dict):
            inside.extend(parts.values())
        elif isinstance(parts, list):
            inside.extend(parts)
    for part in inside:
        yield from _schemas(part)


def _check_region_and_speed(body: Json, headers: Mapping[str, str], model: Model) -> None:
    geo = body.get("inference_geo")
    if geo is not None and geo not in ("us", "global"):
        raise Refused("inference_geo: Input should be 'us' or 'global'")
    if geo is not None and not model.geo:
        raise Refused(f"inference_geo is not supported by {model.id}")
    speed = body.get("speed")
    if speed not in (None, "standard", "fast"):
        raise Refused("speed: Input should be 'standard' or 'fast'")
    allowed = model.fast == "yes" or (model.fast == "beta" and FAST_BETA in headers.get("anthropic-beta", ""))
    if speed == "fast" and not allowed:
        raise Refused(f"speed: 'fast' is not supported by {model.id}")


def _check_warming(body: Json) -> None:
    """max_tokens 0 reads and caches the prompt and generates nothing."""
    if body.get("max_tokens", 1) != 0:
        return
    thinking = body.get("thinking")
    clashes = {
        "stream": body.get("stream") is True,
        "thinking.type 'enabled'": isinstance(thinking, dict) and thinking.get("type") == "enabled",
        "output_config.format": bool((body.get("output_config") or {}).get("format")),
        "a forced tool_choice": is_forced(body),
    }
    for name, clash in clashes.items():
        if clash:
            raise Refused(f"max_tokens: 0 cannot be combined with {name}")
