"""The API's usage objects as our disjoint token classes.

Rule: pure. Fields are merged one by one, the last figure given wins, and where the split of the cache
writes does not add up the remainder counts as the dearer kind.
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from ..errors import WireError
from ..vocabulary import Usage

_FIGURE_MAX = 2**53  # beyond it no count of tokens is one


class _Creation(msgspec.Struct):
    ephemeral_5m_input_tokens: int | None = None
    ephemeral_1h_input_tokens: int | None = None


class _OutputDetails(msgspec.Struct):
    thinking_tokens: int | None = None


class UsageFields(msgspec.Struct):
    """A usage object as the API writes it; what is not given is None."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation: _Creation | None = None
    output_tokens_details: _OutputDetails | None = None
    inference_geo: str | None = None
    speed: str | None = None
    service_tier: str | None = None
    server_tool_use: dict[str, Any] | None = None  # a kind of tool to its calls, and whatever comes next


Given = TypeVar("Given", bound=msgspec.Struct)


def merged(earlier: Given, later: Given) -> Given:
    """Later figures over earlier ones, field by field; what is not given changes nothing."""
    changes: dict[str, Any] = {}
    for name in later.__struct_fields__:
        value, before = getattr(later, name), getattr(earlier, name)
        if isinstance(value, msgspec.Struct) and before is not None:
            changes[name] = merged(before, value)
        elif value is not None:
            changes[name] = value
    return msgspec.structs.replace(earlier, **changes) if changes else earlier


def usage_of(fields: UsageFields) -> Usage:
    """Raises WireError for a figure that cannot be."""
    write_5m, write_1h = _writes(fields)
    usage = Usage(
        input_tokens=_figure("input_tokens", fields.input_tokens),
        output_tokens=_figure("output_tokens", fields.output_tokens),
        cache_read_tokens=_figure("cache_read_input_tokens", fields.cache_read_input_tokens),
        cache_write_5m_tokens=write_5m,
        cache_write_1h_tokens=write_1h,
        thinking_tokens=_thinking(fields.output_tokens_details),
        inference_geo=fields.inference_geo,
        speed=fields.speed,
        service_tier=fields.service_tier,
    )
    if fields.server_tool_use:
        calls = sum(calls for calls in fields.server_tool_use.values() if type(calls) is int and calls > 0)
        usage = msgspec.structs.replace(usage, server_tool_requests=calls)
    return usage


def _writes(fields: UsageFields) -> tuple[int, int]:
    """Cache writes for five minutes and for an hour."""
    total = _figure("cache_creation_input_tokens", fields.cache_creation_input_tokens)
    split = fields.cache_creation
    if split is None:
        return total, 0  # the default lifetime, when the API does not say which
    write_5m = _figure("cache_creation", split.ephemeral_5m_input_tokens)
    write_1h = _figure("cache_creation", split.ephemeral_1h_input_tokens)
    return write_5m, max(write_1h, total - write_5m)


def _thinking(details: _OutputDetails | None) -> int:
    return 0 if details is None else _figure("output_tokens_details", details.thinking_tokens)


def _figure(name: str, given: int | None) -> int:
    if given is None:
        return 0
    if not 0 <= given < _FIGURE_MAX:
        raise WireError(f"usage.{name}: a token count that cannot be")
    return given
