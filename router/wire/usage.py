"""The API's usage objects as our disjoint token classes.

Rule: pure. Fields are merged one by one, the last figure given wins, and where the split of the cache
writes does not add up the remainder counts as the dearer kind.
"""

from __future__ import annotations

import msgspec

from ..errors import WireError
from ..vocabulary import Usage


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
    server_tool_use: dict[str, int | None] | None = None


def merged(earlier: UsageFields, later: UsageFields) -> UsageFields:
    """Later figures over earlier ones, field by field."""
    given = {name: value for name in UsageFields.__struct_fields__ if (value := getattr(later, name)) is not None}
    return msgspec.structs.replace(earlier, **given) if given else earlier


def usage_of(fields: UsageFields) -> Usage:
    """Raises WireError for a figure below zero."""
    creation = fields.cache_creation or _Creation()
    write_5m = creation.ephemeral_5m_input_tokens or 0
    write_1h = creation.ephemeral_1h_input_tokens or 0
    total = fields.cache_creation_input_tokens
    if total is None:
        total = write_5m + write_1h
    if fields.cache_creation is None:
        write_5m = total  # the default lifetime, when the API does not say which
    elif write_5m + write_1h < total:
        write_1h = total - write_5m
    usage = Usage(
        input_tokens=fields.input_tokens or 0,
        output_tokens=fields.output_tokens or 0,
        cache_read_tokens=fields.cache_read_input_tokens or 0,
        cache_write_5m_tokens=write_5m,
        cache_write_1h_tokens=write_1h,
        thinking_tokens=(fields.output_tokens_details or _OutputDetails()).thinking_tokens or 0,
        inference_geo=fields.inference_geo,
        speed=fields.speed,
        service_tier=fields.service_tier,
        server_tool_requests=sum(count or 0 for count in (fields.server_tool_use or {}).values()),
    )
    figures = (usage.input_tokens, usage.output_tokens, usage.cache_read_tokens, write_5m, write_1h)
    if min(figures) < 0 or max(figures) >= 2**53:
        raise WireError("usage: a token count that cannot be")
    return usage
