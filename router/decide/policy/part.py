"""What every part of a policy is made of: a frozen record, and the few types that many of them share.

Rule: a field's `description` and its first `example` are its documentation: the schema and the
reference in docs/policies.md are made from them, and a test loads every example.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Name = Annotated[str, Meta(pattern="^[a-z][a-z0-9_-]{0,63}$")]
Positive = Annotated[float, Meta(gt=0)]
Share = Annotated[float, Meta(ge=0, le=1)]
Tokens = Annotated[int, Meta(ge=1, le=1_000_000)]
EffortLevel = Literal["low", "medium", "high", "xhigh", "max"]
ThinkingMode = Literal["off", "auto"]
DifficultyName = Literal["simple", "complex", "edge_case"]
WorkloadName = Literal["interactive", "background", "batch"]
# The only texts in which `${NAME:-default}` is filled in: secrets and hosts.
FromEnvironment = Annotated[str, Meta(extra={"environment": True})]


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of a policy: frozen, and an unknown key is an error."""
